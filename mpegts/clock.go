package mpegts

import (
	"math"

	"github.com/sprocket-video/sprocket/container"
)

const (
	wrap     = int64(1) << 33
	second   = int64(90_000)
	maxBack  = 1 * second  // a time stamp so far before the last one begins a new time base
	maxAhead = 10 * second // and so far behind it
	noTime   = int64(math.MinInt64)
)

// Every time of a transport stream is in these.
var timebase = container.Timebase{Num: 1, Den: 90_000}

// near returns the time nearest to ref that is t, modulo the wrap.
func near(t, ref int64) int64 {
	d := (t - ref) & (wrap - 1)
	if d >= wrap/2 {
		d -= wrap
	}
	return ref + d
}

// timeline is the time bases of a program, in the order they came.
type timeline struct {
	known bool
	bases []base // the first of them moves nothing
	out   int64  // the last time that was placed
	// forward says that first times are not before the first base, but for ten seconds: of a part from the middle of a stream.
	forward bool
	pcr     int64 // the last clock reference, unrolled; noTime before one came
	jumps   int   // clock references that do not go on from the one before
	agreed  int   // jumps when a time stamp last went with the clock reference
}

// base is a time base: from start on, times are moved.
type base struct{ start, move int64 }

// clock puts the time stamps of one track on the time line of its program.
type clock struct {
	line  *timeline
	base  int   // in use
	last  int64 // time stamp before, unrolled; noTime before there was one
	out   int64 // the same on the time line
	step  int64 // usual distance of time stamps; 0 while it is not known
	loose bool  // data: comes when it comes, and begins no time base
	jumps int   // of the clock reference, when a time stamp last went with it
}

// place unrolls t and moves it to the time line.
func (c *clock) place(t int64) int64 {
	l := c.line
	if !l.known {
		l.known = true
		l.bases = append(l.bases, base{t, 0})
		if l.pcr != noTime {
			l.pcr = near(l.pcr, t)
		}
	}
	agrees := l.agrees(t)
	if c.last == noTime {
		c.base = len(l.bases) - 1
		ref := l.bases[c.base].start
		if l.forward {
			ref += wrap/2 - maxAhead
		}
		t = near(t, ref)
	} else {
		t = near(t, c.last)
		switch d := t - c.last; {
		case d > maxAhead && agrees && c.jumps == l.jumps: // the clock ran on meanwhile: a still picture (2.7.4), or a pause
		case d < -maxBack || d > maxAhead:
			t = c.jump(t)
		case d > 0 && (c.step == 0 || d < c.step):
			c.step = d
		}
	}
	if agrees {
		c.jumps = l.jumps
	}
	c.last, c.out = t, t+l.bases[c.base].move
	if !c.loose {
		l.out, l.agreed = c.out, max(l.agreed, c.jumps)
	}
	return c.out
}

const (
	maxBases  = 1 << 16 // bounds what a stream of nothing but jumps costs
	maxBehind = 256     // time bases by which a track may be behind another
)

// jump looks for the time base that t belongs to, or begins one.
func (c *clock) jump(t int64) int64 {
	l := c.line
	for i := len(l.bases) - 1; i > max(c.base, len(l.bases)-1-maxBehind); i-- {
		b := &l.bases[i]
		if n := near(t, b.start); n-b.start >= -maxAhead && n-b.start <= maxAhead {
			c.base = i
			return n
		}
	}
	if c.loose || len(l.bases) == maxBases {
		return t
	}
	step := c.step
	if step == 0 {
		step = second / 25
	}
	l.bases = append(l.bases, base{t, c.out + step - t})
	c.base = len(l.bases) - 1
	return t
}

// placePair places the times of a PES packet. Both are given, or dts is -1.
func (c *clock) placePair(pts, dts int64) (int64, int64) {
	if pts < 0 {
		return noTime, noTime
	}
	if dts < 0 {
		t := c.place(pts)
		return t, noTime
	}
	d := c.place(dts)
	return near(pts-dts+d, d), d
}

// reference takes a clock reference.
func (l *timeline) reference(t int64) {
	switch {
	case l.pcr != noTime:
		n := near(t, l.pcr)
		if d := n - l.pcr; d < 0 || d > maxAhead {
			l.jumps++
		}
		l.pcr = n
	case l.known:
		l.pcr = near(t, l.out-l.bases[len(l.bases)-1].move)
	default:
		l.pcr = t
	}
}

// agrees says whether t is a time stamp of what comes when the clock reference is what it is.
func (l *timeline) agrees(t int64) bool {
	if l.pcr == noTime {
		return false
	}
	d := near(t, l.pcr) - l.pcr
	return d >= -maxBack && d <= maxAhead
}

// now returns the time by the clock reference; noTime before one came.
func (l *timeline) now() int64 {
	if l.pcr == noTime || !l.known {
		return l.pcr
	}
	if l.jumps != l.agreed { // no time stamp has followed it yet
		return l.out
	}
	return l.pcr + l.bases[len(l.bases)-1].move
}
