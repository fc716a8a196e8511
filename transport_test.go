//go:build cgo

package sprocket_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// TestFramesOfATransportStreamByTime: in a stream whose time stamps wrap, frames found by bisection and frames of a stored index are those of
// the exact index, which are those of a linear decode.
func TestFramesOfATransportStreamByTime(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes a clip")
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	name := filepath.Join(t.TempDir(), "clip.ts")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=12", "-f", "lavfi", "-i", "sine=d=12",
		"-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "40", "-b:v", "3M", "-minrate", "3M", "-maxrate", "3M", "-bufsize", "1M", "-x264opts", "nal-hrd=cbr",
		"-c:a", "aac", "-output_ts_offset", "95437", name).CombinedOutput(); err != nil {
		t.Skipf("ffmpeg: %v: %s", err, out)
	}
	exact := open(t, name, nil)
	guessed := open(t, name, &sprocket.VideoOptions{Approximate: true})
	if k := guessed.Index().Kind(); k != seek.Approximate {
		t.Errorf("the index is %v", k)
	}
	src, err := source.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }() // only read
	id, err := seek.Identify(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	b, err := exact.Index().(*seek.Table).AppendIndex(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := seek.LoadIndex(b, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	stored := open(t, name, &sprocket.VideoOptions{Index: loaded})
	if st, err := os.Stat(name); err != nil || stored.Stats().Open.Bytes > 0 && stored.Stats().Open.Bytes*10 > st.Size() {
		t.Errorf("opening by a stored index read %d bytes, %v", stored.Stats().Open.Bytes, err)
	}
	var linear [][]byte
	for f, err := range exact.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		linear = append(linear, bytes.Clone(f.Bytes()))
	}
	if len(linear) != 300 {
		t.Fatalf("%d frames, want 300", len(linear))
	}
	first, err := exact.FrameAt(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		n := i * 119 % 300
		at := first.PTS + time.Duration(n)*40*time.Millisecond + 15*time.Millisecond
		for name, d := range map[string]*sprocket.VideoDecoder{"exact": exact, "approximate": guessed, "stored": stored} {
			f, err := d.FramePlayedAt(t.Context(), at)
			if err != nil {
				t.Fatalf("%s: frame %d: %v", name, n, err)
			}
			if !bytes.Equal(f.Bytes(), linear[n]) {
				t.Errorf("%s: frame %d is another picture", name, n)
			}
		}
	}
}
