package seek

import (
	"math"
	"slices"
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// chain counts frames: from the first one on, stretch after stretch, as far as they were listed without a gap. Beyond, numbers are estimated by
// time and rate.
type chain struct {
	points []point // the beginnings of the stretches that were counted, and the end of the last of them
	whole  int     // frames of the track; -1 while not counted
	begin  container.Ticks
	end    container.Ticks // about, of the last frame
	tail   bool            // that is known
	rate   float64         // frames a tick beyond the last point
}

// point is the beginning of a stretch, and how many frames come before.
type point struct {
	pts container.Ticks
	n   int
}

const maxPoints = 64 << 10 // counted stretches that are remembered: beyond, numbers are estimates again

// start begins with the first stretch, of which a frame is known.
func (c *chain) start(s *stretch, told container.Estimate, tb container.Timebase) {
	c.points, c.whole = []point{{container.NoTicks, 0}}, -1
	c.begin = s.pts(s.frames[0])
	last := s.pts(s.frames[len(s.frames)-1])
	c.end = last + max(1, s.packets[s.frames[len(s.frames)-1]].Duration)
	if told.Duration != container.NoTicks {
		c.end = max(c.end, c.begin+min(told.Duration, math.MaxInt64/4))
	}
	var first float64 // the rate by the first packet: where that is the rate of all, it is more precise
	if d := s.packets[0].Duration; d > 0 {
		first = 1 / float64(d)
	}
	switch {
	case told.Packets > 0 && told.Duration > 0:
		if c.rate = float64(told.Packets) / float64(told.Duration); math.Abs(first/c.rate-1) < 0.01 {
			c.rate = first
		}
	case last > c.begin:
		c.rate = float64(len(s.frames)-1) / float64(last-c.begin)
	case first > 0:
		c.rate = first
	default:
		c.rate = tb.Seconds(1) * 25 // nothing tells
	}
}

// foretell begins with what the demuxer told alone. The first stretch, once it is known, begins anew.
func (c *chain) foretell(told container.Estimate, tb container.Timebase) {
	c.points, c.whole = []point{{container.NoTicks, 0}}, -1
	c.begin = max(told.Start, 0)
	c.end = c.begin + 1
	if told.Duration != container.NoTicks {
		c.end = c.begin + min(max(told.Duration, 1), math.MaxInt64/4)
	}
	c.rate = tb.Seconds(1) * 25 // nothing tells
	if told.Packets > 0 && told.Duration > 0 {
		c.rate = float64(told.Packets) / float64(told.Duration)
	}
}

// pace takes the rate of a stretch for that of the track, where the demuxer did not tell that and the first stretch is not known.
func (c *chain) pace(s *stretch, told container.Estimate) {
	if d := s.packets[0].Duration; told.Packets <= 0 && d > 0 {
		c.rate = 1 / float64(d)
	}
}

func (c *chain) last() point { return c.points[len(c.points)-1] }

// add counts the frames of a stretch that begins at the last point, if they are all known. It returns false when there is no more to count.
func (c *chain) add(s *stretch) bool {
	if !s.complete() || len(c.points) == maxPoints {
		return false
	}
	n := c.last().n + len(s.frames)
	if s.next == 0 {
		c.whole = n
		return false
	}
	c.points = append(c.points, point{s.to, n})
	if c.rate = float64(n) / float64(s.to-c.begin); s.to <= c.begin {
		c.rate = 1
	}
	c.end = max(c.end, s.to+1)
	return true
}

// cut takes back what was counted from pts on.
func (c *chain) cut(pts container.Ticks) {
	k := sort.Search(len(c.points), func(i int) bool { return c.points[i].pts >= pts })
	if k > 0 && k < len(c.points) {
		c.points, c.whole = slices.Clip(c.points[:k]), -1
	}
}

// ends learns of the end of the track.
func (c *chain) ends(s *stretch) {
	if k := len(s.frames); k > 0 {
		p := &s.packets[s.frames[k-1]]
		c.end, c.tail = shownAt(p)+max(p.Duration, 1), true
	}
}

// of returns the number of frame i of a stretch, and whether it was counted.
func (c *chain) of(s *stretch, i int) (n int, counted bool) {
	k := sort.Search(len(c.points), func(k int) bool { return c.points[k].pts >= s.from })
	if k < len(c.points) && c.points[k].pts == s.from {
		return c.points[k].n + i, true
	}
	return c.number(s.pts(s.frames[i])), false
}

// anchor returns the last point, with its time.
func (c *chain) anchor() (n int, pts container.Ticks) {
	p := c.last()
	return p.n, max(p.pts, c.begin)
}

// number estimates the number of the frame that is shown at pts.
func (c *chain) number(pts container.Ticks) int {
	n, from := c.anchor()
	return n + roundToInt(float64(pts-from)*c.rate)
}

// time estimates when frame n is shown, which may be the one behind the last.
func (c *chain) time(n int) container.Ticks {
	k := sort.Search(len(c.points), func(i int) bool { return c.points[i].n > n }) - 1
	if k+1 < len(c.points) { // between two points
		a, b := c.points[k], c.points[k+1]
		from := max(a.pts, c.begin)
		return from + container.Ticks(float64(n-a.n)/float64(b.n-a.n)*float64(b.pts-from))
	}
	first, from := c.anchor()
	if whole := c.len(); n >= whole {
		return max(c.end, from+1)
	}
	return min(from+container.Ticks(float64(n-first)/c.rate), c.end-1)
}

// len estimates how many frames there are.
func (c *chain) len() int {
	if c.whole >= 0 {
		return c.whole
	}
	n, from := c.anchor()
	return max(1, n+roundToInt(float64(c.end-from)*c.rate))
}

// counted returns how many frames were counted.
func (c *chain) counted() int {
	if c.whole >= 0 {
		return c.whole
	}
	return c.last().n
}
