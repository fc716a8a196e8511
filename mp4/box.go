package mp4

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/sprocket-video/sprocket/container"
)

func be16(b []byte) uint32 { return uint32(binary.BigEndian.Uint16(b)) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// header is the beginning of a box, ISO/IEC 14496-12, 4.2.
type header struct {
	typ  string
	len  int   // bytes of the header: 8 or 16
	size int64 // bytes of the whole box; 0 when it reaches to the end of what holds it
}

// parseHeader reads a box header at the beginning of b. It returns io.ErrUnexpectedEOF when b is too short for it.
func parseHeader(b []byte) (header, error) {
	if len(b) < 8 {
		return header{}, io.ErrUnexpectedEOF
	}
	h := header{typ: string(b[4:8]), len: 8, size: int64(be32(b))}
	if h.size == 1 {
		if len(b) < 16 {
			return h, io.ErrUnexpectedEOF
		}
		h.len = 16
		size := be64(b[8:])
		if size < 16 || size > math.MaxInt64 {
			return h, fmt.Errorf("%w: box %q has 64-bit size %d", container.ErrCorrupt, h.typ, size)
		}
		h.size = int64(size)
		return h, nil
	}
	if h.size != 0 && h.size < 8 {
		return h, fmt.Errorf("%w: box %q has size %d", container.ErrCorrupt, h.typ, h.size)
	}
	return h, nil
}

// box is one box in memory.
type box struct {
	typ  string
	off  int64  // of body in the source
	body []byte // what follows the header; shorter than declared when cut
	cut  bool   // the box says it is longer than what holds it
}

// full splits the body of a full box into version and the rest. ok is false when it is too short.
func (b box) full() (version byte, flags uint32, rest box, ok bool) {
	if len(b.body) < 4 {
		return 0, 0, box{}, false
	}
	v := be32(b.body)
	return byte(v >> 24), v & 0xffffff, b.skip(4), true
}

// skip returns the box without the first n bytes of its body. The caller has checked that they are there.
func (b box) skip(n int) box {
	b.body = b.body[n:]
	b.off += int64(n)
	return b
}

// walker walks the boxes that fill a body. It never looks inside them: no recursion, and each step takes at least
// eight bytes, so hostile nesting costs nothing.
type walker struct {
	rest []byte
	off  int64
	err  error // why it stopped, if not at the end
}

func (b box) boxes() *walker { return &walker{rest: b.body, off: b.off} }

// next returns the next box. It returns false at the end and after a fault.
func (w *walker) next() (box, bool) {
	// A few bytes that are no header end QuickTime containers: a 32-bit zero, by its specification.
	if len(w.rest) < 8 || w.err != nil {
		return box{}, false
	}
	h, err := parseHeader(w.rest)
	if err != nil {
		w.err = err
		return box{}, false
	}
	size := h.size
	if size == 0 {
		if h.typ == "\x00\x00\x00\x00" {
			return box{}, false
		}
		size = int64(len(w.rest))
	}
	b := box{typ: h.typ, off: w.off + int64(h.len), cut: size > int64(len(w.rest))}
	size = min(size, int64(len(w.rest)))
	b.body = w.rest[h.len:size]
	w.rest = w.rest[size:]
	w.off += size
	return b, true
}

// child returns the first box of type typ in b.
func (b box) child(typ string) (box, bool) {
	w := b.boxes()
	for {
		c, ok := w.next()
		if !ok || c.typ == typ {
			return c, ok
		}
	}
}
