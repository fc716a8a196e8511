package hls

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// TestOneSegmentAloneLiesWhereAllDo asks demuxers that know nothing for the time of each segment of a list, and compares with the list.
func TestOneSegmentAloneLiesWhereAllDo(t *testing.T) {
	const n = 80
	for _, tt := range []struct {
		name   string
		extinf string
		media  func(i int) []byte
		at     func(i int) int64 // when segment i begins, in 1/90000 s
	}{
		{"EXTINF is right", "4", func(i int) []byte { return frameAt(int64(i)*360_000, i) }, func(i int) int64 { return int64(i) * 360_000 }},
		{"EXTINF is too long", "5", func(i int) []byte { return frameAt(int64(i)*360_000, i) }, func(i int) int64 { return int64(i) * 360_000 }},
		{"EXTINF is too short", "3", func(i int) []byte { return frameAt(int64(i)*360_000, i) }, func(i int) int64 { return int64(i) * 360_000 }},
		{"the times wrap", "4", func(i int) []byte { return frameAt((1<<33+int64(i-20)*360_000)&(1<<33-1), i) }, func(i int) int64 { return 1<<33 + int64(i-20)*360_000 }},
		{"the times wrap at once", "4", func(i int) []byte { return frameAt((1<<33-1+int64(i)*360_000)&(1<<33-1), i) }, func(i int) int64 { return 1<<33 - 1 + int64(i)*360_000 }},
		{"no segment tells its time", "4", frameOf, func(i int) int64 { return int64(i) * 360_000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stage{media: tt.media, list: func(time.Duration) string {
				return strings.ReplaceAll(window(0, n-1, "#EXT-X-ENDLIST\n"), "#EXTINF:4,", "#EXTINF:"+tt.extinf+",")
			}}
			i := 0
			for info, err := range s.open(t).List(t.Context(), 0, container.PacketInfo{}) {
				if err != nil {
					t.Fatal(err)
				}
				if int64(info.PTS) != tt.at(i) {
					t.Errorf("segment %d is listed at %d, want %d", i, info.PTS, tt.at(i))
				}
				got, err := s.open(t).Locate(t.Context(), 0, info.PTS)
				if err != nil || got.Pos != info.Pos || got.PTS != info.PTS {
					t.Errorf("segment %d is found at %d, at %d, %v, want at %d, at %d", i, got.Pos, got.PTS, err, info.Pos, info.PTS)
				}
				i++
			}
			if i != n {
				t.Errorf("%d packets, want %d", i, n)
			}
		})
	}
}

// TestRenditionsStayTogether: behind a discontinuity sound and pictures of playlists of their own are moved alike, whatever their EXTINF add up to.
func TestRenditionsStayTogether(t *testing.T) {
	list := func(extinf string, first int) string {
		text := "#EXTM3U\n#EXT-X-TARGETDURATION:5\n"
		for i, n := range []int{0, 1, 20, 21, 12, 13} { // of 4 s, from 0 s, 80 s and 48 s on
			if i == 2 || i == 4 {
				text += "#EXT-X-DISCONTINUITY\n"
			}
			text += fmt.Sprintf("#EXTINF:%s,\n%d.aac\n", extinf, first+n)
		}
		return text + "#EXT-X-ENDLIST\n"
	}
	s := &stage{
		list: func(time.Duration) string {
			return "#EXTM3U\n" + `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="one",URI="one.m3u8"` + "\n" + `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="two",DEFAULT=YES,URI="two.m3u8"` + "\n"
		},
		lists: map[string]string{"one.m3u8": list("4.011", 100), "two.m3u8": list("4", 0)},
		media: func(n int) []byte { return frameAt(int64(n%100)*360_000+int64(n/100)*700, n) }, // the other begins a bit later
	}
	at := []int64{0, 4, 8, 12, 16, 20} // s, as "two", the default, has it
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		d := s.open(t)
		for _, track := range order {
			i := 0
			for info, err := range d.List(t.Context(), track, container.PacketInfo{}) {
				if err != nil {
					t.Fatal(err)
				}
				if want := at[i]*90_000 + int64(1-track)*700; int64(info.PTS) != want {
					t.Errorf("order %v: segment %d of track %d is at %d, want %d", order, i, track, info.PTS, want)
				}
				i++
			}
			if i != len(at) {
				t.Errorf("track %d has %d packets", track, i)
			}
		}
	}
	for track := range 2 { // by a demuxer that knows nothing
		for i, want := range at {
			want := want*90_000 + int64(1-track)*700
			if got, err := s.open(t).Locate(t.Context(), track, container.Ticks(want)); err != nil || int64(got.PTS) != want {
				t.Errorf("segment %d of track %d is found at %d, %v, want %d", i, track, got.PTS, err, want)
			}
		}
	}
	// What is in no use leads nobody.
	d, err := Open(t.Context(), actor{bytes.NewReader([]byte(s.list(0))), s}, &Options{Options: container.Options{Select: func([]container.Track) []int { return []int{0} }}})
	if err != nil {
		t.Fatal(err)
	}
	s.names = nil
	if _, err := d.Locate(t.Context(), 0, 12*90_000); err != nil || slices.ContainsFunc(s.names, func(n string) bool { return n == "two.m3u8" || len(n) < len("100.aac") }) {
		t.Errorf("%v were asked for, %v", s.names, err)
	}
}
