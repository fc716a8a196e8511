package source

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
)

// Body is a file on a server as one response, to be read once from front to back: for servers that serve no byte ranges, and to read
// before all is there. One goroutine reads at a time; Close may be called by another.
type Body struct {
	r    *io.PipeReader
	stop context.CancelCauseFunc
	done chan struct{} // closed when nothing of it runs
	h    *HTTP
	size int64
}

// OpenBody asks for the file at an http or https URL, without a range. The opening ends with ctx and is tried again as HTTPOptions say; the
// body is not asked for again, so a response that breaks, stalls, or is slower than MinRate is the reader's error, an *HTTPError. A reader
// that takes its time is none. Redirects and credentials are as OpenHTTP has them.
func OpenBody(ctx context.Context, url string, o *HTTPOptions) (*Body, error) {
	h, err := newHTTP(url, o)
	if err != nil {
		return nil, err
	}
	inner, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, func() { stop(ctx.Err()) })
	r, w := io.Pipe()
	b := &Body{r: r, stop: stop, done: make(chan struct{}), h: h, size: -1}
	opened := make(chan struct{})
	var failed error
	go func() {
		defer close(b.done)
		began := false
		try := h.retrier()
		for {
			var n int64
			e := h.request(inner, nil, 0, 0, func(resp *http.Response, body *body) *HTTPError {
				if e := identity(resp); e != nil {
					return e
				}
				if resp.StatusCode != http.StatusOK {
					return statusError(resp)
				}
				b.size, began = resp.ContentLength, true
				release()
				close(opened)
				_, err := io.Copy(w, body)
				if n = body.n; err != nil {
					return broken(resp, err)
				}
				return nil
			})
			if began {
				if e == nil {
					_ = w.Close() // it cannot fail
					return
				}
				e.Op, e.URL, e.Off = "read", h.name, n
				e.Err = fmt.Errorf("after %d bytes: %w", n, e.Err)
				_ = w.CloseWithError(e) // nor this
				return
			}
			e.Op, e.URL, e.Off = "open", h.name, -1
			if failed = try.again(ctx, e, 0); failed != nil {
				close(opened)
				return
			}
		}
	}()
	<-opened
	if failed != nil {
		stop(nil)
		<-b.done
		h.closeIdle()
		return nil, failed
	}
	return b, nil
}

// Read reads on. It waits for bytes; a Stream over the Body can give up waiting.
func (b *Body) Read(p []byte) (int, error) { return b.r.Read(p) }

// Size returns the size that the server tells, or -1.
func (b *Body) Size() int64 { return b.size }

// Stats returns the costs so far.
func (b *Body) Stats() HTTPStats { return b.h.Stats() }

// Close breaks the connection off, unless the body has been read to its end, and waits until nothing of it runs. Reads that wait, and later
// ones, fail.
func (b *Body) Close() error {
	_ = b.r.Close() // it cannot fail
	b.stop(fs.ErrClosed)
	<-b.done
	b.h.closeIdle()
	return nil
}
