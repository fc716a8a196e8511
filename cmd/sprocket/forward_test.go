//go:build cgo

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// piped runs the program with a pipe as its standard input.
func piped(t *testing.T, data []byte, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = w.Write(data) // the program may have seen enough
		_ = w.Close()
	}()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, r, &out, &errs)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return status, out.String(), errs.String()
}

// moving makes a clip of 90 frames and returns its bytes, which also are in clip.mp4 of the directory where the test now runs.
func moving(t *testing.T, args ...string) []byte {
	t.Helper()
	bin, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg to make clips with")
	}
	t.Chdir(t.TempDir())
	cmd := exec.CommandContext(t.Context(), bin, append(append([]string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30:duration=3",
		"-c:v", "libx264", "-preset", "veryfast", "-g", "20", "-bf", "2"}, args...), "clip.mp4")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	data, err := os.ReadFile("clip.mp4")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What comes out of a pipe is what comes out of the file.
func TestPipe(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the program many times")
	}
	for name, flags := range map[string]string{"movie box first": "+faststart", "fragmented": "+frag_keyframe+empty_moov+default_base_moof"} {
		t.Run(name, func(t *testing.T) {
			data := moving(t, "-movflags", flags)
			hash := func(text string) string {
				var lines []string
				for line := range strings.Lines(text) {
					if !strings.HasPrefix(line, "#software") {
						lines = append(lines, line)
					}
				}
				return strings.Join(lines, "")
			}
			want := mustRun(t, "framehash", "clip.mp4")
			if status, out, errs := piped(t, data, "framehash", "-"); status != exitDone || errs != "" || hash(out) != hash(want) {
				t.Errorf("framehash: exit status %d, %q, %d bytes, want %d", status, errs, len(out), len(want))
			}
			for i, args := range [][]string{{"--every", "30"}, {"--range", "5:20:3"}, {"--at", "7,3,89"}, {"--times", "0.5,1,2.99,1"}, {"--at", "-1"}, {"--count", "4"}, {"--at", "7", "--verify-keys"}, {"--times", "1", "--approximate"}} {
				a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
				mustRun(t, append([]string{"frames", "clip.mp4", "-o", a}, args...)...)
				if status, _, errs := piped(t, data, append([]string{"frames", "-", "-o", b}, args...)...); status != exitDone || errs != "" {
					t.Errorf("frames %v: exit status %d, %q", args, status, errs)
				}
				sameFiles(t, a, b)
			}
			if status, _, errs := piped(t, data, "frames", "-", "--at", "90", "-o", "c"); status != exitUsage || !strings.Contains(errs, "90 frames") {
				t.Errorf("no such frame: exit status %d, %q", status, errs)
			}
			if status, _, errs := piped(t, data, "frames", "-", "--times", "3.1", "-o", "c"); status != exitUsage || !strings.Contains(errs, "3.1s") {
				t.Errorf("no such time: exit status %d, %q", status, errs)
			}
			for _, args := range [][]string{{"packets", "--json"}, {"packets", "--json", "--track", "1"}} {
				if name == "fragmented" {
					break // decode times differ where a later fragment needs more
				}
				want := mustRun(t, append(args, "clip.mp4")...)
				if status, out, errs := piped(t, data, append(args, "-")...); status != exitDone || errs != "" || out != want {
					t.Errorf("%v: exit status %d, %q, %d bytes, want %d", args, status, errs, len(out), len(want))
				}
			}
			if status, out, errs := piped(t, data, "inspect", "-"); status != exitDone || !strings.Contains(out, "h264") {
				t.Errorf("inspect: exit status %d, %q", status, errs)
			}
			if status, _, errs := piped(t, data[:len(data)*2/3], "framehash", "-"); status != exitInput || !strings.Contains(errs, "unexpected EOF") {
				t.Errorf("a pipe that was cut: exit status %d, %q", status, errs)
			}
		})
	}
}

// A transport stream in a pipe, which is not read as it comes, is kept where it is short: nobody has to say so.
func TestPipeOfATransportStream(t *testing.T) {
	moving(t)
	ffmpeg(t, "-i", "clip.mp4", "-c", "copy", "clip.ts")
	data, err := os.ReadFile("clip.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"framehash"}, {"packets"}, {"packets", "--json"}} {
		want := mustRun(t, append(args, "clip.ts")...)
		if status, out, errs := piped(t, data, append(args, "-")...); status != exitDone || errs != "" || out != want {
			t.Errorf("%v: exit status %d, %q, %d bytes, want %d", args, status, errs, len(out), len(want))
		}
	}
	mustRun(t, "frames", "clip.ts", "--every", "40", "-o", "a")
	if status, _, errs := piped(t, data, "frames", "-", "--every", "40", "-o", "b"); status != exitDone || errs != "" {
		t.Errorf("frames: exit status %d, %q", status, errs)
	}
	sameFiles(t, "a", "b")
	long := bytes.Repeat(data, 17<<20/len(data))
	if status, _, errs := piped(t, long, "framehash", "-"); status != exitInput || !strings.HasPrefix(errs, "sprocket: -: more than 16.8 MB from a pipe") || !strings.Contains(errs, "--spool") {
		t.Errorf("a long one: exit status %d, %q", status, errs)
	}
	if status, out, errs := piped(t, long[:2*len(data)], "packets", "-", "--spool"); status != exitDone || strings.Count(out, "\n") < 180 {
		t.Errorf("with --spool: exit status %d, %q", status, errs)
	}
}

func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	want, err := filepath.Glob(a + "/*.png")
	if err != nil {
		t.Fatal(err)
	}
	got, err := filepath.Glob(b + "/*")
	if err != nil || len(got) != len(want) || len(want) == 0 {
		t.Errorf("%d files in %s, %d in %s; %v", len(got), b, len(want), a, err)
		return
	}
	for i := range want {
		x, err1 := os.ReadFile(want[i])
		y, err2 := os.ReadFile(got[i])
		if err1 != nil || err2 != nil || !bytes.Equal(x, y) || filepath.Base(want[i]) != filepath.Base(got[i]) {
			t.Errorf("%s and %s differ; %v, %v", want[i], got[i], err1, err2)
		}
	}
}

// Where a pipe is too long to be kept, what cannot be done says so, and --spool does it; nothing is left in the temporary directory.
func TestSpool(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the program many times")
	}
	data := moving(t)                                          // the movie box comes last
	at := bytes.Index(data, []byte("mdat")) - 4                // media data is put off by 20 MiB
	gap := append([]byte{0x01, 0x40, 0, 0}, []byte("mdat")...) // a box of 20 MiB
	long := append(bytes.Clone(data[:at]), append(gap, make([]byte, 20<<20-8)...)...)
	long = append(long, data[at:]...)
	moov := bytes.LastIndex(long, []byte("moov"))
	stco := moov + bytes.Index(long[moov:], []byte("stco"))
	n := int(long[stco+11])
	for i := range n {
		p := stco + 12 + 4*i
		v := (uint32(long[p])<<24 | uint32(long[p+1])<<16 | uint32(long[p+2])<<8 | uint32(long[p+3])) + 20<<20
		long[p], long[p+1], long[p+2], long[p+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	if err := os.WriteFile("long.mp4", long, 0o666); err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(long) })) // no ranges
	defer s.Close()
	for _, args := range [][]string{{"framehash"}, {"packets"}, {"inspect"}, {"frames", "--every", "40", "-o", "dir"}, {"frames", "--count", "3", "-o", "x.npy"}} {
		for _, from := range []string{"-", s.URL} {
			line := append([]string{args[0], from}, args[1:]...)
			if status, _, errs := piped(t, long, line...); status != exitInput || !strings.Contains(errs, "--spool") {
				t.Errorf("%v: exit status %d, %q", line, status, errs)
			}
			status, _, errs := piped(t, long, append(line, "--spool")...)
			if status != exitDone || errs != "" {
				t.Errorf("%v --spool: exit status %d, %q", line, status, errs)
			}
		}
	}
	if files, err := os.ReadDir(tmp); err != nil || len(files) != 0 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
}
