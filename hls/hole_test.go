package hls

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// TestASegmentThatIsMissing lists playlists of which segments cannot be had: one packet stands for each, at its time, and tells so when it is read.
func TestASegmentThatIsMissing(t *testing.T) {
	for _, gone := range [][]int{{12}, {10}, {14}, {12, 13}, {10, 11, 14}} {
		t.Run(fmt.Sprint(gone), func(t *testing.T) {
			s := &stage{
				list: func(time.Duration) string { return window(10, 14, "#EXT-X-ENDLIST\n") },
				missing: func(name string, _ time.Duration) bool {
					return slices.ContainsFunc(gone, func(n int) bool { return name == fmt.Sprintf("%d.aac", n) })
				},
			}
			d := s.open(t)
			tb := d.Tracks()[0].Timebase
			var p container.Packet
			n := 10
			check := func(d *Demuxer, info container.PacketInfo, n int) {
				t.Helper()
				if info.PTS != tb.Ticks(time.Duration(4*n)*time.Second) || info.N >= 0 && info.N != int64(n-10) {
					t.Errorf("the packet of segment %d is %+v", n, info)
				}
				err := d.Read(t.Context(), 0, info, &p)
				if !slices.Contains(gone, n) {
					if err != nil || info.Corrupt {
						t.Errorf("reading %+v: %v", info, err)
					}
					return
				}
				if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, container.ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprintf("segment %d, %d.aac", n, n)) || !info.Corrupt || info.End() != info.PTS+tb.Ticks(4*time.Second) {
					t.Errorf("reading %+v: error = %v", info, err)
				}
			}
			for info, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
				if err != nil {
					t.Fatal(err)
				}
				check(d, info, n)
				n++
			}
			if n != 15 || len(d.Warnings()) != len(gone) {
				t.Errorf("it ends with segment %d; warnings %v", n-1, d.Warnings())
			}
			for n := 10; n < 15; n++ { // by a demuxer that knows nothing
				d := s.open(t)
				at := tb.Ticks(time.Duration(4*n+1) * time.Second)
				from, err := d.Locate(t.Context(), 0, at)
				if err != nil {
					t.Fatal(err)
				}
				var found container.PacketInfo
				for info, err := range d.Follow(t.Context(), 0, from) {
					if err != nil {
						t.Fatal(err)
					}
					if info.PTS > at {
						break
					}
					found = info
				}
				check(d, found, n)
			}
		})
	}
}
