package mpegts

import (
	"context"
	"slices"

	"github.com/sprocket-video/sprocket/source"
)

// Extend returns a demuxer of src, which begins with the bytes that d was opened on and may have more by now. Its listing goes on where that of d
// ended, and costs only what is new. What d lists stays as it is, and d goes on working, but only one demuxer can go on from it: for
// another one the listing begins anew. Packets that d listed at the very end may be longer in the new list.
//
// The tracks are those of d; ones that begin later are found as ever.
func (d *Demuxer) Extend(ctx context.Context, src source.Source) (*Demuxer, error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.turn }()
	n := &Demuxer{
		src: src, size: src.Size(), ahead: source.PrefetcherOf(src), limits: d.limits, logger: d.logger, progress: d.progress, first: d.first, stride: d.stride,
		plan: d.plan, all: d.all, inUse: d.inUse, grid: []int64{d.first},
		turn: make(chan struct{}, 1), spanTurn: make(chan struct{}, 1), spans: map[int]span{},
	}
	old := d.state.Load()
	s := &state{warnings: d.opened}
	for _, tr := range old.tracks {
		tr.Packets, tr.Bytes = -1, -1
		s.tracks = append(s.tracks, tr)
	}
	n.opened = d.opened
	n.state.Store(s)
	if w := d.ended; w != nil && old.lists != nil && w.off <= n.size {
		d.ended = nil
		n.plan = w.plan
		for len(n.inUse) < len(n.plan) {
			n.inUse = append(slices.Clip(n.inUse), n.all)
		}
		for i, m := range w.marks {
			if old.lists[i] == nil {
				continue
			}
			b := newBuilder(n.limits)
			b.refill(old.lists[i], m)
			if w.builders[i] = b; w.streams[i] == nil {
				continue
			}
			w.streams[i].out = b
		}
		n.walk = w
	}
	return n, nil
}

// mark is where a builder was before the stream ended.
type mark struct {
	n          int64
	last, step int64
	bad        bool
	dur        int32
}

func (b *builder) mark() mark { return mark{b.l.n, b.last, b.step, b.bad, b.l.dur} }

// refill takes the packets of a list again, up to a mark.
func (b *builder) refill(l *list, m mark) {
	for n := range m.n {
		p := l.info(0, n)
		u := unit{pos: p.Pos, end: p.Pos + p.Extent(), size: int64(p.Size), pts: int64(p.PTS), dts: int64(p.DTS), desc: p.Description, key: p.Key, corrupt: p.Corrupt}
		if u.duration = int64(p.Duration); m.dur == 0 && l.durs == nil {
			u.duration = 0 // it was filled in
		}
		b.add(&u)
	}
	b.last, b.step, b.bad = m.last, m.step, m.bad
}

// copy returns a scanner in the same state, that goes on by itself, but reads no more tables: it finds no more tracks.
func (s *scanner) copy() *scanner {
	c := *s
	c.grid = slices.Clip(s.grid)
	lines := map[*timeline]*timeline{}
	line := func(l *timeline) *timeline {
		if lines[l] == nil {
			k := *l
			k.bases = slices.Clip(l.bases)
			lines[l] = &k
		}
		return lines[l]
	}
	for pid, st := range s.pids {
		switch {
		case st == nil:
			continue
		case st.table != nil:
			c.pids[pid] = nil
			continue
		}
		k := st.copy()
		if k.clock.line != nil {
			k.clock.line = line(k.clock.line)
		}
		k.pcrOf = make([]*timeline, len(st.pcrOf))
		for i, l := range st.pcrOf {
			k.pcrOf[i] = line(l)
		}
		c.pids[pid] = k
	}
	return &c
}

// copy returns a stream in the same state.
func (st *stream) copy() *stream {
	c := *st
	c.descs = slices.Clip(st.descs)
	switch f := st.framer.(type) {
	case *video:
		v := *f
		v.st, v.syntax = &c, f.syntax.copy(&c)
		c.framer = &v
	case *audio:
		a := *f
		a.st = &c
		c.framer = &a
	case *whole:
		w := *f
		w.st = &c
		c.framer = &w
	}
	return &c
}
