package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// piece is the most that is read at a time.
const piece = 1 << 20

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Start returns where the transport packet begins that the byte at pos lies in.
func Start(t *container.Transport, pos int64) (int64, error) {
	i := sort.Search(len(t.Grid), func(i int) bool { return t.Grid[i] > pos }) - 1
	if i < 0 || t.PacketSize < Size {
		return 0, fmt.Errorf("no transport packet there: %w", container.ErrCorrupt)
	}
	return pos - (pos-t.Grid[i])%int64(t.PacketSize), nil
}

// Read fills dst with the payload of a track's transport packets, beginning with the byte at info.Pos. It reads, in one piece, from
// the header of the transport packet that lies there to the end of the packet's span, and goes on where that does not fill dst.
func Read(ctx context.Context, src source.Source, t *container.Transport, info *container.PacketInfo, dst []byte) error {
	if len(dst) == 0 {
		return nil
	}
	if info.Extent() == int64(len(dst)) && info.Size == len(dst) { // in one transport packet
		return source.ReadFull(ctx, src, dst, info.Pos)
	}
	start, err := Start(t, info.Pos)
	if err != nil {
		return err
	}
	c := collector{t: t, dst: dst, skip: int(info.Pos - start)}
	lent := buffers.Get().(*[]byte)
	defer buffers.Put(lent)
	want := info.Pos - start + max(info.Extent(), int64(len(dst)))
	kept := 0 // bytes at the front of the buffer that the read before left
	for off := start; ; {
		n := int(min(max(want, int64(3*t.PacketSize)), piece))
		if cap(*lent) < kept+n {
			*lent = append(make([]byte, 0, kept+n), (*lent)[:kept]...)
		}
		b := (*lent)[:kept+n]
		k, err := source.ReadSome(ctx, src, b[kept:], off+int64(kept))
		if err != nil {
			return err
		}
		b = b[:kept+k]
		used, err := c.feed(b, k < n || off+int64(len(b)) >= src.Size())
		if len(c.dst) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if k < n {
			return io.ErrUnexpectedEOF
		}
		kept = copy(b, b[used:])
		off += int64(used)
		if want -= int64(k); want <= 0 {
			want = 64 << 10
		}
	}
}

// collector puts the payload of transport packets together.
type collector struct {
	t      *container.Transport
	dst    []byte // what is still to be filled
	skip   int    // bytes of the first transport packet before the payload that is wanted
	begun  bool
	search bool // sync is lost
	lost   bool // no PES header was where one should be: what follows is no payload
	inPES  bool
	pes    PES
	last   [Size]byte
}

var errPID = errors.New("the transport packet there is of another track")

// feed takes what it can of b and returns how much that is.
func (c *collector) feed(b []byte, last bool) (used int, err error) {
	stride := c.t.PacketSize
	at := 0
	for len(c.dst) > 0 {
		if at >= len(b) || !c.begun && at+Size > len(b) {
			return min(at, len(b)), nil
		}
		if c.search || b[at] != Sync {
			next, ok := Resync(b, at, stride, last, &c.search)
			if at = next; !ok {
				return min(at, len(b)), nil
			}
			continue
		}
		if at+Size > len(b) {
			if last { // the source ends in this packet: what the packets before gave is all
				return at, io.ErrUnexpectedEOF
			}
			return at, nil
		}
		if err := c.packet(b[at : at+Size]); err != nil {
			return at, err
		}
		at += stride
	}
	return at, nil
}

func (c *collector) packet(b []byte) error {
	p := Parse(b)
	if p.PID != c.t.PID || !p.HasPayload {
		if !c.begun {
			return fmt.Errorf("%w: %w", errPID, container.ErrCorrupt)
		}
		return nil
	}
	if c.begun && p.Counter == int8(c.last[3]&15) && Duplicate(c.last[:], b) {
		return nil
	}
	first := !c.begun
	c.begun = true
	copy(c.last[:], b)
	body := b[p.Payload:]
	switch {
	case first:
		if c.skip < p.Payload {
			return fmt.Errorf("no payload there: %w", container.ErrCorrupt)
		}
		body = b[min(c.skip, Size):]
	case p.Start && c.t.Sections:
		body = body[1:]
	case p.Start && !p.Scrambled:
		c.inPES, c.lost = true, false
		c.pes.Reset()
	case p.Start:
		c.lost = false
	}
	if c.inPES {
		n, done := c.pes.Feed(body)
		body = body[n:]
		c.inPES = !done
		c.lost = done && !c.pes.Good()
	}
	if !c.lost {
		c.dst = c.dst[copy(c.dst, body):]
	}
	return nil
}
