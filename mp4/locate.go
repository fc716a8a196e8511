package mp4

import (
	"context"
	"iter"
	"math"

	"github.com/sprocket-video/sprocket/container"
)

var _ container.EstimatingDemuxer = (*Demuxer)(nil)

// maxReorder is how many pictures H.264 and HEVC can hold back, ITU-T H.264, A.3.1, and ITU-T H.265, A.4.2. Composition offsets may be negative,
// and how far they go is known only of the fragments that were read.
const maxReorder = 16

// listed says whether every packet is known.
func (d *Demuxer) listed() bool { return d.walk == nil || d.walk.done.Load() }

// Estimate returns what is known of a track. It reads, once, what leads through a fragmented movie, and the first fragment.
func (d *Demuxer) Estimate(ctx context.Context, track int) (container.Estimate, error) {
	if err := d.check("estimate", track); err != nil {
		return container.Estimate{}, err
	}
	tr := &d.Tracks()[track]
	e := container.Estimate{Method: "packets", Exact: true, Start: tr.Start, Duration: tr.Duration, Packets: tr.Packets, Points: int(tr.Packets)}
	if d.listed() {
		return e, nil
	}
	g := d.walk.guide
	done, err := g.use(ctx)
	if err != nil {
		return e, err
	}
	defer done()
	e = container.Estimate{Method: "headers", Start: tr.Start, Duration: tr.Duration, Packets: -1, Reorder: maxReorder}
	t := g.traks[track]
	if g.barred {
		return e, nil
	}
	if g.method != "" {
		e.Method = g.method
		e.Points = g.points(t)
	}
	if x := choose(g.top, uint32(t.id)); g.method == "sidx" && x != nil {
		own := container.Timebase{Num: 1, Den: x.timescale}
		last := x.refs[len(x.refs)-1]
		e.Start = own.Convert(container.Ticks(x.refs[0].time), tr.Timebase)
		e.Duration = own.Convert(container.Ticks(last.time+last.duration-x.refs[0].time), tr.Timebase)
	}
	for p, err := range g.passages(ctx, t, reference{off: g.first, size: g.o.size - g.first}, maxIndices) {
		if err != nil {
			return e, err
		}
		ticks := p.duration()
		if e.Start == container.NoTicks {
			e.Start = p.start
		}
		if points, scale := g.table(t); e.Duration == container.NoTicks && len(points) > 1 {
			// The last fragment is taken to be as long as the first.
			own := container.Timebase{Num: 1, Den: scale}
			e.Duration = ticks + own.Convert(container.Ticks(points[len(points)-1].time-points[0].time), tr.Timebase)
		}
		if e.Duration == container.NoTicks && p.next > p.off {
			// All bytes are taken to last as long as those of the first fragment.
			e.Duration = container.Ticks(min(float64(ticks)*float64(g.o.size-p.off)/float64(p.next-p.off), maxTime))
		}
		if ticks > 0 {
			e.Packets = int64(float64(e.Duration) / float64(ticks) * float64(p.n))
		}
		break
	}
	return e, nil
}

// points returns how many stretches of a track the guide knows.
func (g *guide) points(t *trak) int {
	if g.method == "tfra" {
		points, _ := g.table(t)
		return len(points)
	}
	if x := choose(g.top, uint32(t.id)); x != nil && g.method == "sidx" {
		return len(x.refs)
	}
	return 0
}

// Locate finds a key packet whose PTS is not after pts; see [container.EstimatingDemuxer]. In a fragmented movie that has not been
// listed it goes by the segment index or the random access table, and reads the fragments that those name; without them, fragment by
// fragment, from one that was passed before. Where that leads nowhere, all fragments are listed.
func (d *Demuxer) Locate(ctx context.Context, track int, pts container.Ticks) (container.PacketInfo, error) {
	if err := d.check("locate", track); err != nil {
		return container.PacketInfo{}, err
	}
	if !d.listed() {
		p, ok, err := d.walk.guide.locate(ctx, track, pts)
		if ok || err != nil {
			return p, err
		}
	}
	l, err := d.list(ctx, track)
	if err != nil {
		return container.PacketInfo{}, err
	}
	p, ok := l.lastKey(pts, nil)
	if !ok {
		if q := l.at(0).next(); q != nil {
			return *q, nil
		}
		return p, &container.Error{Format: "mp4", Op: "locate", Path: trackPath(track), Offset: -1, Err: corrupt("the track has no packets")}
	}
	return p, nil
}

// lastKey returns the last key packet whose PTS is not after pts. past is told whether a packet is decoded after pts.
func (l *list) lastKey(pts container.Ticks, past *bool) (found container.PacketInfo, ok bool) {
	for c := l.at(0); c.more(); c.block = nil {
		for i := range c.block {
			p := &c.block[i]
			if p.Key && p.PTS <= pts {
				found, ok = *p, true
			}
			if p.DTS > pts && past != nil {
				*past = true
			}
		}
	}
	return found, ok
}

// locate is Locate by the guide. ok is false when that leads nowhere.
func (g *guide) locate(ctx context.Context, track int, pts container.Ticks) (found container.PacketInfo, ok bool, err error) {
	done, err := g.use(ctx)
	if err != nil {
		return found, false, err
	}
	defer done()
	t := g.traks[track]
	at := int64(pts)
	for range maxSteps {
		r, known, err := g.find(ctx, t, at)
		if err != nil || !known {
			return found, false, err
		}
		seen := false
		var first container.PacketInfo
		most := maxIndices
		if g.method == "" {
			most = math.MaxInt
		}
		for l, err := range g.passages(ctx, t, r, most) {
			if err != nil {
				return found, false, err
			}
			if q := l.at(0).next(); q != nil && !seen {
				seen, first = true, *q
			}
			past := false
			if p, here := l.lastKey(pts, &past); here {
				found, ok = p, true
			}
			if past {
				break
			}
		}
		if ok {
			found.N = -1
			return found, true, nil
		}
		earliest, known, err := g.find(ctx, t, whenever)
		if err != nil || !known {
			return found, false, err
		}
		if earliest.off == r.off || r.time <= earliest.time {
			first.N = -1
			return first, seen, nil
		}
		at = r.time - 1
	}
	return found, false, nil
}

// Follow yields the packets from one on that Locate or Follow returned; see [container.EstimatingDemuxer]. It reads one window a
// fragment, and none of those that were looked at last.
func (d *Demuxer) Follow(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		if err := d.check("follow", track); err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		n := from.N
		begun := false
		match := func(p *container.PacketInfo) bool { return p != nil && p.Pos == from.Pos && p.PTS == from.PTS }
		give := func(l *list, first int64) bool {
			for c := l.at(first); c.more(); c.block = nil {
				for _, p := range c.block {
					begun = begun || match(&p)
					if !begun {
						continue
					}
					p.N = n
					n++
					if !yield(p, nil) {
						return false
					}
				}
			}
			return true
		}
		if !d.listed() {
			r, known, err := d.walk.guide.origin(ctx, track, from)
			if err != nil {
				yield(container.PacketInfo{}, err)
				return
			}
			if known {
				g := d.walk.guide
				for l, err := range g.passages(ctx, g.traks[track], r, math.MaxInt) {
					if err != nil {
						yield(container.PacketInfo{}, err)
						return
					}
					if !give(l.list, 0) {
						return
					}
				}
				if begun {
					return
				}
			}
		}
		l, err := d.list(ctx, track)
		if err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		first := max(0, from.N) // where it is, if that is its true number
		if !match(l.at(first).next()) {
			first = 0
		}
		give(l, first)
	}
}

// origin returns the stretch from the fragment of a located packet, or one before it, to the end.
func (g *guide) origin(ctx context.Context, track int, from container.PacketInfo) (r reference, ok bool, err error) {
	done, err := g.use(ctx)
	if err != nil {
		return r, false, err
	}
	defer done()
	at := int64(from.PTS)
	for range maxSteps {
		r, known, err := g.find(ctx, g.traks[track], at)
		if err != nil || !known {
			return r, false, err
		}
		if r.off <= from.Pos {
			r.size = g.o.size - r.off
			return r, true, nil
		}
		at = r.time - 1
	}
	return r, false, nil
}
