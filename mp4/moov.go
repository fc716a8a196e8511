package mp4

import (
	"fmt"
	"io"
	"math"

	"github.com/sprocket-video/sprocket/container"
)

// movie is what the movie box says, but for its tracks.
type movie struct {
	timescale  int64
	matrix     matrix
	fragmented bool                // there is a movie extends box
	extend     map[uint32]defaults // track extends boxes
	duration   uint64              // of the movie with its fragments, as the movie extends box tells; 0 when it does not
}

// trak is one track box, with its tables still as bytes.
type trak struct {
	number int // index into Demuxer.Tracks
	path   string
	off    int64

	id            int
	enabled       bool
	matrix        matrix
	width, height uint32 // of the presentation, 16.16
	timescale     int64
	begin         int64 // of the media, in its timescale: the first decode time
	duration      int64 // of the media up to its end; -1 unknown
	language      string
	handler, name string
	mediaHeader   string // "vmhd", "smhd", …

	elst box
	stsd box
	stts, ctts, stsc, stsz, stz2, stco, co64,
	stss, stps, sdtp box
	groups grouped

	packing packing // of the first sample description
	descs   int     // sample descriptions there are
}

// readMovie parses the movie box and keeps the tables of the selected tracks.
func (o *opener) readMovie(moov box, choose func([]container.Track) []int) (*Demuxer, error) {
	mv := movie{timescale: 1000, matrix: identity}
	var traks []*trak
	w := moov.boxes()
	for {
		b, ok := w.next()
		if !ok {
			break
		}
		switch b.typ {
		case "mvhd":
			o.readMovieHeader(b, &mv)
		case "trak":
			if len(traks) == o.limits.Tracks {
				o.warn("moov", b.off, fmt.Errorf("%w: more than %d tracks", container.ErrLimit, len(traks)))
				continue
			}
			t := &trak{number: len(traks), path: fmt.Sprintf("moov/trak[%d]", len(traks)), off: b.off}
			o.readTrak(b, t)
			traks = append(traks, t)
		case "mvex":
			mv.fragmented = true
			mv.extend, mv.duration = o.readExtends(b)
		case "cmov":
			return nil, fail("moov/cmov", b.off, fmt.Errorf("compressed movie header: %w", container.ErrUnsupported))
		}
	}
	if w.err != nil {
		o.warn("moov", w.off, w.err)
	}
	if len(traks) == 0 {
		// A movie box that is there but says nothing: the file was cut in it, or it was never filled.
		switch {
		case w.err != nil:
			return nil, fail("moov", w.off, w.err)
		case moov.cut:
			return nil, fail("moov", moov.off+int64(len(moov.body)), io.ErrUnexpectedEOF)
		}
		return nil, fail("moov", moov.off, corrupt("no tracks"))
	}

	d := &Demuxer{src: o.src, size: o.size, limits: o.limits, inUse: make([]bool, len(traks))}
	s := &state{lists: make([]*list, len(traks))}
	fragments := o.mayBeFragmented(&mv, traks)
	for _, t := range traks {
		tr := o.describe(t, &mv)
		if fragments {
			t.describeFragmented(&tr, &mv)
		}
		s.tracks = append(s.tracks, tr)
	}
	setDefaults(s.tracks, traks)
	for _, i := range o.selected(s.tracks, choose) {
		d.inUse[i] = true
	}
	if fragments {
		d.walk = o.newWalk(&mv, traks, s.tracks, d.inUse)
	} else {
		for i, t := range traks {
			if d.inUse[i] {
				s.lists[i] = o.buildList(t, &mv, &s.tracks[i])
			}
		}
	}
	o.warnDropped()
	s.warnings = o.warnings
	d.state.Store(s)
	return d, nil
}

// describeFragmented takes back what only the movie fragments can tell.
func (t *trak) describeFragmented(tr *container.Track, mv *movie) {
	tr.Packets = -1
	if mv.duration > 0 {
		own := container.Timebase{Num: 1, Den: mv.timescale}.Convert(container.Ticks(min(mv.duration, maxTime)), tr.Timebase)
		tr.Duration = min(own, maxTime)
	} else if n, _ := t.sampleCount(); n > 0 || tr.Duration == 0 {
		tr.Duration = container.NoTicks // 8.4.2: that of the media header leaves the fragments out
	}
}

// selected returns the indices of the tracks whose packets will be asked for.
func (o *opener) selected(tracks []container.Track, choose func([]container.Track) []int) []int {
	var in []int
	if choose == nil {
		for i := range tracks {
			in = append(in, i)
		}
		return in
	}
	for _, i := range choose(tracks) {
		if i >= 0 && i < len(tracks) {
			in = append(in, i)
		}
	}
	return in
}

func (o *opener) readMovieHeader(b box, mv *movie) {
	v, _, r, ok := b.full()
	at := 8
	if v == 1 {
		at = 16
	}
	if !ok || len(r.body) < at+4 {
		o.warn("moov/mvhd", b.off, corrupt("%d bytes", len(b.body)))
		return
	}
	if s := be32(r.body[at:]); s != 0 {
		mv.timescale = int64(s)
	} else {
		o.warn("moov/mvhd", b.off, corrupt("timescale 0"))
	}
	// creation, modification, timescale, duration, rate, volume, reserved, then the matrix.
	at += 4 + 4 + 4 + 2 + 2 + 8
	if v == 1 {
		at += 4
	}
	if len(r.body) >= at+36 {
		mv.matrix = readMatrix(r.body[at:])
	}
}

// each walks the boxes of b and reports where that ends early.
func (o *opener) each(path string, b box, f func(box)) {
	w := b.boxes()
	for {
		c, ok := w.next()
		if !ok {
			break
		}
		f(c)
	}
	if w.err != nil {
		o.warn(path, w.off, w.err)
	}
}

func (o *opener) readTrak(b box, t *trak) {
	t.duration = -1
	t.matrix = identity
	var mdia box
	o.each(t.path, b, func(c box) {
		switch c.typ {
		case "tkhd":
			o.readTrackHeader(c, t)
		case "edts":
			t.elst, _ = c.child("elst")
		case "mdia":
			mdia = c
		}
	})
	var minf box
	o.each(t.path+"/mdia", mdia, func(c box) {
		switch c.typ {
		case "mdhd":
			o.readMediaHeader(c, t)
		case "elng":
			if _, _, r, ok := c.full(); ok {
				if s := cString(r.body); s != "" {
					t.language = s
				}
			}
		case "hdlr":
			if len(c.body) >= 24 {
				t.handler = string(c.body[8:12])
				t.name = handlerName(c.body[24:])
			}
		case "minf":
			minf = c
		}
	})
	if t.timescale == 0 {
		o.warn(t.path+"/mdia/mdhd", t.off, corrupt("no timescale"))
		t.timescale = 1
	}
	var stbl box
	o.each(t.path+"/mdia/minf", minf, func(c box) {
		switch c.typ {
		case "stbl":
			stbl = c
		case "vmhd", "smhd", "hmhd", "sthd", "nmhd", "gmhd":
			t.mediaHeader = c.typ
		}
	})
	if stbl.typ == "" {
		o.warn(t.path+"/mdia/minf/stbl", t.off, corrupt("no sample table"))
	}
	o.each(t.path+"/mdia/minf/stbl", stbl, func(c box) { t.keepTable(c) })
}

// keepTable notes a box of the sample table box. The first of a type counts.
func (t *trak) keepTable(c box) {
	if c.typ == "sbgp" || c.typ == "sgpd" {
		t.groups.keep(c)
		return
	}
	if p := t.table(c.typ); p != nil && p.typ == "" {
		*p = c
	}
}

func (t *trak) table(typ string) *box {
	switch typ {
	case "stsd":
		return &t.stsd
	case "stts":
		return &t.stts
	case "ctts":
		return &t.ctts
	case "stsc":
		return &t.stsc
	case "stsz":
		return &t.stsz
	case "stz2":
		return &t.stz2
	case "stco":
		return &t.stco
	case "co64":
		return &t.co64
	case "stss":
		return &t.stss
	case "stps":
		return &t.stps
	case "sdtp":
		return &t.sdtp
	}
	return nil
}

func (o *opener) readTrackHeader(b box, t *trak) {
	v, flags, r, ok := b.full()
	at := 8
	if v == 1 {
		at = 16
	}
	if !ok || len(r.body) < at+4 {
		o.warn(t.path+"/tkhd", b.off, corrupt("%d bytes", len(b.body)))
		return
	}
	t.enabled = flags&1 != 0
	t.id = int(be32(r.body[at:]))
	// track_ID, reserved, duration, reserved[2], layer, alternate group, volume, reserved, then the matrix.
	at += 4 + 4 + 4 + 8 + 2 + 2 + 2 + 2
	if v == 1 {
		at += 4
	}
	if len(r.body) >= at+44 {
		t.matrix = readMatrix(r.body[at:])
		t.width, t.height = be32(r.body[at+36:]), be32(r.body[at+40:])
	}
}

func (o *opener) readMediaHeader(b box, t *trak) {
	v, _, r, ok := b.full()
	at, n := 8, 4
	if v == 1 {
		at, n = 16, 8
	}
	if !ok || len(r.body) < at+4+n {
		o.warn(t.path+"/mdia/mdhd", b.off, corrupt("%d bytes", len(b.body)))
		return
	}
	t.timescale = int64(be32(r.body[at:]))
	at += 4
	// All ones is "unknown", 8.4.2.3.
	if v == 1 {
		if d := be64(r.body[at:]); d <= maxTime {
			t.duration = int64(d)
		}
	} else if d := be32(r.body[at:]); d != math.MaxUint32 {
		t.duration = int64(d)
	}
	at += n
	if len(r.body) >= at+2 && t.language == "" {
		t.language = language(uint16(be16(r.body[at:])))
	}
}

// maxTime bounds the times that are computed with: four of them can be added.
const maxTime = math.MaxInt64 / 4

// describe makes the public description of a track. Start, Packets and Bytes become exact when its tables are kept.
func (o *opener) describe(t *trak, mv *movie) container.Track {
	tr := container.Track{
		ID:       t.id,
		Kind:     t.kind(),
		Timebase: container.Timebase{Num: 1, Den: t.timescale},
		Start:    container.NoTicks,
		Duration: container.NoTicks,
		Packets:  -1,
		Bytes:    -1,
		Language: t.language,
		Handler:  t.name,
		Enabled:  t.enabled,
	}
	tr.Orientation = t.matrix.times(mv.matrix).orientation()
	if n, ok := t.sampleCount(); ok && !t.countsFrames() {
		tr.Packets = n
	}
	if t.duration >= 0 {
		tr.Duration = container.Ticks(t.duration)
	}
	tr.Descriptions = o.readDescriptions(t, tr.Kind)
	t.descs = len(tr.Descriptions)
	if len(tr.Descriptions) > 0 {
		tr.Description = tr.Descriptions[0]
	}
	return tr
}

// sampleCount returns what the size box says, unchecked.
func (t *trak) sampleCount() (int64, bool) {
	for _, b := range []box{t.stsz, t.stz2} {
		if len(b.body) >= 12 {
			return int64(be32(b.body[8:])), true
		}
	}
	return 0, false
}

func (t *trak) kind() container.Kind {
	switch t.handler {
	case "vide", "auxv":
		return container.Video
	case "soun":
		return container.Audio
	case "subt", "sbtl", "text", "clcp", "subp":
		return container.Subtitle
	case "":
		switch t.mediaHeader {
		case "vmhd":
			return container.Video
		case "smhd":
			return container.Audio
		case "sthd":
			return container.Subtitle
		}
	}
	return container.Data
}

// setDefaults marks, of each kind, the track that a player would take: the first enabled one with packets,
// else the first with packets, else the first.
func setDefaults(tracks []container.Track, traks []*trak) {
	rank := func(i int) int {
		r := 0
		if n, _ := traks[i].sampleCount(); n > 0 {
			r += 2
		}
		if tracks[i].Enabled {
			r++
		}
		return r
	}
	best := map[container.Kind]int{}
	for i := range tracks {
		if b, ok := best[tracks[i].Kind]; !ok || rank(i) > rank(b) {
			best[tracks[i].Kind] = i
		}
	}
	for _, i := range best {
		tracks[i].Default = true
	}
}
