package source

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// acceptWhole takes a response that holds the whole file.
func (h *HTTP) acceptWhole(resp *http.Response, body *body, st *state) (int64, *HTTPError) {
	limit := h.opts.MaxWhole
	tooLarge := func(size string, n int64) *HTTPError {
		err := fmt.Errorf("%w, and the file has %s%d bytes, of which %d are kept in memory: spool it, or read it as a stream", ErrNoRanges, size, n, limit)
		return &HTTPError{Status: resp.StatusCode, Err: err}
	}
	if resp.ContentLength > limit && !h.opts.Spool {
		return 0, tooLarge("", resp.ContentLength)
	}
	var all bytes.Buffer
	_, err := io.Copy(&all, io.LimitReader(body, limit+1))
	switch {
	case err != nil:
		return 0, broken(resp, err)
	case int64(all.Len()) <= limit:
		st.head = all.Bytes()
		return int64(all.Len()), nil
	case !h.opts.Spool:
		return 0, tooLarge("more than ", limit)
	}
	return spoolWhole(resp, io.MultiReader(&all, body), st)
}

// spoolWhole puts what r gives of a response into a temporary file.
func spoolWhole(resp *http.Response, r io.Reader, st *state) (int64, *HTTPError) {
	f, err := newSpool("", maxSpool)
	if err != nil {
		return 0, &HTTPError{Status: resp.StatusCode, Err: err}
	}
	for {
		n, err := r.Read(f.space())
		if n > 0 {
			if err := f.add(n); err != nil {
				_ = f.close() // the first error is the one to report
				return 0, &HTTPError{Status: resp.StatusCode, Err: err}
			}
		}
		if err == io.EOF {
			f.buf = nil
			st.spool = f
			return f.size, nil
		}
		if err != nil {
			_ = f.close() // the first error is the one to report
			return 0, broken(resp, err)
		}
	}
}
