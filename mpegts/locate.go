package mpegts

import (
	"context"
	"iter"
	"math"
	"sort"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
)

var _ container.EstimatingDemuxer = (*Demuxer)(nil)

const (
	reach      = 512 << 10 // bytes of a read that looks for times
	maxReads   = 64        // of one lookup; where that many do not find the way, the stream is listed
	maxReorder = 16
)

// span is what is known of a track without listing it.
type span struct {
	start, end int64 // the first PTS, about, and the end of the last; noTime when not known
	first      int64 // the first decode time
	last       int64 // the last one
	step       int64 // usual distance of packets
	reorder    bool  // presentation times go back, and there are no decode times
	ok         bool  // times tell the way
}

// span reads the two ends of the track, once.
func (d *Demuxer) span(ctx context.Context, track int) (span, error) {
	select {
	case d.spanTurn <- struct{}{}:
	case <-ctx.Done():
		return span{}, ctx.Err()
	}
	defer func() { <-d.spanTurn }()
	if s, ok := d.spans[track]; ok {
		return s, nil
	}
	s, err := d.findSpan(ctx, track)
	if err == nil {
		d.spans[track] = s
	}
	return s, err
}

func (d *Demuxer) findSpan(ctx context.Context, track int) (s span, err error) {
	s = span{start: noTime, end: noTime, first: noTime, last: noTime}
	if track >= len(d.plan) || d.plan[track].start == noTime {
		return s, nil
	}
	s.start, s.first = d.plan[track].start, d.plan[track].start
	for back := int64(1); back <= 16; back *= 2 {
		off := max(d.first, d.size-back*reach)
		x := d.excerptOf(track, off)
		for !x.ended {
			if err := x.read(ctx, reach); err != nil {
				return s, err
			}
		}
		s.take(x)
		if s.last != noTime || off == d.first {
			break
		}
	}
	s.ok = s.last != noTime && s.last >= s.first-second && !d.plan[track].scrambled && d.plan[track].meaning.framing != frameSections
	return s, nil
}

// take learns from the units of the end.
func (s *span) take(x *excerpt) {
	before, pts := noTime, noTime
	var steps []int64
	for i := range x.units {
		u := x.units[i]
		if u.pts == noTime {
			continue
		}
		s.reorder = s.reorder || u.dts == noTime && pts != noTime && u.pts < pts
		pts = u.pts
		p := x.info(&u)
		if d := int64(p.DTS); before != noTime && d > before {
			steps = append(steps, d-before)
		}
		before = int64(p.DTS)
		s.last = max(s.last, before)
		s.end = max(s.end, int64(p.PTS)+u.duration)
	}
	if len(steps) > 0 {
		sort.Slice(steps, func(i, k int) bool { return steps[i] < steps[k] })
		s.step = steps[len(steps)/2]
		if u := &x.units[len(x.units)-1]; u.duration == 0 {
			s.end += s.step
		}
	}
}

// Estimate returns what the beginning, as Open read it, and the end of the stream tell of a track: one read of 512 KiB, more where the track has no
// packets there, the first time, then none. Points is as many as there may be reads of that size in the stream.
func (d *Demuxer) Estimate(ctx context.Context, track int) (container.Estimate, error) {
	if err := d.check("estimate", track); err != nil {
		return container.Estimate{}, err
	}
	if d.listed.Load() {
		tr := &d.Tracks()[track]
		return container.Estimate{Method: "packets", Exact: true, Start: tr.Start, Duration: tr.Duration, Packets: tr.Packets}, nil
	}
	s, err := d.span(ctx, track)
	if err != nil {
		return container.Estimate{}, err
	}
	e := container.Estimate{Method: "bisection", Start: container.NoTicks, Duration: container.NoTicks, Packets: -1}
	if s.start != noTime {
		e.Start = container.Ticks(s.start)
	}
	if !s.ok {
		return e, nil
	}
	e.Duration = container.Ticks(s.end - s.start)
	e.Points = int(min(d.size/reach+1, math.MaxInt32))
	if s.step > 0 {
		e.Packets = (s.end - s.start) / s.step
	}
	if s.reorder {
		e.Reorder = maxReorder
	}
	return e, nil
}

// Locate finds a key packet by its time: by interpolation between the ends of the stream, in reads of 512 KiB, and backward from there to a key
// packet. Key packets at which no decoding can start, as those that begin a gradual refresh, are passed over. Where time stamps do not lead
// to a place the stream is listed.
func (d *Demuxer) Locate(ctx context.Context, track int, pts container.Ticks) (container.PacketInfo, error) {
	if err := d.check("locate", track); err != nil {
		return container.PacketInfo{}, err
	}
	if !d.listed.Load() {
		s, err := d.span(ctx, track)
		if err != nil {
			return container.PacketInfo{}, err
		}
		if s.ok {
			if p, ok, err := d.bisect(ctx, track, &s, int64(pts)); ok || err != nil {
				return p, err
			}
		}
	}
	l, err := d.list(ctx, track)
	if err != nil {
		return container.PacketInfo{}, err
	}
	if l.n == 0 {
		return container.PacketInfo{}, fail("locate", pidName(d.Tracks()[track].ID), -1, container.ErrCorrupt)
	}
	return l.locate(track, pts), nil
}

// locate returns the last key packet not after pts, or the first packet.
func (l *list) locate(track int, pts container.Ticks) container.PacketInfo {
	// No packet is presented before it is decoded.
	n := sort.Search(int(l.n), func(i int) bool { return container.Ticks(l.dts.At(i)) > pts })
	for n--; n >= 0; n-- {
		if p := l.info(track, int64(n)); p.Key && p.PTS <= pts {
			return p
		}
	}
	return l.info(track, 0)
}

// at is a place with a time.
type at struct{ pos, dts int64 }

// bisect finds the packet for Locate; ok false means that times do not lead there.
func (d *Demuxer) bisect(ctx context.Context, track int, s *span, pts int64) (found container.PacketInfo, ok bool, err error) {
	lo, hi := at{d.first, s.first}, at{d.size, s.last}
	if pts < s.start-maxAhead { // nothing is before it
		return d.firstPacket(ctx, track)
	}
	var best *container.PacketInfo // of what lies before lo
	bestEnd := int64(-1)           // all up to there was seen, from it on
	for range maxReads {
		off := lo.pos
		if hi.pos-lo.pos > reach {
			f := 0.0
			if hi.dts > lo.dts {
				f = float64(pts-lo.dts) / float64(hi.dts-lo.dts)
			}
			guess := lo.pos + int64(min(max(f, 0), 1)*float64(hi.pos-lo.pos))
			off = min(max(lo.pos, guess-reach*3/4), hi.pos-reach)
		}
		w, err := d.look(ctx, track, off, min(hi.pos, off+reach), pts)
		switch {
		case err != nil:
			return found, false, err
		case w.timed == 0 && off == lo.pos && hi.pos <= off+reach: // nothing more between the two
			w.passed = true
		case w.timed == 0:
			return found, false, nil
		case w.first < lo.dts-maxAhead || w.last > hi.dts+maxAhead: // a discontinuity
			return found, false, nil
		}
		switch {
		case w.has && (w.passed || w.end >= hi.pos):
			return w.key, true, nil
		case w.has:
			best, bestEnd = &w.key, w.end
			lo = at{w.end, w.last}
		case w.passed || w.end >= hi.pos:
			if best != nil && off <= bestEnd {
				return *best, true, nil
			}
			return d.backward(ctx, track, best, bestEnd, off, pts)
		case w.end <= lo.pos:
			return found, false, nil
		default:
			lo = at{w.end, w.last}
			if best != nil && off <= bestEnd {
				bestEnd = w.end
			}
		}
		if w.early && off < hi.pos {
			hi = at{off, w.first}
		}
	}
	return found, false, nil
}

// backward looks for a key packet before off, a read at a time, down to what was seen before.
func (d *Demuxer) backward(ctx context.Context, track int, best *container.PacketInfo, bestEnd, off, pts int64) (found container.PacketInfo, ok bool, err error) {
	for range maxReads {
		if best != nil && off <= bestEnd {
			return *best, true, nil
		}
		if off <= d.first {
			return d.firstPacket(ctx, track)
		}
		end := off
		off = max(d.first, off-reach)
		w, err := d.look(ctx, track, off, end, pts)
		if err != nil || w.has {
			return w.key, w.has, err
		}
	}
	return found, false, nil
}

// firstPacket returns the first packet of the track.
func (d *Demuxer) firstPacket(ctx context.Context, track int) (container.PacketInfo, bool, error) {
	x := d.excerptOf(track, d.first)
	for n := container.HeadSize; len(x.units) == 0 && !x.ended; n = reach {
		if err := x.read(ctx, n); err != nil {
			return container.PacketInfo{}, false, err
		}
	}
	if len(x.units) == 0 {
		return container.PacketInfo{}, false, nil
	}
	return x.info(&x.units[0]), true, nil
}

// view is what one read tells.
type view struct {
	timed       int   // packets with times
	first, last int64 // their first and last decode times
	passed      bool  // one is decoded after the time
	early       bool  // all are
	has         bool  // key is the last key packet not after the time
	key         container.PacketInfo
	end         int64 // what was read
}

// look reads from off to end. A packet belongs to where it begins: of one that begins before end as much is read as it takes to see its end.
func (d *Demuxer) look(ctx context.Context, track int, off, end, pts int64) (w view, err error) {
	x := d.excerptOf(track, off)
	if err := x.read(ctx, int(end-off)); err != nil {
		return w, err
	}
	w.end = end
	seen := 0
	take := func() {
		for ; seen < len(x.units); seen++ {
			u := x.units[seen]
			told := u.pts != noTime && !u.derived
			p := x.info(&u)
			if u.pos >= end || !told {
				continue
			}
			if w.timed == 0 {
				w.first = int64(p.DTS)
				w.early = w.first > pts
			}
			w.timed++
			w.last = int64(p.DTS)
			w.passed = w.passed || w.last > pts
			if p.Key && u.start && int64(p.PTS) <= pts {
				w.key, w.has = p, true
			}
		}
	}
	take()
	for !w.passed && x.pendingKey(end) && !x.ended {
		if err := x.read(ctx, reach); err != nil {
			return w, err
		}
		take()
	}
	return w, nil
}

// pendingKey says whether a packet that begins before end, and is or may be a key packet, has not been seen whole.
func (x *excerpt) pendingKey(end int64) bool {
	v, ok := x.st.framer.(*video)
	if !ok || !v.open {
		return false
	}
	return v.cur.pos < end && (!v.shown || v.cur.key) || v.waiting && v.pending.pos < end || v.need > 0 && v.start.pos < end
}

// Follow yields the packets from one on that Locate or Follow returned; none when none begins there. Where the stream was not listed it reads on
// from there, 512 KiB at a time.
func (d *Demuxer) Follow(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		if err := d.check("follow", track); err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		if d.listed.Load() {
			d.followList(track, from, yield)
			return
		}
		at, err := transport.Start(d.transportOf(&d.Tracks()[track]), from.Pos)
		if err != nil || from.Pos >= d.size {
			return
		}
		if !d.followFrom(ctx, d.excerptAt(track, at), from, yield) && at > d.first { // its PES packet begins before it
			d.followFrom(ctx, d.excerptOf(track, max(d.first, at-reach)), from, yield)
		}
	}
}

// followFrom yields what an excerpt has from a packet on, and says whether it has that packet.
func (d *Demuxer) followFrom(ctx context.Context, x *excerpt, from container.PacketInfo, yield func(container.PacketInfo, error) bool) (has bool) {
	n := from.N
	for {
		for i := range x.units {
			p := x.info(&x.units[i])
			switch has = has || p.Pos == from.Pos; {
			case !has && p.Pos > from.Pos:
				return false
			case !has:
				continue
			}
			p.N = n
			n++
			if !yield(p, nil) {
				return true
			}
		}
		x.units = x.units[:0]
		if x.ended {
			return has
		}
		if err := x.read(ctx, reach); err != nil {
			yield(container.PacketInfo{}, err)
			return true
		}
	}
}

func (d *Demuxer) followList(track int, from container.PacketInfo, yield func(container.PacketInfo, error) bool) {
	l := d.state.Load().lists[track]
	i := int64(sort.Search(int(l.n), func(i int) bool { return l.pos.At(i) >= from.Pos })) // places ascend
	if i >= l.n || l.pos.At(int(i)) != from.Pos {
		return
	}
	for n := from.N; i < l.n; i, n = i+1, n+1 {
		p := l.info(track, i)
		if p.N = n; !yield(p, nil) {
			return
		}
	}
}
