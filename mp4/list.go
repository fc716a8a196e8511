package mp4

import (
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// list is the packets of a track as they are listed: one segment after the other.
type list struct {
	track int
	size  int64 // of the source
	media media
	shift int64 // see span
	segs  []segment
	n     int64 // packets in all segments
	start container.Ticks
	bytes int64
}

// segment is a stretch of the media that the edit list presents, with the packets that it takes to decode it.
type segment struct {
	first, end int64 // packets of the media
	n          int64 // number of the first of them in the list
	move       int64 // presentation time less media time
	from, to   int64 // the media times that are presented; the packets outside are discarded
	straddle   bool  // a packet that begins before from and ends after it is presented
}

func (s *segment) length() int64 { return s.end - s.first }

// blockLen is how many packets are taken out of a media at a time.
const blockLen = 32

// listCursor goes through a list.
type listCursor struct {
	l     *list
	c     mediaCursor
	seg   int
	left  int64 // packets of the segment that are not in block
	n     int64 // number of the packet after those in block
	block []container.PacketInfo
	buf   [blockLen]container.PacketInfo
}

// at returns a cursor whose first packet is number n.
func (l *list) at(n int64) *listCursor {
	n = max(0, n)
	c := &listCursor{l: l, n: n}
	c.seg = sort.Search(len(l.segs), func(i int) bool { return l.segs[i].n+l.segs[i].length() > n })
	if c.seg < len(l.segs) {
		s := &l.segs[c.seg]
		c.c = l.media.at(s.first + n - s.n)
		c.left = s.length() - (n - s.n)
	}
	return c
}

// more makes sure that there is a packet in block. It returns false after the last.
func (c *listCursor) more() bool {
	if len(c.block) > 0 {
		return true
	}
	for c.left == 0 {
		if c.seg+1 >= len(c.l.segs) {
			return false
		}
		c.seg++
		s := &c.l.segs[c.seg]
		c.c, c.left = c.l.media.at(s.first), s.length()
	}
	n := c.c.next(c.buf[:min(c.left, blockLen)])
	c.block = c.buf[:n]
	c.left -= int64(n)
	c.present(c.block)
	return n > 0
}

// present turns packets of the media into packets of the list.
func (c *listCursor) present(block []container.PacketInfo) {
	g := &c.l.segs[c.seg]
	from, to, move := container.Ticks(g.from), container.Ticks(g.to), container.Ticks(g.move)
	for i := range block {
		p := &block[i]
		p.Track = c.l.track
		p.N = c.n
		p.Discard = p.PTS >= to || p.PTS < from && !(g.straddle && p.End() > from)
		p.Corrupt = p.Pos+int64(p.Size) > c.l.size
		p.PTS += move
		p.DTS += move - container.Ticks(c.l.shift)
		c.n++
	}
}

// next returns the next packet, or nil after the last. It is lent until the next call.
func (c *listCursor) next() *container.PacketInfo {
	if !c.more() {
		return nil
	}
	p := &c.block[0]
	c.block = c.block[1:]
	return p
}
