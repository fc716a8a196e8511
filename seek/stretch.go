package seek

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
)

// stretch is a stretch of packets from a key packet on, and the frames that are shown from it to the next key packet. It reaches as far
// as anyone has asked. A stretch never changes: a longer one takes its place, which holds the same packets and more.
type stretch struct {
	from    container.Ticks        // when the first packet is shown; NoTicks of the first packet of the track
	packets []container.PacketInfo // in decode order; N counts from 0
	eof     bool                   // the track ends with the last one
	settled container.Ticks        // every frame with a PTS up to this is among the packets

	next int             // the packet that begins the next stretch; 0 while none is known
	to   container.Ticks // when that is shown; the end of time while none is known

	frames []int32 // packets that are shown from from on, before to, in presentation order
	used   uint64  // when; guarded by the index's mutex

	// For adding packets.
	shown, earliest container.Ticks // the last and the first time at which something is shown
	decoded         container.Ticks // the last DTS
	late            []container.Ticks
}

func newStretch(from container.Ticks) *stretch {
	return &stretch{from: from, to: math.MaxInt64, settled: container.NoTicks, shown: container.NoTicks, earliest: math.MaxInt64, decoded: container.NoTicks}
}

// add adds the next packet in decode order. Up to reorder packets may come late: see container.Estimate.
func (s *stretch) add(p container.PacketInfo, reorder int, lying map[place]bool) error {
	pts := shownAt(&p)
	p.N = int64(len(s.packets))
	if !p.Discard {
		if p.N > 0 && pts <= s.settled || p.N >= maxLength {
			return errUnfit
		}
		s.earliest = min(s.earliest, pts)
		if s.next == 0 && p.N > 0 && p.Key && pts > s.shown && pts > s.from && !lying[placeOf(&p)] {
			s.next, s.to = int(p.N), pts
		}
		s.shown = max(s.shown, pts)
	}
	s.packets = append(s.packets, p)
	s.settled = container.NoTicks
	s.decoded = max(s.decoded, p.DTS)
	if s.decoded != container.NoTicks {
		s.settled = s.decoded - 1
	} else {
		reorder = max(reorder, 16)
	}
	if reorder > 0 {
		i, _ := slices.BinarySearch(s.late, pts)
		if s.late = slices.Insert(s.late, i, pts); len(s.late) > reorder+1 {
			s.late = slices.Delete(s.late, 0, 1)
		}
		// When more than reorder packets are shown later than some time, whatever comes now is, too.
		switch limit := s.late[0] - 1; {
		case len(s.late) <= reorder:
			s.settled = container.NoTicks
		case s.decoded == container.NoTicks || limit < s.settled:
			s.settled = limit
		}
	}
	return nil
}

// arrange puts the frames in order.
func (s *stretch) arrange(hidden map[place]bool) {
	if s.eof {
		s.settled = math.MaxInt64
	}
	s.frames = make([]int32, 0, len(s.packets))
	for i := range s.packets {
		if p := &s.packets[i]; !p.Discard && shownAt(p) >= s.from && shownAt(p) < s.to && !hidden[placeOf(p)] {
			s.frames = append(s.frames, int32(i))
		}
	}
	slices.SortStableFunc(s.frames, func(a, b int32) int { return compare(s.pts(a), s.pts(b)) })
}

func (s *stretch) pts(packet int32) container.Ticks { return shownAt(&s.packets[packet]) }

// complete says whether all frames of the stretch are known.
func (s *stretch) complete() bool { return s.eof || s.next > 0 && s.settled >= s.to-1 }

// final returns how many of the frames, in order, are sure to have none that is not known yet before them.
func (s *stretch) final() int {
	if s.complete() {
		return len(s.frames)
	}
	n := len(s.frames)
	for n > 0 && s.pts(s.frames[n-1])-1 > s.settled {
		n--
	}
	return n
}

// last returns the last frame shown not after pts, or -1.
func (s *stretch) last(pts container.Ticks) int {
	i, _ := slices.BinarySearchFunc(s.frames, pts, func(packet int32, pts container.Ticks) int {
		if s.pts(packet) <= pts {
			return -1
		}
		return 1
	})
	return i - 1
}

// index returns the packet at a place, or -1.
func (s *stretch) index(at place) int {
	return slices.IndexFunc(s.packets, func(p container.PacketInfo) bool { return placeOf(&p) == at })
}

// until returns the condition that a stretch is long enough to tell which frame is played at pts, and when the next one starts.
func until(pts container.Ticks) func(*stretch) bool {
	seen, next := 0, container.Ticks(math.MaxInt64)
	return func(s *stretch) bool {
		for ; seen < len(s.packets); seen++ {
			if p := &s.packets[seen]; !p.Discard && shownAt(p) > pts {
				next = min(next, shownAt(p))
			}
		}
		return s.next > 0 && s.to <= pts || s.settled >= pts && next < math.MaxInt64 && s.settled >= next-1
	}
}

// longer returns the condition that a stretch has n packets more, or all.
func longer(s *stretch, n int) func(*stretch) bool {
	n += len(s.packets)
	return func(s *stretch) bool { return len(s.packets) >= n || s.complete() }
}

// extend lists more packets of a stretch, until there are enough.
func (e *Estimate) extend(ctx context.Context, s *stretch, enough func(*stretch) bool) (*stretch, error) {
	s = e.latest(s)
	if s.eof || enough(s) {
		return s, nil
	}
	g := *s
	g.late = slices.Clone(s.late)
	from, begun, more := g.packets[len(g.packets)-1], false, false
	var failed error
	for p, err := range e.guide.Follow(ctx, e.track, from) {
		if err != nil {
			failed = err
			break
		}
		if !begun {
			begun = true // that is where it goes on from
			continue
		}
		if err := g.add(p, e.told.Reorder, e.lying); err != nil {
			return nil, err
		}
		if more = enough(&g); more {
			break
		}
	}
	if failed == nil && !begun {
		failed = errUnfit // the demuxer does not know its own packet
	}
	g.eof = failed == nil && !more
	if err := e.hide(ctx, &g); failed == nil {
		failed = err
	}
	g.arrange(e.hidden)
	e.publish(&g)
	return &g, failed
}

// latest returns the stretch as far as it is remembered, if that is farther. Otherwise what is added to it must not touch the memory of others.
func (e *Estimate) latest(s *stretch) *stretch {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i, found := e.search(s.from); found {
		if k := e.stretches[i]; k == s || len(k.packets) >= len(s.packets) && placeOf(&k.packets[0]) == placeOf(&s.packets[0]) {
			return k
		}
	}
	c := *s
	c.packets = slices.Clip(c.packets)
	return &c
}

// stretchOf returns the stretch that begins with a packet.
func (e *Estimate) stretchOf(ctx context.Context, p container.PacketInfo) (*stretch, error) {
	if !e.probed {
		if fields, err := e.fielded(ctx, p); fields || err != nil {
			return nil, cmp.Or(err, errUnfit) // to tell second fields takes the heads of all packets
		}
		e.probed = true
	}
	from := shownAt(&p)
	if e.known && placeOf(&p) == placeOf(&e.first) {
		from = container.NoTicks
	}
	if s := e.remembered(from); s != nil && s.from == from && placeOf(&s.packets[0]) == placeOf(&p) {
		return s, nil
	}
	s := newStretch(from)
	if err := s.add(p, e.told.Reorder, e.lying); err != nil {
		return nil, err
	}
	s.arrange(e.hidden)
	e.publish(s)
	return s, nil
}

// firstStretch returns the stretch that begins with the first packet.
func (e *Estimate) firstStretch(ctx context.Context) (*stretch, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	return e.stretchOf(ctx, e.first)
}

// after returns the stretch behind one whose end is known.
func (e *Estimate) after(s *stretch) (*stretch, error) {
	p := &s.packets[s.next]
	if k := e.remembered(s.to); k != nil && k.from == s.to && placeOf(&k.packets[0]) == placeOf(p) {
		return k, nil
	}
	g := newStretch(s.to)
	for _, p := range s.packets[s.next:] {
		if err := g.add(p, e.told.Reorder, e.lying); err != nil {
			return nil, err
		}
	}
	g.eof = s.eof
	g.arrange(e.hidden)
	e.publish(g)
	return g, nil
}

// at returns the stretch that begins at, or last before, a time, by what is remembered or what the demuxer knows.
func (e *Estimate) at(ctx context.Context, pts container.Ticks) (*stretch, error) {
	if pts == container.NoTicks {
		return e.firstStretch(ctx)
	}
	if s := e.remembered(pts); s != nil {
		near := s.shown != container.NoTicks && pts < s.shown+e.second
		if pts < s.to && (s.eof || pts <= s.settled || near) {
			return s, nil
		}
		if s.next > 0 && pts >= s.to && near {
			return e.after(s)
		}
	}
	p, err := e.guide.Locate(ctx, e.track, pts)
	for lies := 0; err == nil; lies++ {
		switch {
		case shownAt(&p) > pts || !p.Key:
			return e.firstStretch(ctx)
		case !e.lying[placeOf(&p)]:
			return e.stretchOf(ctx, p)
		case lies == maxLies:
			return nil, errUnfit
		}
		pts = shownAt(&p) - 1
		p, err = e.guide.Locate(ctx, e.track, pts)
	}
	return nil, err
}

// reach returns the stretch from which the frame played at a time is shown, as far as it takes to tell which that is.
func (e *Estimate) reach(ctx context.Context, pts container.Ticks) (*stretch, error) {
	s, err := e.at(ctx, pts)
	for err == nil {
		if s, err = e.extend(ctx, s, until(pts)); err != nil || s.next == 0 || pts < s.to {
			break
		}
		s, err = e.after(s)
	}
	return s, err
}

// hide finds the leading pictures of the first key packet that are no frames: see Build.
func (e *Estimate) hide(ctx context.Context, s *stretch) error {
	if s.from != container.NoTicks {
		return nil
	}
	k := slices.IndexFunc(s.packets, func(p container.PacketInfo) bool { return p.Key })
	if k < 0 {
		return nil
	}
	first := &s.packets[k]
	hevc := e.demuxer.Tracks()[e.track].Codec == "hevc"
	for i := k + 1; i < len(s.packets) && !s.packets[i].Key; i++ {
		p := &s.packets[i]
		if _, known := e.hidden[placeOf(p)]; known || p.Discard || shownAt(p) >= shownAt(first) {
			continue
		}
		b, err := e.classify(ctx, first)
		if err != nil {
			return err
		}
		hide := b.Class == bitstream.Open || b.Class == bitstream.Recovery
		if hide && hevc {
			if b, err = e.classify(ctx, p); err != nil {
				return err
			}
			hide = b.Skipped // RADL pictures are decodable
		}
		e.hidden[placeOf(p)] = hide
	}
	return nil
}

func (e *Estimate) classify(ctx context.Context, p *container.PacketInfo) (bitstream.Info, error) {
	return classify(ctx, e.demuxer, e.track, *p)
}

// startable returns the stretch, or an earlier one that reaches as far, at whose first packet decoding can start.
func (e *Estimate) startable(ctx context.Context, s *stretch) (*stretch, error) {
	tr := &e.demuxer.Tracks()[e.track]
	if preroll(tr, &s.packets[0]) > 0 {
		return nil, errUnfit // a stretch does not know what comes before it
	}
	for lies := 0; s.from != container.NoTicks; lies++ {
		p := s.packets[0]
		ok, known := e.starts[placeOf(&p)]
		if !known {
			ok = bitstream.IntraOnly(tr.Codec)
			if !ok {
				b, err := e.classify(ctx, &p)
				if err != nil {
					return nil, err
				}
				ok = b.StartAt(&p)
			}
			if len(e.starts) == maxHeld {
				clear(e.starts)
			}
			e.starts[placeOf(&p)] = ok
		}
		if ok {
			return s, nil
		}
		if lies == maxLies || len(e.lying) == maxHeld {
			return nil, errUnfit
		}
		if err := e.expose(s); err != nil {
			return nil, err
		}
		var err error
		if s, err = e.reach(ctx, s.from-1); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// expose notes that decoding cannot start where a stretch begins: the one before it goes on.
func (e *Estimate) expose(s *stretch) error {
	lie := placeOf(&s.packets[0])
	e.lying[lie] = true
	e.forget(s.from)
	e.mu.Lock()
	e.count.cut(s.from)
	stretches := slices.Clone(e.stretches)
	e.mu.Unlock()
	for _, o := range stretches {
		if o.next == 0 || placeOf(&o.packets[o.next]) != lie {
			continue
		}
		g := newStretch(o.from)
		for _, p := range o.packets {
			if err := g.add(p, e.told.Reorder, e.lying); err != nil {
				return err
			}
		}
		g.eof = o.eof
		g.arrange(e.hidden)
		e.publish(g)
	}
	return nil
}
