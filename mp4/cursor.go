package mp4

import (
	"math"
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// media is the packets of a track in decode order, before the edit list. It is immutable.
// Times are those of the media: DTS as the table says, with 0 at the beginning, and PTS the composition time.
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
	// next puts the next packets into p and returns how many: fewer than len(p) only before the end, where it is 0.
	// It sets what the media knows: all but Track, N, Discard and Corrupt.
	next(p []container.PacketInfo) int
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
	c.skip(n - c.i)
	return c
}

// before returns the number of packets whose decode time is at most dts.
func (tb *table) before(dts int64) int64 {
	k := sort.Search(len(tb.marks), func(i int) bool { return tb.marks[i].dts > dts }) - 1
	if k < 0 {
		return 0
	}
	var p [stride]container.PacketInfo
	c := tb.cursor(int64(k) * stride)
	n := c.next(p[:])
	return int64(k)*stride + int64(sort.Search(n, func(i int) bool { return int64(p[i].DTS) > dts }))
}

// end returns the media time at which the last packet ends.
func (tb *table) end() int64 {
	c := tb.cursor(tb.n - 1)
	var p [1]container.PacketInfo
	c.next(p[:])
	return int64(p[0].DTS + p[0].Duration)
}

// scan notes where every 256th packet begins, and adds up the bytes. Where packets hold many sound frames it counts them.
func (tb *table) scan() {
	c := tb.cursor(0)
	if tb.group > 0 {
		tb.n = math.MaxInt64 // until the frames are used up
		var p container.PacketInfo
		for more := true; more; {
			if c.i%stride == 0 {
				tb.marks = append(tb.marks, c.mark)
			}
			if more = c.nextGroup(&p); more {
				tb.bytes += int64(p.Size)
			}
		}
		tb.n = c.i
		return
	}
	tb.marks = make([]mark, 0, tb.n/stride+1)
	for ; c.i < tb.n; c.skip(stride) {
		tb.marks = append(tb.marks, c.mark)
	}
	tb.bytes = tb.n * int64(tb.size)
	for _, s := range tb.sizes {
		tb.bytes += int64(s)
	}
}

// skip goes n packets on, or to the end.
func (c *cursor) skip(n int64) {
	if c.group > 0 {
		var p container.PacketInfo
		for ; n > 0 && c.nextGroup(&p); n-- {
		}
		return
	}
	n = min(n, c.n-c.i)
	if c.delta.each != nil {
		for _, d := range c.delta.each[c.i : c.i+n] {
			c.dts += int64(d)
		}
	} else {
		c.dts += c.delta.skip(n, &c.deltas, &c.deltaLeft)
	}
	if c.offset.runs != nil {
		c.offset.skip(n, &c.offsets, &c.offsetLeft)
	}
	for n > 0 {
		if c.left == 0 {
			if !c.nextChunk() {
				break
			}
			// Whole chunks of the run need no look at their sizes.
			if per := int64(c.left); per > 0 && n > per {
				if whole := min((n-1)/per, c.runEnd()-1-int64(c.chunk)); whole > 0 {
					c.chunk += uint32(whole)
					c.i += whole * per
					n -= whole * per
					c.pos = c.chunks.at(int(c.chunk))
				}
			}
			continue
		}
		k := min(n, int64(c.left))
		if c.sizes != nil {
			for _, s := range c.sizes[c.i : c.i+k] {
				c.pos += int64(s)
			}
		} else {
			c.pos += k * int64(c.size)
		}
		c.left -= uint32(k)
		c.i += k
		n -= k
	}
}

// next puts the next packets into p, column by column.
func (c *cursor) next(p []container.PacketInfo) int {
	p = p[:min(int64(len(p)), c.n-c.i)]
	if c.group > 0 {
		n := 0
		for n < len(p) && c.nextGroup(&p[n]) {
			n++
		}
		return n
	}
	i := c.i
	p = c.places(p)
	c.times(p, i)
	for k := range p {
		p[k].Key = c.keys == nil || c.keys.has(i+int64(k))
		p[k].Disposable = container.DisposableUnknown
	}
	if i < int64(len(c.deps)) {
		deps := c.deps[i:]
		for k := range p[:min(len(p), len(deps))] {
			p[k].Disposable = disposable(deps[k])
		}
	}
	if c.rolls != nil {
		c.rolls.fill(p, i)
	}
	return len(p)
}

// places fills in where the packets lie, and goes on behind them. It returns those there are chunks for.
func (c *cursor) places(p []container.PacketInfo) []container.PacketInfo {
	for k := 0; k < len(p); {
		if c.left == 0 {
			if n := c.singles(p[k:]); n > 0 {
				k += n
				continue
			}
			if !c.nextChunk() {
				return p[:k]
			}
			continue
		}
		part := p[k:min(len(p), k+int(c.left))]
		pos, size := c.pos, int64(c.size)
		for j := range part {
			if c.sizes != nil {
				size = int64(c.sizes[c.i+int64(j)])
			}
			q := &part[j]
			q.Pos, q.Size, q.Description = pos, int(size), int(c.desc)
			pos += size
		}
		c.pos = pos
		c.i += int64(len(part))
		c.left -= uint32(len(part))
		k += len(part)
	}
	return p
}

// singles is places for the rest of a run of chunks with one sample each. It returns how many those are.
func (c *cursor) singles(p []container.PacketInfo) int {
	if c.run == 0 || c.runs[c.run-1].per != 1 {
		return 0
	}
	p = p[:min(int64(len(p)), c.runEnd()-1-int64(c.chunk))]
	size := c.size
	for j := range p {
		c.chunk++
		if c.sizes != nil {
			size = c.sizes[c.i+int64(j)]
		}
		q := &p[j]
		q.Pos, q.Size, q.Description = c.chunks.at(int(c.chunk)), int(size), int(c.desc)
	}
	c.i += int64(len(p))
	return len(p)
}

// runEnd returns the chunk that ends the run.
func (c *cursor) runEnd() int64 {
	if int(c.run) < len(c.runs) {
		return int64(c.runs[c.run].first)
	}
	return c.chunks.len()
}

// times fills in when the packets, of which the first is number i, are decoded and presented.
func (c *cursor) times(p []container.PacketInfo, i int64) {
	dts := container.Ticks(c.dts)
	if c.delta.each != nil {
		for k, d := range c.delta.each[i : i+int64(len(p))] {
			p[k].PTS, p[k].DTS, p[k].Duration = dts, dts, container.Ticks(d)
			dts += container.Ticks(d)
		}
	} else {
		for k := 0; k < len(p); {
			n, d := c.delta.next(len(p)-k, &c.deltas, &c.deltaLeft)
			for end := k + n; k < end; k++ {
				p[k].PTS, p[k].DTS, p[k].Duration = dts, dts, container.Ticks(d)
				dts += container.Ticks(d)
			}
		}
	}
	c.dts = int64(dts)
	if c.offset.each != nil {
		for k, v := range c.offset.each[i : i+int64(len(p))] {
			p[k].PTS += container.Ticks(int32(v))
		}
	} else if c.offset.runs != nil {
		for k := 0; k < len(p); {
			n, v := c.offset.next(len(p)-k, &c.offsets, &c.offsetLeft)
			for end := k + n; k < end; k++ {
				p[k].PTS += container.Ticks(int32(v))
			}
		}
	}
}

// nextGroup puts the next packet of many sound frames into p. It returns false after the last.
func (c *cursor) nextGroup(p *container.PacketInfo) bool {
	if c.i >= c.n {
		return false
	}
	for c.left == 0 {
		if !c.nextChunk() {
			return false
		}
	}
	frames := min(c.group, int64(c.left), c.frames-c.frame)
	if frames == 0 {
		return false
	}
	pieces := frames / c.piece.samples
	if pieces == 0 {
		pieces = 1 // the chunk ends in the middle of one: take it whole, it is what is there
	}
	size := pieces * c.piece.bytes
	*p = container.PacketInfo{
		PTS: container.Ticks(c.dts), DTS: container.Ticks(c.dts), Duration: container.Ticks(frames),
		Pos: c.pos, Size: int(size), Description: int(c.desc), Key: true,
	}
	c.i++
	c.left -= uint32(frames)
	c.frame += frames
	c.dts += frames
	c.pos += size
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
	if r.per == 0 {
		c.chunk = uint32(c.runEnd() - 1) // however many there are
	}
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
