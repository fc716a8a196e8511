package source

import (
	"context"
	"sync/atomic"
)

// Counts says what was asked of a source.
type Counts struct {
	Reads int64 `json:"reads"` // calls of ReadAt
	Bytes int64 `json:"bytes"` // bytes they returned
}

// Counter is a source that counts what is read through it. It is safe for concurrent use.
type Counter struct {
	src    Source
	counts *counts // shared with what was opened by name from here
}

type counts struct{ reads, bytes atomic.Int64 }

// Count returns a counting source over src.
func Count(src Source) *Counter { return &Counter{src: src, counts: new(counts)} }

// ReadAt reads from the source below and counts.
func (c *Counter) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.src.ReadAt(p, off)
	c.add(n)
	return n, err
}

// ReadAtContext reads from the source below, cancelled by ctx where that source can be, and counts.
func (c *Counter) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	cr, ok := c.src.(ContextReaderAt)
	if !ok {
		return c.ReadAt(p, off)
	}
	n, err := cr.ReadAtContext(ctx, p, off)
	c.add(n)
	return n, err
}

func (c *Counter) add(n int) {
	c.counts.reads.Add(1)
	c.counts.bytes.Add(int64(max(n, 0)))
}

// Size returns the size of the source below.
func (c *Counter) Size() int64 { return c.src.Size() }

// Version returns the version of the source below, or "" where it has none.
func (c *Counter) Version() string {
	if v, ok := c.src.(Versioned); ok {
		return v.Version()
	}
	return ""
}

// Counts returns the counts so far.
func (c *Counter) Counts() Counts {
	return Counts{Reads: c.counts.reads.Load(), Bytes: c.counts.bytes.Load()}
}
