package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
)

// headSum is how many bytes Expect.Head is of.
const headSum = 64 << 10

// believe notes that a response was of state st. It returns false where another state is read by now.
func (h *HTTP) believe(st *state) bool {
	if h.sure.Load() {
		return h.state.Load() == st
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state.Load() != st {
		return false
	}
	h.sure.Store(true)
	return true
}

// lookInto is asked when a read of state st failed with cause. Where that state was only expected, no response has been of it yet, and there was
// one of another state or of the whole file, it opens the file after all, and compares size, version and head. It returns true when the
// read may go on, with what is now the state, and else why not.
func (h *HTTP) lookInto(ctx context.Context, st *state, cause error) (bool, error) {
	if h.opts.Expect == nil || !errors.Is(cause, ErrChanged) && !errors.Is(cause, ErrNoRanges) {
		return false, cause
	}
	select {
	case h.doubt <- struct{}{}:
		defer func() { <-h.doubt }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if h.state.Load() != st {
		return true, nil // another read has looked into it
	}
	if h.sure.Load() {
		return false, cause
	}
	size, now, err := h.open(ctx)
	if err != nil {
		return false, err
	}
	same, err := h.expected(ctx, size, now)
	if err == nil && !same {
		err = fmt.Errorf("it is not the file that was expected: %w", ErrChanged)
		err = &HTTPError{Op: "read", URL: h.name, Off: -1, Err: err}
	}
	if err == nil {
		err = h.replace(now, cause)
	}
	if err != nil {
		_ = now.close() // the first error is the one to report
		return false, err
	}
	return true, nil
}

// replace makes now the state that is read, unless a response was of the old one all the same: then cause is the error.
func (h *HTTP) replace(now *state, cause error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.sure.Load():
		return cause
	case h.closed.Load():
		return &HTTPError{Op: "read", URL: h.name, Off: -1, Err: fs.ErrClosed}
	}
	h.state.Store(now)
	h.sure.Store(true)
	return nil
}

// expected says whether a state is of the file that was expected, or of a copy.
func (h *HTTP) expected(ctx context.Context, size int64, now *state) (bool, error) {
	x := h.opts.Expect
	if size != h.size {
		return false, nil
	}
	if now.etag == x.Version {
		return true, nil
	}
	head := make([]byte, min(size, headSum))
	if _, err := h.readState(ctx, now, head, 0); err != nil {
		return false, err
	}
	sum := sha256.Sum256(head)
	return hex.EncodeToString(sum[:]) == x.Head, nil
}
