//go:build cgo

package s3

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket"
	_ "github.com/sprocket-video/sprocket/codec/ffmpeg" // decodes
	"github.com/sprocket-video/sprocket/seek"
)

// Frames of an object are those of the file; of an object replaced in between there are none.
func TestFramesOfAnObject(t *testing.T) {
	gateway(t)
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("needs ffmpeg")
	}
	file := filepath.Join(t.TempDir(), "clip.mp4")
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-frames:v", "90",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-b:v", "4M", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, "s3://clips/clip.mp4", data)
	var pixels [2][]byte
	for i, name := range []string{file, "s3://clips/clip.mp4"} {
		d, err := sprocket.Open(t.Context(), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.FramesAt(t.Context(), []int{80, 3, 40, -1})
		if err != nil {
			t.Fatal(err)
		}
		pixels[i] = b.Bytes()
		if i == 1 {
			put(t, "s3://clips/clip.mp4", append(bytes.Clone(data), 0))
			if _, err := d.FrameAt(t.Context(), 20); !errors.Is(err, seek.ErrMismatch) {
				t.Errorf("FrameAt = %v, want seek.ErrMismatch", err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(pixels[0], pixels[1]) {
		t.Error("the frames differ from those of the file")
	}
}
