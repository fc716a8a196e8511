package hls

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// Estimate tells of a track by its playlist: how long all EXTINF are together. Method is "playlist", or "packets" once all segments were listed.
func (d *Demuxer) Estimate(ctx context.Context, track int) (container.Estimate, error) {
	ref, err := d.check(ctx, "estimate", track)
	if err == nil {
		err = ref.s.refresh(ctx)
	}
	if err != nil {
		return container.Estimate{}, err
	}
	s := ref.s
	rate := d.Tracks()[track].Variant.FrameRate
	s.mu.Lock()
	defer s.mu.Unlock()
	tb := s.slots[ref.slot].track.Timebase
	e := container.Estimate{Method: "playlist", Start: container.NoTicks, Duration: container.NoTicks, Packets: -1, Points: s.end() - s.first, Apart: true}
	first := s.get(s.first)
	if s.seen && first != nil {
		e.Start = ticks(tb, s.begins+first.start)
	}
	var packets int64
	var lasting, whole time.Duration
	begins := false
	for _, g := range s.segs[s.first-s.gone:] {
		whole += g.Duration
		l := g.listed.Load()
		if l == nil || !l.timed {
			continue
		}
		if !begins && g.placed != nil {
			begins = true
			e.Start = ticks(tb, g.placed.begins-(g.start-first.start))
		}
		if ref.slot < len(l.rows) {
			packets += int64(len(l.rows[ref.slot]))
			lasting += g.Duration
		}
	}
	e.Duration = ticks(tb, whole)
	switch {
	case s.counted == s.end() && over(s.playlist.Media):
		e.Method, e.Exact, e.Packets = "packets", true, s.slots[ref.slot].total
	case lasting > 0:
		e.Packets = int64(float64(packets) / lasting.Seconds() * whole.Seconds())
	case rate > 0:
		e.Packets = int64(rate * whole.Seconds())
	}
	return e, nil
}

// Locate finds a key packet whose PTS is not after pts, by the playlist: it lists the segment that has that time and, where the playlist is
// wrong about it, the right one. Where a time lies before the first packet that is the first packet.
func (d *Demuxer) Locate(ctx context.Context, track int, pts container.Ticks) (container.PacketInfo, error) {
	ref, err := d.check(ctx, "locate", track)
	if err == nil {
		err = ref.s.refresh(ctx)
	}
	if err != nil {
		return container.PacketInfo{}, err
	}
	s := ref.s
	i, err := s.find(ctx, ref.slot, pts)
	if err != nil {
		return container.PacketInfo{}, err
	}
	if p, ok, err := s.lookBehind(ctx, track, ref.slot, i, pts); ok || err != nil {
		return p, err
	}
	for ; i >= 0; i-- {
		g := s.at(i)
		l, err := s.reach(ctx, g)
		if err != nil {
			return container.PacketInfo{}, err
		}
		if k := s.lastKey(track, ref.slot, g, l, pts); k >= 0 {
			return s.info(track, ref.slot, g, l, k), nil
		}
	}
	from, to := s.window()
	for i := from; i < to; i++ {
		g := s.at(i)
		l, err := s.reach(ctx, g)
		if err != nil {
			return container.PacketInfo{}, err
		}
		if len(l.of(ref.slot)) > 0 {
			return s.info(track, ref.slot, g, l, 0), nil
		}
	}
	return container.PacketInfo{}, s.name("locate", fmt.Errorf("the track has no packets: %w", container.ErrCorrupt))
}

// reach lists and places a segment, or says that it slid out.
func (s *stream) reach(ctx context.Context, g *segment) (*listing, error) {
	if g == nil {
		return nil, s.name("locate", ErrGone)
	}
	if s.slid(g) && g.listed.Load() == nil {
		return nil, s.located("locate", g, ErrGone)
	}
	l, err := s.listing(ctx, g)
	if err == nil {
		err = s.put(ctx, g, l)
	}
	if err != nil {
		return nil, err
	}
	s.number(g, l)
	s.d.once(s)
	return l, nil
}

// maxFindSteps bounds how often a playlist may turn out to be wrong about a time.
const maxFindSteps = 8

// find returns the segment that holds a time.
func (s *stream) find(ctx context.Context, number int, pts container.Ticks) (int, error) {
	s.mu.Lock()
	tb := s.slots[number].track.Timebase
	s.mu.Unlock()
	at := tb.Duration(pts)
	last := -1
	for range maxFindSteps {
		i := s.guess(at)
		if i < 0 {
			return 0, s.name("locate", unsupported("there are no segments"))
		}
		if i == last {
			break
		}
		last = i
		if _, err := s.reach(ctx, s.at(i)); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// guess returns the last segment that begins not after a time: as it is known, or counted by EXTINF from the nearest known ones. When nothing is known
// the first begins where exploring saw it begin, or at 0.
func (s *stream) guess(at time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := func(g *segment) bool { return g.placed != nil && g.placed.timed }
	best, next := -1, 0
	var a, b *segment // the known ones not behind it, and behind
	for i, g := range s.segs {
		if known(g) {
			a = g
		}
		for next <= i || next < len(s.segs) && !known(s.segs[next]) {
			next++
		}
		if b = nil; next < len(s.segs) {
			b = s.segs[next]
		}
		if g.begins(a, b, s.begins) > at && best >= 0 {
			break
		}
		best = g.index
	}
	return best
}

// begins returns when a segment begins, by what is known of one before it, which may be it, and of one behind it, if there are such.
func (g *segment) begins(a, b *segment, first time.Duration) time.Duration {
	switch {
	case a != nil && b != nil: // EXTINF may be wrong
		return a.placed.begins + time.Duration(float64(g.start-a.start)/float64(max(b.start-a.start, 1))*float64(b.placed.begins-a.placed.begins))
	case a != nil:
		return a.placed.begins + g.start - a.start
	case b != nil:
		return b.placed.begins + g.start - b.start
	}
	return first + g.start
}

// lookBehind looks for the time in the segment behind i, when it is not before the end of i.
func (s *stream) lookBehind(ctx context.Context, track, number, i int, pts container.Ticks) (p container.PacketInfo, ok bool, err error) {
	g := s.at(i)
	l, err := s.reach(ctx, g)
	if err != nil {
		return p, false, err
	}
	for k := range l.of(number) {
		if info := s.info(track, number, g, l, k); info.End() > pts || info.Duration == 0 && info.PTS >= pts {
			return p, false, nil
		}
	}
	next := s.at(i + 1)
	if next == nil {
		return p, false, nil
	}
	if l, err = s.reach(ctx, next); err != nil {
		if missing(err) || errors.Is(err, container.ErrUnsupported) {
			err = nil
		}
		return p, false, err
	}
	if k := s.lastKey(track, number, next, l, pts); k >= 0 {
		return s.info(track, number, next, l, k), true, nil
	}
	return p, false, nil
}

// lastKey returns the last key packet of a segment whose PTS is not after pts; -1 when there is none.
func (s *stream) lastKey(track, number int, g *segment, l *listing, pts container.Ticks) int {
	found := -1
	for k, r := range l.of(number) {
		if r.flags&flagKey == 0 {
			continue
		}
		if info := s.info(track, number, g, l, k); info.PTS != container.NoTicks && info.PTS <= pts {
			found = k
		}
	}
	return found
}

// Follow yields the packets from one on that Locate or Follow returned. Segments are listed as they are reached.
func (d *Demuxer) Follow(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		ref, err := d.check(ctx, "follow", track)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		ref.s.followFrom(ctx, track, ref.slot, from, yield)
	}
}

func (s *stream) followFrom(ctx context.Context, track, number int, from container.PacketInfo, yield func(container.PacketInfo, error) bool) {
	n := from.N
	begun := false
	for i := int(from.Pos >> segmentBits); ; i++ {
		g := s.at(i)
		if g == nil {
			if !begun {
				yield(container.PacketInfo{}, s.absent("follow", i))
			}
			return
		}
		l, err := s.reach(ctx, g)
		if err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		for k := range l.of(number) {
			if k%256 == 0 && ctx.Err() != nil {
				yield(container.PacketInfo{}, ctx.Err())
				return
			}
			info := s.info(track, number, g, l, k)
			begun = begun || info.Pos == from.Pos && info.PTS == from.PTS
			if !begun {
				continue
			}
			if n >= 0 {
				info.N = n
				n++
			}
			if !yield(info, nil) {
				return
			}
		}
		if !begun {
			yield(container.PacketInfo{}, s.located("follow", g, fmt.Errorf("no packet at %d: %w", from.Pos, container.ErrCorrupt)))
			return
		}
	}
}

// Origin is where a packet comes from.
type Origin struct {
	URI      string          // of the segment, as the playlist names it, without credentials and query
	Sequence int64           // its media sequence number
	Period   int64           // its discontinuity sequence number
	Shift    container.Ticks // what was added to the times that the segment tells
	Date     time.Time       // wall clock time of its first packet; zero when the playlist does not tell
}

// Origin tells the segment of a packet. The times in it are those of info less Shift.
func (d *Demuxer) Origin(ctx context.Context, track int, info container.PacketInfo) (Origin, error) {
	ref, err := d.check(ctx, "origin", track)
	if err != nil {
		return Origin{}, err
	}
	s := ref.s
	g := s.at(int(info.Pos >> segmentBits))
	if g == nil {
		return Origin{}, s.absent("origin", int(info.Pos>>segmentBits))
	}
	if _, err := s.reach(ctx, g); err != nil {
		return Origin{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Origin{
		URI: shown(g.URI), Sequence: g.Sequence, Period: g.Period, Date: g.Date, Shift: g.placed.shift(s.slots[ref.slot].track.Timebase),
	}, nil
}

// DateOf returns the wall clock time of a time of a track, by EXT-X-PROGRAM-DATE-TIME. ok is false where the playlist does not tell. It
// lists the segment that holds the time.
func (d *Demuxer) DateOf(ctx context.Context, track int, pts container.Ticks) (date time.Time, ok bool, err error) {
	ref, err := d.check(ctx, "date", track)
	if err != nil {
		return date, false, err
	}
	s := ref.s
	i, err := s.find(ctx, ref.slot, pts)
	if err != nil {
		return date, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.get(i)
	if g == nil || g.Date.IsZero() || !g.placed.timed {
		return date, false, nil
	}
	tb := s.slots[ref.slot].track.Timebase
	return g.Date.Add(tb.Duration(pts) - g.placed.begins), true, nil
}

// TimeOf returns the time of a track at a wall clock time: the opposite of DateOf. ok is false where the playlist has no segment of that time.
func (d *Demuxer) TimeOf(ctx context.Context, track int, date time.Time) (pts container.Ticks, ok bool, err error) {
	ref, err := d.check(ctx, "date", track)
	if err == nil {
		err = ref.s.refresh(ctx)
	}
	if err != nil {
		return container.NoTicks, false, err
	}
	s := ref.s
	from, to := s.window()
	for i := from; i < to; i++ {
		g := s.at(i)
		if g == nil || g.Date.IsZero() || date.Before(g.Date) || !date.Before(g.Date.Add(g.Duration)) {
			continue
		}
		if _, err := s.reach(ctx, g); err != nil {
			return container.NoTicks, false, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !g.placed.timed {
			return container.NoTicks, false, nil
		}
		return ticks(s.slots[ref.slot].track.Timebase, g.placed.begins+date.Sub(g.Date)), true, nil
	}
	return container.NoTicks, false, nil
}

// Playlist returns the playlist that was opened, as it was then.
func (d *Demuxer) Playlist() *Playlist { return d.playlist }
