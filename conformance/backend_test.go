//go:build cgo

package conformance_test

import (
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	_ "github.com/sprocket-video/sprocket/codec/ffmpeg"
	"github.com/sprocket-video/sprocket/conformance"
	"github.com/sprocket-video/sprocket/container"
)

// clips are small, undamaged and different: B-frames, HEVC, ten bits, VP9, AV1.
var clips = []string{
	"mp4/androidx/sample.mp4",
	"mp4/androidx/h265_bframes.mp4",
	"mp4/androidx/sample_edit_list.mp4",
	"mp4/androidx/bbb_800x640_768kbps_30fps_vp9.mp4",
	"mp4/androidx/bt601.mov",
	"mp4/mp4parser/foreman-hevc-384.mp4",
}

func TestFFmpegBackendKeepsTheLaws(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes clips many times: not with -short")
	}
	backends := codec.Backends()
	if len(backends) == 0 {
		t.Skip("no backend")
	}
	for _, name := range clips {
		t.Run(name, func(t *testing.T) {
			_, d := open(t, name)
			for i, tr := range d.Tracks() {
				if tr.Kind != container.Video {
					continue
				}
				if err := conformance.TestBackend(t.Context(), backends[0], conformance.Clip{Name: name, Demuxer: d, Track: i}); err != nil {
					t.Error(err)
				}
				break
			}
		})
	}
}
