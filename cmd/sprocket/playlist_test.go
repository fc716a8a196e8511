package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// transport is a transport stream of n frames from the first on, a second each 25 of them, with a key frame every tenth.
func transport(first, n, size int) []byte {
	ts := &testmedia.TS{}
	ts.Packets(ts.PAT(0, 0x100)...)
	ts.Packets(ts.PMT(0x100, 0, 0x101, testmedia.TSStream{PID: 0x101, Type: 0x1b})...)
	a := testmedia.AVC{Width: 4, Height: 4}
	for i := first; i < first+n; i++ {
		data := append([]byte(nil), testmedia.AUD...)
		key := i%10 == 0
		if key {
			data = append(data, a.Sets()...)
		}
		data = append(data, a.Slice(testmedia.Slice{IDR: key, Number: uint32(i % 10), Order: uint32(i % 10 * 2), Size: size})...)
		ts.Packets(ts.PES(0x101, testmedia.PES{PTS: 90_000 + int64(i)*3600, DTS: -1, Random: key, Data: data})...)
	}
	return ts.Bytes()
}

// playlistClip writes a playlist of three transport streams of 20 frames, and one of variants that leads to it, to the folder where the test
// now runs.
func playlistClip(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	text := "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
	for i := range 3 {
		name := fmt.Sprintf("%d.ts", i)
		text += "#EXTINF:0.8,\n" + name + "\n"
		if err := os.WriteFile(name, transport(20*i, 20, 400), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	master := "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"English\",URI=\"none.m3u8\"\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=4x4,FRAME-RATE=25,CODECS=\"avc1.42c00a\"\nlist.m3u8\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=200000,RESOLUTION=8x8,FRAME-RATE=25,CODECS=\"avc1.42c00a,mp4a.40.2\",AUDIO=\"sound\"\nlist.m3u8?large\n"
	for name, text := range map[string]string{"list.m3u8": text + "#EXT-X-ENDLIST\n", "master.m3u8": master} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// strip takes out of a report what differs between two ways to the same file.
func strip(r report) report {
	r.Source, r.HTTP, r.Open = "", nil, cost{}
	for i := range r.Tracks {
		if x := r.Tracks[i].Index; x != nil {
			x.Cost = cost{}
		}
		if g := r.Tracks[i].GOP; g != nil {
			g.Keys.Cost = cost{}
		}
	}
	return r
}

func TestInspectAndPacketsOfAPlaylist(t *testing.T) {
	playlistClip(t)
	s := serveCounted(t, ".")
	var local, remote report
	unmarshal(t, mustRun(t, "inspect", "--json", "list.m3u8"), &local)
	unmarshal(t, mustRun(t, "inspect", "--json", s.URL+"/list.m3u8"), &remote)
	if local.Format != "hls" || len(local.Tracks) != 1 || local.Tracks[0].Packets != 60 || local.Tracks[0].Keys != 6 || *local.Tracks[0].Frames != 60 || local.Tracks[0].GOP.Keys.IDR != 6 {
		t.Errorf("%+v", local)
	}
	if diff := cmp.Diff(strip(local), strip(remote), cmp.AllowUnexported(spread{}, trackReport{})); diff != "" {
		t.Errorf("(-local +remote):\n%s", diff)
	}
	for _, args := range [][]string{{"packets"}, {"packets", "--json"}} {
		got, want := mustRun(t, append(args, s.URL+"/list.m3u8")...), mustRun(t, append(args, "list.m3u8")...)
		if got != want {
			t.Errorf("%v over HTTP:\n%s\nwant\n%s", args, got, want)
		}
	}
	// The packets are those of the segments, but for where they lie.
	var want, got []packetLine
	for i := range 3 {
		for _, p := range linesOf(t, fmt.Sprintf("%d.ts", i)) {
			p.N, p.Pos = len(want), p.Pos+int64(i)<<32
			want = append(want, p)
		}
	}
	got = linesOf(t, "list.m3u8")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packets (-segments +playlist):\n%s", diff)
	}
}

// packetLine is a line that packets prints.
type packetLine struct {
	N, Size  int
	PTS, DTS int64
	Pos      int64
	Key      bool
}

func linesOf(t *testing.T, name string) (all []packetLine) {
	t.Helper()
	for line := range strings.Lines(mustRun(t, "packets", "--json", name)) {
		var p packetLine
		unmarshal(t, line, &p)
		all = append(all, p)
	}
	return all
}

// To inspect a playlist of variants is to say what it says, and to fetch none of them.
func TestInspectVariants(t *testing.T) {
	playlistClip(t)
	s := serveCounted(t, ".")
	for _, name := range []string{"master.m3u8", s.URL + "/master.m3u8"} {
		s.expect(100, 0)
		var r report
		unmarshal(t, mustRun(t, "inspect", "--json", name), &r)
		if len(r.Tracks) != 3 || r.Tracks[0].Variant == nil || r.Tracks[0].Variant.Bandwidth != 100_000 || r.Tracks[1].Video.Width != 8 || r.Tracks[1].Index != nil {
			t.Errorf("%s: %+v", name, r.Tracks)
		}
		if n, _ := s.counts(); n > 1 {
			t.Errorf("%s: %d requests", name, n)
		}
		if text := mustRun(t, "inspect", name); !strings.Contains(text, "variant    up to 200 kb/s, 25 fps, avc1.42c00a,mp4a.40.2\n") || strings.Contains(text, "packets    0") || !strings.Contains(text, "track 3: audio, aac") || strings.Contains(text, "0 Hz") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}
