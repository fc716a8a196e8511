package mp4

import (
	"context"
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// guide finds the way to a time in a fragmented movie without a walk through all fragments: by the segment indices before the first
// fragment, or by the random access table at the end; where there is neither, from fragment to fragment, beginning with one that was
// passed before. What it finds is believed only after the fragment has been looked at.
type guide struct {
	turn   chan struct{} // holds a token while someone uses the guide; guards what follows
	loaded bool
	barred bool // there are packets in the movie box, of which no index tells, edits that fragments cannot be put through one by one, or tracks with one ID

	o      *opener
	movie  *movie
	traks  []*trak
	tracks map[uint32]fragmentTrack // without samples
	v      view                     // what is known of the source from off on
	off    int64                    // where the fragments begin

	method  string                  // "sidx", "tfra", or "" when there is no way
	top     []*segmentIndex         // before the first fragment
	indices map[int64]*segmentIndex // below them, by offset; nil where there is none
	held    int                     // references of those
	tables  map[uint32][]point
	first   int64 // where the first fragment is
	recent  recentFragments
}

const (
	locateWindow  = 16 << 10 // bytes read where a fragment should be
	maxGuideEdits = 1 << 10  // bytes of an edit list
	maxIndices    = 64       // segment indices before the first fragment
	maxDepth      = 8        // of segment indices
	maxReferences = 1 << 18  // of the indices before the first fragment, and as many of those below, that are held
	maxSteps      = 8        // to an earlier fragment, when there is no key packet in one
)

func newGuide(w *walk) *guide {
	g := &guide{
		turn: make(chan struct{}, 1), movie: w.movie, off: w.off,
		o:      &opener{src: w.o.src, size: w.o.size, limits: w.o.limits, op: "locate"},
		v:      view{w.v.off, clone(beforeFragments(w.v.b))},
		tracks: map[uint32]fragmentTrack{}, indices: map[int64]*segmentIndex{},
	}
	for id, t := range w.f.tracks {
		g.tracks[id] = fragmentTrack{defaults: t.defaults, descs: t.descs, rolls: t.rolls, raps: t.raps}
	}
	ids := map[int]bool{}
	for i, t := range w.traks {
		g.traks = append(g.traks, t.slim())
		g.barred = g.barred || ids[t.id] || w.tables[i] != nil || len(t.elst.body) > maxGuideEdits || t.presents() > 1
		ids[t.id] = true
	}
	return g
}

// presents returns how many stretches of the media the edit list presents. Packets of several are listed one stretch after the other.
func (t *trak) presents() int {
	edits, _ := new(opener).readEdits(t)
	n := 0
	for _, e := range edits {
		if e.time != -1 {
			n++
		}
	}
	return n
}

// beforeFragments cuts b, which begins with a box, behind the header of the first movie fragment.
func beforeFragments(b []byte) []byte {
	for n := int64(0); ; {
		h, err := parseHeader(b[n:])
		if err != nil || h.typ == "moof" {
			return b[:min(n+16, int64(len(b)))]
		}
		if h.size == 0 || h.size >= int64(len(b))-n {
			return b
		}
		n += h.size
	}
}

// use waits for the turn and loads what there is. The caller calls done, unless there is an error.
func (g *guide) use(ctx context.Context) (done func(), err error) {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !g.loaded {
		if err := g.load(ctx); err != nil {
			<-g.turn
			return nil, err
		}
		g.loaded = true
	}
	return func() { <-g.turn }, nil
}

// load reads the segment indices before the first fragment or, where those do not reach the end, the random access table.
func (g *guide) load(ctx context.Context) error {
	if g.barred {
		return nil
	}
	top, first, err := g.readIndices(ctx, g.off, g.v)
	if err != nil {
		return err
	}
	g.v = view{}
	g.first = first
	end := first
	for _, x := range top {
		if n := len(x.refs); n > 0 {
			end = max(end, x.refs[n-1].off+x.refs[n-1].size)
		}
	}
	g.top = top
	if len(top) > 0 {
		g.method = "sidx"
		if end >= g.o.size {
			return nil
		}
		more, _, err := g.peek(ctx, end)
		if err != nil || more == "mfra" || more == "free" {
			return err
		}
	}
	if g.tables, err = g.o.readRandomAccess(ctx); err != nil {
		return err
	}
	if len(g.tables) > 0 {
		g.method = "tfra"
	} else if end < g.o.size {
		g.method = "" // the indices are not those of the whole
	}
	return nil
}

// peek returns the type of the root box at off.
func (g *guide) peek(ctx context.Context, off int64) (string, int64, error) {
	w := &walk{o: g.o, off: off, window: 16}
	b, err := w.bytes(ctx, 16)
	if err != nil {
		return "", 0, err
	}
	h, err := parseHeader(b)
	if err != nil {
		return "", 0, nil // and so no box
	}
	return h.typ, h.size, nil
}

// readIndices reads the segment indices that lie from off on, before the first fragment. It returns where that is.
func (g *guide) readIndices(ctx context.Context, off int64, v view) (all []*segmentIndex, end int64, err error) {
	w := &walk{o: g.o, off: off, v: v, window: locateWindow}
	held := 0
	for n := 0; w.off < g.o.size && n < maxIndices && held < maxReferences; n++ {
		b, err := w.bytes(ctx, 16)
		if err != nil {
			return nil, 0, err
		}
		h, err := parseHeader(b)
		if err != nil || h.size == 0 || h.size > g.o.size-w.off || h.typ == "moof" {
			break
		}
		if h.typ == "sidx" && h.size <= maxIndexBytes {
			if b, err = w.bytes(ctx, h.size); err != nil {
				return nil, 0, err
			}
			if int64(len(b)) < h.size {
				break
			}
			if x, err := parseIndex(box{typ: h.typ, off: w.off + int64(h.len), body: b[h.len:h.size]}); err == nil && len(x.refs) > 0 {
				all = append(all, x)
				held += len(x.refs)
			}
		}
		w.off += h.size
	}
	return all, w.off, nil
}

// whenever is a time before all others that can be converted.
const whenever = -maxTime

// find returns the last stretch of the source that a table says begins not after pts, or the first. ok is false when there is no way.
func (g *guide) find(ctx context.Context, t *trak, pts int64) (r reference, ok bool, err error) {
	if g.barred {
		return r, false, nil
	}
	tb := container.Timebase{Num: 1, Den: t.timescale}
	switch g.method {
	case "tfra":
		points, scale := g.table(t)
		return g.findPoint(points, tb, container.Timebase{Num: 1, Den: scale}, pts)
	case "":
		g.recent.mu.Lock()
		defer g.recent.mu.Unlock()
		r, ok, err = g.findPoint(g.recent.passed[t.number], tb, tb, pts)
		r.size = g.o.size - r.off
		return r, ok, err
	}
	x := choose(g.top, uint32(t.id))
	for depth := 0; x != nil && depth < maxDepth; depth++ {
		own := container.Timebase{Num: 1, Den: x.timescale}
		at := int64(tb.Convert(container.Ticks(pts), own))
		i := sort.Search(len(x.refs), func(i int) bool { return x.refs[i].time > at }) - 1
		if i < 0 && depth == 0 && x.refs[0].off > g.first {
			return reference{off: g.first, size: x.refs[0].off - g.first}, true, nil
		}
		r = x.refs[max(i, 0)]
		if r.off < 0 || r.off >= g.o.size {
			return r, false, nil
		}
		if !r.index {
			r.time = int64(own.Convert(container.Ticks(r.time), tb))
			r.raw = r.time
			return r, true, nil
		}
		below, known := g.indices[r.off]
		if !known {
			all, _, err := g.readIndices(ctx, r.off, view{})
			if err != nil {
				return r, false, err
			}
			below = choose(all, uint32(t.id))
			if g.held += below.len(); g.held > maxReferences {
				clear(g.indices)
				g.held = below.len()
			}
			g.indices[r.off] = below
		}
		x = below
	}
	return r, false, nil
}

// choose returns the index of a track, or the first.
func choose(all []*segmentIndex, id uint32) *segmentIndex {
	for _, x := range all {
		if x.track == id {
			return x
		}
	}
	if len(all) > 0 {
		return all[0]
	}
	return nil
}

// table returns the random access table of a track, or that of the first other track that has one, and the timescale of its times.
func (g *guide) table(t *trak) ([]point, int64) {
	if points := g.tables[uint32(t.id)]; points != nil {
		return points, t.timescale
	}
	for _, u := range g.traks {
		if points := g.tables[uint32(u.id)]; points != nil {
			return points, u.timescale
		}
	}
	return nil, 1
}

// findPoint returns the stretch from the last point not after pts up to the next one. Before all points lies the first fragment.
func (g *guide) findPoint(points []point, tb, own container.Timebase, pts int64) (r reference, ok bool, err error) {
	at := int64(tb.Convert(container.Ticks(pts), own))
	i := sort.Search(len(points), func(i int) bool { return points[i].time > at }) - 1
	if i < 0 && len(points) > 0 && points[0].off <= g.first {
		i = 0
	}
	r.off = g.first
	if i >= 0 {
		r.off, r.time = points[i].off, int64(own.Convert(container.Ticks(points[i].time), tb))
		r.raw = int64(own.Convert(container.Ticks(points[i].raw), tb))
	}
	end := g.o.size
	for _, p := range points[i+1:] {
		if p.off > r.off {
			end = p.off
			break
		}
	}
	r.size = end - r.off
	return r, true, nil
}
