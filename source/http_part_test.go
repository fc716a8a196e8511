package source

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A part of a file that comes in pieces, honestly or not, is whole; it ends where the file does.
func TestPartsInPieces(t *testing.T) {
	data := noise(200_000)
	for name, kind := range map[string]int{"fewer bytes than were asked for": 4, "a break": 0, "an early end": 7, "a stall": 10} {
		t.Run(name, func(t *testing.T) {
			var bad atomic.Int64
			s := serve(t, data, func(w http.ResponseWriter, r *http.Request, n int64) bool {
				if n == 1 || bad.Add(1) > 3 {
					return false
				}
				hostile(w, r, data, kind, r.Context())
				return true
			})
			o := hasty()
			o.IdleTimeout = 50 * time.Millisecond
			h := openHTTP(t, s.URL, o)
			for _, part := range []RefOptions{{Off: 100_000, Len: 50_000}, {Off: 150_000, Len: 80_000}} {
				bad.Store(0)
				src, err := h.OpenRef(t.Context(), "seg", part)
				if err != nil {
					t.Fatal(err)
				}
				want := min(part.Len, 200_000-part.Off)
				if src.Size() != want {
					t.Fatalf("%d bytes, want %d", src.Size(), want)
				}
				wantBytes(t, src, data[part.Off:], 0, int(want))
			}
		})
	}
}

// A file that changes between two pieces of a part is no part.
func TestPartThatChanges(t *testing.T) {
	data := noise(200_000)
	s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, n int64) bool {
		switch n {
		case 1:
			honest(w, r, data, `"one"`)
		case 2:
			hostile(w, r, data, 4, r.Context())
		default:
			unconditional(etag(data, `"two"`))(w, r)
		}
		return true
	})
	h := openHTTP(t, s.URL, hasty())
	if _, err := h.OpenRef(t.Context(), "seg", RefOptions{Off: 100_000, Len: 50_000}); !errors.Is(err, ErrChanged) {
		t.Errorf("OpenRef = %v, want ErrChanged", err)
	}
}

// A host that refuses connections is asked again if it has answered before.
func TestRefusedConnections(t *testing.T) {
	s := serve(t, noise(1000), nil)
	var refusals, asked atomic.Int64
	o := hasty()
	o.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked.Add(1)
		if refusals.Add(-1) >= 0 {
			return nil, syscall.ECONNREFUSED
		}
		out := r.Clone(r.Context())
		out.URL.Host = strings.TrimPrefix(s.URL, "http://")
		return http.DefaultTransport.RoundTrip(out)
	})}
	h := openHTTP(t, "http://list.test/list", o)
	for _, tt := range []struct {
		ref   string
		asked int64
		ok    bool
	}{
		{"seg", 3, true},
		{"http://cdn.test/seg", 1, false},
		{"http://cdn.test/seg", 1, true},
		{"http://cdn.test/seg2", 3, true},
	} {
		asked.Store(0)
		refusals.Store(2)
		if tt.ok && tt.asked == 1 {
			refusals.Store(0)
		}
		_, err := h.OpenRef(t.Context(), tt.ref, RefOptions{})
		if (err == nil) != tt.ok || asked.Load() != tt.asked {
			t.Errorf("%s: %v after %d requests, want %d", tt.ref, err, asked.Load(), tt.asked)
		}
	}
}

// The time limit of the caller's client is no end of the caller's context.
func TestHTTPClientWithTimeout(t *testing.T) {
	data := noise(200_000)
	for name, kind := range map[string]int{"before the headers": -1, "in the body": 10} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, data, func(w http.ResponseWriter, r *http.Request, n int64) bool {
				switch {
				case n == 1:
					return false
				case kind < 0:
					<-r.Context().Done()
				default:
					hostile(w, r, data, kind, r.Context())
				}
				return true
			})
			o := hasty()
			o.Client, o.Retries, o.IdleTimeout = &http.Client{Timeout: 50 * time.Millisecond}, 2, time.Minute
			h := openHTTP(t, s.URL, o)
			_, err := h.ReadAt(make([]byte, 100), 100_000)
			if e, ok := errors.AsType[*HTTPError](err); !ok || e.Attempts != 3 || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				t.Errorf("ReadAt = %v, want another error after 3 attempts", err)
			}
		})
	}
}
