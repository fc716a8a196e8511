package conformance_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/conformance"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// TestCorpus runs everything over the whole corpus.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes the corpus: not with -short")
	}
	rep, err := conformance.Run(t.Context(), corpus(t), &conformance.Options{Stored: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", rep.AppendText(nil))
	for i := range rep.Rows {
		if r := &rep.Rows[i]; r.Verdict == conformance.Differs || r.Verdict == conformance.Failed {
			t.Errorf("%s: %s: %s", r.File, r.Verdict, r.Reason)
		}
	}
	everythingIsUsed(t, rep)
}

// everythingIsUsed checks that whatever the corpus knows of a file that is read here was compared: an expectation that is not found
// would be missed by nobody.
func everythingIsUsed(t *testing.T, rep *conformance.Report) {
	t.Helper()
	table, err := os.ReadFile(filepath.Join(rep.Dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	dumped := map[string]bool{} // by their names in the manifest, not by where dumps are looked for
	for line := range strings.Lines(string(table)) {
		if f := strings.Split(line, "\t"); len(f) > 7 && strings.Contains(f[7], ".0.dump") {
			dumped[f[0]] = true
		}
	}
	used := 0
	for i := range rep.Rows {
		r := &rep.Rows[i]
		switch r.Verdict {
		case conformance.Refused:
			continue
		case conformance.Unsupported:
			if !slices.Contains(strings.Fields(unread), path.Ext(r.File)) && !unreadFiles[r.File] && probed(t, rep.Dir, r.File) {
				t.Errorf("%s: %s, and ffprobe reads it", r.File, r.Reason)
			}
			continue
		}
		missing := func(what string) {
			t.Errorf("%s: %s was not compared (packets: %s; frames: %s; %v)", r.File, what, r.Packets, r.Frames, r.Notes)
		}
		has := func(folder, ending string) bool {
			_, err := os.Stat(filepath.Join(rep.Dir, folder, filepath.FromSlash(r.File)+ending))
			return err == nil
		}
		if dumped[r.File] {
			if used++; !slices.Contains(r.Packets.Against, "dump") {
				missing("the dump")
			}
		}
		opened := !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasSuffix(n, "cannot open it") })
		if has("_ffprobe", ".json.gz") && opened && r.Packets.Count > 0 && !slices.Contains(r.Packets.Against, "ffprobe") && !counted(r) {
			missing("ffprobe's answer")
		}
		turned := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "turned pictures") })
		if has("_framemd5", ".framemd5.gz") && len(codec.Backends()) > 0 && !turned && !slices.Contains(r.Frames.Against, "framemd5") {
			missing("framemd5")
		}
	}
	if used < len(dumped)-1 { // one is of fragments whose movie box is elsewhere
		t.Errorf("%d dumps were compared, there are %d", used, len(dumped))
	}
}

// unread are the endings of files that ffprobe reads, and nothing here: elementary streams and WebM.
const unread = ".264 .h264 .jsv .aac .ac3 .webm"

// unreadFiles are others.
var unreadFiles = map[string]bool{
	"hls/shaka/hls-gap/playlist.m3u8":             true, // names segments that are not in the corpus
	"hls/shaka/hls-text-offset/playlist-vtt.m3u8": true, // WebVTT
}

// probed says whether ffprobe found a stream in a file.
func probed(t *testing.T, dir, name string) bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "_ffprobe", filepath.FromSlash(name)+".json.gz"))
	if err != nil {
		return false
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(text, []byte(`"codec_type"`))
}

// counted says whether it is explained that ffprobe lists none of the packets, or none of the streams.
func counted(r *conformance.Row) bool {
	return slices.ContainsFunc(r.Explained, func(e conformance.Explained) bool { return e.Field == "stream" || e.Field == "packets" })
}

// write puts files into a folder.
func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// stored compresses an answer of ffprobe.
func stored(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// blind is a backend that decodes nothing: made-up movies have no pictures.
type blind struct{ codec.Backend }

func (blind) Supports(*container.Track) error { return container.ErrUnsupported }

// run runs over a folder, without decoding, and returns its rows by name.
func run(t *testing.T, dir string, o *conformance.Options) (*conformance.Report, map[string]conformance.Row) {
	t.Helper()
	o.Backend = blind{}
	rep, err := conformance.Run(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]conformance.Row{}
	for _, r := range rep.Rows {
		rows[r.File] = r
	}
	return rep, rows
}

func TestRunGivesEveryMediaFileARow(t *testing.T) {
	dir := t.TempDir()
	film := movie()
	write(t, dir, map[string][]byte{
		"good.mp4":               film,
		"sub/differs.mp4":        film,
		"sub/cut in moov.mp4":    film[:100],
		"refused.mp4":            film[:100],
		"list.m3u8":              []byte("#EXTM3U\n"),
		"no extension":           film,
		"README.md":              []byte("no media"),
		"fuzz/noise":             noise(1000),
		"fuzz/opens":             film,
		"_ffprobe/ignored.mp4":   film,
		".hidden/ignored.mp4":    film,
		"expected/x/ignored.mp4": film,
		"_ffprobe/sub/differs.mp4.json.gz": stored(t, `{"packets": [
			{"stream_index": 0, "pts": -400, "dts": -400, "duration": 99, "size": "900", "pos": "1", "flags": "KD"}],
			"streams": [{"index": 0, "id": "0x1", "disposition": {"attached_pic": 0}}, {"index": 1, "id": "0x2"}]}`),
		"_ffprobe/refused.mp4.json.gz": stored(t, "{}"),
	})
	rep, rows := run(t, dir, &conformance.Options{Stored: true})
	for name, want := range map[string]conformance.Verdict{
		"sub/differs.mp4": conformance.Differs, "sub/cut in moov.mp4": conformance.Failed,
		"refused.mp4": conformance.Refused, "list.m3u8": conformance.Unsupported, "fuzz/noise": conformance.Refused, "fuzz/opens": conformance.Passed,
	} {
		if got := rows[name]; got.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", name, got.Verdict, got.Reason, want)
		}
	}
	if len(rows) != 8 || rep.Skipped != 1 {
		t.Errorf("%d rows, %d skipped, want 8 and 1", len(rows), rep.Skipped)
	}
	if got := rows["sub/differs.mp4"].Reason; !strings.HasPrefix(got, "track 1: packets, against stored ffprobe: 12 packets, not 1") {
		t.Errorf("the first difference is %q", got)
	}
	if n := rows["no extension"].Packets.Count; n != 42 {
		t.Errorf("%d packets, want 42", n)
	}
	if rep.OK() || rep.Counts[conformance.Failed] == 0 {
		t.Errorf("the report is OK: %s", rep.Summary())
	}
}

// trap is a format that takes every file and does something bad.
type trap struct {
	container.Format
	open func(ctx context.Context) error
}

func (trap) Name() string      { return "trap" }
func (trap) Sniff([]byte) bool { return true }
func (f trap) Open(ctx context.Context, _ source.Source, _ *container.Options) (container.Demuxer, error) {
	return nil, f.open(ctx)
}

func TestPanicsAndTimeoutsAreRows(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		open       func(ctx context.Context) error
	}{
		{"panic", "panic: oh in github.com/sprocket-video/sprocket/conformance_test.", func(context.Context) error { panic("oh") }},
		{"hang", "not done after", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		{"error from nowhere", "does not say where", func(context.Context) error { return container.ErrCorrupt }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string][]byte{"a.mp4": movie(), "b.mp4": movie()})
			_, rows := run(t, dir, &conformance.Options{Stored: true, Timeout: 50 * time.Millisecond, Formats: []container.Format{trap{open: tt.open}}})
			for name, r := range rows {
				if r.Verdict != conformance.Failed || !strings.Contains(r.Reason, tt.want) {
					t.Errorf("%s: %s: %s, want %q", name, r.Verdict, r.Reason, tt.want)
				}
			}
		})
	}
}

func TestRunOfNothingIsAnError(t *testing.T) {
	if _, err := conformance.Run(t.Context(), t.TempDir(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder gives %v, want %v", err, fs.ErrNotExist)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"a.mp4": movie()})
	if _, err := conformance.Run(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run gives %v, want %v", err, context.Canceled)
	}
}

func TestThePageStandsAloneAndTrustsNoName(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"<script>alert(1)</script>.mp4": nil, "a/<u>\x1b[2J.mp4": movie()})
	rep, _ := run(t, dir, &conformance.Options{Stored: true})
	var b strings.Builder
	if err := rep.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script>alert", "<u>", "\x1b", "http:", "https:", " src=", "<link", "@import"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, good := range []string{`class="gop"`, "12 packets, 2 key", `<tr class="unsupported"`} {
		if !strings.Contains(b.String(), good) {
			t.Errorf("the page does not contain %q", good)
		}
	}
	if text := string(rep.AppendText(nil)); strings.Contains(text, "\x1b") || !strings.Contains(text, "1 passed") || !strings.Contains(text, "1 unsupported") {
		t.Errorf("the text is %q", text)
	}
}
