package hls_test

import (
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/source"
)

func openFile(t testing.TB, name string, o *hls.Options) (*hls.Demuxer, error) {
	t.Helper()
	f, err := source.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	d, err := hls.Open(t.Context(), f, o)
	if err == nil {
		t.Cleanup(func() { _ = d.Close() })
	}
	return d, err
}

func TestTry(t *testing.T) {
	for _, name := range []string{"hls/shaka/hls-mp4-muxed-aac-h264/hls.m3u8", "hls/androidx/multi-segment/playlist.m3u8", "hls/shaka/hls-sample-aes/index.m3u8", "hls/shaka/hls-raw-aac/manifest.m3u8", "hls/shaka/hls-raw-aac/stream.m4a.m3u8", "hls/shaka/hls-iframe-only/media.m3u8", "hls/shaka/hls-multivideo/master.m3u8"} {
		d, err := openFile(t, filepath.Join(corpus(t), name), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, tr := range d.Tracks() {
			n := 0
			var last container.PacketInfo
			for p, err := range d.List(t.Context(), i, container.PacketInfo{}) {
				if err != nil {
					t.Logf("%s track %d: %v", name, i, err)
					break
				}
				if n < 3 {
					t.Logf("%+v", p)
				}
				n++
				last = p
			}
			tr = d.Tracks()[i]
			t.Logf("%s: track %d %v %s %dx%d tb %v: %d packets, %+v %+v", name, tr.ID, tr.Kind, tr.Codec, tr.Video.Width, tr.Video.Height, tr.Timebase, n, last, tr.Variant)
			t.Log(d.Estimate(t.Context(), i))
		}
		t.Log(d.Warnings())
	}
}
