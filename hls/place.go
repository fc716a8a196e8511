package hls

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// placement is where a segment lies on the timeline: its times are moved by wraps of 2^33 ticks of 1/90000 s, and by a time.
type placement struct {
	wraps  int64
	move   time.Duration
	begins time.Duration // PTS of the first picture, or sound, when all is moved
	timed  bool          // begins is known
}

const wrap = 1 << 33

var (
	ninety   = container.Timebase{Num: 1, Den: 90_000}
	wrapTime = ninety.Duration(wrap)
)

// shift returns the whole of it in ticks.
func (p *placement) shift(tb container.Timebase) container.Ticks {
	if p == nil {
		return 0
	}
	return ninety.Convert(container.Ticks(p.wraps*wrap), tb) + ticks(tb, p.move)
}

func (p *placement) total() time.Duration { return time.Duration(p.wraps)*wrapTime + p.move }

// leap is how far a segment's times may be from where they were to be, beside what EXTINF may be wrong by, without being taken for a jump.
const leap = 5 * time.Second

// put finds the place of a listed segment on the timeline. Times of the first period are as they are. Those of another are moved so that its first
// segment begins at the time of the first of all, plus all EXTINF between.
func (s *stream) put(ctx context.Context, g *segment, l *listing) error {
	s.mu.Lock()
	done := g.placed != nil
	s.mu.Unlock()
	if done {
		return nil
	}
	p, err := s.placement(ctx, g, l)
	if err != nil {
		return err
	}
	if l.timed {
		p.begins, p.timed = l.first+p.total(), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.placed == nil {
		g.placed = p
	}
	return nil
}

func (s *stream) placement(ctx context.Context, g *segment, l *listing) (*placement, error) {
	near := s.neighbour(g)
	switch {
	case l.err != nil:
		return s.missed(ctx, near, g)
	case l.bare && near != nil:
		return &placement{move: near.placed.begins + g.start - near.start}, nil
	case l.bare:
		return &placement{move: g.start}, nil
	}
	if !l.timed {
		p := &placement{}
		if near != nil {
			*p = placement{wraps: near.placed.wraps, move: near.placed.move}
		}
		return p, nil
	}
	if near != nil && near.Period == g.Period {
		return s.follow(near, g, l), nil
	}
	s.mu.Lock()
	starts := s.starts
	s.mu.Unlock()
	if g.Period == starts {
		return s.unrolled(ctx, g, l)
	}
	// Another period: as in what leads, or else by its first segment.
	if p, err := s.led(ctx, g, l); p != nil || err != nil {
		return p, err
	}
	head, err := s.head(ctx, g)
	if err != nil {
		return nil, err
	}
	if head != g {
		if _, err := s.reach(ctx, head); err != nil {
			return nil, err
		}
		return s.follow(head, g, l), nil
	}
	origin, err := s.zero(ctx)
	if err != nil {
		return nil, err
	}
	return &placement{move: origin + g.start - l.first}, nil
}

// led places a segment of another period than the first, that nothing is known of, as what leads places its own of that period: pictures and sound of
// playlists of their own are moved alike, so that they stay together. It returns nil where nothing else leads, or what leads has no such period.
func (s *stream) led(ctx context.Context, g *segment, l *listing) (*placement, error) {
	lead := s.d.leads
	if lead == nil || lead == s {
		return nil, nil
	}
	err := lead.ready(ctx)
	if err == nil {
		if i := lead.period(g.Period); i >= 0 {
			h := lead.at(i)
			if _, err = lead.reach(ctx, h); err == nil && h.placed.timed {
				return g.beside(l, h, s.ended() && lead.ended()), nil
			}
		}
	}
	return nil, ctx.Err() // it says nothing
}

// period returns the first segment of a period that is there; -1 when none is.
func (s *stream) period(number int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segs {
		if g.Period == number && (g.index >= s.first || g.placed != nil && g.placed.timed) {
			return g.index
		}
	}
	return -1
}

// beside places a segment as one of another stream in the same period is placed. It returns nil where their playlists, which are whole, do not agree
// on when that is.
func (g *segment) beside(l *listing, h *segment, whole bool) *placement {
	p := &placement{wraps: h.placed.wraps, move: h.placed.move}
	off := l.first + p.total() - (h.placed.begins + g.start - h.start)
	if l.wraps {
		k := int64(math.Round(-off.Seconds() / wrapTime.Seconds()))
		p.wraps += k
		off += time.Duration(k) * wrapTime
	}
	if room := leap + time.Duration(max(g.index, h.index))*time.Second; whole && (off > room || off < -room) {
		return nil
	}
	return p
}

// neighbour returns the nearest placed segment with times before g.
func (s *stream) neighbour(g *segment) *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := g.index - 1; ; i-- {
		switch b := s.get(i); {
		case b == nil || b.Period != g.Period:
			return nil
		case b.placed != nil && b.placed.timed:
			return b
		}
	}
}

// missed places a segment that cannot be had where the playlist says that it begins.
func (s *stream) missed(ctx context.Context, near, g *segment) (*placement, error) {
	if near != nil {
		return &placement{move: near.placed.begins + g.start - near.start}, nil
	}
	origin, err := s.zero(ctx)
	return &placement{move: origin + g.start}, err
}

// follow places a segment by one before it in the same period: no wrap or jump lies between them, unless the times say so.
func (s *stream) follow(near, g *segment, l *listing) *placement {
	p := &placement{wraps: near.placed.wraps, move: near.placed.move}
	off := l.first + p.total() - (near.placed.begins + g.start - near.start)
	if l.wraps {
		k := int64(math.Round(-off.Seconds() / wrapTime.Seconds()))
		p.wraps += k
		off += time.Duration(k) * wrapTime
	}
	// An EXTINF of whole seconds may be wrong by half a second.
	if room := leap + time.Duration(g.index-near.index)*time.Second; off > room || off < -room {
		p.move -= off
		s.d.warn(s.located("list", g, fmt.Errorf("times jump by %v without a discontinuity: %w", off.Round(time.Millisecond), container.ErrCorrupt)))
	}
	return p
}

// unrolled places a segment of the first period by itself, if that is possible: its times are as they are, but for wraps. Where they are less than what
// EXTINF counts before it, either they have wrapped or EXTINF is wrong: the first segment tells.
func (s *stream) unrolled(ctx context.Context, g *segment, l *listing) (*placement, error) {
	if !l.wraps || l.first >= g.start {
		return &placement{}, nil
	}
	first, err := s.head(ctx, g)
	if err != nil || first == g {
		return &placement{}, err
	}
	if _, err := s.reach(ctx, first); err != nil {
		return nil, err
	}
	return s.follow(first, g, l), nil
}

// head returns the first segment with times of the period of g, which has some.
func (s *stream) head(ctx context.Context, g *segment) (*segment, error) {
	i := g.index
	for b := s.at(i - 1); b != nil && b.Period == g.Period; b = s.at(i - 1) {
		i--
	}
	for ; i < g.index; i++ {
		h := s.at(i)
		if h == nil || s.slid(h) && h.listed.Load() == nil {
			continue
		}
		l, err := s.listing(ctx, h)
		if err != nil {
			return nil, err
		}
		if l.timed {
			return h, nil
		}
	}
	return g, nil
}

// zero returns the time at which the first segment of all begins on the timeline, by the first segment that tells.
func (s *stream) zero(ctx context.Context) (time.Duration, error) {
	s.mu.Lock()
	known, i, starts := s.origin, s.gone, s.starts
	s.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	for ; ; i++ {
		g := s.at(i)
		if g == nil {
			return 0, nil
		}
		if s.slid(g) && g.listed.Load() == nil {
			continue
		}
		l, err := s.listing(ctx, g)
		if err != nil {
			return 0, err
		}
		if !l.timed {
			continue
		}
		begins := l.first
		if g.Period == starts { // else nothing of the first period can be had
			if err := s.put(ctx, g, l); err != nil {
				return 0, err
			}
			begins = g.placed.begins
		}
		begins -= g.start
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.origin == nil {
			s.origin = &begins
		}
		return *s.origin, nil
	}
}
