package mp4

import (
	"context"
	"iter"
	"sync"

	"github.com/sprocket-video/sprocket/container"
)

const (
	maxPassed   = 4 << 10 // fragments that were passed and are remembered
	maxRecent   = 8       // fragments whose packets are remembered
	recentCount = 4 << 10 // and how many of one at most
)

// passage is what one fragment has of one track.
type passage struct {
	*list
	track     int
	off, next int64 // where the fragment begins, and what follows it
	begin     int64 // decode time from which a fragment goes on that tells none
	end       int64 // and from which the next one does
}

// recentFragments are those looked at so far.
type recentFragments struct {
	mu     sync.Mutex
	all    [maxRecent]passage // the last of them: whoever locates a packet goes on from it
	at     int
	passed map[int][]point // by track; kept where there is no way
}

// recall returns what a fragment has of a track, if it was looked at lately.
func (r *recentFragments) recall(track int, off, begin int64) (passage, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.all {
		if p.list != nil && p.track == track && p.off == off && p.begin == begin {
			return p, true
		}
	}
	return passage{}, false
}

func (r *recentFragments) keep(p passage) {
	if p.n > recentCount {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[r.at] = p
	r.at = (r.at + 1) % maxRecent
}

// passages yields what the fragments that begin in a stretch, but no more than most of them, have of a track, fragment by fragment. The
// stretch says when the first begins where that does not tell itself. Packets are presented as they are in the list of all: but for N,
// and for the shift of decode times, which is that of the fragment.
func (g *guide) passages(ctx context.Context, t *trak, r reference, most int) iter.Seq2[passage, error] {
	return func(yield func(passage, error) bool) {
		give := func(p passage) bool {
			if g.method == "" {
				g.recent.pass(p)
			}
			return yield(p, nil)
		}
		f := &fragmenter{o: &opener{src: g.o.src, size: g.o.size, limits: g.o.limits, op: "locate"}, tracks: map[uint32]*fragmentTrack{}, claims: g.o.size}
		for id, ft := range g.tracks {
			f.tracks[id] = &ft
		}
		own := f.tracks[uint32(t.id)]
		w := &walk{o: f.o, f: f, off: r.off, start: r.off, window: locateWindow}
		end := r.raw
		for most > 0 && w.off < min(g.o.size, r.off+r.size) {
			if p, ok := g.recent.recall(t.number, w.off, end); ok {
				most--
				w.off, w.start, end = p.next, p.next, p.end
				if !give(p) {
					return
				}
				continue
			}
			p := passage{track: t.number, off: w.off, begin: end}
			own.samples = &samples{end: end}
			before := w.fragments
			err := w.step(ctx)
			if w.fragments > before {
				most--
				for err == nil && w.followedByMedia() {
					err = w.step(ctx)
				}
			}
			if err != nil {
				yield(passage{}, err)
				return
			}
			s := own.samples
			p.next, p.end = w.off, s.end
			if end = s.end; s.n == 0 {
				continue
			}
			s.finish()
			p.list = f.o.edited(t, g.movie, s)
			f.o.warnings = nil // the walk through all of them tells of faults
			g.recent.keep(p)
			if !give(p) {
				return
			}
		}
	}
}

// followedByMedia says whether media data comes next, as far as can be told without reading.
func (w *walk) followedByMedia() bool {
	b := w.v.at(w.off)
	if len(b) < 16 || w.off >= w.o.size {
		return false
	}
	h, err := parseHeader(b)
	return err == nil && h.typ == "mdat" && h.size > 0 && h.size <= w.o.size-w.off
}

// pass remembers a fragment that was passed on the way. When there are too many it forgets every other one.
func (r *recentFragments) pass(p passage) {
	first := p.at(0).next()
	if first == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.passed[p.track]
	if k := len(all); k > 0 && (all[k-1].off >= p.off || all[k-1].time > int64(first.DTS)) {
		return
	}
	if len(all) == maxPassed {
		for i := range maxPassed / 2 {
			all[i] = all[2*i]
		}
		all = all[:maxPassed/2]
	}
	if r.passed == nil {
		r.passed = map[int][]point{}
	}
	r.passed[p.track] = append(all, point{time: int64(first.DTS), off: p.off, raw: p.begin})
}

// duration returns how long the packets of a fragment last.
func (p passage) duration() (ticks container.Ticks) {
	for c := p.at(0); c.more(); c.block = nil {
		for i := range c.block {
			ticks += c.block[i].Duration
		}
	}
	return ticks
}
