package mp4

import (
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// sample is one packet of the media, before the edit list.
type sample struct {
	dts  int64 // as the table says; 0 is the beginning of the media
	off  int64 // composition offset
	dur  int64
	pos  int64
	size int64
	desc uint32
	dep  byte // of sdtp
	key  bool
}

// media is the packets of a track in decode order, before the edit list. It is immutable.
type media interface {
	// len returns the number of packets.
	len() int64
	// at returns a cursor whose first packet is n.
	at(n int64) mediaCursor
	// before returns the number of packets with decode times up to and including dts.
	before(dts int64) int64
	// key says whether packet n is a key packet.
	key(n int64) bool
	// span bounds the times.
	span() span
}

// span bounds the times of a media.
type span struct {
	shift   int64 // decode times must be this much earlier for none to be after its composition time
	maxOff  int64 // no composition offset is larger
	longest int64 // no duration is longer
	offsets bool  // there are composition offsets
}

// mediaCursor goes through the packets of a media.
type mediaCursor interface {
	// next puts the next packet into s. It returns false after the last.
	next(s *sample) bool
}

// mark is where a cursor is before a packet.
type mark struct {
	dts, pos            int64
	frame               int64  // sound frames before this one
	chunk, left         uint32 // chunk, from 0, and samples left in it
	run                 uint32 // chunk runs begun; 0 before the first chunk
	deltas, deltaLeft   uint32 // runs of deltas begun, and how many are left of the last
	offsets, offsetLeft uint32 // the same of composition offsets
}

// cursor is a place in a table.
type cursor struct {
	*table
	i int64 // next packet
	mark
	desc uint32
}

func (tb *table) len() int64 { return tb.n }

func (tb *table) span() span { return tb.times }

func (tb *table) key(n int64) bool { return tb.keys == nil || tb.keys.has(n) }

func (tb *table) at(n int64) mediaCursor {
	c := tb.cursor(n)
	return &c
}

func (tb *table) cursor(n int64) cursor {
	n = max(0, min(n, tb.n))
	c := cursor{table: tb, i: n}
	if k := n / stride; k > 0 && k < int64(len(tb.marks)) {
		c.i, c.mark = k*stride, tb.marks[k]
		if c.run > 0 {
			c.desc = tb.runs[c.run-1].desc
		}
	} else {
		c.i = 0
	}
	var s sample
	for c.i < n && c.next(&s) {
	}
	return c
}

// before returns the number of packets whose decode time is at most dts.
func (tb *table) before(dts int64) int64 {
	k := sort.Search(len(tb.marks), func(i int) bool { return tb.marks[i].dts > dts }) - 1
	if k < 0 {
		return 0
	}
	c := tb.cursor(int64(k) * stride)
	var s sample
	for c.next(&s) && s.dts <= dts {
	}
	if s.dts > dts {
		return c.i - 1
	}
	return c.i
}

// scan goes through the table once. It notes where every 256th packet begins and adds up the bytes;
// where packets hold many sound frames it counts the packets too.
func (tb *table) scan() {
	c := tb.cursor(0)
	if tb.group > 0 {
		tb.n = 1 << 62 // until the frames are used up
	} else {
		tb.marks = make([]mark, 0, tb.n/stride+1)
	}
	var s sample
	for {
		if c.i%stride == 0 && c.i < tb.n {
			tb.marks = append(tb.marks, c.mark)
		}
		if !c.next(&s) {
			break
		}
		tb.bytes += s.size
	}
	tb.n = c.i
}

// next puts the next packet into s.
func (c *cursor) next(s *sample) bool {
	if c.i >= c.n {
		return false
	}
	for c.left == 0 {
		if !c.nextChunk() {
			return false
		}
	}
	s.dts, s.pos, s.desc = c.dts, c.pos, c.desc
	if c.group > 0 {
		return c.nextGroup(s)
	}
	i := c.i
	c.i++
	c.left--

	size := int64(c.size)
	if c.sizes != nil {
		size = int64(c.sizes[i])
	}
	s.size = size
	c.pos += size

	if c.delta.each != nil {
		s.dur = int64(c.delta.each[i])
	} else {
		if c.deltaLeft == 0 {
			c.deltaLeft = c.delta.runs[c.deltas].count
			c.deltas++
		}
		c.deltaLeft--
		s.dur = int64(c.delta.runs[c.deltas-1].value)
	}
	c.dts += s.dur

	if c.offset.each != nil {
		s.off = int64(int32(c.offset.each[i]))
	} else if c.offset.runs != nil {
		if c.offsetLeft == 0 {
			c.offsetLeft = c.offset.runs[c.offsets].count
			c.offsets++
		}
		c.offsetLeft--
		s.off = int64(int32(c.offset.runs[c.offsets-1].value))
	} else {
		s.off = 0
	}

	s.key = c.keys == nil || c.keys.has(i)
	s.dep = 0
	if i < int64(len(c.deps)) {
		s.dep = c.deps[i]
	}
	return true
}

// nextGroup puts the next packet of many sound frames into s.
func (c *cursor) nextGroup(s *sample) bool {
	frames := min(c.group, int64(c.left), c.frames-c.frame)
	pieces := frames / c.piece.samples
	if frames == 0 {
		return false
	}
	if pieces == 0 {
		pieces = 1 // the chunk ends in the middle of one: take it whole, it is what is there
	}
	s.off, s.dep, s.key = 0, 0, true
	s.dur = frames
	s.size = pieces * c.piece.bytes
	c.i++
	c.left -= uint32(frames)
	c.frame += frames
	c.dts += frames
	c.pos += s.size
	return true
}

// nextChunk goes to the next chunk. It returns false after the last.
func (c *cursor) nextChunk() bool {
	next := c.chunk + 1
	if c.run == 0 {
		next = 0
	}
	if int64(next) >= c.chunks.len() || len(c.runs) == 0 {
		return false
	}
	c.chunk = next
	if int(c.run) < len(c.runs) && c.runs[c.run].first == next {
		c.run++
	}
	r := &c.runs[c.run-1]
	c.left, c.desc = r.per, r.desc
	c.pos = c.chunks.at(int(next))
	return true
}

// disposable reads the two bits of sdtp that say whether other samples depend on this one, ISO/IEC 14496-12, 8.6.4.3.
func disposable(dep byte) container.Disposable {
	switch dep >> 2 & 3 {
	case 1:
		return container.Needed
	case 2:
		return container.Unneeded
	}
	return container.DisposableUnknown
}
