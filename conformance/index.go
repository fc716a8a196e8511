package conformance

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// Bounds on what TestIndex asks for.
const (
	indexFrames = 4096 // frames whose times are searched
	indexStarts = 128  // frames whose start is looked up
)

// TestIndex checks that x keeps the promises of [seek.Index] for a track of d, and that plans made from it are right.
// Of long tracks it looks at 4096 frames, and at the starts of 128. Of an approximate index, whose numbers are estimates, only
// what holds between its own answers is checked. The error joins a *LawError for each law that is broken.
func TestIndex(ctx context.Context, x seek.Index, d container.SeekableDemuxer, track int) error {
	c := &indexCheck{findings: findings{subject: "index"}, x: x, d: d, track: track}
	c.guard("List", func() { c.list(ctx) })
	c.guard("Frame", c.frames)
	if len(c.all) == c.x.Len() {
		c.guard("Search", c.search)
		c.guard("Start", func() { c.starts(ctx) })
		c.guard("concurrent calls", func() { c.concurrent(ctx) })
		c.guard("Plan", func() { c.plans(ctx) })
	}
	c.guard("out of range", func() { c.outside(ctx) })
	return c.err(ctx)
}

type indexCheck struct {
	findings
	x       seek.Index
	d       container.SeekableDemuxer
	track   int
	packets []container.PacketInfo
	all     []seek.Frame
}

func (c *indexCheck) list(ctx context.Context) {
	var err error
	if c.packets, err = collect(ctx, c.d, c.track, 0, maxPackets); err != nil {
		c.because(err, "the track can be listed", "after %d packets", len(c.packets))
	}
	if tb := c.d.Tracks()[c.track].Timebase; c.x.Timebase() != tb {
		c.broke("the index has the timebase of its track", "%v, not %v", c.x.Timebase(), tb)
	}
}

// shownAt is a packet's PTS, or its DTS where it has none.
func shownAt(p *container.PacketInfo) container.Ticks {
	if p.PTS == container.NoTicks {
		return p.DTS
	}
	return p.PTS
}

// frames asks for all frames, in order.
func (c *indexCheck) frames() {
	n := c.x.Len()
	if n < 0 {
		c.broke("Len is not negative", "it is %d", n)
		return
	}
	c.all = make([]seek.Frame, 0, min(n, maxPackets))
	for i := range n {
		f, err := c.x.Frame(i)
		if err != nil {
			c.because(err, "every frame below Len answers", "frame %d of %d", i, n)
			return
		}
		if again, _ := c.x.Frame(i); again != f {
			c.broke("Frame answers the same every time", "frame %d was %+v and then %+v", i, f, again)
		}
		if f.N != i {
			c.broke("a frame knows its number", "frame %d has %d", i, f.N)
		}
		c.all = append(c.all, f)
	}
	if c.x.Len() != n {
		c.broke("Len does not change", "it was %d, and is %d", n, c.x.Len())
	}
	for i := 1; i < n; i++ {
		a, b := c.all[i-1], c.all[i]
		switch {
		case b.PTS < a.PTS:
			c.broke("frames are in the order of their PTS", "frame %d has %d after %d", i, b.PTS, a.PTS)
		case b.PTS == a.PTS && b.Packet <= a.Packet:
			c.broke("frames of equal PTS are in decode order", "frame %d is packet %d after packet %d", i, b.Packet, a.Packet)
		case a.Duration != b.PTS-a.PTS:
			c.broke("a frame lasts until the next one starts", "frame %d lasts %d, not %d", i-1, a.Duration, b.PTS-a.PTS)
		}
	}
	if n > 0 && c.all[n-1].Duration < 0 {
		c.broke("no duration is negative", "frame %d lasts %d", n-1, c.all[n-1].Duration)
	}
	if c.x.Kind() == seek.Exact {
		c.match()
	}
}

// match compares the frames of an exact index with the packets.
func (c *indexCheck) match() {
	seen := make([]bool, len(c.packets))
	for _, f := range c.all {
		if f.Packet < 0 || f.Packet >= int64(len(c.packets)) {
			c.broke("a frame is a packet of the track", "frame %d is packet %d of %d", f.N, f.Packet, len(c.packets))
			continue
		}
		p := &c.packets[f.Packet]
		switch {
		case seen[f.Packet]:
			c.broke("no packet is two frames", "frame %d is packet %d, as another one is", f.N, f.Packet)
		case p.Discard:
			c.broke("no discarded packet is a frame", "frame %d is packet %d", f.N, f.Packet)
		case f.PTS != shownAt(p):
			c.broke("a frame has its packet's PTS", "frame %d has %d, packet %d has %d", f.N, f.PTS, f.Packet, shownAt(p))
		case f.Key != p.Key:
			c.broke("a frame is key as its packet is", "frame %d says %t, packet %d %t", f.N, f.Key, f.Packet, p.Key)
		}
		seen[f.Packet] = true
	}
	// Leading pictures of the first key packet may be left out: where it is open, no decoder can decode them.
	first := -1
	for i := range c.packets {
		p := &c.packets[i]
		if p.Key && first < 0 {
			first = i
		}
		if !seen[i] && !p.Discard && (first < 0 || shownAt(p) >= shownAt(&c.packets[first])) {
			c.broke("every packet that is shown is a frame", "packet %d, PTS %d", p.N, p.PTS)
		}
	}
}

// search looks around the beginning of every frame.
func (c *indexCheck) search() {
	for _, n := range sample(len(c.all), indexFrames) {
		f := c.all[n]
		last := n // of the frames with this PTS: the others are over at once
		for last+1 < len(c.all) && c.all[last+1].PTS == f.PTS {
			last++
		}
		const own = "the frame played at a frame's PTS is that frame, or the last with the same PTS"
		if got, err := c.x.Search(f.PTS); err != nil || got != last {
			c.because(err, own, "frame %d, PTS %d: frame %d", n, f.PTS, got)
		}
		if last+1 < len(c.all) && c.all[last+1].PTS-f.PTS > 1 {
			for _, t := range []container.Ticks{f.PTS + 1, c.all[last+1].PTS - 1} {
				if got, err := c.x.Search(t); err != nil || got != last {
					c.because(err, "a frame is played until the next one starts", "frame %d at %d: frame %d", last, t, got)
				}
			}
		}
		first := n
		for first > 0 && c.all[first-1].PTS == f.PTS {
			first--
		}
		if first > 0 {
			if got, err := c.x.Search(f.PTS - 1); err != nil || got != first-1 {
				c.because(err, "a tick before a frame's PTS the one before it is played", "frame %d at %d: frame %d", n, f.PTS-1, got)
			}
		}
		// The timebases of a nanosecond or longer: what a Duration can tell apart.
		if tb := c.x.Timebase(); tb.Valid() && tb.Num >= (tb.Den+999_999_999)/1_000_000_000 {
			d := tb.Duration(f.PTS)
			if got, err := c.x.Search(tb.Ticks(d)); err != nil || got != last {
				c.because(err, "a frame is found at its own time as a Duration", "frame %d at %v: frame %d", n, d, got)
			}
		}
	}
	if len(c.all) == 0 {
		return
	}
	begin, last := c.all[0].PTS, c.all[len(c.all)-1]
	end := last.PTS + max(last.Duration, 1)
	if got, err := c.x.Search(end - 1); err != nil || got != last.N {
		c.because(err, "the last frame is played until it ends", "at %d: frame %d", end-1, got)
	}
	for _, t := range []container.Ticks{begin - 1, container.NoTicks + 1, end, math.MaxInt64} {
		if begin == container.NoTicks+1 && t <= begin {
			continue
		}
		n, err := c.x.Search(t)
		c.wantRange(err, "Search(%d) gave frame %d", t, n)
	}
}

// wantRange checks that err is what every question outside the track gives.
func (c *indexCheck) wantRange(err error, where string, args ...any) {
	var r *seek.RangeError
	if !errors.As(err, &r) || !errors.Is(err, seek.ErrRange) {
		c.because(err, "a question outside the track gives a *seek.RangeError that wraps ErrRange", where, args...)
	}
}

func (c *indexCheck) outside(ctx context.Context) {
	n := c.x.Len()
	for _, k := range []int{-1, n, n + 1, math.MaxInt, math.MinInt} {
		_, err := c.x.Frame(k)
		c.wantRange(err, "Frame(%d) of %d", k, n)
		_, err = c.x.Start(ctx, k)
		c.wantRange(err, "Start(%d) of %d", k, n)
	}
	if n == 0 {
		_, err := c.x.Search(0)
		c.wantRange(err, "Search(0) of no frames")
	}
}

// starts looks at where decoding must begin.
func (c *indexCheck) starts(ctx context.Context) {
	for _, n := range sample(len(c.all), indexStarts) {
		f := c.all[n]
		s, err := c.x.Start(ctx, n)
		if err != nil {
			c.because(err, "every frame has a start", "frame %d", n)
			continue
		}
		if again, err := c.x.Start(ctx, n); err != nil || again != s {
			c.because(err, "Start answers the same every time", "frame %d", n)
		}
		if s.N > f.Packet {
			c.broke("a start is not behind its frame in decode order", "frame %d is packet %d, its start packet %d", n, f.Packet, s.N)
		}
		if s.N > 0 && !s.Key {
			c.broke("a start is a key packet, or the first packet", "frame %d starts at packet %d", n, s.N)
		}
		if s.N > 0 && shownAt(&s) > f.PTS {
			c.broke("a start is not shown after its frame", "frame %d has PTS %d, its start %d", n, f.PTS, s.PTS)
		}
		if c.x.Kind() == seek.Exact && (s.N < 0 || s.N >= int64(len(c.packets)) || c.packets[s.N] != s) {
			c.broke("a start is a packet as it is listed", "frame %d: packet %d", n, s.N)
		}
	}
}

func (c *indexCheck) concurrent(ctx context.Context) {
	const workers = 4
	wrong := make([]findings, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			f := &wrong[w]
			f.guard("concurrent calls", func() {
				for _, n := range sample(len(c.all), 64) {
					got, err := c.x.Frame(n)
					if err != nil || got != c.all[n] {
						f.because(err, "", "Frame(%d)", n)
					}
					if _, err := c.x.Search(got.PTS); err != nil {
						f.because(err, "", "Search(%d)", got.PTS)
					}
					if _, err := c.x.Start(ctx, n); err != nil {
						f.because(err, "", "Start(%d)", n)
					}
				}
			})
		})
	}
	wg.Wait()
	for w := range wrong {
		for _, b := range wrong[w].broken {
			c.because(b.Err, "the answers are the same from any goroutine", "%s", b.Where)
		}
	}
}
