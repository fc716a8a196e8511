package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// drip sends a byte every now and then, until nobody listens.
func drip(w http.ResponseWriter, r *http.Request, every time.Duration) {
	for {
		_, _ = w.Write([]byte{0})
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(every):
		}
	}
}

// A server that drips costs a bounded number of attempts, of an IdleTimeout each, and is told with its place.
func TestHTTPDrip(t *testing.T) {
	before := runtime.NumGoroutine()
	data := noise(200_000)
	s := serve(t, data, func(w http.ResponseWriter, r *http.Request, n int64) bool {
		if n == 1 {
			return false
		}
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Range", strings.Replace(r.Header.Get("Range"), "=", " ", 1)+"/200000")
		w.WriteHeader(http.StatusPartialContent)
		drip(w, r, 5*time.Millisecond)
		return true
	})
	o := hasty()
	o.Retries, o.IdleTimeout, o.MinRate = 2, 50*time.Millisecond, 4096
	h := openHTTP(t, s.URL, o)
	_, err := h.ReadAt(make([]byte, 50_000), 100_000)
	if e, ok := errors.AsType[*HTTPError](err); !ok || !errors.Is(err, errDrip) || e.Off != 100_000 || e.Attempts != 3 {
		t.Errorf("%v, want that it is too slow, after 3 attempts", err)
	}
	if n := s.requests.Load(); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	s.Close()
	wantNoGoroutines(t, before)
}

func TestOpenBody(t *testing.T) {
	data := noise(300_000)
	for name, tt := range map[string]struct {
		handle func(w http.ResponseWriter, r *http.Request, n int64) bool
		is     error // of reading
		text   string
		open   string // the error of opening
	}{
		"honest": {func(http.ResponseWriter, *http.Request, int64) bool { return false }, nil, "", ""},
		"busy at first": {func(w http.ResponseWriter, _ *http.Request, n int64) bool {
			if n < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n < 3
		}, nil, "", ""},
		"a short body": {func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
			w.Header().Set("Content-Length", "300000")
			_, _ = w.Write(data[:100_000])
			return true
		}, io.ErrUnexpectedEOF, "after 100000 bytes", ""},
		"a stall": {func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			_, _ = w.Write(data[:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, errStalled, "after 100 bytes", ""},
		"a drip": {func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			drip(w, r, 5*time.Millisecond)
			return true
		}, errDrip, "after ", ""},
		"not found": {func(w http.ResponseWriter, r *http.Request, _ int64) bool { http.NotFound(w, r); return true }, nil, "", "404"},
		"redirect to file": {func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
			return true
		}, nil, "", "redirect refused"},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			s := serve(t, data, func(w http.ResponseWriter, r *http.Request, n int64) bool {
				if r.Header.Get("Range") != "" {
					t.Errorf("Range %q", r.Header.Get("Range"))
				}
				return tt.handle(w, r, n)
			})
			o := hasty()
			o.IdleTimeout = 50 * time.Millisecond
			b, err := OpenBody(t.Context(), strings.Replace(s.URL, "://", "://me:hunter2@", 1)+"/x?k=hunter2", o)
			if tt.open != "" {
				if e, ok := errors.AsType[*HTTPError](err); !ok || !strings.Contains(err.Error(), tt.open) || strings.Contains(e.Error(), "hunter2") {
					t.Errorf("OpenBody = %v, want %q", err, tt.open)
				}
				s.Close()
				wantNoGoroutines(t, before)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(b)
			if tt.is == nil && (err != nil || !bytes.Equal(got, data) || b.Size() != int64(len(data))) {
				t.Errorf("%d bytes of %d, %v", len(got), b.Size(), err)
			}
			if tt.is != nil && (!errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%v, want %v, %q", err, tt.is, tt.text)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			s.Close()
			wantNoGoroutines(t, before)
		})
	}
}

// A body that nobody reads is not cut; one that is closed leaves nothing; the context ends the opening alone.
func TestBodyClose(t *testing.T) {
	before := runtime.NumGoroutine()
	data := noise(3 << 20)
	s := serve(t, data, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if r.URL.Path == "/late" {
			<-r.Context().Done()
		}
		return false
	})
	o := hasty()
	o.IdleTimeout = 30 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	b, err := OpenBody(ctx, s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	time.Sleep(100 * time.Millisecond)
	p := make([]byte, 2<<20)
	if _, err := io.ReadFull(b, p); err != nil || !bytes.Equal(p, data[:len(p)]) {
		t.Errorf("after a pause: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Read(p); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after Close: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	o.HeaderTimeout = time.Minute
	if _, err := OpenBody(ctx, s.URL+"/late", o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	s.CloseClientConnections()
	s.Close()
	wantNoGoroutines(t, before)
}

// What comes slower than MinRate between stalls, or in honest pieces after long waits, is no progress: it does not go on for ever.
func TestHTTPTooSlowOverAll(t *testing.T) {
	data := noise(200_000)
	const piece = 1100
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, first int)
		want   error
	}{
		"a little, then a stall": {func(w http.ResponseWriter, r *http.Request, first int) {
			w.Header().Set("Content-Range", strings.Replace(r.Header.Get("Range"), "=", " ", 1)+"/200000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data[first : first+piece])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, errStalled},
		"short ranges after long waits": {func(w http.ResponseWriter, _ *http.Request, first int) {
			time.Sleep(20 * time.Millisecond)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/200000", first, first+piece-1))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data[first : first+piece])
		}, errEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, data, func(w http.ResponseWriter, r *http.Request, n int64) bool {
				var first, last int
				if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil || n == 1 {
					return false
				}
				w.Header().Set("ETag", `"one"`)
				tt.answer(w, r, first)
				return true
			})
			o := hasty()
			o.Retries, o.IdleTimeout, o.MinRate = 2, 20*time.Millisecond, 1<<20
			h := openHTTP(t, s.URL, o)
			_, err := h.ReadAt(make([]byte, 50_000), 100_000)
			if e, ok := errors.AsType[*HTTPError](err); !ok || !errors.Is(err, tt.want) || e.Attempts != 3 {
				t.Errorf("ReadAt = %v, want %v after 3 attempts", err, tt.want)
			}
			if n := s.requests.Load(); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
		})
	}
}
