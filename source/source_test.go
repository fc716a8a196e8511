package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// readFunc is a source of 1000 bytes whose reads are one function.
type readFunc func(p []byte, off int64) (int, error)

func (f readFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }
func (f readFunc) Size() int64                             { return 1000 }

// contextSource reads by ReadAtContext only.
type contextSource struct{ Source }

type contextKey struct{}

func (c contextSource) ReadAt([]byte, int64) (int, error) { return 0, errors.New("ReadAt was called") }

func (c contextSource) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if ctx.Value(contextKey{}) == nil {
		return 0, errors.New("another context")
	}
	return c.Source.ReadAt(p, off)
}

const digits = "0123456789"

// The standard library's own readers are sources, and read alike.
func TestStandardReadersAreSources(t *testing.T) {
	for name, s := range map[string]Source{
		"bytes.Reader":     bytes.NewReader([]byte(digits)),
		"strings.Reader":   strings.NewReader(digits),
		"io.SectionReader": io.NewSectionReader(strings.NewReader("--"+digits+"--"), 2, 10),
		"counter":          Count(strings.NewReader(digits)),
	} {
		for _, tt := range []struct {
			n    int
			off  int64
			want string
			full error
		}{
			{4, 3, "3456", nil}, {10, 0, digits, nil}, {0, 0, "", nil}, {0, 10, "", nil}, {0, 99, "", nil},
			{11, 0, digits, io.ErrUnexpectedEOF}, {5, 8, "89", io.ErrUnexpectedEOF}, {1, 10, "", io.ErrUnexpectedEOF}, {1, 1 << 40, "", io.ErrUnexpectedEOF},
		} {
			p := make([]byte, tt.n)
			n, err := ReadSome(t.Context(), s, p, tt.off)
			if err != nil || string(p[:n]) != tt.want {
				t.Errorf("%s: ReadSome(%d at %d) = %q, %v, want %q", name, tt.n, tt.off, p[:n], err, tt.want)
			}
			if err := ReadFull(t.Context(), s, p, tt.off); err != tt.full {
				t.Errorf("%s: ReadFull(%d at %d) = %v, want %v", name, tt.n, tt.off, err, tt.full)
			}
		}
	}
}

func TestReadSomeWithBadReaders(t *testing.T) {
	text := strings.Repeat(digits, 100)
	odd := errors.New("odd")
	for _, tt := range []struct {
		name string
		read readFunc
		n    int
		want int
		err  string // "" for none
		full string
	}{
		{"one byte at a time, no error", func(p []byte, off int64) (int, error) { return copy(p[:1], text[off:]), nil }, 50, 50, "", ""},
		{"all with EOF", func(p []byte, off int64) (int, error) { return copy(p, text[off:]), io.EOF }, 50, 50, "", ""},
		{"half with EOF", func(p []byte, off int64) (int, error) { return copy(p[:25], text[off:]), io.EOF }, 50, 25, "", "unexpected EOF"},
		{"all with an error", func(p []byte, off int64) (int, error) { return copy(p, text[off:]), odd }, 50, 50, "", ""},
		{"half with an error", func(p []byte, off int64) (int, error) { return copy(p[:25], text[off:]), odd }, 50, 25, "odd", "odd"},
		{"nothing with an error", func([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }, 50, 0, "timeout", "timeout"},
		{"no progress", func([]byte, int64) (int, error) { return 0, nil }, 50, 0, io.ErrNoProgress.Error(), io.ErrNoProgress.Error()},
		{"progress that ends", func(p []byte, off int64) (int, error) {
			if off >= 10 {
				return 0, nil
			}
			return copy(p[:10], text[off:]), nil
		}, 50, 10, io.ErrNoProgress.Error(), io.ErrNoProgress.Error()},
		{"more than asked for", func(p []byte, _ int64) (int, error) { return len(p) + 1, nil }, 50, 0,
			"source: reader returned 51 bytes for 50", "source: reader returned 51 bytes for 50"},
		{"less than nothing", func([]byte, int64) (int, error) { return -1, nil }, 50, 0,
			"source: reader returned -1 bytes for 50", "source: reader returned -1 bytes for 50"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := make([]byte, tt.n)
			n, err := ReadSome(t.Context(), tt.read, p, 0)
			if n != tt.want || message(err) != tt.err {
				t.Errorf("ReadSome = %d, %v, want %d, %q", n, err, tt.want, tt.err)
			}
			if got := string(p[:n]); got != text[:n] {
				t.Errorf("ReadSome read %q, want %q", got, text[:n])
			}
			if err := ReadFull(t.Context(), tt.read, p, 0); message(err) != tt.full {
				t.Errorf("ReadFull = %v, want %q", err, tt.full)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReadAtNegativeOffset(t *testing.T) {
	s := readFunc(func([]byte, int64) (int, error) {
		t.Error("the reader was asked")
		return 0, io.EOF
	})
	if _, err := ReadSome(t.Context(), s, make([]byte, 1), -1); err == nil {
		t.Error("ReadSome at -1 has no error")
	}
	if err := ReadFull(t.Context(), s, nil, -1); err == nil {
		t.Error("ReadFull at -1 has no error")
	}
}

func TestReadStopsWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	s := readFunc(func(p []byte, _ int64) (int, error) {
		if calls++; calls == 3 {
			cancel()
		}
		return copy(p[:1], "x"), nil
	})
	n, err := ReadSome(ctx, s, make([]byte, 10), 0)
	if n != 3 || !errors.Is(err, context.Canceled) {
		t.Errorf("ReadSome = %d, %v, want 3 and context canceled", n, err)
	}
	if n, err := ReadSome(ctx, s, make([]byte, 10), 0); n != 0 || !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("ReadSome after the end = %d, %v and %d more reads", n, err, calls-3)
	}
}

func TestReadPrefersTheContextReader(t *testing.T) {
	ctx := context.WithValue(t.Context(), contextKey{}, true)
	for name, s := range map[string]Source{
		"plain":   contextSource{strings.NewReader(digits)},
		"counted": Count(contextSource{strings.NewReader(digits)}),
	} {
		p := make([]byte, 3)
		if err := ReadFull(ctx, s, p, 5); err != nil || string(p) != "567" {
			t.Errorf("%s: ReadFull = %q, %v, want 567", name, p, err)
		}
	}
}

func TestCounterCounts(t *testing.T) {
	c := Count(strings.NewReader(digits))
	p := make([]byte, 4)
	_, _ = c.ReadAt(p, 0)                     // 4
	_, _ = c.ReadAtContext(t.Context(), p, 8) // 2 and EOF
	_, _ = c.ReadAt(p, 100)                   // EOF
	if got, want := c.Counts(), (Counts{Reads: 3, Bytes: 6}); got != want {
		t.Errorf("Counts() = %+v, want %+v", got, want)
	}
	if c.Size() != 10 || c.Version() != "" {
		t.Errorf("Size() = %d, Version() = %q, want 10 and none", c.Size(), c.Version())
	}
	broken := Count(readFunc(func([]byte, int64) (int, error) { return -5, nil }))
	_, _ = broken.ReadAt(p, 0)
	if got, want := broken.Counts(), (Counts{Reads: 1}); got != want {
		t.Errorf("Counts() of a broken reader = %+v, want %+v", got, want)
	}
}

func TestCounterIsSafeForConcurrentUse(t *testing.T) {
	c := Count(strings.NewReader(digits))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p := make([]byte, 2)
			for off := range int64(5) {
				if err := ReadFull(t.Context(), c, p, 2*off); err != nil || string(p) != digits[2*off:2*off+2] {
					t.Errorf("ReadFull at %d = %q, %v", 2*off, p, err)
				}
			}
		})
	}
	wg.Wait()
	if got, want := c.Counts(), (Counts{Reads: 40, Bytes: 80}); got != want {
		t.Errorf("Counts() = %+v, want %+v", got, want)
	}
}
