package source

// blockSize is how much of a stream is asked for at a time.
const blockSize = 64 << 10

// window keeps the last bytes of a stream, in blocks that are all full but the last.
type window struct {
	keep   int64
	blocks [][]byte
	first  int64  // where blocks[0] begins
	spare  []byte // a block that was let go
}

func (w *window) end() int64 {
	n := len(w.blocks)
	if n == 0 {
		return w.first
	}
	return w.first + int64(n-1)*blockSize + int64(len(w.blocks[n-1]))
}

func (w *window) space() []byte {
	if n := len(w.blocks); n > 0 && len(w.blocks[n-1]) < blockSize {
		last := w.blocks[n-1]
		return last[len(last):blockSize]
	}
	// All that is kept was asked for, or nobody would read on: what lies too far behind can go.
	for len(w.blocks) > 0 && w.end()-w.first-blockSize >= w.keep {
		w.spare = w.blocks[0][:0]
		w.blocks[0] = nil
		w.blocks = w.blocks[1:]
		w.first += blockSize
	}
	b := w.spare
	if w.spare = nil; b == nil {
		b = make([]byte, 0, blockSize)
	}
	w.blocks = append(w.blocks, b)
	return b[:blockSize]
}

func (w *window) add(n int) error {
	last := &w.blocks[len(w.blocks)-1]
	*last = (*last)[:len(*last)+n]
	return nil
}

func (w *window) begin() int64 { return w.first }

func (w *window) read(p []byte, off int64) (int, error) {
	b := w.blocks[(off-w.first)/blockSize]
	return copy(p, b[(off-w.first)%blockSize:]), nil
}

func (w *window) held() int64 {
	n := int64(len(w.blocks))
	if w.spare != nil {
		n++
	}
	return n * blockSize
}

func (w *window) close() error {
	w.first = w.end()
	w.blocks, w.spare = nil, nil
	return nil
}
