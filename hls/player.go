package hls

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// player is the state of Next.
type player struct {
	begun bool
	heads []*head
	told  *segment // the last one whose fault was told
}

// head is where Next is in one track.
type head struct {
	ref   trackRef
	track int
	index int // of the segment
	row   int // in it
	info  container.PacketInfo
	at    time.Duration // its decode time
	ready bool          // info is the next packet
}

// next gives the earliest of the next packets of all tracks.
func (p *player) next(ctx context.Context, d *Demuxer, out *container.Packet) error {
	if !p.begun {
		if err := p.begin(ctx, d); err != nil {
			return err
		}
	}
	for i := 0; i < len(p.heads); {
		h := p.heads[i]
		err := p.advance(ctx, h)
		if err == io.EOF {
			p.heads = slices.Delete(p.heads, i, i+1)
			continue
		}
		if err != nil {
			return err
		}
		i++
	}
	if len(p.heads) == 0 {
		return io.EOF
	}
	h := slices.MinFunc(p.heads, func(a, b *head) int { return int(max(min(a.at-b.at, 1), -1)) })
	h.ready = false
	h.row++
	return h.ref.s.read(ctx, h.track, h.ref.slot, h.info, out)
}

// begin goes to where playing begins. Tracks that cannot be listed are left out, with a warning, unless none can.
func (p *player) begin(ctx context.Context, d *Demuxer) error {
	p.heads = nil
	var wrong error
	for i := range d.refs {
		if !d.inUse[i] {
			continue
		}
		ref, err := d.check(ctx, "read", i)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			if wrong == nil {
				wrong = err
			}
			d.warn(err)
			continue
		}
		p.heads = append(p.heads, &head{ref: ref, track: i, index: ref.s.edge()})
	}
	if len(p.heads) == 0 && wrong != nil {
		return wrong
	}
	p.begun = true
	return nil
}

// advance finds the next packet of a track. It waits for what a live playlist has not got yet.
func (p *player) advance(ctx context.Context, h *head) error {
	s := h.ref.s
	for !h.ready {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		ok, err := s.wait(ctx, h.index)
		if err != nil {
			return err
		}
		if !ok {
			return io.EOF
		}
		g := s.at(h.index)
		var l *listing
		if g == nil {
			err = s.absent("read", h.index)
		} else if l, err = s.listing(ctx, g); err == nil {
			err = s.put(ctx, g, l)
		}
		if err != nil {
			if ctx.Err() == nil { // the call after this goes on behind it
				h.index, h.row = max(h.index+1, s.firstIndex()), 0
			}
			return err
		}
		if l.err != nil || h.row >= len(l.of(h.ref.slot)) {
			h.index++
			h.row = 0
			if l.err != nil && p.told != g {
				p.told = g
				return l.err
			}
			continue
		}
		s.number(g, l)
		h.info = s.info(h.track, h.ref.slot, g, l, h.row)
		at := h.info.DTS
		if at == container.NoTicks {
			at = h.info.PTS
		}
		if at != container.NoTicks {
			s.mu.Lock()
			tb := s.slots[h.ref.slot].track.Timebase
			s.mu.Unlock()
			h.at = tb.Duration(at)
		}
		h.ready = true
		s.d.once(s)
	}
	return nil
}

// number gives the packets of a segment their numbers, if those before it have theirs.
func (s *stream) number(g *segment, l *listing) {
	s.mu.Lock()
	here := s.counted == g.index
	s.mu.Unlock()
	if here {
		_ = s.count(g.index, l) // over the limit, packets go without a number
	}
}
