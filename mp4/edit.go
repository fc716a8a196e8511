package mp4

import (
	"fmt"
	"math"

	"github.com/sprocket-video/sprocket/container"
)

// edit is an entry of the edit list, ISO/IEC 14496-12, 8.6.6.
type edit struct {
	duration uint64 // in the movie's timescale
	time     int64  // in the media's; -1 for an empty edit
	rate     int32  // 16.16
}

// maxEdits is how many edits of a track are read. How many are followed depends on the length of the track too.
const maxEdits = 1 << 16

// A list has no more packets than so many for each of the media, beyond the first: the edits that repeat others take 12 bytes each.
const (
	repeats     = 8
	freePackets = 1 << 20
)

// readEdits reads an edit list box. ok is false when there is none.
func (o *opener) readEdits(t *trak) (edits []edit, ok bool) {
	if t.elst.typ == "" {
		return nil, false
	}
	r := tableReader{o: o, path: t.path + "/edts", t: t}
	size := 12
	if len(t.elst.body) > 0 && t.elst.body[0] == 1 {
		size = 20
	}
	for p := r.entries(t.elst, size); len(p) > 0; p = p[size:] {
		if len(edits) == maxEdits {
			o.warn(t.path+"/edts/elst", t.elst.off, fmt.Errorf("%w: more than %d edits", container.ErrLimit, maxEdits))
			break
		}
		e := edit{duration: uint64(be32(p)), time: int64(int32(be32(p[4:]))), rate: int32(be32(p[8:]))}
		if size == 20 {
			e = edit{duration: be64(p), time: int64(be64(p[8:])), rate: int32(be32(p[16:]))}
		}
		edits = append(edits, e)
	}
	return edits, len(edits) > 0
}

// segmenter lays the edit list over the media.
type segmenter struct {
	l      *list
	m      media
	n      int64
	span   span
	audio  bool
	second int64 // in ticks
	// budget is how many packets may still be looked at. Real edit lists need a few hundred for each edit.
	budget int64
	block  []container.PacketInfo
}

// buildList reads the tables of a track that is in use, and completes its description.
func (o *opener) buildList(t *trak, mv *movie, tr *container.Track) *list {
	tb := o.buildTable(t)
	if tr.Duration <= 0 && tb.n > 0 {
		tr.Duration = container.Ticks(tb.end())
	}
	return o.listOf(t, mv, tr, tb, tb.bytes)
}

// listOf lays the edit list of a track over its media, and completes its description.
func (o *opener) listOf(t *trak, mv *movie, tr *container.Track, m media, bytes int64) *list {
	l := o.edited(t, mv, m)
	l.bytes = bytes
	tr.Packets, tr.Bytes, tr.Start = l.n, l.bytes, l.start
	if d, ok := presented(t, l); ok {
		tr.Duration = d
	}
	return l
}

// presented returns how long the presentation is, where the edit list bounds it.
func presented(t *trak, l *list) (container.Ticks, bool) {
	if t.elst.typ == "" {
		return 0, false
	}
	var sum int64
	for _, s := range l.segs {
		if s.from == math.MinInt64 { // the edit list has no entry that counts
			return 0, false
		}
		from, to := max(s.from, t.begin), s.to
		if t.duration > 0 { // of decode times: composition ends later by up to an offset
			to = min(to, t.duration+max(0, l.media.span().maxOff))
		}
		if to == math.MaxInt64 {
			return 0, false
		}
		sum += max(0, min(to-from, maxTime-sum))
	}
	return container.Ticks(sum), true
}

// part is the media that an edit presents.
type part struct {
	edit     int   // which one it is
	move     int64 // presentation time less media time
	from, to int64 // media times
}

// readParts reads what the edit list of a track presents. ok is false when there is none.
func (o *opener) readParts(t *trak, mv *movie) (parts []part, ok bool) {
	edits, ok := o.readEdits(t)
	path := t.path + "/edts/elst"
	ticks := container.Timebase{Num: 1, Den: mv.timescale}
	own := container.Timebase{Num: 1, Den: t.timescale}
	convert := func(d uint64) (int64, bool) {
		c := ticks.Convert(container.Ticks(min(d, maxTime)), own)
		return int64(c), c < maxTime
	}
	var before uint64 // durations of the edits so far, in the movie's timescale
	for i, e := range edits {
		at, fits := convert(before)
		if before += e.duration; !fits || before < e.duration {
			o.warn(path, t.elst.off, corrupt("edit %d begins after the end of time", i))
			break
		}
		if e.time == -1 {
			continue
		}
		if e.time < 0 || e.time > maxTime {
			o.warn(path, t.elst.off, corrupt("edit %d has media time %d", i, e.time))
			continue
		}
		if e.rate != 1<<16 {
			o.warn(path, t.elst.off, fmt.Errorf("edit %d has rate %d/65536, taken as 1: %w", i, e.rate, container.ErrUnsupported))
		}
		to := int64(math.MaxInt64)
		if d, fits := convert(e.duration); fits && (e.duration > 0 || i+1 < len(edits)) {
			// A last edit of no length is one whose length was not known: it presents the rest, 8.6.6.1.
			to = e.time + d
		}
		parts = append(parts, part{i, at - e.time, e.time, to})
	}
	return parts, ok
}

// edited applies the edit list to a media.
func (o *opener) edited(t *trak, mv *movie, m media) *list {
	parts, ok := o.readParts(t, mv)
	return o.lay(t, m, parts, ok)
}

// lay lays the parts of an edit list over a media. Where there is no edit list all of it is presented.
func (o *opener) lay(t *trak, m media, parts []part, ok bool) *list {
	l := &list{track: t.number, size: o.size, media: m, start: container.NoTicks}
	g := segmenter{l: l, m: m, n: m.len(), span: m.span(), audio: t.kind() == container.Audio, second: t.timescale, block: make([]container.PacketInfo, blockLen)}
	g.budget = repeats*g.n + freePackets
	l.shift = g.span.shift
	if !ok {
		g.add(0, math.MinInt64, math.MaxInt64)
	}
	path := t.path + "/edts/elst"
	most := min(o.limits.Packets, repeats*g.n+freePackets)
	if o.size == noEnd { // a stream's packets are all gone through: what is presented again counts as what tables claim
		most = min(most, g.n+o.advance)
	}
	for _, p := range parts {
		if !g.add(p.move, p.from, p.to) {
			o.warn(path, t.elst.off, fmt.Errorf("%w: edits from %d on are not followed", container.ErrLimit, p.edit))
			break
		}
		if l.n > most {
			o.warn(path, t.elst.off, fmt.Errorf("%w: %d packets in %d edits", container.ErrLimit, l.n, p.edit+1))
			l.n -= l.segs[len(l.segs)-1].length()
			l.segs = l.segs[:len(l.segs)-1]
			break
		}
	}
	if o.size == noEnd {
		o.advance -= max(0, l.n-g.n)
	}
	l.start = g.firstPTS()
	return l
}

// add adds the segment that presents the media times from <= t < to. It returns false when the budget is used up.
func (g *segmenter) add(move, from, to int64) bool {
	s := segment{n: g.l.n, move: move, from: from, to: to, straddle: g.audio && len(g.l.segs) == 0}
	if from == math.MinInt64 {
		s.move, s.end = 0, g.n
	} else {
		s.first = g.firstFor(from)
		s.end = g.endFor(s.first, to)
	}
	if g.budget -= stride; g.budget < 0 {
		return false
	}
	g.l.segs = append(g.l.segs, s)
	g.l.n += s.length()
	return true
}

// firstFor returns the packet where decoding must start for the picture at media time from: the last key packet that is
// neither decoded nor presented later. Sound starts a second earlier, which is more than any decoder needs to settle.
// Where there is no such packet, it is the first of the media.
func (g *segmenter) firstFor(from int64) int64 {
	if g.audio {
		from = max(0, from-g.second)
	}
	for k := g.m.before(from) - 1; k > 0 && g.budget >= 0; k-- {
		g.budget--
		if !g.m.key(k) {
			continue
		}
		if !g.span.offsets {
			return k
		}
		g.budget -= stride
		if p := g.block[:1]; g.m.at(k).next(p) == 1 && int64(p[0].PTS) <= from {
			return k
		}
	}
	return 0
}

// endFor returns the packet before which a segment that presents media time up to to ends: after the first key packet that
// reaches it. Pictures that follow a key packet may be shown before it: then it is the second.
func (g *segmenter) endFor(first, to int64) int64 {
	if to == math.MaxInt64 || first >= g.n {
		return g.n
	}
	// Packets before this one end earlier, whatever their offsets.
	k := max(first, g.m.before(to-g.span.maxOff-g.span.longest-1))
	wait := 1
	if g.span.offsets && !g.audio {
		wait = 2
	}
	c := g.m.at(k)
	for g.budget >= 0 {
		n := c.next(g.block)
		if n == 0 {
			break
		}
		g.budget -= int64(n)
		for i := range g.block[:n] {
			if p := &g.block[i]; int64(p.End()) >= to && (p.Key || g.audio) {
				if wait--; wait == 0 {
					return k + int64(i) + 1
				}
			}
		}
		k += int64(n)
	}
	return g.n
}

// firstPTS returns the smallest presentation time of the packets that are presented.
func (g *segmenter) firstPTS() container.Ticks {
	first := container.NoTicks
	c := g.l.at(0)
	for p := c.next(); p != nil && g.budget >= 0; p = c.next() {
		g.budget--
		if first != container.NoTicks && p.DTS > first {
			break // and no packet is presented before it is decoded
		}
		if !p.Discard && (first == container.NoTicks || p.PTS < first) {
			first = p.PTS
		}
	}
	return first
}
