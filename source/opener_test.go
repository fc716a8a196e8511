package source_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/source"
)

// text reads all of a source.
func text(t *testing.T, src source.Source) string {
	t.Helper()
	p := make([]byte, src.Size())
	if err := source.ReadFull(t.Context(), src, p, 0); err != nil {
		t.Fatal(err)
	}
	return string(p)
}

func TestFilesOpenWhatTheyName(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("from " + r.URL.Path)) }))
	defer web.Close()
	dir := t.TempDir()
	for name, content := range map[string]string{"list": "x", "a.ts": "0123456789", "sub/b c.ts": "bee", "100%.ts": "percent", "x?y.ts": "query"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := source.OpenFile(filepath.Join(dir, "list"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, tt := range []struct {
		name, ref string
		o         source.RefOptions
		want      string
		err       error
	}{
		{"relative", "a.ts", source.RefOptions{}, "0123456789", nil},
		{"part", "a.ts", source.RefOptions{Off: 2, Len: 3}, "234", nil},
		{"part beyond the end", "a.ts", source.RefOptions{Off: 8, Len: 30}, "89", nil},
		{"absolute", filepath.Join(dir, "a.ts"), source.RefOptions{}, "0123456789", nil},
		{"file URL", "file://" + filepath.Join(dir, "a.ts"), source.RefOptions{}, "0123456789", nil},
		{"escaped", "sub/b%20c.ts", source.RefOptions{}, "bee", nil},
		{"as it is written", "sub/b c.ts", source.RefOptions{}, "bee", nil},
		{"percent sign", "100%.ts", source.RefOptions{}, "percent", nil},
		{"question mark", "x?y.ts", source.RefOptions{}, "query", nil},
		{"http", web.URL + "/seg", source.RefOptions{}, "from /seg", nil},
		{"part of http without ranges", web.URL + "/seg", source.RefOptions{Off: 5, Len: 2}, "/s", nil},
		{"missing", "none.ts", source.RefOptions{}, "", fs.ErrNotExist},
		{"a folder", "sub", source.RefOptions{}, "", nil},
		{"other machine", "file://host/a.ts", source.RefOptions{}, "", source.ErrRefused},
		{"other scheme", "ftp://host/a.ts", source.RefOptions{}, "", source.ErrRefused},
		{"too large", web.URL + "/seg", source.RefOptions{Max: 3}, "", source.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, err := source.OpenRef(t.Context(), source.Count(f), tt.ref, tt.o)
			if tt.want == "" {
				if err == nil || tt.err != nil && !errors.Is(err, tt.err) {
					t.Errorf("error = %v, want %v", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer source.CloseRef(src)
			if got := text(t, src); got != tt.want {
				t.Errorf("%q is %q, want %q", tt.ref, got, tt.want)
			}
		})
	}
	if _, err := source.OpenRef(t.Context(), strings.NewReader(""), "a", source.RefOptions{}); !errors.Is(err, source.ErrNoNames) {
		t.Errorf("memory: error = %v, want ErrNoNames", err)
	}
}

func TestNamesAreSeenFromWhereTheyStand(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "low"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"master": "m", "low/list": "l", "low/a": "good", "a": "wrong"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer web.Close()
	remote, err := source.OpenRemote(t.Context(), web.URL+"/master", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	local, err := source.OpenFile(filepath.Join(dir, "master"))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	for _, master := range []source.Source{remote, local} {
		counter := source.Count(master)
		list, err := source.OpenRef(t.Context(), counter, "low/list", source.RefOptions{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := source.OpenRef(t.Context(), list, "a", source.RefOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, a); got != "good" {
			t.Errorf("%T: low/list names %q", master, got)
		}
		if got := counter.Counts(); got != (source.Counts{Reads: 1, Bytes: 4}) {
			t.Errorf("%T: counted %+v", master, got)
		}
		if err := errors.Join(source.CloseRef(a), source.CloseRef(list)); err != nil {
			t.Error(err)
		}
	}
	if got := remote.HTTP.Stats().Requests; got != 3 {
		t.Errorf("%d requests, want 3: one each", got)
	}
}

func TestServersOpenNothingButHTTP(t *testing.T) {
	var seen http.Header
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		_, _ = w.Write([]byte("0123456789"))
	})
	web, other := httptest.NewServer(mux), httptest.NewServer(mux)
	secure := httptest.NewTLSServer(mux)
	defer web.Close()
	defer other.Close()
	defer secure.Close()
	o := &source.HTTPOptions{Client: secure.Client(), Header: http.Header{"Authorization": {"secret"}, "X-Kind": {"test"}, "User-Agent": {"test"}}}
	h, err := source.OpenHTTP(t.Context(), web.URL+"/list?a=1&b=2&a=3", o)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, ref := range []string{"file:///etc/passwd", "ftp://host/a", "data:text/plain,a", "\x7f://"} {
		if _, err := h.OpenRef(t.Context(), ref, source.RefOptions{}); !errors.Is(err, source.ErrRefused) && !strings.Contains(err.Error(), "reference") {
			t.Errorf("%q: error = %v, want ErrRefused", ref, err)
		}
	}
	a, ok := source.QueryParam(source.Count(source.NewCache(h, nil)), "a")
	if _, c := source.QueryParam(h, "c"); a != "3" || !ok || c {
		t.Errorf("QueryParam(a) = %q, %t", a, ok)
	}
	part, err := h.OpenRef(t.Context(), "/b?token=1", source.RefOptions{Off: 2, Len: 4})
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, part); got != "2345" || seen.Get("Authorization") != "secret" {
		t.Errorf("the part is %q, credentials %q", got, seen.Get("Authorization"))
	}
	if _, err := h.OpenRef(t.Context(), other.URL+"/b", source.RefOptions{}); err != nil || seen.Get("Authorization") != "" || seen.Get("X-Kind") != "" || seen.Get("User-Agent") != "test" {
		t.Errorf("another host was sent %v, error %v", seen, err)
	}
	https, err := h.OpenRef(t.Context(), secure.URL+"/b", source.RefOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.OpenRef(t.Context(), https, web.URL+"/b", source.RefOptions{}); !errors.Is(err, source.ErrRefused) {
		t.Errorf("from https to http: error = %v, want ErrRefused", err)
	}
}

func TestRefErrorsTellNoSecrets(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	f, err := source.OpenFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.OpenRef(t.Context(), strings.Replace(web.URL, "://", "://user:pass@", 1)+"/seg?token=abc", source.RefOptions{})
	var he *source.HTTPError
	if !errors.As(err, &he) || he.Status != 404 || strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "pass") {
		t.Errorf("error = %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stuck := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer stuck.Close()
	if _, err := f.OpenRef(ctx, stuck.URL, source.RefOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the context's", err)
	}
}
