package mp4

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

const (
	window       = 64 << 10 // bytes read where a root box may be
	piece        = 64 << 20 // bytes read, and allocated, at a time
	maxRootBoxes = 1 << 16  // before the movie box
	maxWarnings  = 64
)

// opener is the state of one Open.
type opener struct {
	src      io.ReaderAt
	size     int64 // of src; noEnd when it is not known
	advance  int64 // how many more packets tables may have that hold no size for each
	limits   container.Limits
	warnings []error
	dropped  bool // a warning was left out
	op       string

	// What findMovie came by.
	fragment int64 // the first movie fragment before the movie box; -1 when there is none
	after    int64 // where the movie box ends
	rest     view  // what was read last; lent
}

// warn notes a fault that does not stop the opening.
func (o *opener) warn(path string, off int64, err error) {
	if len(o.warnings) < maxWarnings {
		o.warnings = append(o.warnings, o.located(path, off, err))
		return
	}
	o.dropped = true
}

// warnDropped adds, as the last warning, that there are more.
func (o *opener) warnDropped() {
	if o.dropped {
		o.warnings = append(o.warnings, o.located("", -1, corrupt("further faults are not listed")))
	}
}

// believe returns how many of n packets of size bytes are taken whose sizes are in no table: as many as the source has bytes for, but for
// the end of one that was cut, and, in all tracks, as many as are left of a number.
func (o *opener) believe(n, size int64) int64 {
	n = min(n, o.size/size+1, o.advance)
	o.advance -= n
	return n
}

func fail(path string, off int64, err error) error {
	return &container.Error{Format: "mp4", Op: "open", Path: path, Offset: off, Err: err}
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), container.ErrCorrupt)
}

// view is a piece of the source that has been read.
type view struct {
	off int64
	b   []byte
}

// at returns what the view holds from off on; nil when off is outside it.
func (v view) at(off int64) []byte {
	if off < v.off || off > v.off+int64(len(v.b)) {
		return nil
	}
	return v.b[off-v.off:]
}

// Open reads the movie's headers: one read of the head, unless o.Head holds it, one where each root box beyond it begins,
// until the movie box is found, and one for the rest of that, in pieces of 64 MiB. No other read is made before Next or Read
// but, of a fragmented movie, to list: the first List or Next of any track goes through the movie fragments, once for all,
// without reading media data. Until then Packets and Bytes of the tracks are -1.
//
// A fault in one track leaves the others usable, and is a warning; see [Demuxer.Warnings].
func Open(ctx context.Context, src source.Source, o *container.Options) (*Demuxer, error) {
	var opts container.Options
	if o != nil {
		opts = *o
	}
	op := &opener{src: src, size: src.Size(), limits: opts.Limits.OrDefault(), op: "open", fragment: -1}
	op.advance = tableAdvance + 2*min(op.size, noEnd) // two tracks may have the same bytes
	moov, err := op.findMovie(ctx, opts.Head)
	if err != nil {
		return nil, err
	}
	d, err := op.readMovie(moov, opts.Select)
	if err != nil {
		return nil, err
	}
	if opts.Logger != nil {
		for _, w := range d.Warnings() {
			opts.Logger.DebugContext(ctx, "mp4", "warning", w)
		}
	}
	return d, nil
}

// findMovie walks the root boxes to the movie box and returns it, in memory.
func (o *opener) findMovie(ctx context.Context, head []byte) (box, error) {
	v := view{b: head}
	var off int64
	for n := 0; off < o.size; n++ {
		if n == maxRootBoxes {
			return box{}, fail("", off, fmt.Errorf("%w: %d boxes and no movie box", container.ErrLimit, n))
		}
		b := v.at(off)
		if len(b) < 16 && off+int64(len(b)) < o.size {
			if off > 0 {
				if err := o.fetchTail(ctx, off); err != nil {
					return box{}, fail("", off, err)
				}
			}
			b = make([]byte, min(window, o.size-off))
			k, err := source.ReadSome(ctx, o.src, b, off)
			if err != nil {
				return box{}, fail("", off, err)
			}
			b = b[:k]
			v = view{off, b}
		}
		h, err := parseHeader(b)
		if off == 0 && !Format.Sniff(b) {
			return box{}, fail("", 0, fmt.Errorf("%w: begins with %q", container.ErrFormat, b[:min(8, len(b))]))
		}
		if err != nil {
			return box{}, fail("", off, err)
		}
		switch h.typ {
		case "moov":
			o.rest, o.after = v, o.size
			if h.size > 0 && h.size < o.size-off {
				o.after = off + h.size
			}
			return o.readBox(ctx, h, off, b)
		case "moof":
			if o.fragment < 0 {
				o.fragment = off
			}
		}
		if h.size == 0 || h.size > o.size-off { // checked before it is added
			off += max(h.size, int64(h.len))
			if h.size > o.size {
				off = o.size
			}
			err := io.ErrUnexpectedEOF
			if h.size == 0 {
				err = corrupt("box %q reaches to the end", h.typ)
			}
			if o.fragment >= 0 {
				err = errNoMovie
			}
			return box{}, fail("", min(off, o.size), fmt.Errorf("no movie box: %w", err))
		}
		off += h.size
	}
	if o.fragment >= 0 {
		return box{}, fail("", 0, errNoMovie)
	}
	if o.size == 0 {
		return box{}, fail("", 0, io.ErrUnexpectedEOF)
	}
	return box{}, fail("", o.size, corrupt("no movie box"))
}

var errNoMovie = fmt.Errorf("movie fragments without a movie box: an initialization segment must come first: %w", container.ErrUnsupported)

// readBox returns the box whose header h lies at off, where b holds its beginning.
func (o *opener) readBox(ctx context.Context, h header, off int64, b []byte) (box, error) {
	size := h.size
	m := box{typ: h.typ, off: off + int64(h.len)}
	if size == 0 {
		size = o.size - off
	} else if size > o.size-off {
		m.cut = true
		size = o.size - off
	}
	if size > o.limits.HeaderBytes {
		return box{}, fail(h.typ, off, fmt.Errorf("%w: box of %d bytes", container.ErrLimit, size))
	}
	b, err := o.readOn(ctx, b, off, size)
	if err != nil {
		return box{}, fail(h.typ, off+int64(len(b)), err)
	}
	if int64(len(b)) < size {
		m.cut = true
		size = int64(len(b))
	}
	m.body = b[min(int64(h.len), size):size]
	if m.cut {
		o.warn("moov", off, fmt.Errorf("the box has %d bytes of %d: %w", size, h.size, io.ErrUnexpectedEOF))
	}
	return m, nil
}

// readOn returns size bytes at off, or more, fewer only where the source ends, given that b holds the first of them.
func (o *opener) readOn(ctx context.Context, b []byte, off, size int64) ([]byte, error) {
	if int64(len(b)) >= size {
		return b, nil
	}
	// Grown piece by piece: what is allocated never runs far ahead of what the source really gave. A file has what it says; a stream may end.
	most := int64(piece)
	if o.size == noEnd {
		most = unproven
	}
	all := append(make([]byte, 0, min(size, most)), b...)
	for int64(len(all)) < size {
		most = min(max(most, int64(len(all))), piece)
		n := int(min(size-int64(len(all)), most))
		if free := cap(all) - len(all); free > 0 {
			n = min(n, free)
		}
		have := len(all)
		all = slices.Grow(all, n)[:have+n]
		k, err := source.ReadSome(ctx, o.src, all[have:], off+int64(have))
		if err != nil {
			return all[:have], err
		}
		if k < n {
			return all[:have+k], nil
		}
	}
	return all, nil
}
