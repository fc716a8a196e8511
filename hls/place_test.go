package hls

import (
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
