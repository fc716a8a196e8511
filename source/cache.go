package source

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// CacheOptions say how a cache works. The zero value is the default, and so is nil.
type CacheOptions struct {
	// BlockSize is the unit, in bytes, in which the source is read and kept. Zero means 64 KiB.
	BlockSize int
	// Budget is how many bytes are kept. What is being read comes on top. A read of more goes past the cache. Zero means 32 MiB.
	Budget int64
	// Ahead says how far the cache likes to be told what comes. Zero fields mean 8 ranges at once, half of Budget, and holes of 64 KiB.
	Ahead Ahead
}

// CacheStats says how well a cache did.
type CacheStats struct {
	Hits   int64 `json:"hits"`   // blocks that were there
	Misses int64 `json:"misses"` // blocks that were not, those that Prefetch asked for included
	Reads  int64 `json:"reads"`  // of the source below
	Bytes  int64 `json:"bytes"`  // they returned
}

// Cache keeps blocks of the source below, the least recently used ones no longer than its budget allows, and those that were prefetched and not
// read yet, up to three quarters of it, rather than others. It is safe for concurrent use.
//
// Missing blocks that lie side by side are read in one read, and each by one caller at a time: others that want it wait. A
// caller that gives up fails alone; another one then reads instead.
type Cache struct {
	src    Source
	size   int64
	block  int64
	budget int64
	ahead  Ahead

	account Account // of calls that fetch ahead

	mu     sync.Mutex
	blocks map[int64]*block // by number
	recent list.List        // of *block, those in memory that were read, most recently used first
	fresh  list.List        // of *block, those that Prefetch asked for, and that were not read since: they are kept rather than the others
	unread int64            // bytes of fresh
	used   int64            // bytes in memory
	stats  CacheStats
}

// block is a block in memory, or on its way.
type block struct {
	n    int64
	data []byte // nil on its way; it never changes
	load *load  // nil in memory
	elem *list.Element
	list *list.List // that elem is in
}

// load is one read of the source below.
type load struct {
	done chan struct{} // closed at its end
	err  error         // set before done is closed; nil only when all blocks came
	own  bool          // the error is the end of the reader's own context
}

// NewCache makes a cache over src, whose size must not change.
func NewCache(src Source, o *CacheOptions) *Cache {
	var opts CacheOptions
	if o != nil {
		opts = *o
	}
	orDefault(&opts.BlockSize, 64<<10)
	orDefault(&opts.Budget, 32<<20)
	orDefault(&opts.Ahead.Requests, 8)
	orDefault(&opts.Ahead.Bytes, opts.Budget/2)
	orDefault(&opts.Ahead.Hole, 64<<10)
	return &Cache{
		src: src, size: src.Size(), block: int64(max(opts.BlockSize, 1)), budget: opts.Budget, ahead: opts.Ahead,
		blocks: map[int64]*block{},
	}
}

// ReadAt reads as io.ReaderAt says.
func (c *Cache) ReadAt(p []byte, off int64) (int, error) {
	return c.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is ReadAt that gives up when ctx ends, as soon as the source below does.
func (c *Cache) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("source: read at negative offset %d", off)
	}
	if off >= c.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), c.size-off)
	if n > c.budget {
		k, err := ReadSome(ctx, c.src, p[:n], off)
		c.count(k)
		if err == nil && k < len(p) {
			err = io.EOF
		}
		return k, err
	}
	k, err := c.read(ctx, off, n, p[:n])
	if err == nil && k < int64(len(p)) {
		err = io.EOF
	}
	return int(k), err
}

// Prefetch reads the blocks of n bytes at off that are missing. Not more than half of the budget is read.
func (c *Cache) Prefetch(ctx context.Context, off, n int64) error {
	if off < 0 || off >= c.size {
		return nil
	}
	_, err := c.read(ctx, off, min(n, c.size-off, c.budget/2), nil)
	return err
}

// Ahead returns what the options say.
func (c *Cache) Ahead() Ahead { return c.ahead }

// Account returns the account of all calls that fetch ahead.
func (c *Cache) Account() *Account { return &c.account }

// read brings n bytes at off into the cache, and into p unless that is nil. It returns how many there were.
func (c *Cache) read(ctx context.Context, off, n int64, p []byte) (int64, error) {
	end := off + n
	last := (end - 1) / c.block
	for pos := off; pos < end; {
		if err := ctx.Err(); err != nil {
			return pos - off, err
		}
		data, from, err := c.get(ctx, pos/c.block, last, p != nil)
		skip := pos - from
		if skip >= int64(len(data)) {
			if err == nil {
				err = io.EOF // the source below ends before its size
			}
			return pos - off, err
		}
		k := min(int64(len(data))-skip, end-pos)
		if p != nil {
			copy(p[pos-off:], data[skip:skip+k])
		}
		pos += k
		if err != nil && pos < end {
			return pos - off, err
		}
	}
	return n, nil
}

// get returns block n, or more bytes that begin with it, up to the end of block last; and where they begin.
func (c *Cache) get(ctx context.Context, n, last int64, hit bool) ([]byte, int64, error) {
	for {
		c.mu.Lock()
		b := c.blocks[n]
		if b == nil {
			break // the mutex is held
		}
		if b.load == nil {
			c.use(b, hit)
			if hit {
				c.stats.Hits++
			}
			c.mu.Unlock()
			return b.data, n * c.block, nil
		}
		l := b.load
		c.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		if b.data != nil { // perhaps already thrown out again
			c.mu.Lock()
			if c.blocks[n] == b {
				c.use(b, hit)
			}
			c.mu.Unlock()
			return b.data, n * c.block, nil
		}
		if !l.own {
			return nil, 0, l.err
		}
	}
	l := &load{done: make(chan struct{})}
	mine := []*block{}
	for k := n; k <= last && c.blocks[k] == nil && int64(len(mine)) <= c.budget/c.block; k++ {
		b := &block{n: k, load: l}
		c.blocks[k] = b
		mine = append(mine, b)
	}
	c.stats.Misses += int64(len(mine))
	c.mu.Unlock()
	return c.fetch(ctx, l, mine, hit)
}

// fetch reads blocks that lie side by side.
func (c *Cache) fetch(ctx context.Context, l *load, mine []*block, hit bool) (data []byte, off int64, err error) {
	off = mine[0].n * c.block
	l.err, l.own = errors.New("source: the reader panicked"), true
	defer func() { c.settle(l, mine, data, off, hit) }()
	data = make([]byte, min(int64(len(mine))*c.block, c.size-off))
	k, err := ReadSome(ctx, c.src, data, off)
	data = data[:k]
	l.err, l.own = err, err != nil && ctx.Err() != nil
	return data, off, err
}

// settle keeps the blocks that were read whole, forgets the others, and wakes who waits for them.
func (c *Cache) settle(l *load, mine []*block, data []byte, off int64, hit bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Reads++
	c.stats.Bytes += int64(len(data))
	for _, b := range mine {
		from := b.n*c.block - off
		to := min(from+c.block, c.size-off)
		if int64(len(data)) < to {
			if delete(c.blocks, b.n); l.err == nil {
				l.err = io.ErrUnexpectedEOF // the source below ends before its size
			}
			continue
		}
		// Cloned: a part of one large array would keep all of it.
		b.data, b.load = bytes.Clone(data[from:to]), nil
		c.used += to - from
		c.use(b, hit)
	}
	c.evict()
	close(l.done)
}

// use notes that a block in memory is read, or, if hit is false, going to be. The mutex is held.
func (c *Cache) use(b *block, hit bool) {
	to := &c.recent
	if !hit {
		to = &c.fresh
	}
	if b.list == to {
		to.MoveToFront(b.elem)
		return
	}
	c.drop(b)
	b.list, b.elem = to, to.PushFront(b)
	if !hit {
		c.unread += int64(len(b.data))
	}
}

// drop takes a block out of its list. The mutex is held.
func (c *Cache) drop(b *block) {
	if b.list == nil {
		return
	}
	b.list.Remove(b.elem)
	if b.list == &c.fresh {
		c.unread -= int64(len(b.data))
	}
	b.list = nil
}

// evict throws out what is too much. The mutex is held.
func (c *Cache) evict() {
	oldest := func(l *list.List) *block {
		b, _ := l.Back().Value.(*block) // the lists hold nothing else
		return b
	}
	for c.unread > c.budget/4*3 { // whoever asked for it may not come any more
		c.use(oldest(&c.fresh), true)
	}
	for c.used > c.budget {
		from := &c.recent
		if from.Len() == 0 {
			from = &c.fresh
		}
		b := oldest(from)
		c.drop(b)
		c.used -= int64(len(b.data))
		delete(c.blocks, b.n)
	}
}

func (c *Cache) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Reads++
	c.stats.Bytes += int64(n)
}

// Size returns the size of the source below.
func (c *Cache) Size() int64 { return c.size }

// Version returns the version of the source below, or "" where it has none.
func (c *Cache) Version() string {
	if v, ok := c.src.(Versioned); ok {
		return v.Version()
	}
	return ""
}

// Stats returns the counts so far.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}
