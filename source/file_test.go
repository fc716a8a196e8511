package source

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func tempFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func openFile(t *testing.T, name string) *File {
	t.Helper()
	f, err := OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // a test may have closed it already
	return f
}

func TestFileReadsAtOffsets(t *testing.T) {
	f := openFile(t, tempFile(t, digits))
	if f.Size() != 10 {
		t.Errorf("Size() = %d, want 10", f.Size())
	}
	for _, tt := range []struct {
		n    int
		off  int64
		want string
		err  error
	}{
		{3, 4, "456", nil}, {10, 0, digits, nil}, {4, 8, "89", io.EOF}, {1, 10, "", io.EOF}, {1, 1 << 40, "", io.EOF}, {20, 0, digits, io.EOF},
	} {
		p := make([]byte, tt.n)
		n, err := f.ReadAt(p, tt.off)
		if string(p[:n]) != tt.want || err != tt.err {
			t.Errorf("ReadAt(%d at %d) = %q, %v, want %q, %v", tt.n, tt.off, p[:n], err, tt.want, tt.err)
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("ReadAt(-1) = %v, want an error that is not EOF", err)
	}
}

func TestFileServesManyGoroutines(t *testing.T) {
	text := strings.Repeat(digits, 1000)
	f := openFile(t, tempFile(t, text))
	var wg sync.WaitGroup
	for worker := range int64(8) {
		wg.Go(func() {
			p := make([]byte, 37)
			for i := range int64(300) {
				off := (worker*1009 + i*31) % 9900
				if err := ReadFull(t.Context(), f, p, off); err != nil || string(p) != text[off:off+37] {
					t.Errorf("ReadFull at %d = %q, %v", off, p, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestFileKeepsItsSizeWhenItGrows(t *testing.T) {
	name := tempFile(t, digits)
	f := openFile(t, name)
	if err := os.WriteFile(name, []byte(digits+"more"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 5)
	if n, err := f.ReadAt(p, 8); n != 2 || err != io.EOF || f.Size() != 10 {
		t.Errorf("ReadAt(8) = %d, %v with Size() %d, want 2, EOF, 10", n, err, f.Size())
	}
}

func TestFileThatShrinksEndsEarly(t *testing.T) {
	name := tempFile(t, digits)
	f := openFile(t, name)
	if err := os.Truncate(name, 4); err != nil {
		t.Fatal(err)
	}
	if err := ReadFull(t.Context(), f, make([]byte, 5), 2); err != io.ErrUnexpectedEOF {
		t.Errorf("ReadFull = %v, want unexpected EOF", err)
	}
}

func TestFileVersionChangesWithTheFile(t *testing.T) {
	name := tempFile(t, digits)
	version := func() string { return openFile(t, name).Version() }
	first := version()
	if first == "" || version() != first {
		t.Errorf("Version() = %q, then %q for the same file", first, version())
	}
	if err := os.Chtimes(name, time.Time{}, time.Unix(1000, 0)); err != nil {
		t.Fatal(err)
	}
	touched := version()
	if touched == first {
		t.Error("another modification time, the same version")
	}
	if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, time.Unix(1000, 0)); err != nil {
		t.Fatal(err)
	}
	if version() == touched {
		t.Error("another size, the same version")
	}
	if got := Count(openFile(t, name)).Version(); got != version() {
		t.Errorf("the counter's Version() = %q, want the file's", got)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that is not there: %v", err)
	}
	_, err := OpenFile(dir)
	if pathErr, ok := errors.AsType[*fs.PathError](err); !ok || pathErr.Path != dir || !strings.HasSuffix(err.Error(), ": not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}

func TestFileAfterClose(t *testing.T) {
	f := openFile(t, tempFile(t, digits))
	version := f.Version()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ReadFull(t.Context(), f, make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ReadFull = %v, want closed", err)
	}
	if f.Size() != 10 || f.Version() != version {
		t.Errorf("Size() = %d, Version() = %q after Close", f.Size(), f.Version())
	}
}
