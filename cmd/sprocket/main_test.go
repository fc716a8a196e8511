package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// sprocketIn runs the program with a standard input.
func sprocketIn(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

// mustRun runs the program, which must succeed, and returns what it printed.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	status, out, errs := sprocketIn(t, "", args...)
	if status != exitDone || errs != "" {
		t.Fatalf("sprocket %s: exit status %d, stderr %q", strings.Join(args, " "), status, errs)
	}
	return out
}

// clip writes a movie to a file of the test's and returns its name. The test runs where the file is, so that goldens
// do not tell where that was.
func clip(t *testing.T, m testmedia.Movie) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("clip.mp4", testmedia.MP4(m), 0o666); err != nil {
		t.Fatal(err)
	}
	return "clip.mp4"
}

// twoTracks is a movie with reordered video, of which an edit list hides the first two packets, and audio.
func twoTracks() testmedia.Movie {
	return testmedia.Movie{Tracks: []testmedia.Track{
		{
			ID: 3, Timescale: 15360, Language: "deu",
			Entries: [][]byte{testmedia.VideoEntry("avc1", 64, 48, testmedia.Box("pasp", testmedia.U32(4, 3)),
				testmedia.Box("colr", []byte("nclx"), testmedia.U16(1, 16, 9), []byte{0x80}))},
			Sizes:   []uint32{900, 100, 50, 110, 40, 800, 90, 60},
			Deltas:  []testmedia.Run{{Count: 8, Value: 512}},
			Offsets: []testmedia.Run{{Count: 1, Value: 512}, {Count: 1, Value: 1024}, {Count: 1, Value: 0}, {Count: 1, Value: 1024}, {Count: 1, Value: 0}, {Count: 1, Value: 512}, {Count: 1, Value: 1024}, {Count: 1, Value: 0}},
			Sync:    []uint32{1, 6}, PerChunk: 3,
			Depends: []byte{0x14, 0x14, 0x18, 0x14, 0x18, 0x14, 0x14, 0x18},
			Edits:   []testmedia.Edit{{Duration: 200, Time: 1536}},
		},
		{
			ID: 7, Handler: "soun", Timescale: 8000,
			Entries:  [][]byte{testmedia.AudioEntry("sowt", 1, 16, 8000)},
			Constant: 2, Count: 40, PerChunk: 10,
		},
	}}
}

// measured are the parts of an output that are not the same each time.
var measured = []struct{ from, to string }{
	{`(built|opened) in [0-9.]+ (s|ms|µs)`, "$1 in TIME"},
	{`"seconds": [0-9.e-]+`, `"seconds": TIME`},
	{`(#software: ).*`, "${1}SOFTWARE"},
}

// golden compares an output with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, m := range measured {
		got = regexp.MustCompile(m.from).ReplaceAllString(got, m.to)
	}
	path := filepath.Join(goldens, name)
	if *update && !t.Failed() {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// goldens is where the goldens are, from whichever folder a test runs in.
var goldens = func() string {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		panic(err)
	}
	return dir
}()

func TestInspect(t *testing.T) {
	name := clip(t, twoTracks())
	golden(t, "inspect.txt", mustRun(t, "inspect", name))
}

func TestInspectJSON(t *testing.T) {
	name := clip(t, twoTracks())
	golden(t, "inspect.json", mustRun(t, "inspect", name, "--json"))
}

func TestPackets(t *testing.T) {
	name := clip(t, twoTracks())
	golden(t, "packets.txt", mustRun(t, "packets", name))
}

func TestPacketsJSON(t *testing.T) {
	name := clip(t, twoTracks())
	out := mustRun(t, "packets", name, "--json", "--track", "3")
	golden(t, "packets.jsonl", out)
	want := []string{"track", "n", "pts", "dts", "dur", "pos", "size", "key", "discard", "disposable"}
	for line := range strings.Lines(out) {
		var p map[string]any
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		for _, key := range want {
			if _, ok := p[key]; !ok {
				t.Errorf("no key %q in %s", key, line)
			}
		}
		if len(p) != len(want) {
			t.Errorf("%d keys in %s, want %d", len(p), line, len(want))
		}
	}
}

// Without --track the packets of all tracks come in the order of their places in the file.
func TestPacketsAreMergedByPosition(t *testing.T) {
	m := twoTracks()
	m.Tracks[1].Entries = [][]byte{testmedia.AudioEntry("mp4a", 1, 16, 8000)}
	m.Tracks[1].Constant, m.Tracks[1].PerChunk = 0, 1000
	for i := range 5000 { // more than one queue
		m.Tracks[1].Sizes = append(m.Tracks[1].Sizes, uint32(1+i%3))
	}
	last, lines := int64(-1), 0
	for line := range strings.Lines(mustRun(t, "packets", clip(t, m), "--json")) {
		var p struct{ Pos int64 }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if p.Pos <= last {
			t.Errorf("position %d after %d", p.Pos, last)
		}
		last, lines = p.Pos, lines+1
	}
	if lines != 5008 {
		t.Errorf("%d packets, want 5008", lines)
	}
}

func TestStandardInput(t *testing.T) {
	m := string(testmedia.MP4(twoTracks()))
	status, out, errs := sprocketIn(t, m, "inspect", "-")
	if status != exitDone || !strings.HasPrefix(out, "-: ") || !strings.Contains(out, "track 3: video") {
		t.Errorf("inspect -: exit status %d, stdout %q, stderr %q", status, out, errs)
	}
}

func TestExitStatus(t *testing.T) {
	name := clip(t, twoTracks())
	if err := os.WriteFile("text.mp4", []byte("this is no movie, however it is called"), 0o666); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("cut.mp4", whole[:60], 0o666); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   string
		status int
		stderr string // a part of it
	}{
		{"help", "--help", exitDone, ""},
		{"version", "--version", exitDone, ""},
		{"completion", "completion bash", exitDone, ""},
		{"no command", "", exitUsage, "no command given"},
		{"unknown command", "inspct x", exitUsage, `did you mean "inspect"?`},
		{"unknown flag", "inspect --colour " + name, exitUsage, "unknown flag: --colour"},
		{"no source", "inspect", exitUsage, "no SOURCE given"},
		{"two sources", "packets a b", exitUsage, "one SOURCE at a time"},
		{"no such file", "inspect none.mp4", exitInput, "sprocket: none.mp4: no such file or directory\n"},
		{"a directory", "inspect .", exitInput, "sprocket: .: "},
		{"not a movie", "inspect text.mp4", exitInput, "not this format"},
		{"cut", "inspect cut.mp4", exitInput, "sprocket: cut.mp4: mp4: open: "},
		{"not a movie to decode", "framehash text.mp4", exitInput, "sprocket: text.mp4: container: open at byte 0: not this format"},
		{"URL", "inspect rtsp://example.org/x", exitInput, "unsupported"},
		{"no such track", "packets --track 9 " + name, exitUsage, "tracks: 3 (video), 7 (audio)"},
		{"track is no number", "packets --track x " + name, exitUsage, "invalid argument"},
		{"format", "framehash --format xyz " + name, exitUsage, "only framemd5"},
		{"no selector", "frames -o x.npy " + name, exitUsage, "which frames?"},
		{"two selectors", "frames --at 0 --every 2 -o x.npy " + name, exitUsage, "not --at and --every"},
		{"no output", "frames --at 0 " + name, exitUsage, "where to?"},
		{"unknown output", "frames --at 0 -o x.jpg " + name, exitUsage, "x.jpg: the form is not known"},
		{"number", "frames --at 0,x -o x.npy " + name, exitUsage, `"x" is not a frame number`},
		{"time", "frames --times 1:2:3:4 -o x.npy " + name, exitUsage, "is not a time"},
		{"range", "frames --range 1 -o x.npy " + name, exitUsage, "is not a range"},
		{"step", "frames --range 1:2:-1 -o x.npy " + name, exitUsage, "is not a step"},
		{"every", "frames --every -1 -o x.npy " + name, exitUsage, "not positive"},
		{"size", "frames --at 0 --size big -o x.npy " + name, exitUsage, "is not a size"},
		{"layout", "frames --at 0 --layout abc -o x.npy " + name, exitUsage, "nchw or nhwc"},
		{"layout of pictures", "frames --at 0 --layout nhwc -o x.png " + name, exitUsage, "for .npy and .safetensors only"},
		{"dtype", "frames --at 0 --dtype int4 -o x.npy " + name, exitUsage, "uint8 or float32"},
		{"workers", "frames --at 0 --workers 0 -o x.npy " + name, exitUsage, "must be positive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := sprocketIn(t, "", strings.Fields(tt.args)...)
			if status != tt.status || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit status %d, stderr %q, want %d, %q", status, stderr, tt.status, tt.stderr)
			}
			if status != exitDone && (stdout != "" || strings.Count(stderr, "\n") != 1) {
				t.Errorf("stdout %q, stderr %q, want one line on stderr", stdout, stderr)
			}
		})
	}
	if left, _ := filepath.Glob(".*.tmp"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// A name in a file cannot move the terminal's cursor.
func TestHostileNamesArePrintable(t *testing.T) {
	m := twoTracks()
	m.Tracks[1].Entries = [][]byte{testmedia.AudioEntry("\x1b[2J", 1, 16, 8000)}
	out := mustRun(t, "inspect", clip(t, m))
	if strings.ContainsRune(out, 0x1b) {
		t.Errorf("an escape character in %q", out)
	}
}
