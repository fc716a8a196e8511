package source

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
)

// Prefetcher is implemented by sources that gain from knowing what will be read.
type Prefetcher interface {
	// Prefetch makes reads of the n bytes at off fast, in as few reads of what lies below as it can. Bytes beyond the end are ignored.
	// Several calls may run at once.
	Prefetch(ctx context.Context, off, n int64) error
	// Ahead says how much to prefetch. It is always the same.
	Ahead() Ahead
}

// Ahead bounds what is prefetched.
type Ahead struct {
	Requests int   // calls of Prefetch at once, for one call
	Bytes    int64 // that were asked for and have not been read yet, by all calls together: see Account
	Hole     int64 // bytes between two ranges that are fetched with them, to save a call
}

// Range is a stretch of a source.
type Range struct {
	Off, Len int64
}

// PrefetchAll prefetches ranges, in their order where that is the order of the source; those with no more than a hole between them in
// one call. Of ranges that have more bytes than may be prefetched the last ones are left out. It returns when all are there, or
// with the first error.
func PrefetchAll(ctx context.Context, p Prefetcher, ranges []Range) error {
	bounds := p.Ahead()
	ranges = joined(ranges, bounds.Hole, bounds.Bytes)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	next := 0
	work := func() {
		for ctx.Err() == nil {
			mu.Lock()
			i := next
			next++
			mu.Unlock()
			if i >= len(ranges) {
				return
			}
			if err := p.Prefetch(ctx, ranges[i].Off, ranges[i].Len); err != nil {
				cancel(err)
				return
			}
		}
	}
	var wg sync.WaitGroup
	for range min(bounds.Requests, len(ranges)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return context.Cause(ctx)
}

// joined sorts ranges and joins those that lie near each other, up to most bytes in all.
func joined(ranges []Range, hole, most int64) []Range {
	ranges = slices.SortedFunc(slices.Values(ranges), func(a, b Range) int { return cmp.Compare(a.Off, b.Off) })
	var out []Range
	for _, r := range ranges {
		if k := len(out) - 1; k >= 0 && r.Off <= out[k].Off+out[k].Len+hole {
			more := max(r.Off+r.Len-out[k].Off-out[k].Len, 0)
			if most -= more; most < 0 {
				break
			}
			out[k].Len += more
			continue
		}
		if most -= r.Len; most < 0 {
			break
		}
		out = append(out, r)
	}
	return out
}

// PrefetcherOf returns what can be told what will be read of src: src itself, or what its counters count. It is nil where nothing
// gains from it.
func PrefetcherOf(src io.ReaderAt) Prefetcher {
	for {
		c, ok := src.(*Counter)
		if !ok {
			break
		}
		src = c.src
	}
	p, _ := src.(Prefetcher) // nil is the answer then
	return p
}
