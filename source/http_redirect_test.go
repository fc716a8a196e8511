package source

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Of many readers that find a link expired at the same time every one is led on by another.
func TestHTTPExpiredLinkOfManyReaders(t *testing.T) {
	const readers = 8
	data := noise(200_000)
	var expired atomic.Bool
	var waiting sync.WaitGroup
	waiting.Add(readers)
	end := serve(t, data, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if r.URL.Path != "/link1" || !expired.Load() {
			return false
		}
		waiting.Done()
		waiting.Wait() // none is told before all have asked
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	var links atomic.Int64
	s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		http.Redirect(w, r, fmt.Sprintf("%s/link%d", end.URL, links.Add(1)), http.StatusTemporaryRedirect)
		return true
	})
	h := openHTTP(t, s.URL, hasty())
	expired.Store(true)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			p := make([]byte, 1000)
			off := 70_000 + i*10_000
			if err := ReadFull(t.Context(), h, p, int64(off)); err != nil || string(p) != string(data[off:off+1000]) {
				t.Errorf("read at %d: %v, or wrong bytes", off, err)
			}
		})
	}
	wg.Wait()
}

// A server that a redirect led to, and that is there no longer, is not asked for ever.
func TestHTTPDeadRedirectTarget(t *testing.T) {
	data := noise(200_000)
	for name, dead := range map[string]error{
		"no connection": errors.New("connection reset"),
		"no such host":  &net.DNSError{Err: "no such host", IsNotFound: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, data, nil)
			var links atomic.Int64
			o := hasty()
			o.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				switch {
				case r.URL.Host == "first.test":
					text := fmt.Sprintf("HTTP/1.1 302 Found\r\nLocation: http://link%d.test/\r\n\r\n", links.Add(1))
					return response(r, text)
				case links.Load() > 1 && r.URL.Host == "link1.test":
					return nil, dead
				}
				out := r.Clone(r.Context())
				out.URL.Host = strings.TrimPrefix(s.URL, "http://")
				resp, err := http.DefaultTransport.RoundTrip(out)
				if err == nil {
					resp.Request = r
				}
				return resp, err
			})}
			h := openHTTP(t, "http://first.test", o)
			links.Add(1)
			wantBytes(t, h, data, 100_000, 1000)
			if got := links.Load(); got != 3 {
				t.Errorf("%d links, want another one", got)
			}
		})
	}
}
