package source

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A thousand faults of all kinds, seeded: every byte is right or there is a clear error, nothing hangs, nothing is left running.
func TestHTTPUnderAThousandFaults(t *testing.T) {
	before := runtime.NumGoroutine()
	data := noise(300_000)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	var seen [kinds]int
	faults := 0
	stop, cancel := context.WithCancel(t.Context())
	s := serve(t, data, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		mu.Lock()
		bad := random.IntN(10) < 6
		kind := random.IntN(kinds)
		if kind == 10 && seen[kind]*40 > faults { // each costs an idle timeout
			kind = 0
		}
		if bad {
			seen[kind]++
			faults++
		}
		mu.Unlock()
		if bad {
			hostile(w, r, data, kind, stop)
		}
		return bad
	})
	o := hasty()
	o.Retries, o.IdleTimeout = 30, 50*time.Millisecond
	o.MaxWhole = -1 // or the first server that ignores ranges ends the test
	total := func() int {
		mu.Lock()
		defer mu.Unlock()
		return faults
	}
	var reads, failed atomic.Int64
	for round := uint64(0); total() < 1200; round++ {
		h, err := OpenHTTP(t.Context(), s.URL, o)
		if errors.Is(err, ErrNoRanges) {
			continue // a clear error
		}
		if err != nil {
			t.Fatal(err)
		}
		var src Source = h
		if round%2 == 1 {
			src = NewCache(h, &CacheOptions{BlockSize: 8 << 10, Budget: 128 << 10})
		}
		var wg sync.WaitGroup
		for worker := range uint64(8) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(round, worker))
				for range 12 {
					off := r.IntN(len(data))
					p := make([]byte, 1+r.IntN(min(60_000, len(data)-off)))
					reads.Add(1)
					if err := ReadFull(t.Context(), src, p, int64(off)); err != nil {
						failed.Add(1)
						if _, ok := errors.AsType[*HTTPError](err); !ok {
							t.Errorf("read of %d at %d: %v, want an HTTPError", len(p), off, err)
						}
					} else if !bytes.Equal(p, data[off:off+len(p)]) {
						t.Errorf("read of %d at %d: wrong bytes", len(p), off)
					}
				}
			})
		}
		wg.Wait()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	s.Close()
	for kind, n := range seen {
		if n == 0 {
			t.Errorf("fault %d never happened", kind)
		}
	}
	if failed.Load()*10 > reads.Load() {
		t.Errorf("%d of %d reads failed", failed.Load(), reads.Load())
	}
	t.Logf("%d faults %v, %d reads, %d failed", faults, seen, reads.Load(), failed.Load())
	wantNoGoroutines(t, before)
}

// A file that changes in mid-read is an error, whatever the server makes of conditions; bytes of two states are never mixed.
func TestHTTPFileThatChanges(t *testing.T) {
	one, two := noise(200_000), noise(200_001)[:200_000]
	longer := noise(200_002)
	for _, tt := range []struct {
		name   string
		first  func(w http.ResponseWriter, r *http.Request)
		second func(w http.ResponseWriter, r *http.Request)
	}{
		{"honest, strong ETag", etag(one, `"a"`), etag(two, `"b"`)},
		{"honest, weak ETag", etag(one, `W/"a"`), etag(two, `W/"b"`)},
		{"honest, date", dated(one, 1000), dated(two, 2000)},
		{"condition ignored, ETag", etag(one, `"a"`), unconditional(etag(two, `"b"`))},
		{"condition ignored, date", dated(one, 1000), unconditional(dated(two, 2000))},
		{"ETag gone", etag(one, `"a"`), unconditional(etag(two, ""))},
		{"ETag come", etag(one, ""), etag(two, `"b"`)},
		{"only the size", etag(one, ""), etag(longer, "")},
		{"shorter", etag(one, ""), etag(one[:100_000], "")},
		{"whole file of another ETag", etag(one, `"a"`), unranged(etag(two, `"b"`))},
		{"whole file of another size", etag(one, ""), unranged(etag(longer, ""))},
		{"same weak ETag, another date", both(one, `W/"a"`, 1000), unconditional(both(two, `W/"a"`, 2000))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var changed atomic.Bool
			s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
				if changed.Load() {
					tt.second(w, r)
				} else {
					tt.first(w, r)
				}
				return true
			})
			o := hasty()
			h := openHTTP(t, s.URL, o)
			wantBytes(t, h, one, 60_000, 50_000)
			changed.Store(true)
			p := make([]byte, 1000)
			if err := ReadFull(t.Context(), h, p, 150_000); !errors.Is(err, ErrChanged) {
				t.Errorf("ReadFull = %v, want ErrChanged", err)
			}
			if !bytes.Equal(p, make([]byte, 1000)) {
				t.Error("bytes of the new state were given")
			}
			wantBytes(t, h, one, 0, 64<<10) // the head is kept
		})
	}
}

func etag(data []byte, tag string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) { honest(w, r, data, tag) }
}

func dated(data []byte, at int64) func(http.ResponseWriter, *http.Request) { return both(data, "", at) }

func both(data []byte, tag string, at int64) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		http.ServeContent(w, r, "file", time.Unix(at, 0), bytes.NewReader(data))
	}
}

func unconditional(next func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("If-Match")
		r.Header.Del("If-Unmodified-Since")
		next(w, r)
	}
}

func unranged(next func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
	return unconditional(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		next(w, r)
	})
}

// A read that is cancelled while the server sleeps returns at once, wherever it waits.
func TestHTTPCancelled(t *testing.T) {
	before := runtime.NumGoroutine()
	data := noise(200_000)
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request)
	}{
		{"before the headers", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"in the body", func(w http.ResponseWriter, r *http.Request) { hostile(w, r, data, 10, r.Context()) }},
		{"between attempts", func(w http.ResponseWriter, r *http.Request) { hostile(w, r, data, 2, r.Context()) }},
	} {
		for _, cached := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				s := serve(t, data, func(w http.ResponseWriter, r *http.Request, n int64) bool {
					if n > 1 {
						tt.answer(w, r)
					}
					return n > 1
				})
				h := openHTTP(t, s.URL, nil)
				var src Source = h
				if cached {
					src = NewCache(h, nil)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var at time.Time
				timer := time.AfterFunc(50*time.Millisecond, func() { at = time.Now(); cancel() })
				defer timer.Stop()
				err := ReadFull(ctx, src, make([]byte, 5000), 190_000)
				if took := time.Since(at); took > 100*time.Millisecond {
					t.Errorf("returned after %v", took)
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("ReadFull = %v, want canceled", err)
				}
				if err := h.Close(); err != nil {
					t.Error(err)
				}
				s.Close()
			})
		}
	}
	wantNoGoroutines(t, before)
}
