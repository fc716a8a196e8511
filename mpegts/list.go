package mpegts

import (
	"math"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/column"
)

const (
	flagKey = 1 << iota
	flagCorrupt
)

// list is the packets of a track, about 21 bytes each. It is immutable.
type list struct {
	n       int64
	pos     column.Column
	dts     column.Column
	sizes   []uint32
	spans   []uint32 // 0 where it is the size; nil when all are
	offsets []int32  // PTS less DTS; nil when all are 0
	durs    []int32  // nil when all are dur
	dur     int32
	flags   []uint8
	descs   []uint8 // nil when all are 0

	bytes      int64
	start, end int64 // of the presentation; noTime when there are no packets
}

// info returns packet n.
func (l *list) info(track int, n int64) container.PacketInfo {
	p := container.PacketInfo{
		Track: track, N: n, DTS: container.Ticks(l.dts.At(int(n))), Duration: container.Ticks(l.dur),
		Pos: l.pos.At(int(n)), Size: int(l.sizes[n]),
		Key: l.flags[n]&flagKey != 0, Corrupt: l.flags[n]&flagCorrupt != 0,
	}
	p.PTS = p.DTS
	if l.offsets != nil {
		p.PTS += container.Ticks(l.offsets[n])
	}
	if l.spans != nil {
		p.Span = int64(l.spans[n])
	}
	if l.durs != nil {
		p.Duration = container.Ticks(l.durs[n])
	}
	if l.descs != nil {
		p.Description = int(l.descs[n])
	}
	return p
}

// builder collects the units of a track.
type builder struct {
	l        list
	pos, dts column.Builder
	last     int64 // DTS before
	step     int64 // the last distance of DTS
	bad      bool  // decode times go back, or are after presentation times
	full     bool  // a limit was reached
	most     int64 // packets
}

// packetBytes is what a packet takes at most, in a list and while it is made.
const packetBytes = 32

func newBuilder(limits container.Limits) *builder {
	return &builder{last: noTime, most: min(limits.Packets, limits.HeaderBytes/packetBytes)}
}

// times fills in what a unit does not tell, from what came before.
func (u *unit) times(last, step int64) {
	if u.pts == noTime {
		if u.dts == noTime {
			if u.dts = 0; last != noTime {
				u.dts = last + step
			}
		}
		u.pts = u.dts + u.delay
	}
	if u.dts == noTime {
		if u.dts = u.pts; u.derived && last != noTime {
			u.dts = min(u.pts, last+step)
		}
	}
	if d := u.pts - u.dts; d > maxAhead || d < -maxAhead {
		u.pts = u.dts
	}
}

// add takes a unit.
func (b *builder) add(u *unit) {
	if b.l.n >= b.most {
		b.full = true
		return
	}
	step := b.step
	if u.duration > 0 && step == 0 {
		step = u.duration
	}
	u.times(b.last, step)
	if u.dts > u.pts || b.last != noTime && u.dts < b.last {
		b.bad = true
	}
	if b.last != noTime && u.dts > b.last {
		b.step = u.dts - b.last
	}
	b.last = u.dts

	l, n := &b.l, int(b.l.n)
	b.pos.Append(u.pos)
	b.dts.Append(u.dts)
	l.sizes = append(l.sizes, uint32(min(u.size, math.MaxUint32)))
	span := u.end - u.pos
	if span == u.size {
		span = 0
	}
	l.spans = sparse(l.spans, n, uint32(min(span, math.MaxUint32)), 0)
	l.offsets = sparse(l.offsets, n, int32(u.pts-u.dts), 0)
	if n == 0 {
		l.dur = int32(u.duration)
	}
	l.durs = sparse(l.durs, n, int32(u.duration), l.dur)
	l.descs = sparse(l.descs, n, uint8(u.desc), 0)
	flags := uint8(0)
	if u.key {
		flags |= flagKey
	}
	if u.corrupt || u.size > math.MaxUint32 {
		flags |= flagCorrupt
	}
	l.flags = append(l.flags, flags)
	l.bytes += u.size
	l.n++
}

// sparse appends v as value n of a column that stays nil while all values are usual.
func sparse[T comparable](c []T, n int, v, usual T) []T {
	if c == nil && v != usual {
		c = make([]T, n, n+n/4+16)
		for i := range c {
			c[i] = usual
		}
	}
	if c == nil {
		return nil
	}
	return append(c, v)
}

// finish returns the list. The builder is empty after it.
func (b *builder) finish() *list {
	l := b.l
	l.pos, l.dts = b.pos.Build(), b.dts.Build()
	if b.bad {
		l.redoDTS()
	}
	if l.dur == 0 && l.durs == nil {
		l.dur = int32(l.usualStep())
	}
	l.bound()
	*b = builder{last: noTime, most: b.most}
	return &l
}

// usualStep returns the middle one of the distances of decode times, of the first ones; 0 when there is none.
func (l *list) usualStep() int64 {
	const most = 4096
	var steps []int64
	for n := int64(1); n < min(l.n, most); n++ {
		if d := l.dts.At(int(n)) - l.dts.At(int(n-1)); d > 0 && d <= maxAhead {
			steps = append(steps, d)
		}
	}
	if len(steps) == 0 {
		return 0
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// bound finds where the presentation begins and ends.
func (l *list) bound() {
	l.start, l.end = noTime, noTime
	for n := range l.n {
		p := l.info(0, n)
		if t := int64(p.PTS); l.start == noTime || t < l.start {
			l.start = t
		}
		l.end = max(l.end, int64(p.End()))
	}
}

// redoDTS makes decode times of the order of presentation times: the packets are decoded in turn, as late as lets each come in time.
// With pts sorted, packet i is decoded at the time of the picture shown d places before the i-th, where d is the most places that a
// packet stands behind, in decode order, the place at which it is shown.
func (l *list) redoDTS() {
	n := int(l.n)
	pts := make([]int64, n)
	for i := range pts {
		pts[i] = l.dts.At(i)
		if l.offsets != nil {
			pts[i] += int64(l.offsets[i])
		}
	}
	sorted := slices.Clone(pts)
	slices.Sort(sorted)
	depth := 0
	for i, t := range pts {
		if t < sorted[max(i-depth, 0)] {
			rank, _ := slices.BinarySearch(sorted, t)
			depth = max(depth, i-rank)
		}
	}
	step := int64(1)
	if n > 1 {
		step = max(1, (sorted[n-1]-sorted[0])/int64(n-1))
	}
	var dts column.Builder
	dts.Grow(n)
	l.offsets = nil
	for i, t := range pts {
		d := sorted[0] - int64(depth-i)*step
		if i >= depth {
			d = sorted[i-depth]
		}
		off := min(t-d, math.MaxInt32) // a time stamp six hours off is damage: it is what it can be
		dts.Append(d)
		l.offsets = sparse(l.offsets, i, int32(off), 0)
	}
	l.dts = dts.Build()
}
