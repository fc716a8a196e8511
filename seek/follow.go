package seek

import (
	"context"
	"iter"

	"github.com/sprocket-video/sprocket/container"
)

// Demuxer returns the demuxer of the index, whose packets are known by where they are: List goes on from the packet that it is given,
// and counts from its N. A packet of which all but N is zero is the first of the track, or, when everything has been listed, the one
// with that number.
func (e *Estimate) Demuxer() container.SeekableDemuxer { return &follower{e.demuxer, e} }

// follower lists packets as they are remembered, and as the demuxer follows them.
type follower struct {
	container.SeekableDemuxer
	e *Estimate
}

// Warnings returns those of the demuxer.
func (d *follower) Warnings() []error {
	if w, ok := d.SeekableDemuxer.(container.Warner); ok {
		return w.Warnings()
	}
	return nil
}

func (d *follower) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	e := d.e
	anew := from == container.PacketInfo{Track: from.Track, N: from.N}
	if track != e.track || anew && e.Table() != nil {
		return d.SeekableDemuxer.List(ctx, track, from)
	}
	return func(yield func(container.PacketInfo, error) bool) {
		n := from.N
		if anew {
			from = e.first
		}
		s, i := e.holding(&from)
		for s != nil {
			for ; i < len(s.packets); i++ {
				from = s.packets[i]
				from.N = n
				n++
				if !yield(from, nil) {
					return
				}
			}
			if s.eof {
				return
			}
			var err error
			if s, i, err = e.goOn(ctx, s, i); err != nil {
				yield(container.PacketInfo{}, err)
				return
			}
			if s == nil { // everything has been listed meanwhile: the last packet comes again
				break
			}
		}
		again := n > from.N
		for p, err := range e.guideFollow(ctx, from) {
			if again && err == nil {
				again = false
				continue
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func (e *Estimate) guideFollow(ctx context.Context, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	if e.guide == nil {
		return e.demuxer.List(ctx, e.track, from)
	}
	return e.guide.Follow(ctx, e.track, from)
}

// holding returns a stretch that is remembered and holds a packet.
func (e *Estimate) holding(p *container.PacketInfo) (*stretch, int) {
	at := placeOf(p)
	e.mu.Lock()
	defer e.mu.Unlock()
	i, found := e.search(at.pts)
	if !found {
		i--
	}
	for k := i; k >= max(0, i-1); k-- {
		if n := e.stretches[k].index(at); n >= 0 {
			e.uses++
			e.stretches[k].used = e.uses
			return e.stretches[k], n
		}
	}
	// The first packet of the track may be shown at any time.
	if len(e.stretches) > 0 && e.stretches[0].from == container.NoTicks {
		if n := e.stretches[0].index(at); n >= 0 {
			return e.stretches[0], n
		}
	}
	return nil, 0
}

// goOn returns a stretch that holds packet i of s, which s does not, and where; nil when there are no stretches any more.
func (e *Estimate) goOn(ctx context.Context, s *stretch, i int) (*stretch, int, error) {
	t, err := e.orList(ctx, func() (err error) {
		if s.complete() {
			i -= s.next
			if s, err = e.after(s); err != nil || i < len(s.packets) {
				return err
			}
		} else if k, err := e.stretchOf(ctx, s.packets[0]); err == nil && len(k.packets) > i {
			s = k
			return nil
		}
		s, err = e.extend(ctx, s, longer(s, 64))
		return err
	})
	if t != nil {
		return nil, 0, nil
	}
	return s, i, err
}
