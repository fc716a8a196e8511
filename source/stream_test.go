package source

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"
)

func newStream(t testing.TB, r io.Reader, o *StreamOptions) *Stream {
	t.Helper()
	s, err := NewStream(r, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // closed twice it says nothing
	return s
}

// Whatever the reader gives at a time, reads that go back no further than the window get the right bytes, and no more is held.
func TestStreamWindow(t *testing.T) {
	data := noise(3 << 20)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"as it is":       func(r io.Reader) io.Reader { return r },
		"half":           iotest.HalfReader,
		"data with EOF":  iotest.DataErrReader,
		"odd sizes":      func(r io.Reader) io.Reader { return &oddReader{r: r, rand: rand.New(rand.NewPCG(3, 4))} },
		"spooled":        nil,
		"spooled, halfs": nil,
	} {
		t.Run(name, func(t *testing.T) {
			const keep = 200_000
			o := &StreamOptions{Window: keep}
			if wrap == nil {
				o.Spool, o.Dir, wrap = true, t.TempDir(), iotest.HalfReader
			}
			s := newStream(t, wrap(bytes.NewReader(data)), o)
			r := rand.New(rand.NewPCG(1, 2))
			furthest := 0
			for furthest < len(data) {
				off := max(0, min(furthest-r.IntN(keep), len(data)))
				if r.IntN(4) == 0 {
					off = min(furthest+r.IntN(150_000), len(data))
				}
				n := r.IntN(300_000)
				p := make([]byte, n)
				k, err := s.ReadAt(p, int64(off))
				if want := min(n, len(data)-off); k != want || (k < n) != (err == io.EOF) || err != nil && err != io.EOF {
					t.Fatalf("ReadAt(%d at %d) = %d, %v, want %d", n, off, k, err, want)
				}
				if !bytes.Equal(p[:k], data[off:off+k]) {
					t.Fatalf("ReadAt(%d at %d): wrong bytes", n, off)
				}
				if furthest = max(furthest, off+n); furthest < len(data) {
					if _, ok := s.End(); ok {
						t.Fatal("the end is known before it was read")
					}
				}
			}
			if size, ok := s.End(); !ok || size != int64(len(data)) {
				t.Errorf("End() = %d, %v", size, ok)
			}
			if o.Spool {
				wantBytes(t, io.NewSectionReader(s, 0, int64(len(data))), data, 0, len(data))
			} else if _, err := s.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrNotSeekable) || !strings.Contains(err.Error(), "byte 0 ") {
				t.Errorf("ReadAt(0) = %v, want ErrNotSeekable", err)
			}
			if s.Held() > keep+3*blockSize {
				t.Errorf("%d bytes were held, want at most %d", s.Held(), keep+3*blockSize)
			}
		})
	}
}

// oddReader gives few bytes at a time, and sometimes none.
type oddReader struct {
	r    io.Reader
	rand *rand.Rand
}

func (o *oddReader) Read(p []byte) (int, error) {
	return o.r.Read(p[:o.rand.IntN(min(len(p), 5000)+1)])
}

func TestStreamIsAReader(t *testing.T) {
	data := noise(500_000)
	s := newStream(t, iotest.OneByteReader(bytes.NewReader(data[:3000])), nil)
	if err := iotest.TestReader(s, data[:3000]); err != nil {
		t.Error(err)
	}
	s = newStream(t, bytes.NewReader(data), &StreamOptions{Window: -1})
	if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestStreamFaults(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		is   error
		text string
	}{
		"an error":      {io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), broken, "at byte 3: broken"},
		"nothing":       {iotest.ErrReader(nil), io.ErrNoProgress, "stream"},
		"more than fit": {funcReader(func(p []byte) (int, error) { return len(p) + 1, nil }), nil, "returned 65537 bytes for 65536"},
		"negative":      {funcReader(func([]byte) (int, error) { return -1, nil }), nil, "returned -1 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStream(t, tt.r, nil)
			for range 2 { // it stays so
				_, err := s.ReadAt(make([]byte, 4), 0)
				if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("ReadAt = %v, want %q", err, tt.text)
				}
			}
		})
	}
}

type funcReader func([]byte) (int, error)

func (f funcReader) Read(p []byte) (int, error) { return f(p) }

// A read is given up while the reader blocks; what the reader then gives is not lost; when it is closed no goroutine is left.
func TestStreamCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	r, w := io.Pipe()
	s := newStream(t, r, nil)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			_, err := s.ReadAtContext(ctx, make([]byte, 4), 0)
			got <- err
		}()
		time.Sleep(5 * time.Millisecond)
		start := time.Now()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) || time.Since(start) > 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	}
	if n := runtime.NumGoroutine(); n > before+1 {
		t.Errorf("%d goroutines for one reader that blocks", n-before)
	}
	if _, err := w.Write([]byte("abcd")); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, io.NewSectionReader(s, 0, 4), []byte("abcd"), 0, 4)

	// A turn that is taken can be given up too, and Close ends what waits.
	waiting := make(chan error, 1)
	go func() {
		_, err := s.ReadAt(make([]byte, 1), 4)
		waiting <- err
	}()
	time.Sleep(5 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.ReadAtContext(ctx, make([]byte, 1), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v while another read waits", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v from a read that Close met", err)
	}
	if _, err := s.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v after Close", err)
	}
	_ = w.Close() // the reader ends
	wantNoGoroutines(t, before)
}

func TestSpool(t *testing.T) {
	data := noise(300_000)
	dir := t.TempDir()
	left := func() int {
		t.Helper()
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	s, err := Spool(t.Context(), iotest.HalfReader(bytes.NewReader(data)), &StreamOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if n := left(); runtime.GOOS != "windows" && n != 0 {
		t.Errorf("%d files can be seen while it is spooled", n)
	}
	if s.Size() != int64(len(data)) {
		t.Errorf("Size() = %d", s.Size())
	}
	wantBytes(t, s, data, 0, len(data))
	wantBytes(t, s, data, 299_999, 1)
	if err := s.Close(); err != nil || left() != 0 {
		t.Errorf("Close() = %v, %d files left", err, left())
	}
	if _, err := s.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a read after Close gives no error")
	}

	broken := errors.New("broken")
	r, w := io.Pipe()
	defer func() { _ = w.Close() }() // it cannot fail
	short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	for name, tt := range map[string]struct {
		ctx context.Context
		r   io.Reader
		is  error
	}{
		"a fault":   {t.Context(), io.MultiReader(bytes.NewReader(data[:1000]), iotest.ErrReader(broken)), broken},
		"too large": {t.Context(), bytes.NewReader(data), ErrTooLarge},
		"cancelled": {short, r, context.DeadlineExceeded},
	} {
		if _, err := Spool(tt.ctx, tt.r, &StreamOptions{Dir: dir, MaxSpool: 299_999}); !errors.Is(err, tt.is) || left() != 0 {
			t.Errorf("%s: %v, %d files left", name, err, left())
		}
	}
	if _, err := Spool(t.Context(), bytes.NewReader(data), &StreamOptions{Dir: dir + "/none"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
}

func TestSeeker(t *testing.T) {
	data := noise(100_000)
	s, err := NewSeeker(struct{ io.ReadSeeker }{bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			r := rand.New(rand.NewPCG(5, uint64(i)))
			for range 200 {
				off, n := r.IntN(len(data)), r.IntN(20_000)
				p := make([]byte, n)
				k, err := s.ReadAt(p, int64(off))
				if want := min(n, len(data)-off); k != want || (k < n) != (err == io.EOF) || !bytes.Equal(p[:k], data[off:off+k]) {
					t.Errorf("ReadAt(%d at %d) = %d, %v, want %d", n, off, k, err, want)
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
	if _, err := s.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset gives no error")
	}
	if s, err := NewSeeker(lostSeeker{bytes.NewReader(data)}); err != nil {
		t.Error(err)
	} else if _, err := s.ReadAt(make([]byte, 1), 7); err == nil || !strings.Contains(err.Error(), "seek to 7 led to 8") {
		t.Errorf("a seek that goes astray: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }() // of a test's pipe
	if _, err := NewSeeker(r); err == nil {
		t.Error("a pipe that cannot seek gives no error")
	}
}

// lostSeeker seeks to the byte behind the one that is asked for.
type lostSeeker struct{ *bytes.Reader }

func (s lostSeeker) Seek(off int64, whence int) (int64, error) {
	n, err := s.Reader.Seek(off, whence)
	return n + 1, err
}

func TestOpenFS(t *testing.T) {
	data := noise(50_000)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/clip.mp4", data, 0o666); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	if w, err := z.Create("clip.mp4"); err != nil {
		t.Fatal(err)
	} else if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	zipped, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	m := fstest.MapFS{"clip.mp4": {Data: data}}
	for name, tt := range map[string]struct {
		fsys fs.FS
		is   error
	}{
		"directory":  {os.DirFS(dir), nil},
		"map":        {m, nil},
		"seek only":  {only{m, func(f fs.File) fs.File { return seekOnly{f, f.(io.Seeker)} }}, nil},
		"neither":    {only{m, func(f fs.File) fs.File { return struct{ fs.File }{f} }}, ErrNotSeekable},
		"zip":        {zipped, ErrNotSeekable},
		"not a file": {fstest.MapFS{"clip.mp4/x": {}}, errNotRegular},
		"not there":  {fstest.MapFS{}, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := OpenFS(tt.fsys, "clip.mp4")
			if tt.is != nil {
				var path *fs.PathError
				if !errors.Is(err, tt.is) || !errors.As(err, &path) {
					t.Fatalf("OpenFS = %v, want %v", err, tt.is)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Size() != int64(len(data)) || (name == "directory") != (f.Version() != "") {
				t.Errorf("size %d, version %q", f.Size(), f.Version())
			}
			wantBytes(t, f, data, 0, len(data))
			wantBytes(t, f, data, 777, 10)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	// What cannot be opened so can be spooled.
	f, err := zipped.Open("clip.mp4")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Spool(t.Context(), f, &StreamOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, s, data, 777, 10)
	if err := errors.Join(s.Close(), f.Close()); err != nil {
		t.Error(err)
	}
}

// only is a file system whose files are less than they could be.
type only struct {
	fs.FS
	less func(fs.File) fs.File
}

func (o only) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return o.less(f), nil
}

type seekOnly struct {
	fs.File
	io.Seeker
}
