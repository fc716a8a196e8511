package mp4

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/sprocket-video/sprocket/container"
)

// table is the sample table of a track, as columns. It holds about as many bytes a packet as it must:
// a size, a chunk offset, and times only where they vary.
type table struct {
	n      int64 // packets
	delta  column
	offset column // composition offsets, as int32; empty when there are none
	times  span
	size   uint32 // of every packet; 0 when sizes says
	sizes  []uint32
	chunks offsets
	runs   []chunkRun
	keys   bitset // nil when every packet is one
	deps   []byte // sdtp; nil when absent
	rolls  rolls
	bytes  int64 // of all packets

	// Sound counted in sound frames: a packet holds up to group of them, in pieces of piece.samples that have piece.bytes.
	// frames is how many there are. Zero group: every sample is a packet.
	group  int64
	piece  packing
	frames int64

	marks []mark // where packet 256·i begins
}

// stride is the number of packets between marks.
const stride = 256

// chunkRun is a run of chunks with as many samples each. The next one's first ends it.
type chunkRun struct {
	first uint32 // chunk, from 0
	per   uint32 // samples in each
	desc  uint32 // sample description, from 0
}

// tableReader reads the sample table of one track.
type tableReader struct {
	o    *opener
	path string
	t    *trak
	tb   *table
}

func (r *tableReader) warn(b box, format string, args ...any) {
	typ := b.typ
	off := b.off
	if typ == "" {
		off = r.t.off
	}
	r.o.warn(r.path+"/"+typ, off, corrupt(format, args...))
}

// entries returns the table of a full box: what follows an entry count, cut to whole entries that are there.
func (r *tableReader) entries(b box, size int) []byte {
	if b.typ == "" {
		return nil
	}
	if len(b.body) < 8 {
		r.warn(b, "%d bytes", len(b.body))
		return nil
	}
	return r.counted(b, b.body[4:], size)
}

// counted cuts p, of box b, which begins with an entry count, to whole entries that are there.
func (r *tableReader) counted(b box, p []byte, size int) []byte {
	count, p := int64(be32(p)), p[4:]
	if have := int64(len(p) / size); count > have {
		r.warn(b, "%d entries of %d bytes in %d bytes", count, size, len(p))
		count = have
	}
	return p[:count*int64(size)]
}

// buildTable reads the sample table. Where its parts disagree it ends with the shortest.
func (o *opener) buildTable(t *trak) *table {
	r := &tableReader{o: o, path: t.path + "/mdia/minf/stbl", t: t, tb: &table{}}
	tb := r.tb
	count := r.readSizes()
	r.readChunks()
	stts := r.entries(t.stts, 8)
	if r.soundFrames(stts, count) {
		return tb
	}

	timed := total(stts)
	inChunks := tb.capacity(count)
	n := min(count, timed, inChunks)
	if count != n || timed != n {
		r.warn(t.stsz, "%d sizes, %d decode times, room for %d in %d chunks: %d samples are listed", count, timed, inChunks, tb.chunks.len(), n)
	}
	if n > o.limits.Packets {
		o.warn(r.path, t.off, fmt.Errorf("%w: %d packets", container.ErrLimit, n))
		n = o.limits.Packets
	}
	if tb.size > 0 {
		// No table of sizes vouches for so many.
		if k := o.believe(n, int64(tb.size)); k < n {
			r.warn(t.stsz, "%d samples of %d bytes, of which %d are listed: there are not so many bytes", n, tb.size, k)
			n = k
		}
	}
	tb.n = n
	if tb.sizes != nil {
		tb.sizes = tb.sizes[:n]
	}
	tb.delta = makeColumn(stts, n)
	tb.times.longest = tb.delta.max(false)
	r.readCompositionOffsets()
	r.readKeys()
	r.readGroups()
	if t.sdtp.typ != "" && len(t.sdtp.body) > 4 {
		tb.deps = clone(t.sdtp.body[4:min(int64(len(t.sdtp.body)), 4+n)])
	}
	tb.scan()
	return tb
}

// readSizes reads stsz or stz2 and returns the number of samples.
func (r *tableReader) readSizes() int64 {
	b := r.t.stsz
	if b.typ == "" {
		b = r.t.stz2
	}
	if b.typ == "" {
		return 0
	}
	if len(b.body) < 12 {
		r.warn(b, "%d bytes", len(b.body))
		return 0
	}
	field, count, p := 32, int64(be32(b.body[8:])), b.body[12:]
	if b.typ == "stsz" {
		r.tb.size = be32(b.body[4:])
	} else {
		field = int(b.body[7])
	}
	if r.tb.size > 0 {
		return count
	}
	if field != 4 && field != 8 && field != 16 && field != 32 {
		r.warn(b, "field size %d", field)
		return 0
	}
	if have := int64(len(p)) * 8 / int64(field); count > have {
		r.warn(b, "%d sizes of %d bits in %d bytes", count, field, len(p))
		count = have
	}
	sizes := make([]uint32, count)
	switch field {
	case 4:
		for i := range sizes {
			sizes[i] = uint32(p[i/2]) >> (4 - i%2*4) & 15
		}
	case 8:
		for i := range sizes {
			sizes[i] = uint32(p[i])
		}
	case 16:
		for i := range sizes {
			sizes[i] = be16(p[2*i:])
		}
	case 32:
		p = p[:4*len(sizes)]
		for i := range sizes {
			sizes[i] = be32(p[4*i:])
		}
	}
	r.tb.sizes = sizes
	return count
}

// readChunks reads stco or co64, and stsc.
func (r *tableReader) readChunks() {
	tb := r.tb
	if r.t.co64.typ != "" {
		tb.chunks = packOffsets(r.entries(r.t.co64, 8))
	} else {
		p := r.entries(r.t.stco, 4)
		tb.chunks.rel = make([]uint32, len(p)/4)
		for i := range tb.chunks.rel {
			tb.chunks.rel[i] = be32(p[4*i:])
		}
	}
	p := r.entries(r.t.stsc, 12)
	runs := make([]chunkRun, 0, len(p)/12)
	undescribed := false
	for ; len(p) > 0; p = p[12:] {
		first, per, desc := be32(p), be32(p[4:]), be32(p[8:])
		switch n := len(runs); {
		case n == 0 && first != 1:
			r.warn(r.t.stsc, "first chunk is %d", first)
			first = 1
		case n > 0 && first <= runs[n-1].first+1:
			r.warn(r.t.stsc, "chunk %d after %d", first, runs[n-1].first+1)
			p = p[:12] // the end
			continue
		}
		if int64(first) > tb.chunks.len() {
			break
		}
		if per == 0 {
			r.warn(r.t.stsc, "no samples in chunk %d", first)
		}
		if desc > 0 {
			desc--
		}
		if desc > 0 && int64(desc) >= int64(r.t.descs) {
			undescribed, desc = true, 0
		}
		if n := len(runs); n > 0 && runs[n-1].per == per && (runs[n-1].desc == desc || per == 0) {
			continue
		}
		runs = append(runs, chunkRun{first - 1, per, desc})
	}
	if undescribed {
		r.warn(r.t.stsc, "chunks have sample descriptions beyond the %d there are: they are taken to have the first", r.t.descs)
	}
	tb.runs = runs
}

// capacity returns how many samples the chunks hold; it stops counting above limit.
func (tb *table) capacity(limit int64) int64 {
	var n uint64
	for i, c := range tb.runs {
		end := uint64(tb.chunks.len())
		if i+1 < len(tb.runs) {
			end = uint64(tb.runs[i+1].first)
		}
		// Both factors have 32 bits, and n had at most 33 before.
		hi, lo := bits.Mul64(end-uint64(c.first), uint64(c.per))
		if n += lo; hi > 0 || n < lo || n > uint64(limit) {
			return limit
		}
	}
	return int64(n)
}

// readCompositionOffsets reads ctts. ISO/IEC 14496-12, 8.6.1.3: version 0 offsets are unsigned, but QuickTime writers store
// negative ones in it, and none is ever as large as 2^31.
func (r *tableReader) readCompositionOffsets() {
	tb := r.tb
	p := r.entries(r.t.ctts, 8)
	if len(p) == 0 || tb.n == 0 {
		return
	}
	if n := total(p); n < tb.n {
		r.warn(r.t.ctts, "%d composition offsets for %d samples", n, tb.n)
	}
	tb.offset = makeColumn(p, tb.n)
	tb.times.offsets = true
	tb.times.shift = max(0, -tb.offset.minSigned())
	tb.times.maxOff = tb.offset.max(true)
}

// readKeys reads stss, 8.6.2: absent, every sample is a sync sample; present, those it lists, be it none.
// QuickTime's partial sync samples are places to start decoding too.
func (r *tableReader) readKeys() {
	tb := r.tb
	if r.t.stss.typ == "" {
		return
	}
	tb.keys = make(bitset, (tb.n+63)/64)
	outside := 0
	for _, b := range []box{r.t.stss, r.t.stps} {
		for p := r.entries(b, 4); len(p) > 0; p = p[4:] {
			if i := int64(be32(p)) - 1; i >= 0 && i < tb.n {
				tb.keys.set(i)
			} else {
				outside++
			}
		}
	}
	if outside > 0 {
		r.warn(r.t.stss, "%d sync samples are none of the %d samples", outside, tb.n)
	}
}

// countsFrames says whether the samples of the table are sound frames, one tick each, instead of packets.
func (t *trak) countsFrames() bool {
	p, q := t.stts.body, t.stsz.body
	return t.kind() == container.Audio && len(p) >= 16 && be32(p[4:]) == 1 && be32(p[12:]) == 1 && len(q) >= 12 && be32(q[4:]) > 0
}

// soundFrames sets the table up for sound that is counted in frames, one tick each, and says whether it is.
// As FFmpeg does, a packet then holds up to 1024 of them, or as many whole pieces of a packed format.
func (r *tableReader) soundFrames(stts []byte, count int64) bool {
	tb, t := r.tb, r.t
	if !t.countsFrames() {
		return false
	}
	tb.piece = t.packing
	if tb.piece.samples < 1 || tb.piece.bytes < 1 {
		tb.piece = packing{1, int64(tb.size)}
	}
	switch p := tb.piece; {
	case p.samples >= 160:
		tb.group = p.samples
	default:
		tb.group = 1024 / p.samples * p.samples
	}
	timed := total(stts)
	frames := min(count, timed)
	frames = min(frames, tb.capacity(frames))
	// No table vouches for their number: they must be there, but for the end of a file that was cut.
	most := int64(math.MaxInt64)
	if r.o.size == noEnd {
		most = r.o.believe(frames/tb.group+1, tb.group) * tb.group
	} else if pieces := r.o.size/tb.piece.bytes + 1; pieces < most/tb.piece.samples {
		most = pieces * tb.piece.samples
	}
	if frames > most || frames != count {
		r.warn(t.stsz, "%d sound frames, %d decode times, room for %d in the file", count, timed, most)
		frames = min(frames, most)
	}
	tb.frames = frames
	tb.delta.runs = []run{{1, 1}}
	tb.times.longest = tb.group
	tb.scan()
	if tb.n > r.o.limits.Packets {
		r.o.warn(r.path, t.off, fmt.Errorf("%w: %d packets", container.ErrLimit, tb.n))
		tb.n = r.o.limits.Packets
	}
	return true
}
