package mp4

import (
	"context"
	"iter"
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// guide finds the way to a time in a fragmented movie without a walk through all fragments: by the segment indices before the first
// fragment, or by the random access table at the end. What it finds is believed only after the fragment has been looked at.
type guide struct {
	turn   chan struct{} // holds a token while someone uses the guide; guards what follows
	loaded bool
	barred bool // there are packets in the movie box, of which no index tells, or edits that take long to follow

	o      *opener
	movie  *movie
	traks  []*trak
	tracks map[uint32]fragmentTrack // without samples
	v      view                     // what is known of the source from off on
	off    int64                    // where the fragments begin

	method  string                  // "sidx", "tfra", or "" when there is no way
	top     []*segmentIndex         // before the first fragment
	indices map[int64]*segmentIndex // below them, by offset; nil where there is none
	tables  map[uint32][]point
}

const (
	locateWindow  = 16 << 10 // bytes read where a fragment should be
	maxGuideEdits = 1 << 10  // bytes of an edit list
	maxIndices    = 64       // segment indices before the first fragment
	maxDepth      = 8        // of segment indices
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
		g.tracks[id] = fragmentTrack{defaults: t.defaults, descs: t.descs}
	}
	for i, t := range w.traks {
		g.traks = append(g.traks, t.slim())
		g.barred = g.barred || w.tables[i] != nil || len(t.elst.body) > maxGuideEdits
	}
	return g
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
	for n := 0; w.off < g.o.size && n < maxIndices; n++ {
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
			}
		}
		w.off += h.size
	}
	return all, w.off, nil
}

// find returns the last stretch of the source that a table says begins not after pts, or the first. ok is false when there is none.
func (g *guide) find(ctx context.Context, t *trak, pts int64) (r reference, ok bool, err error) {
	tb := container.Timebase{Num: 1, Den: t.timescale}
	if g.method == "tfra" {
		return g.findPoint(t, pts)
	}
	x := choose(g.top, uint32(t.id))
	for depth := 0; x != nil && depth < maxDepth; depth++ {
		own := container.Timebase{Num: 1, Den: x.timescale}
		at := int64(tb.Convert(container.Ticks(pts), own))
		i := sort.Search(len(x.refs), func(i int) bool { return x.refs[i].time > at }) - 1
		r = x.refs[max(i, 0)]
		if r.off < 0 || r.off >= g.o.size {
			return r, false, nil
		}
		if !r.index {
			r.time = int64(own.Convert(container.Ticks(r.time), tb))
			return r, true, nil
		}
		below, known := g.indices[r.off]
		if !known {
			all, _, err := g.readIndices(ctx, r.off, view{})
			if err != nil {
				return r, false, err
			}
			below = choose(all, uint32(t.id))
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

func (g *guide) findPoint(t *trak, pts int64) (r reference, ok bool, err error) {
	points, scale := g.table(t)
	if len(points) == 0 {
		return r, false, nil
	}
	tb, own := container.Timebase{Num: 1, Den: t.timescale}, container.Timebase{Num: 1, Den: scale}
	at := int64(tb.Convert(container.Ticks(pts), own))
	i := max(0, sort.Search(len(points), func(i int) bool { return points[i].time > at })-1)
	r = reference{off: points[i].off, time: int64(own.Convert(container.Ticks(points[i].time), tb))}
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

// lists yields what the fragments that begin in a stretch, but no more than most of them, have of a track, fragment by fragment. The
// stretch says when the first begins where that does not tell itself. Packets are presented as they are in the list of all: but for N,
// and for the shift of decode times, which is that of the fragment.
func (g *guide) lists(ctx context.Context, t *trak, r reference, most int) iter.Seq2[*list, error] {
	return func(yield func(*list, error) bool) {
		f := &fragmenter{o: &opener{src: g.o.src, size: g.o.size, limits: g.o.limits, op: "locate"}, tracks: map[uint32]*fragmentTrack{}, claims: g.o.size}
		for id, ft := range g.tracks {
			f.tracks[id] = &ft
		}
		own := f.tracks[uint32(t.id)]
		w := &walk{o: f.o, f: f, off: r.off, start: r.off, window: locateWindow}
		end := r.time
		for w.off < min(g.o.size, r.off+r.size) && w.fragments < most {
			own.samples = &samples{end: end}
			if err := w.step(ctx); err != nil {
				yield(nil, err)
				return
			}
			s := own.samples
			if end = s.end; s.n == 0 {
				continue
			}
			s.finish()
			l := f.o.edited(t, g.movie, s)
			f.o.warnings = nil // the walk through all of them tells of faults
			if !yield(l, nil) {
				return
			}
		}
	}
}
