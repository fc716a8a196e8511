package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
)

// headSum is how many bytes Expect.Head is of.
const headSum = 64 << 10

// lookInto is asked when a response was of another state than st. Where that was only expected, and no response has been of it yet, it
// opens the file after all, and compares size and head. It returns true when the read may go on, with what is now the state.
func (h *HTTP) lookInto(ctx context.Context, st *state) (bool, error) {
	if h.opts.Expect == nil {
		return false, nil
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
		return false, nil
	}
	size, now, err := h.open(ctx)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(now.head[:min(len(now.head), headSum)])
	if size != h.size || hex.EncodeToString(sum[:]) != h.opts.Expect.Head {
		return false, nil
	}
	h.state.Store(now)
	h.sure.Store(true)
	return true, nil
}
