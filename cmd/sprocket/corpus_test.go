package main

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// corpusDir returns the folder of media made by others, or skips.
func corpusDir(t *testing.T) string {
	t.Helper()
	return testmedia.Corpus(t)
}

// ffprobePacket is a packet as ffprobe prints it.
type ffprobePacket struct {
	Stream int    `json:"stream_index"`
	PTS    *int64 `json:"pts"`
	DTS    *int64 `json:"dts"`
	Size   string `json:"size"`
	Pos    string `json:"pos"`
	Flags  string `json:"flags"`
}

func ffprobePackets(t *testing.T, dir, name string) []ffprobePacket {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "_ffprobe", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Packets []ffprobePacket }
	if err := json.NewDecoder(z).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Packets
}

// The packets of each track are those of ffprobe: place, size, times, key and discard flags, in the same order.
func TestPacketsEqualFFprobe(t *testing.T) {
	dir := corpusDir(t)
	for _, name := range []string{
		"mp4/flutter/Butterfly-209.mp4",
		"mp4/bbb/video.mp4",
		"mp4/mp4parser/foreman-hevc-384.mp4",
		"mp4/moviepy/smpte-2997.mp4",
		"mp4/androidx/sample.mp4",
		"mp4/androidx/edit_list_positive_shift.mp4",
		"mp4/androidx/bbb_800x640_768kbps_30fps_vp9.mp4",
	} {
		t.Run(name, func(t *testing.T) {
			want := map[int][]ffprobePacket{} // by stream
			for _, p := range ffprobePackets(t, dir, name) {
				want[p.Stream] = append(want[p.Stream], p)
			}
			var r struct{ Tracks []struct{ ID int } }
			if err := json.Unmarshal([]byte(mustRun(t, "inspect", "--json", filepath.Join(dir, name))), &r); err != nil {
				t.Fatal(err)
			}
			for stream, track := range r.Tracks {
				n := 0
				for line := range strings.Lines(mustRun(t, "packets", "--json", "--track", strconv.Itoa(track.ID), filepath.Join(dir, name))) {
					if n < len(want[stream]) {
						comparePacket(t, want[stream][n], line)
					}
					n++
				}
				if n != len(want[stream]) {
					t.Errorf("track %d: %d packets, want %d", track.ID, n, len(want[stream]))
				}
			}
		})
	}
}

func comparePacket(t *testing.T, want ffprobePacket, line string) {
	t.Helper()
	var got struct {
		PTS, DTS     *int64
		Pos, Size    int64
		Key, Discard bool
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	same := func(a, b *int64) bool { return a != nil && b != nil && *a == *b }
	if !same(got.PTS, want.PTS) || !same(got.DTS, want.DTS) ||
		strconv.FormatInt(got.Pos, 10) != want.Pos || strconv.FormatInt(got.Size, 10) != want.Size ||
		got.Key != strings.Contains(want.Flags, "K") || got.Discard != strings.Contains(want.Flags, "D") {
		wanted, err := json.Marshal(want)
		t.Errorf("got %s, want %s %v", strings.TrimSpace(line), wanted, err)
	}
}
