//go:build cgo

package sprocket_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/codec"
	_ "github.com/sprocket-video/sprocket/codec/ffmpeg"
	"github.com/sprocket-video/sprocket/container"
)

// corpus returns the folder of media made by others, or skips.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SPROCKET_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); err != nil {
		t.Skip("no corpus (SPROCKET_CORPUS)")
	}
	return dir
}

// framemd5 reads the hashes of FFmpeg's framemd5 for a file, or nil when there are none.
func framemd5(t *testing.T, dir, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "_framemd5", name+".framemd5.gz"))
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return hashes(z)
}

// hashes returns those of the first stream.
func hashes(r io.Reader) []string {
	var out []string
	for s := bufio.NewScanner(r); s.Scan(); {
		if line := s.Text(); strings.HasPrefix(line, "0,") {
			out = append(out, strings.TrimSpace(line[strings.LastIndex(line, ",")+1:]))
		}
	}
	return out
}

// files returns the names of the files below the folders of the corpus.
func files(t *testing.T, dir string, folders ...string) []string {
	t.Helper()
	var names []string
	for _, sub := range folders {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				name, _ := filepath.Rel(dir, path) // path begins with dir
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func sum(b []byte) string {
	h := md5.Sum(b)
	return hex.EncodeToString(h[:])
}

// budget is how many pixels of a file are decoded each way. SPROCKET_LONG=1 decodes all.
func budget() int {
	if os.Getenv("SPROCKET_LONG") != "" {
		return 1 << 60
	}
	return 100 << 20
}

// Every frame of every video: a linear decode equals FFmpeg's framemd5, and forward, backward and shuffled
// requests equal the linear decode.
func TestCorpusFrames(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes the corpus: not with -short")
	}
	dir := corpus(t)
	for _, name := range files(t, dir, "mp4", "camera") {
		t.Run(name, func(t *testing.T) { checkFrames(t, dir, name) })
	}
}

func checkFrames(t *testing.T, dir, name string) {
	path := filepath.Join(dir, name)
	d, err := sprocket.Open(t.Context(), path, &sprocket.VideoOptions{Native: true})
	if errors.Is(err, container.ErrUnsupported) || errors.Is(err, container.ErrFormat) || errors.Is(err, codec.ErrUnavailable) {
		t.Skip(err)
	}
	var where *container.Error
	if errors.As(err, &where) && framemd5(t, dir, name) == nil { // FFmpeg has no frames of it either
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, w := range d.Warnings() {
		if errors.Is(w, container.ErrUnsupported) {
			t.Skip(w)
		}
	}
	m := d.Metadata()
	n := min(d.Len(), budget()/max(m.Width*m.Height, 1))
	linear := make([]string, 0, n)
	bad := 0
	for f, err := range d.Frames(t.Context()) {
		if len(linear) == n {
			break
		}
		if err != nil {
			if bad++; bad <= 3 {
				t.Logf("linear: %v", err)
			}
			linear = append(linear, "")
			continue
		}
		linear = append(linear, sum(f.Bytes()))
	}
	if len(linear) != n {
		t.Fatalf("a linear decode gave %d of %d frames", len(linear), n)
	}
	if want := expected(t, dir, name, d); want != nil && bad == 0 {
		if n == d.Len() && len(want) != n {
			t.Errorf("%d frames, framemd5 has %d", n, len(want))
		}
		for i := range min(n, len(want)) {
			if linear[i] != want[i] {
				t.Errorf("frame %d is %s, framemd5 has %s", i, linear[i], want[i])
				break
			}
		}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	requests(t, d, linear, "forward", order)
	slices.Reverse(order)
	requests(t, d, linear, "backward", order)
	requests(t, d, linear, "shuffled", rand.New(rand.NewPCG(1, 1)).Perm(n))
}

// requests asks for the frames in the order given, some at a time.
func requests(t *testing.T, d *sprocket.VideoDecoder, linear []string, how string, order []int) {
	t.Helper()
	for some := range slices.Chunk(order, 48) {
		b, err := d.FramesAt(t.Context(), some)
		if b == nil && slices.ContainsFunc(some, func(n int) bool { return linear[n] != "" }) {
			t.Fatalf("%s: %v", how, err)
		}
		for i, n := range some {
			got := ""
			if b != nil && (b.Errs == nil || b.Errs[i] == nil) {
				got = sum(b.Index(i).Bytes())
			}
			if got != linear[n] {
				t.Fatalf("%s: frame %d is %q (%v), a linear decode has %q", how, n, got, err, linear[n])
			}
		}
	}
}

// expected returns FFmpeg's hashes of the video's frames, not turned.
func expected(t *testing.T, dir, name string, d *sprocket.VideoDecoder) []string {
	t.Helper()
	if d.Metadata().Orientation == (container.Orientation{}) {
		return framemd5(t, dir, name)
	}
	// The corpus has the hashes of turned pictures.
	bin, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Log("no ffmpeg to hash unturned pictures")
		return nil
	}
	out, err := exec.CommandContext(t.Context(), bin, "-v", "quiet", "-noautorotate", "-i", filepath.Join(dir, name),
		"-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return hashes(bytes.NewReader(out))
}
