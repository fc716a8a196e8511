package source

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestHTTPOpensInOneRequestAndKeepsTheHead(t *testing.T) {
	before := runtime.NumGoroutine()
	data := noise(200_000)
	s := serve(t, data, nil)
	h := openHTTP(t, s.URL, nil)
	wantBytes(t, h, data, 0, 64<<10)
	wantBytes(t, h, data, 1000, 2000)
	if h.Size() != 200_000 || h.Version() != `"one"` {
		t.Errorf("Size() = %d, Version() = %q", h.Size(), h.Version())
	}
	if r, b := s.requests.Load(), s.sent.Load(); r != 1 || b != 64<<10 {
		t.Errorf("%d requests of %d bytes, want 1 of 65536", r, b)
	}
	wantBytes(t, h, data, 65_000, 1000) // half of it is in the head
	if got, want := h.Stats(), (HTTPStats{Requests: 2, Bytes: 66_000}); got.Requests != want.Requests || got.Bytes != want.Bytes || got.Retries != 0 {
		t.Errorf("Stats() = %+v, want %+v", got, want)
	}
	if n, err := h.ReadAt(make([]byte, 10), 199_995); n != 5 || err != io.EOF {
		t.Errorf("ReadAt over the end = %d, %v", n, err)
	}
	if n, err := h.ReadAt(make([]byte, 10), 200_000); n != 0 || err != io.EOF {
		t.Errorf("ReadAt at the end = %d, %v", n, err)
	}
	if _, err := h.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("ReadAt(-1) = %v", err)
	}
	_ = h.Close() // it cannot fail
	if _, err := h.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ReadAt after Close = %v", err)
	}
	s.Close()
	wantNoGoroutines(t, before)
}

func TestHTTPUsesConnectionsAgain(t *testing.T) {
	data := noise(500_000)
	conns := map[string]bool{}
	s := serve(t, data, func(w http.ResponseWriter, r *http.Request, n int64) bool {
		conns[r.RemoteAddr] = true // one request at a time
		if n%3 == 0 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
		}
		return n%3 == 0
	})
	h := openHTTP(t, s.URL, hasty())
	for i := range 20 {
		wantBytes(t, h, data, 70_000+i*20_000, 10_000)
	}
	if len(conns) != 1 {
		t.Errorf("%d connections, want 1", len(conns))
	}
}

func TestHTTPSmallEmptyAndRangelessFiles(t *testing.T) {
	for _, size := range []int{0, 1, 65_535, 65_536, 65_537, 150_000} {
		data := noise(size)
		for name, handle := range map[string]func(http.ResponseWriter, *http.Request, int64) bool{
			"honest": nil,
			"ranges ignored": func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
				_, _ = w.Write(data)
				return true
			},
			"ranges ignored, broken at first": func(w http.ResponseWriter, _ *http.Request, n int64) bool {
				w.Header().Set("Content-Length", fmt.Sprint(size))
				_, _ = w.Write(data[:size/int(max(3-n, 1))])
				return true
			},
			"416 when empty": func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
				w.Header().Set("Content-Range", "bytes */0")
				if size == 0 {
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				}
				return size == 0
			},
		} {
			if name == "ranges ignored, broken at first" && size < 2 {
				continue
			}
			s := serve(t, data, handle)
			h := openHTTP(t, s.URL, hasty())
			if h.Size() != int64(size) {
				t.Fatalf("%s: Size() = %d, want %d", name, h.Size(), size)
			}
			wantBytes(t, h, data, 0, size)
			wantBytes(t, h, data, size/2, size-size/2)
		}
	}
}

func TestOpenHTTPRefuses(t *testing.T) {
	data := noise(100_000)
	head := func(w http.ResponseWriter, contentRange string, status int) {
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(status)
		_, _ = w.Write(data[:64<<10])
	}
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request)
		is     error
		text   string
	}{
		{"not found", http.NotFound, nil, "bytes 0-65535: 404 Not Found"},
		{"unauthorized", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, nil, ": 401 Unauthorized"},
		{"always busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, nil, ": 503 Service Unavailable (3 attempts)"},
		{"416", func(w http.ResponseWriter, _ *http.Request) { head(w, "bytes */5", 416) }, nil, "416"},
		{"no range told", func(w http.ResponseWriter, _ *http.Request) { head(w, "", 206) }, nil, `content range ""`},
		{"nonsense range", func(w http.ResponseWriter, _ *http.Request) { head(w, "bytes 0-65535/7", 206) }, nil, `content range "bytes 0-65535/7"`},
		{"negative range", func(w http.ResponseWriter, _ *http.Request) { head(w, "bytes -5-6/7", 206) }, nil, "content range"},
		{"huge range", func(w http.ResponseWriter, _ *http.Request) { head(w, "bytes 0-65535/99999999999999999999", 206) }, nil, "content range"},
		{"another range", func(w http.ResponseWriter, _ *http.Request) { head(w, "bytes 1-65535/100000", 206) }, nil, "it has bytes 1-65535"},
		{"more than was asked for", func(w http.ResponseWriter, _ *http.Request) { head(w, "bytes 0-65536/100000", 206) }, nil, "it has bytes 0-65536"},
		{"size unknown", func(w http.ResponseWriter, _ *http.Request) { head(w, "bytes 0-65535/*", 206) }, ErrNoRanges, "size"},
		{"too large a whole", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }, ErrNoRanges, "more than 90000 bytes"},
		{"too large a whole, told", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(data)
		}, ErrNoRanges, "has 100000 bytes"},
		{"gzip", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(data)
			_ = z.Close() // of a test's server
		}, nil, `content encoding "gzip"`},
		{"no headers in time", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, errSlow, "(3 attempts)"},
		{"redirect loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, errRedirect, "more than 10"},
		{"redirect to a file", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, errRedirect, `to scheme "file"`},
		{"redirect to ftp", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "ftp://127.0.0.1/x", http.StatusFound)
		}, errRedirect, `to scheme "ftp"`},
		{"redirect to no URL", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[::1/clip.mp4?sig=s3cret")
			w.WriteHeader(http.StatusFound)
		}, errRedirect, "to what is no URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			s := httptest.NewServer(http.HandlerFunc(tt.answer))
			defer s.Close()
			o := hasty()
			o.Retries, o.MaxWhole, o.HeaderTimeout = 2, 90_000, 50*time.Millisecond
			u := strings.Replace(s.URL, "://", "://me:hunter2@", 1) + "/clip.mp4?sig=s3cret#part"
			_, err := OpenHTTP(t.Context(), u, o)
			e, ok := errors.AsType[*HTTPError](err)
			if !ok || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("OpenHTTP = %v, want an HTTPError, %v", err, tt.is)
			}
			if !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "http: open "+s.URL+"/clip.mp4?…: bytes 0-65535: ") {
				t.Errorf("OpenHTTP: %v, want %q", err, tt.text)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, e), "hunter2") || strings.Contains(fmt.Sprintf("%v %+v", err, e), "s3cret") {
				t.Errorf("the error shows a secret: %v", err)
			}
			s.Close()
			wantNoGoroutines(t, before)
		})
	}
	for _, u := range []string{"", "file:///etc/passwd", "/etc/passwd", "http://", "ftp://host/x", "http://me:hunter/2@host/x", "http://me:hunter?2@host", "http://[::1/%zz"} {
		if _, err := OpenHTTP(t.Context(), u, nil); !errors.Is(err, errScheme) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("OpenHTTP(%q) = %v", u, err)
		}
	}
}

func TestHTTPRedirectsAreFollowedOnce(t *testing.T) {
	data := noise(200_000)
	var direct, hops int
	end := serve(t, data, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if direct++; r.Header.Get("Referer") != "" {
			t.Errorf("Referer %q", r.Header.Get("Referer"))
		}
		if direct == 3 { // a link that expired
			w.WriteHeader(http.StatusForbidden)
		}
		return direct == 3
	})
	s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "hunter2" || r.Header.Get("X-Any") != "1" {
			t.Errorf("basic auth %q %q, headers %v", user, password, r.Header)
		}
		hops++
		http.Redirect(w, r, fmt.Sprintf("%s/link%d", end.URL, hops), http.StatusTemporaryRedirect)
		return true
	})
	o := hasty()
	o.Header = http.Header{"X-Any": {"1"}}
	h := openHTTP(t, strings.Replace(s.URL, "://", "://me:hunter2@", 1)+"/start?key=1", o)
	wantBytes(t, h, data, 100_000, 10)
	if hops != 1 || direct != 2 {
		t.Errorf("%d hops for %d requests, want 1 for 2", hops, direct)
	}
	wantBytes(t, h, data, 120_000, 10)
	if hops != 2 || direct != 4 || h.Stats().Requests != 6 {
		t.Errorf("%d hops for %d requests, %d counted, after a link expired", hops, direct, h.Stats().Requests)
	}
}

func TestHTTPSNeverLeadsToHTTP(t *testing.T) {
	plain := serve(t, noise(10), nil)
	var to string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			honest(w, r, noise(100), "")
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	t.Cleanup(s.Close)
	o := hasty()
	o.Client = s.Client()
	to = plain.URL
	if _, err := OpenHTTP(t.Context(), s.URL, o); !errors.Is(err, errRedirect) {
		t.Errorf("https to http: %v", err)
	}
	allowed := *o
	allowed.AllowInsecure = true
	wantBytes(t, openHTTP(t, s.URL, &allowed), noise(10), 0, 10)
	to = s.URL + "/end"
	wantBytes(t, openHTTP(t, s.URL, o), noise(100), 0, 100)
	up := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		http.Redirect(w, r, to, http.StatusFound)
		return true
	})
	wantBytes(t, openHTTP(t, up.URL, o), noise(100), 0, 100)
	if o.Client.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
	if _, err := OpenHTTP(t.Context(), s.URL, hasty()); err == nil || strings.Contains(err.Error(), "attempts") {
		t.Errorf("an unknown authority: %v, want an error at once", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Unix(1e9, 0)
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-1": 0, "0": 0, "7": 7 * time.Second, "99999999999": 1 << 30 * time.Second,
		now.Add(time.Minute).UTC().Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestHTTPWaitsAsLongAsItIsAsked(t *testing.T) {
	s := serve(t, noise(10), func(w http.ResponseWriter, _ *http.Request, n int64) bool {
		w.Header().Set("Retry-After", "1000")
		if n == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return n == 1
	})
	o := &HTTPOptions{Backoff: time.Nanosecond, MaxWait: 120 * time.Millisecond}
	start := time.Now()
	h := openHTTP(t, s.URL, o)
	if took := time.Since(start); took < 120*time.Millisecond || h.Stats().Waited < 120*time.Millisecond || h.Stats().Retries != 1 {
		t.Errorf("opened in %v with %+v", took, h.Stats())
	}
	o.RetryTime = 50 * time.Millisecond // less than it is asked to wait
	s = serve(t, nil, func(w http.ResponseWriter, _ *http.Request, n int64) bool {
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	o.Backoff = time.Second
	if _, err := OpenHTTP(t.Context(), s.URL, o); err == nil || s.requests.Load() != 1 {
		t.Errorf("%v after %d requests, want an error after 1", err, s.requests.Load())
	}
}

func TestRedactURL(t *testing.T) {
	for text, want := range map[string]string{
		"clip.mp4":                          "clip.mp4",
		"http://host/a/b.mp4":               "http://host/a/b.mp4",
		"HTTPS://me:pw@host:80/a?b=c#d":     "HTTPS://host:80/a?…",
		"rtsp://me:pw@host/a":               "rtsp://host/a",
		"http://me@ex:pw@host":              "http://host",
		"http://host?x":                     "http://host?…",
		"http://me:p/w@host/x":              "http://…",
		"http://me:p?w@host/x":              "http://…",
		"http://host/a@b:c?d":               "http://host/a@b:c?…",
		"http://[::1]:8080/clip.mp4?sig=am": "http://[::1]:8080/clip.mp4?…",
	} {
		if got := RedactURL(text); got != want {
			t.Errorf("RedactURL(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 0-1/2", "bytes */5", "bytes 5-4/3", "bytes 0-0/*", "", "bytes 0-99999999999999999999/1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		resp := &http.Response{Header: http.Header{"Content-Range": {text}}}
		first, last, total, err := contentRange(resp)
		if err == nil && (first < 0 || last < first || total >= 0 && last >= total || total < -1) {
			t.Errorf("contentRange(%q) = %d, %d, %d", text, first, last, total)
		}
		if n, ok := unsatisfied(resp); ok && n < 0 {
			t.Errorf("unsatisfied(%q) = %d", text, n)
		}
	})
}
