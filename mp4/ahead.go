package mp4

import (
	"context"
	"slices"

	"github.com/sprocket-video/sprocket/source"
)

// Where a read takes a while, as on a server, the movie box at the end is fetched with the first look at it, and the headers of
// many fragments at once. A table tells where they lie: the segment index or the random access table. Where there is none, and
// media data is short, it is read through.

const (
	sureTail    = 1 << 20  // bytes before the end that are fetched together when the movie box must be among them
	maxTail     = 16 << 20 // the same, when they are little of the whole
	tailPart    = 16       // little: one part in so many
	maxTogether = 32       // fragments whose headers are fetched at once
	lookAfter   = 4        // fragments, before a table at the end is looked for
	maxThrough  = 4 << 20  // bytes that are read through at once
)

// fetchTail has a slow source fetch all from off on, where the movie box has not come yet and not much can be before it.
func (o *opener) fetchTail(ctx context.Context, off int64) error {
	p := source.PrefetcherOf(o.src)
	if p == nil || o.size-off > max(sureTail, min(maxTail, off/tailPart)) {
		return nil
	}
	return p.Prefetch(ctx, off, o.size-off)
}

// headers is what the walk knows of the fragments to come.
type headers struct {
	from    source.Prefetcher // nil where reads are fast
	tabled  bool              // the random access table was looked for
	known   []int64           // offsets of fragments, ascending
	fetched int64             // what lies before is there
	through int64             // bytes that were read through last
}

// fetchHeaders has a slow source fetch what the walk reads next: at w.off, and where fragments are known to be behind that.
func (w *walk) fetchHeaders(ctx context.Context) error {
	h := &w.headers
	if h.from == nil || w.off < h.fetched {
		return nil
	}
	known := w.expected
	if len(known) == 0 {
		if w.fragments >= lookAfter && !h.tabled {
			if err := w.findTables(ctx); err != nil {
				return err
			}
		}
		known = h.known
	}
	i, _ := slices.BinarySearch(known, w.off+1)
	if known = known[i:]; len(known) == 0 && w.fragments > 0 {
		return w.readThrough(ctx)
	}
	ranges := []source.Range{{Off: w.off, Len: w.window}}
	for _, off := range known[:min(len(known), maxTogether)] {
		ranges = append(ranges, source.Range{Off: off, Len: w.window})
	}
	h.fetched = ranges[len(ranges)-1].Off + 1
	return source.PrefetchAll(ctx, h.from, ranges)
}

// findTables looks for a random access table at the end.
func (w *walk) findTables(ctx context.Context) error {
	tables, err := w.o.readRandomAccess(ctx)
	if err != nil {
		return err
	}
	w.headers.tabled = true
	for _, points := range tables {
		for _, p := range points {
			w.headers.known = append(w.headers.known, p.off)
		}
	}
	slices.Sort(w.headers.known)
	w.headers.known = slices.Compact(w.headers.known)
	return nil
}

// readThrough fetches several fragments with their media data, where that is no more than a hole in each.
func (w *walk) readThrough(ctx context.Context) error {
	h := &w.headers
	bounds := h.from.Ahead()
	if w.stride > w.window+bounds.Hole {
		return nil
	}
	h.through = min(max(2*h.through, 8*w.stride), maxThrough, bounds.Bytes)
	h.fetched = min(w.off+h.through, w.o.size)
	return h.from.Prefetch(ctx, w.off, h.through)
}
