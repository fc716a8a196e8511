package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// OpenRef fetches what an http or https URL, or a reference relative to this one's, stands for: see [Opener]. It is read into memory, with
// one request where nothing fails, by the same client; HTTPOptions.Header says which headers go where.
func (h *HTTP) OpenRef(ctx context.Context, ref string, o RefOptions) (Source, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	u, err := h.resolve(ref)
	if err != nil {
		return nil, &HTTPError{Op: "open", URL: RedactURL(ref), Off: -1, Err: err}
	}
	return h.part(ctx, u, h, o)
}

// resolve returns the URL that a reference stands for, RFC 3986, 5.
func (h *HTTP) resolve(ref string) (*url.URL, error) {
	base := h.target.Load().url
	u, err := url.Parse(ref)
	if err != nil { // a percent sign that begins no escape, perhaps
		if u, err = url.Parse(strings.ReplaceAll(ref, "%", "%25")); err != nil {
			return nil, errors.New("no reference to a file")
		}
	}
	u = base.ResolveReference(u)
	switch {
	case !isHTTP(u):
		return nil, fmt.Errorf("scheme %q named by a file on a server: %w", u.Scheme, ErrRefused)
	case base.Scheme == "https" && u.Scheme != "https" && !h.opts.AllowInsecure:
		return nil, fmt.Errorf("from https to http: %w", ErrRefused)
	}
	return u, nil
}

// QueryParam returns a parameter of the query of the URL.
func (h *HTTP) QueryParam(name string) (string, bool) {
	values := h.target.Load().url.Query()[name]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// part fetches a part of u with the client of h. from is what named it; nil is a local file.
func (h *HTTP) part(ctx context.Context, u *url.URL, from *HTTP, o RefOptions) (Source, error) {
	c := &HTTP{
		name: RedactURL(u.String()), opts: h.opts, net: h.net, conns: h.conns, proxy: h.proxy, direct: h.direct, stats: h.stats, doubt: make(chan struct{}, 1),
	}
	c.opts.MaxWhole, c.opts.Expect = o.Max, nil
	if o.RetryTime > 0 {
		c.opts.RetryTime = min(c.opts.RetryTime, o.RetryTime)
	}
	header := h.opts.Header.Clone()
	if from != nil {
		c.guard = !h.opts.AllowPrivate && (from.guard || from.isPublic(ctx))
		header = from.headerFor(u)
	}
	c.first = newTarget(u, header)
	c.target.Store(c.first)
	client := *h.client
	var next func(*http.Request, []*http.Request) error
	if h.opts.Client != nil {
		next = h.opts.Client.CheckRedirect
	}
	client.CheckRedirect = c.checkRedirect(next)
	c.client = &client
	var err error
	if c.guard {
		err = c.refuseName(ctx, u)
	}
	if err != nil {
		return nil, &HTTPError{Op: "open", URL: c.name, Off: -1, Err: err}
	}
	if h.closed.Load() {
		return nil, &HTTPError{Op: "open", URL: c.name, Off: -1, Err: net.ErrClosed}
	}
	if err := c.fetch(ctx, o); err != nil {
		return nil, err
	}
	return c, nil
}

// fetch reads the part into memory.
func (h *HTTP) fetch(ctx context.Context, o RefOptions) error {
	r := h.retrier()
	for {
		e := h.fetchOnce(ctx, o)
		if e == nil {
			return nil
		}
		e.Op, e.URL, e.Off, e.Len = "open", h.name, o.Off, o.Len
		if err := r.again(ctx, e, 0); err != nil {
			return err
		}
	}
}

func (h *HTTP) fetchOnce(ctx context.Context, o RefOptions) *HTTPError {
	if o.Len > o.Max {
		return &HTTPError{Err: fmt.Errorf("%w: %d bytes", ErrTooLarge, o.Len)}
	}
	return h.request(ctx, nil, o.Off, o.Len, func(resp *http.Response, body *body) *HTTPError {
		if e := identity(resp); e != nil {
			return e
		}
		skip, want := int64(0), o.Len
		switch {
		case resp.StatusCode == http.StatusPartialContent && o.Len > 0:
			first, last, _, err := contentRange(resp)
			if err != nil || first != o.Off || last-first >= o.Len {
				return badResponse(resp, errors.Join(err, fmt.Errorf("it has bytes %d-%d", first, last)))
			}
			want = last - first + 1
		case resp.StatusCode != http.StatusOK:
			return statusError(resp)
		case o.Len > 0:
			skip = o.Off // the server sends the whole
			if skip > o.Max {
				return &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("%w, and %d bytes lie before those that are wanted", ErrNoRanges, skip)}
			}
		case resp.ContentLength > o.Max:
			return &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("%w: %d bytes", ErrTooLarge, resp.ContentLength)}
		}
		if _, err := io.CopyN(io.Discard, body, skip); err != nil {
			return broken(resp, err)
		}
		limit := o.Max + 1
		if want > 0 {
			limit = want
		}
		var all bytes.Buffer
		n, err := io.Copy(&all, io.LimitReader(body, limit))
		switch {
		case err != nil:
			return broken(resp, err)
		case n > o.Max:
			return &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, o.Max)}
		case resp.StatusCode == http.StatusPartialContent && n < want:
			return broken(resp, io.ErrUnexpectedEOF)
		}
		h.size = n
		h.state.Store(&state{etag: resp.Header.Get("ETag"), modified: resp.Header.Get("Last-Modified"), head: all.Bytes()})
		return nil
	})
}
