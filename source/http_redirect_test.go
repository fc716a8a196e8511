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

// Headers are for the place that was asked for. Only what tells no secret goes elsewhere, whether redirects or names lead there; unless all is shared.
func TestHTTPHeadersStayWithTheirPlace(t *testing.T) {
	n := newInternet(t, map[string]string{"example.com": "203.0.113.1", "sub.example.com": "203.0.113.2", "other.net": "203.0.113.3"})
	const all, agent, none = "Authorization Cookie X-Api-Key User-Agent", "User-Agent", "Cookie X-Api-Key User-Agent"
	sent := func(r *http.Request) string {
		var names []string
		for _, name := range strings.Fields(all) {
			if v := r.Header.Get(name); v != "" && v != "Go-http-client/1.1" {
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	for _, tt := range []struct {
		name, to string
		share    bool
		want     string
	}{
		{"itself", "http://example.com/b", false, all},
		{"itself, by its port", "http://example.com:80/b", false, all},
		{"a name below it", "http://sub.example.com/b", false, agent},
		{"another port", "http://example.com:8080/b", false, agent},
		{"another host", "http://other.net/b", false, agent},
		{"another host, shared", "http://other.net/b", true, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := HTTPOptions{ShareHeader: tt.share, Header: http.Header{"Cookie": {"a=b"}, "X-Api-Key": {"c"}, "User-Agent": {"d"}}}
			last := func(what string) {
				t.Helper()
				n.mu.Lock()
				defer n.mu.Unlock()
				if got := sent(n.seen[len(n.seen)-1]); got != tt.want {
					t.Errorf("%s: %q were sent, want %q", what, got, tt.want)
				}
			}
			h := n.open(t, "http://me:hunter2@example.com/a?to="+tt.to, "", o)
			last("redirected")
			if _, _, err := h.open(t.Context()); err != nil {
				t.Fatal(err)
			}
			last("at once")
			h = n.open(t, "http://me:hunter2@example.com/a", "", o)
			if _, err := h.OpenRef(t.Context(), tt.to, RefOptions{}); err != nil {
				t.Fatal(err)
			}
			last("named")
			if _, err := h.OpenRef(t.Context(), "a?to="+tt.to, RefOptions{}); err != nil {
				t.Fatal(err)
			}
			last("named and redirected")
		})
	}
}
