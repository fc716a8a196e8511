package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrChanged: the bytes are not those that were opened, or that an index was made of.
	ErrChanged = errors.New("not the same source")
	// ErrNoRanges: the server sends whole files only, and this one is too large to be kept in memory. It is an ErrNotSeekable:
	// OpenBody reads such a file as a stream, HTTPOptions.Spool makes it one that can be read anywhere.
	ErrNoRanges error = noRanges{}
)

type noRanges struct{}

func (noRanges) Error() string        { return "the server does not serve byte ranges" }
func (noRanges) Is(target error) bool { return target == ErrNotSeekable }

// HTTPOptions say how to read from a server. The zero value is the default, and so is nil.
type HTTPOptions struct {
	// Client makes the requests. Its CheckRedirect is asked after the source's own checks. Nil means a client of the source's own.
	Client *http.Client
	// Wrap, unless nil, makes what sends the requests of the transport that would: it may sign them.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Header is sent to the place that was asked for: the scheme, host and port of the URL. Where redirects and names lead elsewhere, only
	// Accept, Accept-Language and User-Agent of it go along.
	Header http.Header
	// ShareHeader sends all of Header wherever redirects and names lead, secrets in it included. Name and password of the URL stay.
	ShareHeader bool

	// Expect, unless nil, is what the file is known to be. If its version is a strong ETag, opening makes no request: each read is made on
	// the condition that the file still has that ETag. Where the first read finds another one the head is read and compared, so
	// that a copy of the file is taken for it; anything else is ErrChanged.
	Expect *Expect

	// Head is how many bytes opening asks for, and keeps. Zero means 64 KiB.
	Head int
	// MaxWhole is the largest file, in bytes, that is kept in memory when the server ignores ranges.
	// Zero means 16 MiB; negative means none.
	MaxWhole int64
	// Spool puts a larger one, of up to 64 GiB, into a temporary file that is gone after Close.
	Spool bool
	// MaxRedirects is how many redirects a request follows. Zero means 10; negative means none.
	MaxRedirects int

	// AllowInsecure lets what came over https name, and redirect to, what is on http.
	AllowInsecure bool
	// AllowPrivate lets what came from a public address name what is at a private, loopback or link-local one. The address of each connection
	// is checked before it is made. Where the client is the caller's, or a proxy is in between, names are looked up before they are asked for.
	AllowPrivate bool

	// Retries is how many times in a row a read is tried again without progress: after a broken or stalled connection, and after
	// the statuses 408, 425, 429 and 5xx but 501 and 505. Zero means 5; negative means none.
	Retries int
	// RetryTime is for how long a read goes on without progress. Zero means 1 minute.
	RetryTime time.Duration
	// Backoff is the wait before the second attempt, which doubles with each; half of it is random. Zero means 200 ms.
	Backoff time.Duration
	// MaxWait is the longest wait between two attempts, also when Retry-After asks for more. Zero means 20 s.
	MaxWait time.Duration

	// HeaderTimeout is how long a request waits for the headers of its response, redirects and connecting included.
	// Zero means 20 s.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a response may stall before it is cut and asked for again. Zero means 15 s.
	IdleTimeout time.Duration
	// MinRate is how many bytes a second a response must bring, over any IdleTimeout spent waiting for it: a slower one is cut too. What comes slower than
	// this since there was progress last, waits between attempts included, is no progress. So a read from a server that drips or stalls in between ends
	// after RetryTime and one attempt more at the latest. Zero means 1 KiB; negative means any rate.
	MinRate int64
}

// Expect tells what a file is known to be.
type Expect struct {
	Size    int64  // bytes
	Version string // what Version said of it
	Head    string // SHA-256 of the first 64 KiB, in hex
}

// HTTPStats says what reading from a server has cost.
type HTTPStats struct {
	Requests int64         `json:"requests"` // those that redirects led to included
	Bytes    int64         `json:"bytes"`    // of response bodies
	Retries  int64         `json:"retries"`  // attempts after a fault
	Waited   time.Duration `json:"waited"`   // by all reads together, for responses and between attempts
}

// HTTP is a source over one file on a server. It is safe for concurrent use.
//
// Every read beyond the head is a request of its own, so a [Cache] belongs above it. All bytes are of one state of the file: requests
// carry its strong ETag in If-Match, or its date in If-Unmodified-Since, and what the response says is compared whatever the server
// makes of that. A file that changes gives ErrChanged.
type HTTP struct {
	client *http.Client
	own    *connections // to be closed with the source; nil when the caller gave the client
	opts   HTTPOptions
	name   string                 // the URL, redacted
	first  *target                // what was asked for
	target atomic.Pointer[target] // where it led

	size   int64
	mu     sync.Mutex            // held while one of the next two changes
	state  atomic.Pointer[state] // the one that is read
	sure   atomic.Bool           // a response was of this state, which stays then
	doubt  chan struct{}         // holds a token while the state that was expected is looked into
	closed atomic.Bool

	stats  *httpStats                            // shared with what was opened by name from here
	net    *network                              // finds hosts, and those that the source's own client connects to
	conns  *connections                          // of the source's own client, or of that by which it was opened; nil when it is the caller's
	proxy  func(*http.Request) (*url.URL, error) // of the client; nil when it has none, or it is not known
	direct bool                                  // it is known when a connection is not a proxy's
	guard  bool                                  // it was opened by name from a public address: no private one is connected to
	public atomic.Bool                           // it, or one that redirects led through, is no private one
}

type httpStats struct {
	requests, bytes, retries, waited atomic.Int64
	met                              sync.Map // hosts that have answered
}

// state is what the server said when the file was opened. It never changes.
type state struct {
	etag, modified string
	head           []byte // the first bytes
	spool          *spool // all bytes; nil where they are on the server
}

// close removes the temporary file.
func (s *state) close() error {
	if s == nil || s.spool == nil {
		return nil
	}
	return s.spool.close()
}

// OpenHTTP opens the file at an http or https URL with one request, for its first bytes, or with none: see HTTPOptions.Expect. A name
// and password in the URL become a header; no error shows them, nor the query.
//
// A redirect from https leads to https only, unless AllowInsecure, and no redirect to another scheme than these two.
func OpenHTTP(ctx context.Context, rawURL string, o *HTTPOptions) (*HTTP, error) {
	h, err := newHTTP(rawURL, o)
	if err != nil {
		return nil, err
	}
	if x := h.opts.Expect; x != nil && x.Size >= 0 && strong(x.Version) {
		h.size = x.Size
		h.state.Store(&state{etag: x.Version})
		return h, nil
	}
	size, st, err := h.open(ctx)
	if err != nil {
		h.closeIdle()
		return nil, err
	}
	h.size = size
	h.state.Store(st)
	h.sure.Store(true)
	return h, nil
}

// newHTTP makes a source that has not asked for anything.
func newHTTP(rawURL string, o *HTTPOptions) (*HTTP, error) {
	return newHTTPOver(systemNetwork(), rawURL, o)
}

func newHTTPOver(n *network, rawURL string, o *HTTPOptions) (*HTTP, error) {
	h := &HTTP{name: RedactURL(rawURL), net: n, stats: new(httpStats), doubt: make(chan struct{}, 1)}
	if o != nil {
		h.opts = *o
	}
	h.opts.fill()
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, &HTTPError{Op: "open", URL: h.name, Off: -1, Err: err}
	}
	h.first = newTarget(u, h.opts.Header)
	h.target.Store(h.first)
	h.makeClient()
	return h, nil
}

func (o *HTTPOptions) fill() {
	orDefault(&o.Head, 64<<10)
	orDefault(&o.MaxWhole, 16<<20)
	orDefault(&o.MaxRedirects, 10)
	orDefault(&o.Retries, 5)
	orDefault(&o.RetryTime, time.Minute)
	orDefault(&o.Backoff, 200*time.Millisecond)
	orDefault(&o.MaxWait, 20*time.Second)
	orDefault(&o.HeaderTimeout, 20*time.Second)
	orDefault(&o.IdleTimeout, 15*time.Second)
	orDefault(&o.MinRate, 1<<10)
}

func orDefault[T ~int | ~int64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
	*v = max(*v, 0)
}

// makeClient sets the client: a copy, because the source checks redirects.
func (h *HTTP) makeClient() {
	if h.opts.Client != nil {
		c := *h.opts.Client
		h.client = &c
		if c.Transport == nil {
			h.client.Transport = http.DefaultTransport
		}
		if t, ok := h.client.Transport.(*http.Transport); ok {
			h.proxy, h.direct = t.Proxy, true
		}
	} else {
		h.own = newConnections(h.net)
		h.conns, h.proxy, h.direct = h.own, h.own.guarded.Proxy, true
		h.client = &http.Client{Transport: h.own}
	}
	if h.opts.Wrap != nil {
		h.client.Transport = h.opts.Wrap(h.client.Transport)
	}
	h.client.Transport = located{h.client.Transport}
	h.client.CheckRedirect = h.checkRedirect(h.client.CheckRedirect)
}

// ReadAt reads as io.ReaderAt says.
func (h *HTTP) ReadAt(p []byte, off int64) (int, error) {
	return h.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is ReadAt that gives up when ctx ends. What lies in the head costs no request.
func (h *HTTP) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	var err error
	switch {
	case h.closed.Load():
		err = fs.ErrClosed
	case off < 0:
		err = errors.New("negative offset")
	default:
		err = ctx.Err()
	}
	if err != nil {
		return 0, &HTTPError{Op: "read", URL: h.name, Off: off, Len: int64(len(p)), Err: err}
	}
	if off >= h.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > h.size-off
	if short {
		p = p[:h.size-off]
	}
	n, err := h.read(ctx, p, off)
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

// Size returns the size in bytes at the time of opening.
func (h *HTTP) Size() int64 { return h.size }

// Version names the file's state: its ETag, or else its date and size. It is "" where the server tells neither.
func (h *HTTP) Version() string {
	st := h.state.Load()
	return version(st.etag, st.modified, h.size)
}

// URL returns what was opened, without credentials and query.
func (h *HTTP) URL() string { return h.name }

// Stats returns the costs so far, those of what was opened by name from here included.
func (h *HTTP) Stats() HTTPStats {
	return HTTPStats{
		Requests: h.stats.requests.Load(), Bytes: h.stats.bytes.Load(), Retries: h.stats.retries.Load(), Waited: time.Duration(h.stats.waited.Load()),
	}
}

// Close closes the connections of the source's own client once their responses are read, and removes the temporary file. Later reads fail with
// fs.ErrClosed; Size, Version and Stats still answer.
func (h *HTTP) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed.Swap(true) {
		return nil
	}
	h.closeIdle()
	return h.state.Load().close()
}

func (h *HTTP) closeIdle() {
	if h.own != nil {
		h.own.closeIdle()
	}
}
