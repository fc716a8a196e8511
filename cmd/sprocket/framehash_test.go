//go:build cgo

package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unequal are the files of the corpus whose hashes are not FFmpeg's, and why.
var unequal = map[string]string{
	"camera/metadata-extractor/ftyp3gp5.mp4":     turned,
	"mp4/androidx/sample_edit_list.mp4":          turned,
	"mp4/androidx/sample_rotate_and_reflect.mp4": turned,
	"mp4/androidx/sample_with_color_info.mp4":    turned,
}

const (
	turned = "FFmpeg turns frames before it hashes them"
)

// hashLine is a line of framemd5: the time, the size and the hash.
type hashLine struct {
	pts  int64
	size string
	hash string
}

// hashLines returns the lines of the first stream, and how many ticks a second its times have.
func hashLines(t *testing.T, text string) (lines []hashLine, tb string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "#tb 0: "); ok {
			tb = strings.TrimSpace(rest)
		}
		f := strings.Split(line, ",")
		if len(f) != 6 || f[0] != "0" {
			continue
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		pts, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, hashLine{pts, f[4], f[5]})
	}
	return lines, tb
}

func compareHashes(t *testing.T, got, want string) {
	t.Helper()
	g, gotTB := hashLines(t, got)
	w, wantTB := hashLines(t, want)
	if len(g) != len(w) {
		t.Errorf("%d frames, want %d", len(g), len(w))
	}
	for i := range min(len(g), len(w)) {
		if gotTB != wantTB { // only then are the times in one unit
			g[i].pts, w[i].pts = 0, 0
		}
		if g[i] != w[i] {
			t.Fatalf("frame %d: %v, want %v", i, g[i], w[i])
		}
	}
}

// The hashes of every video of the corpus are those of FFmpeg's framemd5, but for files named in unequal.
func TestFramehashEqualsFFmpeg(t *testing.T) {
	dir := corpusDir(t)
	if testing.Short() {
		t.Skip("decodes the corpus: not with -short")
	}
	var names []string
	for _, folder := range []string{"mp4", "camera"} {
		found, err := filepath.Glob(filepath.Join(dir, "_framemd5", folder, "*", "*.gz"))
		if err != nil {
			t.Fatal(err)
		}
		deeper, err := filepath.Glob(filepath.Join(dir, "_framemd5", folder, "*", "*", "*.gz"))
		if err != nil {
			t.Fatal(err)
		}
		deepest, err := filepath.Glob(filepath.Join(dir, "_framemd5", folder, "*", "*", "*", "*.gz"))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, slices.Concat(found, deeper, deepest)...)
	}
	if len(names) == 0 {
		t.Fatal("no framemd5 files")
	}
	for _, path := range names {
		name, err := filepath.Rel(filepath.Join(dir, "_framemd5"), strings.TrimSuffix(path, ".framemd5.gz"))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := gunzip(t, path)
			lines, _ := hashLines(t, want)
			var pixels int
			for _, l := range lines {
				n, err := strconv.Atoi(l.size)
				if err != nil {
					t.Fatal(err)
				}
				pixels += n
			}
			if pixels > 100<<20 && os.Getenv("SPROCKET_LONG") == "" {
				t.Skip("long: set SPROCKET_LONG=1")
			}
			media := filepath.Join(dir, name)
			why := unequal[name]
			if why == turned {
				if _, err := exec.LookPath("ffmpeg"); err != nil {
					t.Skip("no ffmpeg")
				}
				want = ffmpeg(t, "-noautorotate", "-i", media, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-")
				why = ""
			}
			status, got, errs := sprocketIn(t, "", "framehash", media)
			if why != "" {
				g, _ := hashLines(t, got)
				if len(g) == len(lines) {
					t.Errorf("all frames are there; it was excused: %s", why)
				}
				if errs == "" {
					t.Errorf("nothing was said about it: %s", why)
				}
				return
			}
			if status != exitDone {
				t.Errorf("exit status %d, stderr %q", status, errs)
			}
			compareHashes(t, got, want)
		})
	}
}

func gunzip(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ffmpeg runs FFmpeg and returns what it printed, or skips where there is none.
func ffmpeg(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg")
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, &errs)
	}
	return out.String()
}

func TestFramehashHeader(t *testing.T) {
	name := madeClip(t)
	out := mustRun(t, "framehash", name)
	golden(t, "framehash.txt", strings.Join(strings.SplitAfter(out, "\n")[:11], ""))
	compareHashes(t, out, ffmpeg(t, "-i", name, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"))
}
