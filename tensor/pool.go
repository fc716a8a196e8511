package tensor

import (
	"fmt"
	"slices"
	"sync"
)

// Pool keeps tensors of one type and shape for use again, so that decoding batch after batch makes no garbage.
// It is safe for concurrent use.
type Pool struct {
	dtype DType
	shape []int
	keep  int // tensors to keep at most

	mu   sync.Mutex
	free [][]byte
}

// NewPool returns a pool of contiguous tensors that keeps at most limit bytes of those that are not in use.
// It panics where New does.
func NewPool(limit int64, dtype DType, shape ...int) *Pool {
	p := &Pool{dtype: dtype, shape: slices.Clone(shape)}
	if n := bytesOf(dtype, shape); n > 0 {
		p.keep = int(max(limit, 0) / int64(n))
	}
	return p
}

// Get returns a tensor that nobody else has. Its elements are undefined.
// One that is never put back is simply garbage.
func (p *Pool) Get() *Tensor {
	p.mu.Lock()
	var data []byte
	if last := len(p.free) - 1; last >= 0 {
		data = p.free[last]
		p.free = slices.Delete(p.free, last, last+1)
	}
	p.mu.Unlock()
	if data == nil {
		t := New(p.dtype, p.shape...)
		t.pool = p
		return t
	}
	// A new Tensor for the old memory: the one put back stays put back.
	return &Tensor{dtype: p.dtype, shape: slices.Clone(p.shape), strides: contiguous(p.shape), data: data, pool: p}
}

// Put gives back a tensor that Get returned. After it neither the tensor nor a view of it may be used.
// It panics when the tensor is not the pool's: made elsewhere, a view, or put back before.
func (p *Pool) Put(t *Tensor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.pool != p {
		panic(fmt.Sprintf("tensor: %v put into a pool that did not lend it, or twice", t))
	}
	t.pool = nil
	if len(p.free) < p.keep {
		p.free = append(p.free, t.data)
	}
	t.data = nil // a use after this fails loudly instead of reading another frame
}
