package source

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// located refuses redirects to what is no URL: the error of the client would show it.
type located struct{ base http.RoundTripper }

func (l located) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(req)
	if err != nil || resp.StatusCode/100 != 3 {
		return resp, err
	}
	if _, err := req.URL.Parse(resp.Header.Get("Location")); err != nil {
		_ = resp.Body.Close() // it is not wanted
		return nil, fmt.Errorf("%w: to what is no URL", errRedirect)
	}
	return resp, nil
}

// conditions are the headers that say which bytes of which state are asked for.
var conditions = []string{"Range", "If-Match", "If-Unmodified-Since"}

// checkRedirect returns what a client asks before it follows a redirect; next is asked after the source's own rules.
func (h *HTTP) checkRedirect(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch from := via[len(via)-1].URL; {
		case len(via) > h.opts.MaxRedirects:
			return fmt.Errorf("%w: more than %d", errRedirect, h.opts.MaxRedirects)
		case !isHTTP(req.URL):
			return fmt.Errorf("%w: to scheme %q", errRedirect, req.URL.Scheme)
		case from.Scheme == "https" && req.URL.Scheme != "https" && !h.opts.AllowInsecure:
			return fmt.Errorf("%w: from https to http", errRedirect)
		}
		if h.guard {
			if err := h.refuseName(req.Context(), req.URL); err != nil {
				return err
			}
		}
		// What the client copied is of the place before: a Referer with its query, headers that go nowhere else, signatures.
		header := h.headerFor(req.URL)
		for _, name := range append(conditions, "Accept-Encoding") {
			if v, ok := req.Header[name]; ok {
				header[name] = v
			}
		}
		req.Header = header
		if next != nil {
			if err := next(req, via); errors.Is(err, http.ErrUseLastResponse) {
				return err
			} else if err != nil {
				return fmt.Errorf("%w: %w", errRedirect, err)
			}
		}
		if way := routeOf(req.Context()); way != nil {
			t := newTarget(req.URL, req.Header)
			for _, name := range conditions {
				t.header.Del(name)
			}
			way.at.Store(t)
		}
		h.stats.requests.Add(1)
		return nil
	}
}

// harmless are the headers that tell no secret.
var harmless = []string{"Accept", "Accept-Language", "User-Agent"}

// headerFor returns the headers for a URL: those of the place that was asked for are for that place alone.
func (h *HTTP) headerFor(u *url.URL) http.Header {
	if sameOrigin(h.first.url, u) {
		return h.first.header.Clone()
	}
	header := http.Header{}
	for name, values := range h.opts.Header {
		if h.opts.ShareHeader || slices.Contains(harmless, http.CanonicalHeaderKey(name)) {
			header[name] = slices.Clone(values)
		}
	}
	return header
}

// sameOrigin says whether two URLs have scheme, host and port in common.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

// portOf returns the port of a URL, or that of its scheme.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	switch u.Scheme {
	case "https":
		return "443"
	case "socks5", "socks5h":
		return "1080"
	}
	return "80"
}
