package mp4

import "math"

// segmentIndex is a segment index box, ISO/IEC 14496-12, 8.16.3.
type segmentIndex struct {
	track     uint32 // track_ID of the stream that is indexed
	timescale int64
	refs      []reference
}

// reference is a stretch of the source that a segment index tells of.
type reference struct {
	off, size int64
	time      int64 // earliest presentation time, in the index's timescale
	duration  int64
	raw       int64 // decode time from which the first fragment goes on if it tells none, in the timescale of the media
	index     bool  // there is another segment index at off, and no media
}

// len returns the number of references. A nil index has none.
func (x *segmentIndex) len() int {
	if x == nil {
		return 0
	}
	return len(x.refs)
}

// maxIndexBytes bounds the segment indices that are looked at: one of 65,535 references has 786 KiB.
const maxIndexBytes = 1 << 20

// parseIndex reads a segment index box. What it tells is only checked to lie in the first maxTime bytes and ticks.
func parseIndex(b box) (*segmentIndex, error) {
	v, _, r, ok := b.full()
	p := r.body
	head, entry := 20, 12
	if v == 1 {
		head = 28
	}
	if !ok || len(p) < head {
		return nil, corrupt("%d bytes", len(b.body))
	}
	x := &segmentIndex{track: be32(p), timescale: int64(be32(p[4:]))}
	time, first := uint64(be32(p[8:])), uint64(be32(p[12:]))
	if v == 1 {
		time, first = be64(p[8:]), be64(p[16:])
	}
	if x.timescale == 0 || time > maxTime || first > maxTime {
		return nil, corrupt("timescale %d, time %d, first offset %d", x.timescale, time, first)
	}
	count := int(be16(p[head-2:]))
	p = p[head:]
	if count > len(p)/entry {
		return nil, corrupt("%d references in %d bytes", count, len(p))
	}
	x.refs = make([]reference, count)
	// Offsets count from the end of the box.
	off, at := b.off+int64(len(b.body))+int64(first), int64(time)
	for i := range x.refs {
		size := be32(p)
		q := reference{off: off, size: int64(size & math.MaxInt32), time: at, duration: int64(be32(p[4:])), index: size>>31 != 0}
		x.refs[i] = q
		off += q.size
		at += q.duration
		p = p[entry:]
	}
	return x, nil
}

// expect notes where a segment index says that media begins.
func (w *walk) expect(b box) {
	x, err := parseIndex(b)
	if err != nil {
		w.o.warn("sidx", b.off, err)
		return
	}
	for _, r := range x.refs {
		n := len(w.expected)
		if !r.index && r.size > 0 && n < 1<<20 && (n == 0 || r.off > w.expected[n-1]) {
			w.expected = append(w.expected, r.off)
		}
	}
}

// compare checks that a box begins at w.off if a segment index says so. Once is enough: the index is not used here.
func (w *walk) compare() {
	for len(w.expected) > 0 && w.expected[0] <= w.off {
		if off := w.expected[0]; off < w.off && !w.disagrees {
			w.disagrees = true
			w.o.warn("sidx", off, corrupt("the segment index tells of a segment where no box begins"))
		}
		w.expected = w.expected[1:]
	}
}
