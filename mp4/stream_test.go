package mp4

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

func openStream(tb testing.TB, r io.Reader, o *source.StreamOptions) (*Stream, *source.Stream, error) {
	tb.Helper()
	src, err := source.NewStream(r, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = src.Close() }) // a second time says nothing
	s, err := OpenStream(tb.Context(), src, nil)
	return s, src, err
}

func mustStream(tb testing.TB, file []byte) *Stream {
	tb.Helper()
	s, _, err := openStream(tb, bytes.NewReader(file), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// onward takes all packets of a demuxer by Next, as lines, by track. Errors of packets are lines too.
func onward(tb testing.TB, d container.Demuxer) ([][]string, []error) {
	tb.Helper()
	lines := make([][]string, len(d.Tracks()))
	var p container.Packet
	var errs []error
	for {
		err := d.Next(tb.Context(), &p)
		if err == io.EOF {
			return lines, errs
		}
		if err != nil {
			if errs = append(errs, err); len(errs) > 1<<20 {
				tb.Fatal("errors without end")
			}
			continue
		}
		line := fmt.Sprintf("%d pts %d at %d+%d key %v discard %v %d %d %x", p.N, p.PTS, p.Pos, p.Size, p.Key, p.Discard, p.Description, p.Disposable, md5.Sum(p.Data))
		lines[p.Track] = append(lines[p.Track], line)
	}
}

// A stream gives the packets that a file gives, of every movie of the corpus.
func TestStreamCorpus(t *testing.T) {
	dir := corpus(t)
	files, fragmented, refused := 0, 0, 0
	for _, name := range corpusFiles(t, dir) {
		file, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		d, wrong := Open(t.Context(), bytes.NewReader(file), nil)
		s, _, err := openStream(t, iotest.HalfReader(bytes.NewReader(file)), nil)
		if (wrong == nil) != (err == nil) {
			t.Errorf("%s: stream: %v, file: %v", name, err, wrong)
		}
		if wrong != nil || err != nil {
			refused++
			continue
		}
		files++
		if d.walk != nil {
			fragmented++
		}
		if !slices.EqualFunc(s.Tracks(), d.Tracks(), func(a, b container.Track) bool { return a.ID == b.ID && a.Kind == b.Kind && a.Codec == b.Codec }) {
			t.Errorf("%s: other tracks", name)
		}
		want, _ := onward(t, d)
		got, errs := onward(t, s)
		for i := range want {
			if k := firstDifference(got[i], want[i]); k >= 0 {
				t.Errorf("%s: track %d: packet %d is\n%s, want\n%s\n(%d packets, want %d; %v)", name, i, k, lineAt(got[i], k), lineAt(want[i], k), len(got[i]), len(want[i]), errs)
			}
		}
		for i, tr := range s.Tracks() {
			depth, whole := s.ReorderDepth(i)
			if exact := d.state.Load().lists[i].reorderDepth(); depth != exact && (whole || depth > exact) {
				t.Errorf("%s: track %d (%v): reorder depth %d, want %d", name, i, tr.Kind, depth, exact)
			}
		}
	}
	t.Logf("%d files, %d of them fragmented; %d refused as files are", files, fragmented, refused)
}

func firstDifference(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

// metered counts what is read, and watches how much is alive meanwhile.
type metered struct {
	r    io.Reader
	n    int64
	heap uint64
}

func (c *metered) Read(p []byte) (int, error) {
	before := c.n >> 24
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n>>24 != before { // every 16 MiB
		c.heap = max(c.heap, liveHeap())
	}
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// However long the movie is, what is held is the window and the tables.
func TestStreamMemory(t *testing.T) {
	const window = 256 << 10
	movie := tm.Movie{Tracks: []tm.Track{
		{Constant: 16 << 10, Count: 8192, PerChunk: 4, Deltas: []tm.Run{{Count: 8192, Value: 40}}},
		{Handler: "soun", Constant: 1000, Count: 8192, PerChunk: 4, Deltas: []tm.Run{{Count: 8192, Value: 40}}},
	}}
	head, size := tm.MP4Head(movie)
	whole := io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, size-int64(len(head))))

	f := plain(nil, 100)
	for i := range f.Tracks[0].Runs[0].Samples {
		f.Tracks[0].Runs[0].Samples[i].Size = 20 << 10
	}
	parts := []io.Reader{bytes.NewReader(initial(tm.Extends{Duration: 10}))}
	off := int64(len(initial(tm.Extends{Duration: 10})))
	for range 64 {
		boxes, data := f.Layout(off)
		parts = append(parts, bytes.NewReader(boxes), io.LimitReader(zeros{}, data))
		off += int64(len(boxes)) + data
	}
	for name, tt := range map[string]struct {
		r       io.Reader
		packets int
		size    int64
	}{
		"one movie box": {whole, 2 * 8192, size},
		"fragments":     {io.MultiReader(parts...), 6400, off},
	} {
		t.Run(name, func(t *testing.T) {
			before := liveHeap()
			c := &metered{r: tt.r}
			s, src, err := openStream(t, c, &source.StreamOptions{Window: window})
			if err != nil {
				t.Fatal(err)
			}
			var p container.Packet
			n, last := 0, int64(0)
			for ; ; n++ {
				err := s.Next(t.Context(), &p)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if p.Pos < last-window {
					t.Fatalf("packet at %d after one at %d", p.Pos, last)
				}
				last = p.Pos
			}
			if n != tt.packets || c.n != tt.size {
				t.Errorf("%d packets of %d bytes, want %d of %d", n, c.n, tt.packets, tt.size)
			}
			const tables = 512 << 10
			if src.Held() > window+192<<10 || c.heap > before+window+192<<10+tables {
				t.Errorf("of %d bytes %d were held; %d bytes more of the heap were alive", tt.size, src.Held(), int64(c.heap)-int64(before))
			}
			t.Logf("of %d bytes %d were held; %d bytes more of the heap were alive", tt.size, src.Held(), int64(c.heap)-int64(before))
		})
	}
}

// Media data before the movie box is refused as soon as its size is known, unless it can be kept.
func TestStreamMovieBoxLast(t *testing.T) {
	movie := tm.Movie{MoovLast: true, Tracks: []tm.Track{{Constant: 10_000, Count: 100, Deltas: []tm.Run{{Count: 100, Value: 40}}}}}
	file := tm.MP4(movie)
	want, _ := onward(t, mustOpen(t, file))
	for name, tt := range map[string]struct {
		o    source.StreamOptions
		fits bool
	}{
		"fits":            {source.StreamOptions{}, true},
		"just fits":       {source.StreamOptions{Window: int64(len(file))}, true},
		"spooled":         {source.StreamOptions{Window: 1, Spool: true, Dir: t.TempDir()}, true},
		"without the end": {source.StreamOptions{Window: 1_000_100}, false},
		"too large":       {source.StreamOptions{Window: 100_000}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := &metered{r: bytes.NewReader(file)}
			s, _, err := openStream(t, c, &tt.o)
			if tt.fits {
				if err != nil {
					t.Fatal(err)
				}
				if got, errs := onward(t, s); firstDifference(got[0], want[0]) >= 0 || errs != nil {
					t.Errorf("%d packets, want %d; %v", len(got[0]), len(want[0]), errs)
				}
				return
			}
			e, ok := errors.AsType[*container.Error](err)
			if !ok || !errors.Is(err, container.ErrNotSeekable) || e.Offset != 20 || !strings.Contains(err.Error(), "spool") {
				t.Errorf("%v, want ErrNotSeekable at byte 20 that says what to do", err)
			}
			if name == "too large" && c.n > 128<<10 {
				t.Errorf("%d bytes were read to see that", c.n)
			}
		})
	}
}

// Whatever a stream is cut to, what is there comes out, and the cut is told with its place.
func TestStreamCut(t *testing.T) {
	movie := tm.MP4(tm.Movie{Tracks: []tm.Track{gop(), {Handler: "soun", Sizes: ones(8), Deltas: []tm.Run{{Count: 8, Value: 10}}}}})
	first := initial(tm.Extends{})
	fragments := tm.AppendFragment(tm.AppendFragment(first, plain(at(0), 4)), plain(at(40), 4))
	middle := len(tm.AppendFragment(first, plain(at(0), 4)))
	clean := map[int]bool{len(first) - 8: true, len(first): true, middle: true, len(fragments): true}
	for n := range len(movie) {
		s, _, err := openStream(t, bytes.NewReader(movie[:n]), nil)
		if err != nil {
			checkLocated(t, err, int64(n))
			continue
		}
		got, errs := onward(t, s)
		d := mustOpen(t, movie[:n])
		want, lost := onward(t, d)
		for i := range want {
			if firstDifference(got[i], want[i]) >= 0 {
				t.Errorf("%d bytes: %v, want %v", n, got[i], want[i])
			}
		}
		inHead := n < len(movie)-16 // then the cut is told though no packet is known
		if len(errs) != len(lost) && !(inHead && len(errs) == 1) {
			t.Errorf("%d bytes: %d packets are lost, want %d", n, len(errs), len(lost))
		}
		for _, err := range errs {
			if checkLocated(t, err, 1<<20); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	for n := range len(fragments) + 1 {
		s, _, err := openStream(t, bytes.NewReader(fragments[:n]), nil)
		if err != nil {
			if checkLocated(t, err, int64(n)); n >= len(first) {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		got, errs := onward(t, s)
		if !clean[n] && len(errs) == 0 || clean[n] && len(errs) > 0 {
			t.Errorf("%d bytes of %d: %v", n, len(fragments), errs)
		}
		for _, err := range errs {
			if checkLocated(t, err, 1<<20); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		if n >= middle && len(got[0]) < 4 {
			t.Errorf("%d bytes: %d packets", n, len(got[0]))
		}
	}
}

// The end of a last box need not be told.
func TestStreamBoxToTheEnd(t *testing.T) {
	file := tm.AppendFragment(initial(tm.Extends{}), plain(at(0), 4))
	copy(file[len(file)-12-8:], []byte{0, 0, 0, 0})
	if got, errs := onward(t, mustStream(t, file)); len(got[0]) != 4 || errs != nil {
		t.Errorf("%v, %v", got, errs)
	}
	movie := tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}})
	copy(movie[len(movie)-8-8:], []byte{0, 0, 0, 0})
	if got, errs := onward(t, mustStream(t, movie)); len(got[0]) != 8 || errs != nil {
		t.Errorf("%v, %v", got, errs)
	}
	last := tm.MP4(tm.Movie{MoovLast: true, Tracks: []tm.Track{gop()}})
	copy(last[bytes.Index(last, []byte("mdat"))-4:], []byte{0, 0, 0, 0})
	if _, _, err := openStream(t, bytes.NewReader(last), nil); !errors.Is(err, container.ErrCorrupt) {
		t.Errorf("%v, want ErrCorrupt", err)
	}
}

// The packets of a fragment come out when it is there, though nothing comes after it yet; a call that is given up can be made again.
func TestStreamGrowing(t *testing.T) {
	before := runtime.NumGoroutine()
	r, w := io.Pipe()
	first := tm.AppendFragment(initial(tm.Extends{}), plain(at(0), 4))
	both := tm.AppendFragment(first, plain(at(40), 4))
	more := make(chan struct{})
	go func() {
		_, _ = w.Write(first) // the test sees what comes
		<-more
		_, _ = w.Write(both[len(first):])
		_ = w.Close() // a pipe's never fails
	}()
	s, src, err := openStream(t, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	var p container.Packet
	for range 4 {
		if err := s.Next(t.Context(), &p); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		if err := s.Next(ctx, &p); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want DeadlineExceeded", err)
		}
		cancel()
	}
	close(more)
	if got, errs := onward(t, s); len(got[0]) != 4 || errs != nil || !strings.HasPrefix(got[0][0], "4 pts 40 ") {
		t.Errorf("%v, %v", got, errs)
	}
	if err := errors.Join(s.Close(), src.Close()); err != nil {
		t.Error(err)
	}
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines are left", runtime.NumGoroutine()-before)
}

func TestStreamEdits(t *testing.T) {
	file := func(edits ...tm.Edit) []byte {
		return tm.AppendFragment(tm.AppendFragment(initial(tm.Extends{}, edits...), plain(at(0), 4)), plain(at(40), 4))
	}
	for _, edits := range [][]tm.Edit{nil, {{Duration: 500, Time: 20}}, {{Duration: 250, Time: -1}, {Time: 10}}, {{Duration: 10, Time: 30}}} {
		want, _ := onward(t, mustOpen(t, file(edits...)))
		got, errs := onward(t, mustStream(t, file(edits...)))
		// Behind the end of the last edit there may be more packets that are not shown.
		for len(got[0]) > len(want[0]) && strings.Contains(got[0][len(got[0])-1], "discard true") {
			got[0] = got[0][:len(got[0])-1]
		}
		if k := firstDifference(got[0], want[0]); k >= 0 || errs != nil {
			t.Errorf("%v: packet %d is %s, want %s; %v", edits, k, lineAt(got[0], k), lineAt(want[0], k), errs)
		}
	}
	_, _, err := openStream(t, bytes.NewReader(file(tm.Edit{Duration: 100, Time: 10}, tm.Edit{Duration: 100, Time: 30})), nil)
	if !errors.Is(err, container.ErrNotSeekable) || !strings.Contains(err.Error(), "2 edits") {
		t.Errorf("%v, want ErrNotSeekable", err)
	}
	// Packets that lie back farther than the window are lost one by one; within it they come.
	movie := tm.Movie{Tracks: []tm.Track{{Constant: 50_000, Count: 20, PerChunk: 1, Deltas: []tm.Run{{Count: 20, Value: 10}}, Edits: []tm.Edit{{Duration: 100, Time: 100}, {Duration: 100}}}}}
	for window, lost := range map[int64]bool{4 << 20: false, 64 << 10: true} {
		s, _, err := openStream(t, bytes.NewReader(tm.MP4(movie)), &source.StreamOptions{Window: window})
		if err != nil {
			t.Fatal(err)
		}
		got, errs := onward(t, s)
		if len(got[0])+len(errs) < 20 || (len(errs) > 0) != lost || lost && !errors.Is(errs[0], container.ErrNotSeekable) {
			t.Errorf("window %d: %d packets, errors %v", window, len(got[0]), errs)
		}
	}
}

// A reader that fails is told as it is, and no headers are made up.
func TestStreamThatBreaks(t *testing.T) {
	broken := errors.New("broken")
	file := tm.AppendFragment(initial(tm.Extends{}), plain(at(0), 4))
	for n := range file {
		s, _, err := openStream(t, io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)), nil)
		if err == nil {
			var p container.Packet
			for range 5 {
				if err = s.Next(t.Context(), &p); err != nil {
					break
				}
			}
		}
		if !errors.Is(err, broken) {
			t.Fatalf("%d bytes: %v, want the reader's error", n, err)
		}
	}
}

func FuzzStream(f *testing.F) {
	for _, seed := range fragmentSeeds() {
		f.Add(seed, uint16(0))
		f.Add(seed, uint16(7))
	}
	f.Add(tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}}), uint16(100))
	f.Add(tm.MP4(tm.Movie{MoovLast: true, Tracks: []tm.Track{gop()}}), uint16(1000))
	f.Add(tm.AppendFragment(initial(tm.Extends{}), claiming()), uint16(1000))
	for _, b := range tm.Seeds(16<<10, "mp4/*/*.m*", "hls/*/*/*.mp4", "fuzz/*/*") {
		f.Add(b, uint16(1000))
	}
	f.Fuzz(func(t *testing.T, file []byte, window uint16) {
		src, err := source.NewStream(bytes.NewReader(file), &source.StreamOptions{Window: int64(window) + 1})
		if err != nil {
			t.Fatal(err)
		}
		s, err := OpenStream(t.Context(), src, &container.Options{Limits: container.Limits{HeaderBytes: 1 << 20, PacketBytes: 1 << 20}})
		if err != nil {
			checkLocated(t, err, int64(len(file)))
			return
		}
		var p container.Packet
		for range 1 << 14 {
			err := s.Next(t.Context(), &p)
			if err == io.EOF {
				return
			}
			if err != nil {
				checkLocated(t, err, 1<<62)
			}
		}
	})
}
