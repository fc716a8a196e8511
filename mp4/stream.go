package mp4

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

const (
	// noEnd stands for the size of a source whose end is not known: nothing lies beyond it.
	noEnd = 1 << 60
	// fragmentAdvance is how many samples the runs of a fragment may have that hold no bytes for each, and are not paid for by what came before.
	fragmentAdvance = 1 << 20
	// tableAdvance is how many packets the tables of a movie box may have that hold no size for each, besides as many as it has bytes, or twice as
	// many as the file has. All 50 a second of a day are 4.3 million.
	tableAdvance = 1 << 22
	// maxQueued is how many bytes the tables of fragments may have that are kept while a packet before theirs has not come.
	maxQueued = 16 << 20
)

var (
	_ container.Demuxer      = (*Stream)(nil)
	_ container.Warner       = (*Stream)(nil)
	_ container.Reorderer    = (*Stream)(nil)
	_ container.StreamFormat = format{}
)

// Stream is a movie that is read once, from front to back. Next, Tracks and Warnings are for one goroutine at a time.
type Stream struct {
	src    *source.Stream
	d      *Demuxer // what the movie box tells
	o      *opener
	walk   *walk // what fragments are read with; nil when there are none
	queues []*queue
	off    int64 // of the next root box that has not been looked at; noEnd when none is looked for
	seen   int64 // bytes that samples may be charged to: see fragmenter.claims
	n      int   // fragments
}

// queue is the packets of a track that are known and have not been read: list after list.
type queue struct {
	track   int
	parts   []part // of the edit list
	edited  bool   // there is one
	lists   []queued
	held    int64 // bytes of those, and of the one of c
	now     int64 // bytes of the one of c
	c       *listCursor
	head    *container.PacketInfo // the next one; nil when more must be known first
	n       int64                 // of the next packet
	shift   int64                 // of decode times, the largest so far
	reorder int
}

// queued is a list, and the bytes that its samples hold: none where it is of the movie box.
type queued struct {
	l     *list
	bytes int64
}

// OpenStream reads a movie's headers from a stream: all boxes up to the movie box, and that, but not what follows it. Packets come in the
// order in which they are stored. Of a fragmented movie a fragment's headers are read when its packets are next.
//
// Media data before the movie box must fit, with it, into the window of the stream; else it gives container.ErrNotSeekable, as soon as
// the size of the media data is known. So does a fragmented movie whose edit list has several edits. A packet that lies further back
// than the window reaches is an error of its own, and so is each that a stream which was cut does not have.
//
// Memory besides the window is that of the movie box's tables and of one fragment's headers; where fragments come before packets of others, that
// of theirs too, up to 16 MiB: then a packet is read though boxes before it have not been looked at. Of packets for which the headers hold no bytes
// there are no more than of bytes that came, and some million.
func OpenStream(ctx context.Context, src *source.Stream, o *container.Options) (*Stream, error) {
	var opts container.Options
	if o != nil {
		opts = *o
	}
	op := &opener{src: src, size: noEnd, limits: opts.Limits.OrDefault(), op: "open", fragment: -1}
	s := &Stream{src: src, o: &opener{src: src, size: noEnd, limits: op.limits, op: "read"}}
	moov, err := s.findMovie(ctx, op)
	if err != nil {
		return nil, err
	}
	op.advance = tableAdvance + int64(len(moov.body))
	if s.d, err = op.readMovie(moov, opts.Select); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, op); err != nil {
		return nil, err
	}
	if opts.Logger != nil {
		for _, w := range s.Warnings() {
			opts.Logger.DebugContext(ctx, "mp4", "warning", w)
		}
	}
	return s, nil
}

// findMovie reads up to the movie box and returns it.
func (s *Stream) findMovie(ctx context.Context, o *opener) (box, error) {
	media := int64(-1) // where media data begins
	var off int64
	for n := 0; ; n++ {
		if n == maxRootBoxes {
			return box{}, fail("", off, fmt.Errorf("%w: %d boxes and no movie box", container.ErrLimit, n))
		}
		h, b, err := s.header(ctx, off)
		switch {
		case err == io.EOF && off > 0:
			return box{}, fail("", off, corrupt("no movie box"))
		case err == io.EOF:
			return box{}, fail("", off, io.ErrUnexpectedEOF)
		case off == 0 && len(b) >= 8 && !Format.Sniff(b):
			return box{}, fail("", 0, fmt.Errorf("%w: begins with %q", container.ErrFormat, b))
		case err == io.ErrUnexpectedEOF:
			size, _ := s.src.End()
			return box{}, fail("", min(size, off), fmt.Errorf("no movie box: %w", err))
		case err != nil:
			return box{}, fail("", off, err)
		case h.typ == "moof":
			return box{}, fail("", off, errNoMovie)
		case h.size == 0:
			return box{}, fail("", off, fmt.Errorf("no movie box: %w", corrupt("box %q reaches to the end", h.typ)))
		case h.size > noEnd-off:
			return box{}, fail("", off, corrupt("box %q of %d bytes", h.typ, h.size))
		}
		if h.typ == "mdat" && media < 0 {
			media = off
		}
		end := off + h.size
		if window, bounded := s.src.Reach(); media >= 0 && bounded && end-media > window {
			return box{}, fail("", media, fmt.Errorf("media data comes before the movie box, and of a stream %d bytes are kept, not the %d to the end of box %q: "+
				"write the movie box first, or spool the stream: %w", window, end-media, h.typ, container.ErrNotSeekable))
		}
		if h.typ == "moov" {
			o.after = end
			return o.readBox(ctx, h, off, b)
		}
		off = end
	}
}

// header reads a box header. It gives io.EOF where the stream ends exactly there.
func (s *Stream) header(ctx context.Context, off int64) (header, []byte, error) {
	b := make([]byte, 16)
	n, err := source.ReadSome(ctx, s.src, b[:8], off)
	if err == nil && n == 8 && be32(b) == 1 {
		var k int
		k, err = source.ReadSome(ctx, s.src, b[8:], off+8)
		n += k
	}
	b = b[:n]
	if err != nil {
		return header{}, b, err
	}
	if size, _ := s.src.End(); n == 0 && size == off {
		return header{}, b, io.EOF
	}
	h, err := parseHeader(b)
	return h, b, err
}

// begin queues the packets that the movie box tells of.
func (s *Stream) begin(ctx context.Context, op *opener) error {
	s.off = noEnd
	if s.walk = s.d.walk; s.walk != nil {
		s.off = op.after
		s.walk.f.o, s.walk.f.claims = s.o, 0
		s.d.walk = nil
	}
	for i, used := range s.d.inUse {
		if !used {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		q := &queue{track: i}
		s.queues = append(s.queues, q)
		if s.walk == nil {
			q.add(s.d.state.Load().lists[i], 0)
			continue
		}
		t := s.walk.traks[i]
		if q.parts, q.edited = s.o.readParts(t, s.walk.movie); len(q.parts) > 1 {
			return fail(t.path+"/edts/elst", t.elst.off, fmt.Errorf("%d edits of a fragmented movie: spool the stream: %w", len(q.parts), container.ErrNotSeekable))
		}
		if tb := s.walk.tables[i]; tb != nil {
			q.add(s.o.lay(t, tb, q.parts, q.edited), 0)
		}
	}
	return nil
}

// Tracks returns the tracks in the order of the movie box. The slice is shared and read-only.
func (s *Stream) Tracks() []container.Track { return s.d.Tracks() }

// Warnings returns the faults so far that did not stop the reading, at most 65 of the movie box and 64 of the fragments.
func (s *Stream) Warnings() []error { return slices.Concat(s.d.Warnings(), s.o.warnings) }

// Close releases the tables. Tracks and Warnings still answer after it; Next returns io.EOF.
func (s *Stream) Close() error {
	s.queues, s.walk, s.off = nil, nil, noEnd
	return s.d.Close()
}

// ReorderDepth tells of the tables in the movie box, or else of the fragments read so far; see [container.Reorderer].
func (s *Stream) ReorderDepth(track int) (depth int, whole bool) {
	for _, q := range s.queues {
		if q.track == track {
			return q.reorder, s.walk == nil
		}
	}
	return 0, false
}

// Next reads the next packet of the tracks in use, as they are stored. When a packet cannot be read, p tells which it is, and the call after
// goes on behind it. A stream that ends where more was announced gives io.ErrUnexpectedEOF. A call that ctx ended can be made again.
func (s *Stream) Next(ctx context.Context, p *container.Packet) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		q := s.first()
		switch {
		case q == nil && s.off == noEnd:
			return io.EOF
		case q != nil && (q.head.Pos < s.off || s.off == noEnd || s.held() > maxQueued):
			return s.take(ctx, q, p)
		}
		if err := s.step(ctx); err != nil {
			return err
		}
	}
}

// first returns the queue whose next packet is stored first, or nil.
func (s *Stream) first() *queue {
	var first *queue
	for _, q := range s.queues {
		if q.head != nil && (first == nil || q.head.Pos < first.head.Pos) {
			first = q
		}
	}
	return first
}

// held returns how many bytes the tables of fragments hold whose packets have not all come.
func (s *Stream) held() (bytes int64) {
	for _, q := range s.queues {
		bytes += q.held
	}
	return bytes
}

func (s *Stream) take(ctx context.Context, q *queue, p *container.Packet) error {
	err := s.d.read(ctx, q.track, *q.head, p)
	if err != nil && ctx.Err() != nil {
		return err
	}
	q.advance()
	return err
}

// stop ends the walk over root boxes with a warning.
func (s *Stream) stop(path string, err error) error {
	s.o.warn(path, s.off, err)
	s.off = noEnd
	return nil
}

// cut ends the walk where the stream does, before the box that begins at s.off is there. What would have followed is lost too, beside the
// packets that are not there.
func (s *Stream) cut() error {
	size, _ := s.src.End()
	off := s.off
	s.off = noEnd
	return s.o.located("", min(size, off), fmt.Errorf("the stream ends at %d in a box: %w", size, io.ErrUnexpectedEOF))
}

// step goes over one root box.
func (s *Stream) step(ctx context.Context) error {
	h, b, err := s.header(ctx, s.off)
	switch {
	case err == io.EOF:
		s.off = noEnd
		return nil
	case err == io.ErrUnexpectedEOF:
		return s.cut()
	case errors.Is(err, container.ErrCorrupt):
		return s.stop("", err)
	case errors.Is(err, container.ErrNotSeekable):
		err = s.o.located("", s.off, err)
		s.off = noEnd // let go for a packet far on: what comes next is not known
		return err
	case err != nil:
		return s.o.located("", s.off, err)
	case h.size == 0 && h.typ == "\x00\x00\x00\x00":
		return s.stop("", corrupt("zeros where a box should be"))
	case h.size > noEnd-s.off, h.size == 0 && h.typ == "moof":
		return s.stop(h.typ, corrupt("box of %d bytes", h.size))
	case h.size == 0:
		s.off = noEnd
		return nil
	}
	if h.typ == "moof" {
		path := fmt.Sprintf("moof[%d]", s.n)
		if h.size > s.o.limits.HeaderBytes {
			s.o.warn(path, s.off, fmt.Errorf("%w: box of %d bytes", container.ErrLimit, h.size))
		} else {
			if b, err = s.o.readOn(ctx, b, s.off, h.size); err != nil {
				return s.o.located(path, s.off+int64(len(b)), err)
			}
			if int64(len(b)) < h.size {
				return s.cut()
			}
			s.fragment(path, box{typ: h.typ, off: s.off + int64(h.len), body: b[h.len:]})
		}
		s.n++
	}
	s.off += h.size
	return nil
}

// fragment queues the packets of a movie fragment, whose box begins at s.off.
func (s *Stream) fragment(path string, moof box) {
	w := s.walk
	came, _ := s.src.End()
	w.f.claims += came - s.seen
	if s.seen, w.f.advance = came, 0; w.f.claims >= 0 {
		w.f.advance = fragmentAdvance
	}
	for _, q := range s.queues {
		old := w.samples[q.track]
		own := &samples{begun: old.begun, end: old.end}
		if ft := w.f.tracks[uint32(w.traks[q.track].id)]; ft != nil && ft.samples == old {
			ft.samples = own
		}
		w.samples[q.track] = own
	}
	w.f.read(path, moof, s.off)
	o := s.o
	if s.n > 0 { // the first time told what is wrong
		o = &opener{size: noEnd, limits: s.o.limits}
	}
	for _, q := range s.queues {
		if own := w.samples[q.track]; own.n > 0 {
			own.finish()
			q.add(o.lay(w.traks[q.track], own, q.parts, q.edited), own.memory())
		}
	}
}

// add queues a list behind the others.
func (q *queue) add(l *list, bytes int64) {
	l.shift = max(l.shift, q.shift) // decode times should not go back where a fragment needs less
	q.shift = l.shift
	q.reorder = max(q.reorder, l.reorderDepth())
	q.lists = append(q.lists, queued{l, bytes})
	q.held += bytes
	if q.head == nil {
		q.advance()
	}
}

// advance makes head the next packet, if one is known.
func (q *queue) advance() {
	for q.head = nil; q.head == nil && (q.c != nil || len(q.lists) > 0); {
		if q.c == nil {
			q.c, q.now = q.lists[0].l.at(0), q.lists[0].bytes
			q.lists[0].l = nil
			q.lists = q.lists[1:]
		}
		if q.head = q.c.next(); q.head == nil {
			q.held -= q.now
			q.c = nil
			continue
		}
		q.head.N = q.n
		q.n++
	}
}

// maxLater bounds how many packets are looked back at: more than any codec reorders.
const maxLater = 64

// reorderDepth returns how many packets come, at most, before one that is presented before them.
func (l *list) reorderDepth() int {
	var later []container.Ticks // what was presented after the packet at hand or may be, sorted
	depth := 0
	for c := l.at(0); c.more(); c.block = nil {
		for i := range c.block {
			p := &c.block[i]
			if p.Discard {
				continue
			}
			// No packet to come is presented before it is decoded.
			n, _ := slices.BinarySearch(later, p.DTS+1)
			later = append(later[:0], later[n:]...)
			n, _ = slices.BinarySearch(later, p.PTS+1)
			depth = max(depth, len(later)-n)
			later = slices.Insert(later, n, p.PTS)
			if len(later) > maxLater {
				later = append(later[:0], later[1:]...)
			}
		}
	}
	return depth
}
