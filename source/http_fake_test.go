package source

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// noise returns n bytes that are the same every time.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// server serves data honestly, and counts.
type server struct {
	*httptest.Server
	requests, sent atomic.Int64
}

// serve starts a server of data with an ETag. handle, unless nil, may answer in its stead.
func serve(t testing.TB, data []byte, handle func(w http.ResponseWriter, r *http.Request, n int64) bool) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.requests.Add(1)
		w = &countingWriter{w, s}
		if handle != nil && handle(w, r, n) {
			return
		}
		honest(w, r, data, `"one"`)
	}))
	t.Cleanup(s.Close)
	return s
}

func honest(w http.ResponseWriter, r *http.Request, data []byte, etag string) {
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	http.ServeContent(w, r, "file.mp4", time.Time{}, bytes.NewReader(data))
}

type countingWriter struct {
	http.ResponseWriter
	s *server
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.s.sent.Add(int64(len(p))) // before the client can see them
	return w.ResponseWriter.Write(p)
}

func (w *countingWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// hasty are options for tests: waits are short.
func hasty() *HTTPOptions {
	return &HTTPOptions{Backoff: time.Millisecond, MaxWait: 5 * time.Millisecond, IdleTimeout: 300 * time.Millisecond, HeaderTimeout: time.Second}
}

func openHTTP(t testing.TB, url string, o *HTTPOptions) *HTTP {
	t.Helper()
	h, err := OpenHTTP(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() }) // it cannot fail
	return h
}

// wantBytes reads n bytes at off and compares them.
func wantBytes(t testing.TB, s Source, data []byte, off, n int) {
	t.Helper()
	p := make([]byte, n)
	if err := ReadFull(t.Context(), s, p, int64(off)); err != nil {
		t.Fatalf("ReadFull(%d at %d) = %v", n, off, err)
	}
	if !bytes.Equal(p, data[off:off+n]) {
		t.Fatalf("ReadFull(%d at %d): wrong bytes", n, off)
	}
}

// wantNoGoroutines fails unless there are soon no more goroutines than before.
func wantNoGoroutines(t testing.TB, before int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

// hostile answers with one fault, of its kind.
func hostile(w http.ResponseWriter, r *http.Request, data []byte, kind int, stop context.Context) {
	var first, last int
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil {
		http.Error(w, "no range", http.StatusBadRequest)
		return
	}
	last = min(last, len(data)-1)
	part := data[first : last+1]
	partial := func(from, to, total, length int) {
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, total))
		if length >= 0 {
			w.Header().Set("Content-Length", fmt.Sprint(length))
		}
		w.WriteHeader(http.StatusPartialContent)
	}
	hangUp := func() { panic(http.ErrAbortHandler) }
	switch kind {
	case 0: // the connection breaks in the middle
		partial(first, last, len(data), len(part))
		_, _ = w.Write(part[:len(part)/2])
		w.(http.Flusher).Flush()
		hangUp()
	case 1: // it breaks before the response
		hangUp()
	case 2:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case 3:
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		http.Error(w, "not now", http.StatusTooManyRequests)
	case 4: // a shorter range than was asked for, honestly
		k := (len(part) + 1) / 2
		partial(first, first+k-1, len(data), k)
		_, _ = w.Write(part[:k])
	case 5: // another range
		from := (first + 1) % len(data)
		partial(from, from, len(data), 1)
		_, _ = w.Write(data[from : from+1])
	case 6: // no range told
		w.Header().Set("ETag", `"one"`)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(part)
	case 7: // chunked, without a length, that ends early without a word
		partial(first, last, len(data), -1)
		w.(http.Flusher).Flush()
		_, _ = w.Write(part[:len(part)*2/3])
	case 8: // a gateway error with a long body
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write(make([]byte, 20000))
	case 9: // slow drip
		partial(first, last, len(data), len(part))
		for len(part) > 0 {
			k := min(len(part), 1+len(data)/20)
			_, _ = w.Write(part[:k])
			w.(http.Flusher).Flush()
			part = part[k:]
			time.Sleep(time.Millisecond)
		}
	case 10: // a stall
		partial(first, last, len(data), len(part))
		_, _ = w.Write(part[:len(part)/3])
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-stop.Done():
		}
	case 11: // ranges ignored, this time
		w.Header().Set("ETag", `"one"`)
		_, _ = w.Write(data)
	}
}

// kinds is how many kinds of fault hostile knows.
const kinds = 12

// roundTrip is a client's transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// response makes a response of its text.
func response(r *http.Request, text string) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(strings.NewReader(text)), r)
}
