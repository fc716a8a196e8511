package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/conformance"
	"github.com/sprocket-video/sprocket/source"
)

// noise returns n bytes that do not repeat soon.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestSourcesKeepTheLaws(t *testing.T) {
	for _, n := range []int{0, 1, 7, 5000, 200_000} {
		want := noise(n)
		name := filepath.Join(t.TempDir(), "bytes")
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := source.OpenFile(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		around := append(append([]byte("before"), want...), "behind"...)
		for kind, src := range map[string]source.Source{
			"file": f, "memory": bytes.NewReader(want), "counted": source.Count(f),
			"section": io.NewSectionReader(bytes.NewReader(around), 6, int64(n)),
		} {
			if err := conformance.TestSource(t.Context(), src, want); err != nil {
				t.Errorf("%s of %d bytes: %v", kind, n, err)
			}
		}
	}
}

// badSource is a good source but for what is replaced.
type badSource struct {
	*bytes.Reader
	readAt  func(p []byte, off int64) (int, error)
	size    func() int64
	readCtx func(ctx context.Context, p []byte, off int64) (int, error)
}

func (s *badSource) ReadAt(p []byte, off int64) (int, error) {
	if s.readAt != nil {
		return s.readAt(p, off)
	}
	return s.Reader.ReadAt(p, off)
}

func (s *badSource) Size() int64 {
	if s.size != nil {
		return s.size()
	}
	return s.Reader.Size()
}

func (s *badSource) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if s.readCtx != nil {
		return s.readCtx(ctx, p, off)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return s.ReadAt(p, off)
}

func TestBrokenSourcesAreFound(t *testing.T) {
	want := noise(20_000)
	good := bytes.NewReader(want)
	var calls atomic.Int64
	var busy atomic.Int32
	for _, tt := range []struct {
		name, law string
		broken    badSource
	}{
		{"size grows", "Size is", badSource{size: func() int64 { return int64(len(want)) + calls.Add(1)/3 }}},
		{"short read without error", "a short read", badSource{readAt: func(p []byte, off int64) (int, error) {
			n, err := good.ReadAt(p[:min(len(p), 100)], off)
			return n, err
		}}},
		{"EOF wrapped", "io.EOF, bare", badSource{readAt: func(p []byte, off int64) (int, error) {
			n, err := good.ReadAt(p, off)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}}},
		{"bytes of another place", "the bytes at its offset", badSource{readAt: func(p []byte, off int64) (int, error) {
			n, err := good.ReadAt(p, off)
			if off > 10_000 && n > 0 {
				p[0] ^= 1
			}
			return n, err
		}}},
		{"negative offset", "negative offset", badSource{readAt: func(p []byte, off int64) (int, error) { return good.ReadAt(p, max(off, 0)) }}},
		{"error with everything read", "a full read has no error", badSource{readAt: func(p []byte, off int64) (int, error) {
			n, err := good.ReadAt(p, off)
			if n == len(p) && off == 0 {
				err = io.EOF
			}
			return n, err
		}}},
		{"count too large", "within its buffer", badSource{readAt: func(p []byte, off int64) (int, error) {
			n, err := good.ReadAt(p, off)
			return n + 1, err
		}}},
		{"one reader at a time", "concurrent reads", badSource{readAt: func(p []byte, off int64) (int, error) {
			defer busy.Add(-1)
			if busy.Add(1) > 1 {
				return 0, errors.New("busy")
			}
			time.Sleep(10 * time.Microsecond)
			return good.ReadAt(p, off)
		}}},
		{"ended contexts read nothing", "a context that has ended", badSource{readCtx: func(ctx context.Context, p []byte, off int64) (int, error) {
			if ctx.Err() != nil {
				return 0, io.EOF
			}
			return good.ReadAt(p, off)
		}}},
		{"panic", "nothing panics", badSource{readAt: func(p []byte, off int64) (int, error) { return copy(p, want[off:]), nil }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.broken
			s.Reader = good
			wantLaw(t, conformance.TestSource(t.Context(), &s, want), tt.law)
		})
	}
}

// wantLaw checks that a law was found broken.
func wantLaw(t *testing.T, err error, law string) {
	t.Helper()
	var broken *conformance.LawError
	if !errors.As(err, &broken) || !strings.Contains(err.Error(), law) {
		t.Errorf("found %v, want a broken law that says %q", err, law)
	}
}

func TestCheckersReturnTheErrorOfTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want := noise(10)
	if err := conformance.TestSource(ctx, bytes.NewReader(want), want); !errors.Is(err, context.Canceled) {
		t.Errorf("TestSource = %v, want %v", err, context.Canceled)
	}
}
