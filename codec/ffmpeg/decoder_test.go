package ffmpeg

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/tensor"
)

func TestSmoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.mp4")
	runTool(t, "ffmpeg", "-y", "-f", "lavfi", "-i", "testsrc2=s=320x180:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
	c := loadClip(t, path)
	want := rawFrames(t, path, 320*180*3, "-pix_fmt", "rgb24")
	d := openClip(t, c, 1)
	n := 0
	dst := tensor.New(tensor.Uint8, 180, 320, 3)
	for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
		if err := f.Convert(dst, &codec.Pixels{Layout: tensor.NHWC}); err != nil {
			return err
		}
		if !bytes.Equal(dst.Bytes(), want[n]) {
			t.Errorf("frame %d differs", n)
		}
		n++
		return nil
	}) {
		t.Error(err)
	}
	if n != len(want) {
		t.Errorf("%d frames, want %d", n, len(want))
	}
}
