package mp4

import (
	"math"
	"slices"
	"sort"

	"github.com/sprocket-video/sprocket/container"
	packed "github.com/sprocket-video/sprocket/internal/column"
)

// samples are the packets that the movie fragments of a track tell of, as columns. It is filled run by run and then finished;
// from then on it is a media, and immutable.
type samples struct {
	n        int64
	sizes    growing
	deltas   growing
	offsets  growing // composition offsets, as int32
	descs    growing // sample descriptions, from 0
	keys     bitset  // may be shorter than n: the rest are all key packets
	deps     []byte  // as in sdtp; nil while none tells anything, else maybe shorter than n
	rolls    rolls
	begun    bool   // the first decode time is known
	end      int64  // decode time of the packet after the last
	latest   int64  // no packet ends later
	listed   int64  // where the last packet in the columns ends; before end when some after it were left out
	jumps    []jump // where decode times do not go on; the first is packet 0
	firsts   []uint32
	building packed.Builder
	places   packed.Column // where the packet firsts[i] lies; those up to firsts[i+1] follow it
	next     int64         // position behind the last packet
	times    span
	bytes    int64
	marks    []samplesMark // where packet 256·i begins
}

// jump is a packet whose decode time is not the end of the one before it.
type jump struct{ n, dts int64 }

// maxSamples is how many packets samples can hold: what uint32 can number.
const maxSamples = math.MaxUint32

// growing is a column that is being filled: run by run while that is smaller, then one by one.
type growing struct {
	column
	n int64
}

// add adds count times v.
func (g *growing) add(v uint32, count int64) {
	if count == 0 {
		return
	}
	g.n += count
	if g.each == nil {
		if k := len(g.runs) - 1; k >= 0 && g.runs[k].value == v && int64(g.runs[k].count)+count <= math.MaxUint32 {
			g.runs[k].count += uint32(count)
			return
		}
		g.runs = append(g.runs, run{uint32(count), v})
		if len(g.runs) > 64 && 2*int64(len(g.runs)) > g.n {
			g.expand()
		}
		return
	}
	for range count {
		g.each = append(g.each, v)
	}
}

// addFields adds n values that lie stride bytes apart in p.
func (g *growing) addFields(p []byte, stride int, n int64) {
	i := int64(0)
	for ; i < n && g.each == nil; i++ {
		g.add(be32(p[i*int64(stride):]), 1)
	}
	if i == n {
		return
	}
	g.n += n - i
	g.reserve(int(n - i))
	for ; i < n; i++ {
		g.each = append(g.each, be32(p[i*int64(stride):]))
	}
}

// reserve makes room for n more values, and for as many again as there are.
func (g *growing) reserve(n int) {
	if cap(g.each)-len(g.each) >= n {
		return
	}
	g.each = append(make([]uint32, 0, 2*len(g.each)+n), g.each...)
}

func (g *growing) expand() {
	g.each = make([]uint32, 0, 2*g.n)
	for _, r := range g.runs {
		for range r.count {
			g.each = append(g.each, r.value)
		}
	}
	g.runs = nil
}

// extendLast adds d to the last value and says whether it fits.
func (g *growing) extendLast(d int64) bool {
	if g.each != nil {
		last := &g.each[len(g.each)-1]
		if int64(*last)+d > math.MaxUint32 {
			return false
		}
		*last += uint32(d)
		return true
	}
	k := len(g.runs) - 1
	v := int64(g.runs[k].value) + d
	if v > math.MaxUint32 {
		return false
	}
	if g.runs[k].count--; g.runs[k].count == 0 {
		g.runs = g.runs[:k]
	}
	g.n--
	g.add(uint32(v), 1)
	return true
}

// clip gives back room that is not used.
func (g *growing) clip() {
	if len(g.each) < cap(g.each)-cap(g.each)/8 {
		g.each = append(make([]uint32, 0, len(g.each)), g.each...)
	}
}

// startAt sets the decode time of the next packet. It returns false when that lies before the end of the last one.
func (s *samples) startAt(dts int64) bool {
	forward := !s.begun || dts >= s.end
	s.begun, s.end = true, dts
	return forward
}

// join makes the next packet begin at s.end. ISO/IEC 14496-12, 8.8.12: where that is behind the end of the last packet,
// that one is extended.
func (s *samples) join() {
	gap := s.end - s.listed
	if s.n > 0 && (gap == 0 || gap > 0 && s.deltas.extendLast(gap)) {
		return
	}
	s.jumps = append(s.jumps, jump{s.n, s.end})
}

// earliest returns the smallest decode time.
func (s *samples) earliest() int64 {
	if len(s.jumps) == 0 {
		return s.end
	}
	e := s.jumps[0].dts
	for _, j := range s.jumps {
		e = min(e, j.dts)
	}
	return e
}

// setKeys notes which of the last count packets are key packets.
func (s *samples) setKeys(count int64, key func(i int64) bool) {
	from := s.n - count
	for i := range count {
		if !key(i) {
			s.needKeys()
			s.keys.clear(from + i)
		}
	}
}

// needKeys makes s.keys say of every packet that it does not know that it is one.
func (s *samples) needKeys() {
	for int64(len(s.keys))*64 < s.n {
		s.keys = append(s.keys, math.MaxUint64)
	}
}

// hasAt is has, where what lies behind the end is set.
func (b bitset) hasAt(i int64) bool { return i>>6 >= int64(len(b)) || b.has(i) }

func (b bitset) clear(i int64) { b[i>>6] &^= 1 << (i & 63) }

// setDeps notes which of count packets from number from on others depend on.
func (s *samples) setDeps(from, count int64, dep func(i int64) byte) {
	for i := range count {
		d := dep(i)
		if d == 0 {
			continue
		}
		for int64(len(s.deps)) <= from+i {
			s.deps = append(s.deps, 0)
		}
		s.deps[from+i] = d
	}
}

// finish makes the columns as small as they get, and notes where every 256th packet begins.
func (s *samples) finish() {
	for _, g := range []*growing{&s.sizes, &s.deltas, &s.offsets, &s.descs} {
		g.clip()
	}
	s.places = s.building.Build()
	s.times.longest = max(0, s.deltas.max(false))
	s.times.offsets = s.offsets.each != nil || len(s.offsets.runs) > 1 || len(s.offsets.runs) == 1 && s.offsets.runs[0].value != 0
	if s.times.offsets {
		s.times.shift = max(0, -s.offsets.minSigned())
		s.times.maxOff = max(0, s.offsets.max(true))
	}
	c := samplesCursor{samples: s, samplesMark: samplesMark{reached: math.MinInt64}}
	for s.marks = make([]samplesMark, 0, s.n/stride+1); c.i < s.n; c.skip(stride) {
		c.reached = max(c.reached, c.startOf(s))
		s.marks = append(s.marks, c.samplesMark)
	}
}

// memory returns about how many bytes the samples hold.
func (s *samples) memory() int64 {
	n := 1<<10 + 64*len(s.marks) + 8*len(s.keys) + len(s.deps) + 8*len(s.rolls) + 16*len(s.jumps) + 12*len(s.firsts)
	for _, g := range []*growing{&s.sizes, &s.deltas, &s.offsets, &s.descs} {
		n += 8*cap(g.runs) + 4*cap(g.each)
	}
	return int64(n)
}

// samplesMark is where a cursor is before a packet.
type samplesMark struct {
	i, dts, pos               int64
	reached                   int64 // latest decode time up to and with the packet behind the mark; that of others may be before it
	size, delta, offset, desc fieldMark
	place, jump               uint32 // begun
}

// fieldMark is where a cursor is in a column of runs.
type fieldMark struct{ begun, left uint32 }

// take returns the next value of a column, number i.
func (m *fieldMark) take(c *column, i int64) uint32 {
	if c.each != nil {
		return c.each[i]
	}
	if m.left == 0 {
		m.left = c.runs[m.begun].count
		m.begun++
	}
	m.left--
	return c.runs[m.begun-1].value
}

// samplesCursor is a place in samples.
type samplesCursor struct {
	*samples
	samplesMark
}

func (s *samples) len() int64       { return s.n }
func (s *samples) span() span       { return s.times }
func (s *samples) key(n int64) bool { return s.keys.hasAt(n) }

func (s *samples) at(n int64) mediaCursor {
	n = max(0, min(n, s.n))
	c := &samplesCursor{samples: s}
	if k := n / stride; k < int64(len(s.marks)) {
		c.samplesMark = s.marks[k]
	}
	c.skip(n - c.i)
	return c
}

// before returns the number of packets before the first whose decode time is after dts.
func (s *samples) before(dts int64) int64 {
	k := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].reached > dts }) - 1
	if k < 0 {
		return 0
	}
	var p [stride]container.PacketInfo
	c := samplesCursor{s, s.marks[k]}
	n := c.next(p[:])
	if i := slices.IndexFunc(p[:n], func(p container.PacketInfo) bool { return int64(p.DTS) > dts }); i >= 0 {
		n = i
	}
	return int64(k)*stride + int64(n)
}

// startOf returns the decode time of the packet behind the mark.
func (m *samplesMark) startOf(s *samples) int64 {
	if int(m.jump) < len(s.jumps) && s.jumps[m.jump].n == m.i {
		return s.jumps[m.jump].dts
	}
	return m.dts
}

// enter takes up where the next packet lies, and when it is decoded, where those do not follow from the one before.
func (c *samplesCursor) enter() {
	if int(c.place) < len(c.firsts) && int64(c.firsts[c.place]) == c.i {
		c.pos = c.places.At(int(c.place))
		c.place++
	}
	if int(c.jump) < len(c.jumps) && c.jumps[c.jump].n == c.i {
		c.dts = c.jumps[c.jump].dts
		c.jump++
	}
}

// steady returns how many of the next n packets follow each other in place and time.
func (c *samplesCursor) steady(n int64) int64 {
	if int(c.place) < len(c.firsts) {
		n = min(n, int64(c.firsts[c.place])-c.i)
	}
	if int(c.jump) < len(c.jumps) {
		n = min(n, c.jumps[c.jump].n-c.i)
	}
	return n
}

// skip goes n packets on, or to the end.
func (c *samplesCursor) skip(n int64) {
	for n = min(n, c.n-c.i); n > 0; {
		c.enter()
		k := c.steady(n)
		c.pos += c.size.skip(&c.sizes.column, c.i, k)
		c.dts += c.delta.skip(&c.deltas.column, c.i, k)
		c.reached = max(c.reached, c.dts-int64(c.delta.last(&c.deltas.column, c.i+k)))
		c.desc.skip(&c.descs.column, c.i, k)
		if c.times.offsets {
			c.offset.skip(&c.offsets.column, c.i, k)
		}
		c.i += k
		n -= k
	}
}

// skip goes n values on from number i and returns their sum.
func (m *fieldMark) skip(c *column, i, n int64) (sum int64) {
	if c.each == nil {
		return c.skip(n, &m.begun, &m.left)
	}
	for _, v := range c.each[i : i+n] {
		sum += int64(v)
	}
	return sum
}

// last returns the value before number i of a column, where the mark has got to i.
func (m *fieldMark) last(c *column, i int64) uint32 {
	if c.each != nil {
		return c.each[i-1]
	}
	return c.runs[m.begun-1].value
}

// next puts the next packets into p.
func (c *samplesCursor) next(p []container.PacketInfo) int {
	p = p[:min(int64(len(p)), c.n-c.i)]
	for k := 0; k < len(p); {
		c.enter()
		part := p[k : k+int(c.steady(int64(len(p)-k)))]
		c.fill(part)
		if c.times.offsets {
			for j := range part {
				part[j].PTS += container.Ticks(int32(c.offset.take(&c.offsets.column, c.i+int64(j))))
			}
		}
		for j := c.i; j < min(c.i+int64(len(part)), int64(len(c.deps))); j++ {
			part[j-c.i].Disposable = disposable(c.deps[j])
		}
		if c.rolls != nil {
			c.rolls.fill(part, c.i)
		}
		c.i += int64(len(part))
		k += len(part)
	}
	return len(p)
}

// fill fills in packets that follow each other in place and time.
func (c *samplesCursor) fill(part []container.PacketInfo) {
	pos, dts := c.pos, c.dts
	for j := range part {
		i := c.i + int64(j)
		size, delta := int64(c.size.take(&c.sizes.column, i)), int64(c.delta.take(&c.deltas.column, i))
		q := &part[j]
		*q = container.PacketInfo{
			PTS: container.Ticks(dts), DTS: container.Ticks(dts), Duration: container.Ticks(delta),
			Pos: pos, Size: int(size), Description: int(c.desc.take(&c.descs.column, i)),
			Key: c.keys.hasAt(i),
		}
		pos += size
		dts += delta
	}
	c.pos, c.dts = pos, dts
}

// joined is the packets of a sample table and, behind them, those of movie fragments.
type joined struct{ a, b media }

func (j joined) len() int64 { return j.a.len() + j.b.len() }

func (j joined) key(n int64) bool {
	if k := j.a.len(); n >= k {
		return j.b.key(n - k)
	}
	return j.a.key(n)
}

func (j joined) before(dts int64) int64 {
	if n := j.a.before(dts); n < j.a.len() {
		return n
	}
	return j.a.len() + j.b.before(dts)
}

func (j joined) span() span {
	a, b := j.a.span(), j.b.span()
	return span{max(a.shift, b.shift), max(a.maxOff, b.maxOff), max(a.longest, b.longest), a.offsets || b.offsets}
}

func (j joined) at(n int64) mediaCursor {
	if k := j.a.len(); n >= k {
		return j.b.at(n - k)
	}
	return &joinedCursor{j.a.at(n), j.b}
}

// joinedCursor goes through the first of two media, then through the second.
type joinedCursor struct {
	c    mediaCursor
	then media // nil in the second
}

func (c *joinedCursor) next(p []container.PacketInfo) int {
	n := c.c.next(p)
	for n < len(p) && c.then != nil {
		c.c, c.then = c.then.at(0), nil
		n += c.c.next(p[n:])
	}
	return n
}
