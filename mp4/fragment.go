package mp4

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// Fragmented movies, ISO/IEC 14496-12, 8.8, tell of their packets all over the file: in a movie fragment box before each stretch
// of media data.
//
// Open reads the movie box alone. The fragments are walked when they are first needed: by the first List or Next of any track,
// once for all tracks. So a caller that needs no exact index pays for none. Until then a track's Packets and Bytes are -1.
//
// The walk reads one window for each fragment, from the end of one media data box to the header of the next: one read, of
// about as many bytes as the headers before had (it adapts between 2 KiB and 1 MiB), and two where a fragment's headers are
// longer. Where media data is shorter than a window, one read serves several fragments. Media data is never read but, of a source
// where reads take a while, what is no more than a hole: see fetchHeaders.
//
// Whoever lists first walks; others wait for it or for the end of their own context. A walk that is cancelled, or whose
// source fails, goes on from the same place at the next call.
//
// What is wrong with a fragment costs that fragment, and is a warning. Packets that the source ends before are left out:
// the file may still be growing. A sample table in the movie box comes before all fragments.

const (
	minWindow      = 2 << 10
	maxWindow      = 1 << 20
	maxWalkedBoxes = 1 << 24
)

// walk is the state of the walk through the fragments.
type walk struct {
	turn chan struct{} // holds a token while someone walks; guards what follows
	done atomic.Bool

	guide *guide // by which to find a fragment without the walk; it has its own turn

	o       *opener
	f       *fragmenter
	movie   *movie
	traks   []*trak
	tables  []*table   // of the movie box; nil where it has no samples
	samples []*samples // nil for tracks that are not in use

	off       int64 // of the next root box
	v         view  // what was read last
	boxes     int
	fragments int
	start     int64   // where the headers of the fragment begin
	window    int64   // bytes to read for the next one's
	expected  []int64 // where segment indices say that media begins
	disagrees bool    // and none did

	headers headers // of fragments that are fetched ahead
	stride  int64   // from the fragment before the last to the last
	last    int64   // where the last fragment begins
}

// mayBeFragmented says whether to look for movie fragments: where the movie box says there may be some, 8.8.1, where one was seen,
// and where no track has a sample.
func (o *opener) mayBeFragmented(mv *movie, traks []*trak) bool {
	if mv.fragmented || o.fragment >= 0 {
		return true
	}
	for _, t := range traks {
		if n, _ := t.sampleCount(); n > 0 {
			return false
		}
	}
	return o.after < o.size
}

// newWalk prepares the walk. The tracks in use are those that lists is to have.
func (o *opener) newWalk(mv *movie, traks []*trak, tracks []container.Track, inUse []bool) *walk {
	w := &walk{
		turn:  make(chan struct{}, 1),
		o:     &opener{src: o.src, size: o.size, limits: o.limits, op: "list"},
		movie: mv, off: o.after, window: 2 * minWindow,
		tables: make([]*table, len(traks)), samples: make([]*samples, len(traks)),
	}
	if o.fragment >= 0 {
		w.off = o.fragment
	}
	w.start, w.last = w.off, w.off
	w.headers.from = source.PrefetcherOf(o.src)
	if b := o.rest.at(w.off); len(b) > 0 {
		w.v = view{w.off, clone(b)}
	}
	w.f = &fragmenter{o: w.o, tracks: map[uint32]*fragmentTrack{}, claims: o.size + 1}
	for i, t := range traks {
		ft := &fragmentTrack{defaults: mv.extend[uint32(t.id)], descs: len(tracks[i].Descriptions)}
		ft.rolls, _ = readRollGroups(t.groups.roll.descriptions) // less than it says is a fault where it is used
		ft.raps, _ = readRapGroups(t.groups.rap.descriptions)
		if inUse[i] {
			ft.samples = &samples{}
			w.samples[i] = ft.samples
			if n, _ := t.sampleCount(); n > 0 {
				w.tables[i] = o.buildTable(t)
				ft.samples.startAt(w.tables[i].end())
			}
		}
		if w.f.tracks[uint32(t.id)] == nil { // of several tracks with one ID, the first counts
			w.f.tracks[uint32(t.id)] = ft
		}
		w.traks = append(w.traks, t.slim())
	}
	w.guide = newGuide(w)
	return w
}

// slim returns the track without its tables, so that the movie box need not be kept.
func (t *trak) slim() *trak {
	s := *t
	s.stsd, s.stts, s.ctts, s.stsc, s.stsz, s.stz2, s.stco, s.co64 = box{}, box{}, box{}, box{}, box{}, box{}, box{}, box{}
	s.stss, s.stps, s.sdtp, s.groups = box{}, box{}, box{}, grouped{}
	s.elst.body = clone(t.elst.body)
	return &s
}

// complete walks the fragments, if there are any and nobody has.
func (d *Demuxer) complete(ctx context.Context) error {
	w := d.walk
	if w == nil || w.done.Load() {
		return nil
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	if w.done.Load() {
		return nil
	}
	for w.off < w.o.size {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	w.f.warnBeyond()
	d.state.Store(w.finish(d.state.Load()))
	w.done.Store(true)
	w.v, w.f, w.traks, w.tables, w.samples, w.expected, w.headers = view{}, nil, nil, nil, nil, nil, headers{}
	return nil
}

// stop notes a fault of the root box at w.off, and ends the walk.
func (w *walk) stop(path string, err error) {
	w.o.warn(path, w.off, err)
	w.off = w.o.size
}

// step goes over one root box.
func (w *walk) step(ctx context.Context) error {
	if w.boxes++; w.boxes > maxWalkedBoxes {
		w.stop("", fmt.Errorf("%w: more than %d boxes", container.ErrLimit, maxWalkedBoxes))
		return nil
	}
	b, err := w.bytes(ctx, 16)
	if err != nil {
		return err
	}
	h, err := parseHeader(b)
	switch {
	case err != nil:
		w.stop("", err)
		return nil
	case h.size == 0 && h.typ == "\x00\x00\x00\x00":
		w.stop("", corrupt("zeros where a box should be"))
		return nil
	case h.size == 0:
		h.size = w.o.size - w.off
	}
	if h.size > w.o.size-w.off {
		w.f.warnBeyond()
		w.stop(h.typ, fmt.Errorf("the box has %d bytes of %d: %w", w.o.size-w.off, h.size, io.ErrUnexpectedEOF))
		return nil
	}
	w.compare()
	switch h.typ {
	case "moof":
		path := fmt.Sprintf("moof[%d]", w.fragments)
		fits := h.size <= w.o.limits.HeaderBytes
		if fits {
			if b, err = w.bytes(ctx, h.size+16); err != nil {
				return err
			}
		}
		w.fragments++ // not before: who comes again after a failure does not count it twice
		w.stride, w.last = w.off-w.last, w.off
		if !fits {
			w.o.warn(path, w.off, fmt.Errorf("%w: box of %d bytes", container.ErrLimit, h.size))
			break
		}
		if int64(len(b)) < h.size { // the source has shrunk
			w.stop(path, io.ErrUnexpectedEOF)
			return nil
		}
		w.f.read(path, box{typ: h.typ, off: w.off + int64(h.len), body: b[h.len:h.size]}, w.off)
	case "sidx":
		if h.size > maxIndexBytes {
			break
		}
		if b, err = w.bytes(ctx, h.size); err != nil {
			return err
		}
		if int64(len(b)) >= h.size {
			w.expect(box{typ: h.typ, off: w.off + int64(h.len), body: b[h.len:h.size]})
		}
	case "mdat":
		w.adapt(w.off + int64(h.len))
		w.start = w.off + h.size
	}
	w.off += h.size
	return nil
}

// adapt chooses the size of the next window: enough for headers as long as those that end here, and not much less than the last.
func (w *walk) adapt(end int64) {
	need := end - w.start
	w.window = max(need+need/8+64, w.window-w.window/16)
	w.window = max(minWindow, min(w.window, maxWindow))
}

// bytes returns what lies at w.off: n bytes or more, fewer only where the source ends. They are lent until the next call.
func (w *walk) bytes(ctx context.Context, n int64) ([]byte, error) {
	rest := w.o.size - w.off
	n = min(n, rest)
	b := w.v.at(w.off)
	if int64(len(b)) >= n {
		return b, nil
	}
	if err := w.fetchHeaders(ctx); err != nil {
		return nil, w.o.located(fmt.Sprintf("moof[%d]", w.fragments), w.off, err)
	}
	// What is allocated never runs far ahead of what the source really gave.
	buf := w.v.b[:copy(w.v.b, b)]
	want := min(max(n, w.window), rest)
	for int64(len(buf)) < want {
		have := len(buf)
		k := int(min(want-int64(have), piece))
		buf = slices.Grow(buf, k)[:have+k]
		got, err := source.ReadSome(ctx, w.o.src, buf[have:], w.off+int64(have))
		if err != nil {
			w.v = view{}
			return nil, w.o.located(fmt.Sprintf("moof[%d]", w.fragments), w.off+int64(have), err)
		}
		if got < k {
			buf = buf[:have+got]
			break
		}
	}
	w.v = view{w.off, buf}
	return buf, nil
}

// finish makes the lists of the tracks.
func (w *walk) finish(old *state) *state {
	s := &state{tracks: slices.Clone(old.tracks), lists: make([]*list, len(old.lists))}
	for i, own := range w.samples {
		if own == nil {
			continue
		}
		own.finish()
		var m media = own
		bytes, begin, end := own.bytes, own.earliest(), max(own.latest, own.end)
		if tb := w.tables[i]; tb != nil {
			m = joined{tb, own}
			bytes += tb.bytes
			begin = 0
		}
		t, tr := w.traks[i], &s.tracks[i]
		t.begin, t.duration = begin, end
		tr.Duration = container.Ticks(end - begin)
		s.lists[i] = w.o.listOf(t, w.movie, tr, m, bytes)
	}
	w.o.warnDropped()
	s.warnings = slices.Concat(old.warnings, w.o.warnings)
	return s
}
