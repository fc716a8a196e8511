package hls_test

import (
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/source"
)

func openFile(t testing.TB, name string, o *hls.Options) *hls.Demuxer {
	t.Helper()
	f, err := source.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	d, err := hls.Open(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func list(t testing.TB, d *hls.Demuxer, track int) []container.PacketInfo {
	t.Helper()
	var all []container.PacketInfo
	for p, err := range d.List(t.Context(), track, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestLocateAgreesWithList asks new demuxers for times and compares what they find with the listing of all packets.
func TestLocateAgreesWithList(t *testing.T) {
	for _, name := range []string{
		"hls/androidx/multi-segment/playlist.m3u8", "hls/shaka/hls-ts-rollover/playlist.m3u8", "hls/shaka/hls-text-offset/index.m3u8",
		"hls/shaka/hls-raw-aac/stream.m4a.m3u8", "hls/shaka/hls-ts-muxed-aac-h264/playlist.m3u8", "hls/shaka/hls-gap/playlist.m3u8",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(corpus(t), filepath.FromSlash(name))
			all := list(t, openFile(t, file, nil), 0)
			for i := 0; i < len(all); i += max(1, len(all)/7) {
				pts := all[i].PTS
				want := 0
				for k := range all {
					if all[k].Key && all[k].PTS <= pts {
						want = k
					}
				}
				d := openFile(t, file, nil)
				got, err := d.Locate(t.Context(), 0, pts)
				if err != nil {
					t.Fatal(err)
				}
				if got.Pos != all[want].Pos || got.PTS != all[want].PTS || got.N >= 0 && got.N != all[want].N {
					t.Fatalf("Locate(%d) = %+v, want %+v", pts, got, all[want])
				}
				got.N = all[want].N
				k := want
				for p, err := range d.Follow(t.Context(), 0, got) {
					if err != nil {
						t.Fatal(err)
					}
					p.DTS = all[k].DTS
					if p != all[k] {
						t.Fatalf("packet %d behind it is %+v, want %+v", k, p, all[k])
					}
					if k++; k == want+300 {
						break
					}
				}
			}
		})
	}
}
