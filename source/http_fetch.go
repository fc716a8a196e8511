package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var (
	errStalled = errors.New("the response stalled")
	errDrip    = errors.New("the response is too slow")
	errSlow    = errors.New("no response in time")
	errEmpty   = errors.New("the server sent next to nothing")
)

const (
	maxDrain  = 4 << 10                // bytes of a body that are read so that its connection can be used again
	drainTime = 100 * time.Millisecond // and how long that may take
)

// open learns what the file is, and its head.
func (h *HTTP) open(ctx context.Context) (size int64, st *state, err error) {
	r := h.retrier()
	for {
		st = &state{}
		e := h.request(ctx, nil, 0, int64(h.opts.Head), func(resp *http.Response, body *body) *HTTPError {
			var e *HTTPError
			size, e = h.accept(ctx, resp, body, st)
			return e
		})
		if e == nil {
			return size, st, nil
		}
		e.Op, e.URL, e.Off, e.Len = "open", h.name, 0, int64(h.opts.Head)
		if err := r.again(ctx, e, 0); err != nil {
			return 0, nil, err
		}
	}
}

// accept takes the first response. It returns the size of the file.
func (h *HTTP) accept(ctx context.Context, resp *http.Response, body *body, st *state) (int64, *HTTPError) {
	if e := identity(resp); e != nil {
		return 0, e
	}
	st.etag, st.modified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	var size, n int64
	switch resp.StatusCode {
	case http.StatusPartialContent:
		have, total, e := ranged(resp, 0, int64(h.opts.Head))
		switch {
		case e != nil:
			return 0, e
		case total < 0:
			return 0, &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("it does not tell the size: %w", ErrNoRanges)}
		}
		size, n = total, have
	case http.StatusOK:
		return h.acceptWhole(resp, body, st)
	case http.StatusRequestedRangeNotSatisfiable:
		if total, ok := unsatisfied(resp); !ok || total != 0 {
			return 0, statusError(resp)
		}
	default:
		return 0, statusError(resp)
	}
	head := make([]byte, n)
	k, err := io.ReadFull(body, head)
	if err != nil && (k == 0 || ctx.Err() != nil) {
		return 0, broken(resp, err)
	}
	// What is missing when the body broke is read when it is wanted.
	st.head = head[:k]
	return size, nil
}

// read fills p with the bytes at off, all of which exist.
func (h *HTTP) read(ctx context.Context, p []byte, off int64) (int, error) {
	for {
		st := h.state.Load()
		n, err := h.readState(ctx, st, p, off)
		switch {
		case n > 0 && !h.believe(st): // it was of another state than what others read meanwhile
			continue
		case n > 0 || err == nil:
			return n, err
		}
		if again, err := h.lookInto(ctx, st, err); !again {
			return 0, err
		}
	}
}

// readState fills p with the bytes at off of a state.
func (h *HTTP) readState(ctx context.Context, st *state, p []byte, off int64) (int, error) {
	r := h.retrier()
	n := 0
	if off < int64(len(st.head)) {
		n = copy(p, st.head[off:])
	}
	if st.spool != nil && n < len(p) {
		k, err := st.spool.read(p[n:], off+int64(n))
		if err != nil {
			err = &HTTPError{Op: "read", URL: h.name, Off: off, Len: int64(len(p)), Err: err}
		}
		return n + k, err
	}
	for n < len(p) {
		got := 0
		e := h.request(ctx, st, off+int64(n), int64(len(p)-n), func(resp *http.Response, body *body) *HTTPError {
			want, e := h.check(st, resp, off+int64(n), int64(len(p)-n))
			if e != nil {
				return e
			}
			k, err := io.ReadFull(body, p[n:n+int(want)])
			if got = k; err != nil {
				return broken(resp, err)
			}
			return nil
		})
		n += got
		if e == nil && n < len(p) && !r.progress(got) {
			e = &HTTPError{Err: errEmpty, retry: true}
		}
		if e == nil {
			continue
		}
		e.Op, e.URL, e.Off, e.Len = "read", h.name, off, int64(len(p))
		if errors.Is(e.Err, ErrNoRanges) {
			e.retry = n > 0 || h.sure.Load() // else it may never have served any
		}
		if err := r.again(ctx, e, got); err != nil {
			return n, err
		}
	}
	return n, nil
}

// check says how many of the n bytes at off a response holds, and refuses one of another file.
func (h *HTTP) check(st *state, resp *http.Response, off, n int64) (int64, *HTTPError) {
	changed := func(format string, args ...any) *HTTPError {
		return &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrChanged)}
	}
	switch resp.StatusCode {
	case http.StatusPartialContent, http.StatusOK:
	case http.StatusPreconditionFailed:
		return 0, changed("version %s", h.Version())
	case http.StatusRequestedRangeNotSatisfiable:
		if total, ok := unsatisfied(resp); ok && total != h.size {
			return 0, changed("%d bytes where there were %d", total, h.size)
		}
		return 0, statusError(resp)
	default:
		return 0, statusError(resp)
	}
	if e := identity(resp); e != nil {
		return 0, e
	}
	etag, modified := resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	if etag != st.etag {
		return 0, changed("ETag %s where it was %s", etag, st.etag)
	}
	if !strong(etag) && modified != st.modified { // a strong ETag tells more than a date does
		return 0, changed("modified %s where it was %s", modified, st.modified)
	}
	if resp.StatusCode == http.StatusOK {
		if resp.ContentLength >= 0 && resp.ContentLength != h.size {
			return 0, changed("%d bytes where there were %d", resp.ContentLength, h.size)
		}
		return 0, badResponse(resp, ErrNoRanges)
	}
	have, total, e := ranged(resp, off, n)
	if total >= 0 && total != h.size {
		return 0, changed("%d bytes where there were %d", total, h.size)
	}
	return have, e
}

// request asks for n bytes at off, or for all when n is 0, of a state unless that is nil, and hands the response to use, whose body is
// closed afterwards.
func (h *HTTP) request(ctx context.Context, st *state, off, n int64, use func(*http.Response, *body) *HTTPError) (e *HTTPError) {
	start := time.Now()
	defer func() { h.stats.waited.Add(int64(time.Since(start))) }()
	h.stats.requests.Add(1)
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(h.opts.HeaderTimeout, func() { cancel(errSlow) })
	defer timer.Stop()

	t := h.target.Load()
	defer func() {
		if e == nil {
			return
		}
		e.at = t
		if ctx.Err() == nil && (errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled)) {
			e.Err = errors.New(e.Err.Error()) // a limit of the client's, say, and not the end of the caller's context
		}
	}()
	way := &route{guard: h.guard}
	way.at.Store(t)
	req, err := http.NewRequestWithContext(h.watch(inner, way, cancel), http.MethodGet, t.url.String(), nil)
	if err != nil {
		return &HTTPError{Err: errScheme} // the URL was parsed before; its error would show it
	}
	req.Header = t.header.Clone()
	req.Header.Set("Accept-Encoding", "identity")
	if n > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	switch {
	case st == nil:
	case strong(st.etag):
		req.Header.Set("If-Match", st.etag)
	case st.modified != "":
		req.Header.Set("If-Unmodified-Since", st.modified)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		if cause := context.Cause(inner); cause != nil && ctx.Err() == nil {
			err = cause
		}
		_, met := h.stats.met.Load(way.at.Load().url.Host)
		return sendError(err, met)
	}
	h.stats.met.Store(way.at.Load().url.Host, true)
	if cause := context.Cause(inner); errors.Is(cause, ErrRefused) {
		_ = resp.Body.Close() // nobody looks at it
		return sendError(cause, true)
	}
	timer.Stop()
	b := &body{h: h, from: resp.Body, cancel: cancel, wait: h.opts.IdleTimeout}
	e = use(resp, b)
	if cause := context.Cause(inner); e != nil && e.Err != nil && (cause == errStalled || cause == errDrip) {
		e.Err = cause
	}
	if left := resp.ContentLength - b.n; left <= maxDrain {
		timer.Reset(drainTime)
		_, _ = io.CopyN(io.Discard, b, maxDrain) // for the connection's sake only
	}
	_ = resp.Body.Close() // what was wanted of it has been read
	if last := way.at.Load(); e == nil && last != t {
		h.target.Store(last) // later requests go there at once
	}
	return e
}

// body is a response body that is cut when it stalls.
type body struct {
	h      *HTTP
	from   io.Reader
	cancel context.CancelCauseFunc
	wait   time.Duration
	n      int64

	spent time.Duration // waiting, since the rate was looked at
	got   int64         // meanwhile
}

func (b *body) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.wait, func() { b.cancel(errStalled) })
	start := time.Now()
	n, err := b.from.Read(p)
	timer.Stop()
	b.n += int64(n)
	b.h.stats.bytes.Add(int64(n))
	b.got += int64(n)
	if b.spent += time.Since(start); b.spent >= b.wait {
		if err == nil && float64(b.got) < float64(b.h.opts.MinRate)*b.spent.Seconds() {
			b.cancel(errDrip)
			return n, errDrip
		}
		b.spent, b.got = 0, 0
	}
	return n, err
}

// broken makes the error of a body that ended early.
func broken(resp *http.Response, err error) *HTTPError {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &HTTPError{Status: resp.StatusCode, Err: err, retry: true}
}

// badResponse makes the error of a response that contradicts the request. Behind one address there may be servers that do better.
func badResponse(resp *http.Response, err error) *HTTPError {
	return &HTTPError{Status: resp.StatusCode, Err: err, retry: true}
}

// identity refuses a response whose bytes are not those of the file.
func identity(resp *http.Response) *HTTPError {
	coding := strings.TrimSpace(resp.Header.Get("Content-Encoding"))
	if coding == "" && !resp.Uncompressed || strings.EqualFold(coding, "identity") {
		return nil
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return nil
	}
	return &HTTPError{Status: resp.StatusCode, Err: fmt.Errorf("content encoding %q, though none was asked for", coding)}
}

// contentRange returns the range a response says it has. total is -1 when it does not tell.
func contentRange(resp *http.Response) (first, last, total int64, err error) {
	text := resp.Header.Get("Content-Range")
	bad := func() (int64, int64, int64, error) { return 0, 0, 0, fmt.Errorf("content range %q", text) }
	unit, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	from, to, dash := strings.Cut(span, "-")
	if !strings.EqualFold(unit, "bytes") || !ok || !dash {
		return bad()
	}
	first, ok1 := number(from)
	last, ok2 := number(to)
	total, ok3 := number(size)
	if size == "*" {
		total, ok3 = -1, true
	}
	if !ok1 || !ok2 || !ok3 || first > last || total >= 0 && last >= total {
		return bad()
	}
	return first, last, total, nil
}

// ranged says how many of the n bytes at off a response has that is a part, and how many bytes the file: -1 where it does not tell.
func ranged(resp *http.Response, off, n int64) (have, total int64, e *HTTPError) {
	first, last, total, err := contentRange(resp)
	switch {
	case err != nil:
		return 0, -1, badResponse(resp, err)
	case first != off || last >= off+n:
		return 0, total, badResponse(resp, fmt.Errorf("it has bytes %d-%d", first, last))
	}
	return last - first + 1, total, nil
}

// unsatisfied returns the size that a 416 response tells.
func unsatisfied(resp *http.Response) (int64, bool) {
	text, ok := strings.CutPrefix(strings.TrimSpace(resp.Header.Get("Content-Range")), "bytes */")
	n, isNumber := number(text)
	return n, ok && isNumber
}

// number parses digits alone.
func number(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}

// strong says whether an ETag promises the same bytes, so that If-Match may be sent.
func strong(etag string) bool { return strings.HasPrefix(etag, `"`) }

// version names a file's state, or returns "" when nothing is known of it.
func version(etag, modified string, size int64) string {
	if etag != "" || modified == "" {
		return etag
	}
	return fmt.Sprintf("%s %d", modified, size)
}
