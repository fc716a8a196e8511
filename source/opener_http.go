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
	"slices"
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

// maxPiece is how many bytes are made room for before they come.
const maxPiece = 1 << 20

// fetch reads the part into memory: what the first response does not have of it is asked for as any other read.
func (h *HTTP) fetch(ctx context.Context, o RefOptions) error {
	if o.Len > o.Max {
		return &HTTPError{Op: "open", URL: h.name, Off: o.Off, Len: o.Len, Err: fmt.Errorf("%w: %d bytes", ErrTooLarge, o.Len)}
	}
	r := h.retrier()
	for {
		var p *partial
		e := h.request(ctx, nil, o.Off, o.Len, func(resp *http.Response, body *body) *HTTPError {
			var e *HTTPError
			p, e = acceptPart(ctx, resp, body, o)
			return e
		})
		if e == nil {
			return h.complete(ctx, o.Off, p)
		}
		e.Op, e.URL, e.Off, e.Len = "open", h.name, o.Off, o.Len
		if err := r.again(ctx, e, 0); err != nil {
			return err
		}
	}
}

// partial is what has come of a part.
type partial struct {
	state *state
	data  []byte
	want  int64 // bytes of the part, as far as there are so many
	total int64 // of the file
}

// complete reads what is missing of a part at off, which is the source then.
func (h *HTTP) complete(ctx context.Context, off int64, p *partial) error {
	h.size = p.total
	for have := int64(len(p.data)); have < p.want; have = int64(len(p.data)) {
		n := int(min(p.want-have, maxPiece))
		p.data = slices.Grow(p.data, n)[:int(have)+n]
		k, err := h.readState(ctx, p.state, p.data[have:], off+have)
		p.data = p.data[:int(have)+k]
		if err != nil {
			return err
		}
	}
	h.size = int64(len(p.data))
	p.state.head = p.data
	h.state.Store(p.state)
	return nil
}

// acceptPart takes the first response for a part.
func acceptPart(ctx context.Context, resp *http.Response, body *body, o RefOptions) (*partial, *HTTPError) {
	if e := identity(resp); e != nil {
		return nil, e
	}
	p := &partial{state: &state{etag: resp.Header.Get("ETag"), modified: resp.Header.Get("Last-Modified")}}
	if resp.StatusCode == http.StatusPartialContent && o.Len > 0 {
		have, total, e := ranged(resp, o.Off, o.Len)
		if e != nil {
			return nil, e
		}
		p.want, p.total = have, total
		if total >= 0 {
			p.want = min(o.Len, total-o.Off) // a server may send less than it has
		}
		var err error
		if p.data, err = readUpTo(body, have); err != nil && (len(p.data) == 0 || ctx.Err() != nil) {
			return nil, broken(resp, err)
		}
		return p, nil
	}
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(resp)
	case o.Off > o.Max: // the server sends the whole
		err := fmt.Errorf("%w, and %d bytes lie before those that are wanted", ErrNoRanges, o.Off)
		return nil, &HTTPError{Status: resp.StatusCode, Err: err}
	case o.Len == 0 && resp.ContentLength > o.Max:
		return nil, &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("%w: %d bytes", ErrTooLarge, resp.ContentLength)}
	}
	if _, err := io.CopyN(io.Discard, body, o.Off); err != nil {
		return nil, broken(resp, err)
	}
	limit := o.Max + 1
	if o.Len > 0 {
		limit = o.Len
	}
	var err error
	if p.data, err = readUpTo(body, limit); err != nil && err != io.EOF {
		return nil, broken(resp, err)
	}
	if int64(len(p.data)) > o.Max {
		return nil, &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, o.Max)}
	}
	return p, nil
}

// readUpTo reads n bytes, or what there is. It makes no room for what does not come.
func readUpTo(r io.Reader, n int64) ([]byte, error) {
	var all bytes.Buffer
	k, err := io.Copy(&all, io.LimitReader(r, n))
	if err == nil && k < n {
		err = io.EOF
	}
	return all.Bytes(), err
}
