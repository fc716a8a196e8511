// Package testmedia builds small media files in memory, for tests.
//
// A clip is described by its tables, so a test can say exactly what it is about: an edit that begins in the middle of a
// group of pictures, composition offsets below zero, a table that lies. The packets' bytes are a pattern, not a codec's.
package testmedia

import (
	"encoding/binary"
	"math"
	"slices"
)

// Movie is an MP4 file to be built. The zero value of each field is a sensible default.
type Movie struct {
	Brand     string // major brand; "isom"
	Timescale uint32 // of the movie; 1000
	Tracks    []Track
	MoovLast  bool   // the movie box comes after the media data
	Wide      bool   // 64-bit box sizes and chunk offsets
	Extra     []byte // more boxes in the movie box
}

// Track is one track of a Movie.
type Track struct {
	ID        uint32 // 1 and up, in order
	Handler   string // "vide"
	Timescale uint32 // 1000
	Duration  uint32 // of the media; the sum of the deltas
	Language  string // three letters; "und"
	Disabled  bool
	Matrix    [4]int32 // a, b, c, d of the track header, in whole numbers; the identity

	Entries [][]byte // sample entries; one of VideoEntry or AudioEntry

	Data     [][]byte // the samples; nil: Sizes or Constant says how many bytes of a pattern each has
	Sizes    []uint32 // bytes of each sample
	Constant uint32   // when not 0, every sample has so many bytes, and Count says how many there are
	Count    uint32
	Deltas   []Run    // durations; one tick each
	Offsets  []Run    // composition offsets, values as int32; none
	Version  byte     // of the composition offset box
	Sync     []uint32 // sync samples, from 1; nil: no sync sample box
	Depends  []byte   // bytes of the sdtp box; nil: none
	Chunks   []uint32 // samples of each chunk; nil: PerChunk in each
	PerChunk uint32   // all
	Edits    []Edit
	Groups   []byte // more boxes in the sample table box: sample groups

	// Replace replaces the payload of the box of a type, or, where it is nil, leaves the box out.
	Replace map[string][]byte
}

// Run is a number of equal values.
type Run struct{ Count, Value uint32 }

// Edit is an edit list entry: a duration in the movie's timescale and a time in the media's. Rate 0 is 1.
type Edit struct {
	Duration uint64
	Time     int64
	Rate     int32
}

// Pattern returns byte i of sample n of a track, counted from 0: what the media data is filled with.
func Pattern(track, n, i int) byte { return byte(track*131 + n*31 + i) }

// MP4 builds the file.
func MP4(m Movie) []byte {
	m.Tracks = slices.Clone(m.Tracks)
	for t := range m.Tracks {
		if tr := &m.Tracks[t]; tr.Data != nil {
			tr.Sizes, tr.Constant = nil, 0
			for _, b := range tr.Data {
				tr.Sizes = append(tr.Sizes, uint32(len(b)))
			}
		}
	}
	head, places, size := layout(m)
	file := make([]byte, size)
	if m.MoovLast {
		moov := len(head) - m.moovSize()
		copy(file, head[:moov])
		copy(file[int(size)-m.moovSize():], head[moov:])
	} else {
		copy(file, head)
	}
	for t := range m.Tracks {
		tr := &m.Tracks[t]
		n := 0
		for c, per := range tr.chunks() {
			pos := places[t][c]
			for range per {
				if tr.Data != nil {
					copy(file[pos:], tr.Data[n])
				}
				for i := 0; tr.Data == nil && i < int(tr.size(n)); i++ {
					file[pos+int64(i)] = Pattern(t, n, i)
				}
				pos += int64(tr.size(n))
				n++
			}
		}
	}
	return file
}

// MP4Head builds a file without its packets, which follow what is returned: for movies too large to hold.
// It returns the bytes up to the first packet and the size of the whole file. MoovLast is not looked at.
func MP4Head(m Movie) ([]byte, int64) {
	m.MoovLast = false
	m.Tracks = slices.Clone(m.Tracks)
	head, _, size := layout(m)
	return head, size
}

// layout places the chunks of all tracks in turn, and returns what is not media data, the places, and the file's size.
func layout(m Movie) (head []byte, places [][]int64, size int64) {
	brand := m.Brand
	if brand == "" {
		brand = "isom"
	}
	ftyp := Box("ftyp", []byte(brand), U32(0x200), []byte(brand))
	hdr := 8
	if m.Wide {
		hdr = 16
	}
	pos := int64(len(ftyp) + hdr)
	if !m.MoovLast {
		pos += int64(m.moovSize())
	}
	start := pos
	places = make([][]int64, len(m.Tracks))
	next := make([]int, len(m.Tracks))
	for busy := true; busy; {
		busy = false
		for t := range m.Tracks {
			tr := &m.Tracks[t]
			chunks := tr.chunks()
			c := len(places[t])
			if c == len(chunks) {
				continue
			}
			busy = true
			places[t] = append(places[t], pos)
			for range chunks[c] {
				pos += int64(tr.size(next[t]))
				next[t]++
			}
		}
	}
	mdat := append(U32(uint32(int64(hdr)+pos-start)), "mdat"...)
	if m.Wide {
		mdat = append(append(U32(1), "mdat"...), U64(uint64(int64(hdr)+pos-start))...)
	}
	moov := m.moov(places)
	if m.MoovLast {
		return append(append(ftyp, mdat...), moov...), places, pos + int64(len(moov))
	}
	return append(append(ftyp, moov...), mdat...), places, pos
}

func (m *Movie) moovSize() int {
	places := make([][]int64, len(m.Tracks))
	for t := range m.Tracks {
		places[t] = make([]int64, len(m.Tracks[t].chunks()))
	}
	return len(m.moov(places))
}

func (m *Movie) moov(places [][]int64) []byte {
	scale := m.Timescale
	if scale == 0 {
		scale = 1000
	}
	parts := [][]byte{FullBox("mvhd", 0, 0, U32(0, 0, scale, 0, 1<<16, 1<<24, 0, 0), matrix([4]int32{}), make([]byte, 24), U32(uint32(len(m.Tracks)+1)))}
	for t := range m.Tracks {
		parts = append(parts, m.Tracks[t].trak(t, places[t], m.Wide))
	}
	return Box("moov", append(parts, m.Extra)...)
}

func matrix(v [4]int32) []byte {
	if v == [4]int32{} {
		v = [4]int32{1, 0, 0, 1}
	}
	at := func(i int) uint32 { return uint32(v[i] << 16) }
	return U32(at(0), at(1), 0, at(2), at(3), 0, 0, 0, 1<<30)
}

func (t *Track) samples() int {
	if t.Constant > 0 {
		return int(t.Count)
	}
	return len(t.Sizes)
}

func (t *Track) size(n int) uint32 {
	if t.Constant > 0 {
		return t.Constant
	}
	if n < len(t.Sizes) {
		return t.Sizes[n]
	}
	return 0
}

// chunks returns the number of samples in each chunk.
func (t *Track) chunks() []uint32 {
	if t.Chunks != nil || t.samples() == 0 {
		return t.Chunks
	}
	per, left := t.PerChunk, uint32(t.samples())
	if per == 0 {
		per = left
	}
	chunks := make([]uint32, 0, left/per+1)
	for ; left > 0; left -= min(per, left) {
		chunks = append(chunks, min(per, left))
	}
	t.Chunks = chunks
	return chunks
}

func (t *Track) trak(n int, places []int64, wide bool) []byte {
	id, handler, scale, flags := t.ID, t.Handler, t.Timescale, uint32(7)
	if id == 0 {
		id = uint32(n + 1)
	}
	if handler == "" {
		handler = "vide"
	}
	if scale == 0 {
		scale = 1000
	}
	if t.Disabled {
		flags = 6
	}
	lang := t.Language
	if len(lang) != 3 {
		lang = "und"
	}
	code := uint32(lang[0]&31)<<10 | uint32(lang[1]&31)<<5 | uint32(lang[2]&31)
	deltas := t.Deltas
	if deltas == nil && t.samples() > 0 {
		deltas = []Run{{uint32(t.samples()), 1}}
	}
	duration := t.Duration
	for _, d := range deltas {
		if t.Duration == 0 {
			duration += d.Count * d.Value
		}
	}
	box := func(typ string, payload ...[]byte) []byte {
		if p, ok := t.Replace[typ]; ok {
			if p == nil {
				return nil
			}
			return Box(typ, p)
		}
		return Box(typ, payload...)
	}
	full := func(typ string, version byte, payload ...[]byte) []byte {
		return box(typ, append([][]byte{U32(uint32(version) << 24)}, payload...)...)
	}

	entries := t.Entries
	header := full("vmhd", 0, make([]byte, 8))
	if handler == "soun" {
		header = full("smhd", 0, make([]byte, 4))
	}
	if entries == nil {
		entries = [][]byte{VideoEntry("avc1", 16, 16)}
		if handler == "soun" {
			entries = [][]byte{AudioEntry("mp4a", 2, 16, scale)}
		}
	}
	stbl := [][]byte{full("stsd", 0, append([][]byte{U32(uint32(len(entries)))}, entries...)...), full("stts", 0, runs(deltas))}
	if t.Offsets != nil {
		stbl = append(stbl, full("ctts", t.Version, runs(t.Offsets)))
	}
	if t.Sync != nil {
		stbl = append(stbl, full("stss", 0, U32(uint32(len(t.Sync))), U32(t.Sync...)))
	}
	if t.Depends != nil {
		stbl = append(stbl, full("sdtp", 0, t.Depends))
	}
	sizes := U32(0, uint32(len(t.Sizes)))
	if t.Constant > 0 {
		sizes = U32(t.Constant, t.Count)
	}
	stbl = append(stbl, full("stsc", 0, t.stsc()), full("stsz", 0, sizes, U32(t.Sizes...)))
	offsets := U32(uint32(len(places)))
	for _, p := range places {
		if wide {
			offsets = binary.BigEndian.AppendUint64(offsets, uint64(p))
		} else {
			offsets = binary.BigEndian.AppendUint32(offsets, uint32(p))
		}
	}
	if wide {
		stbl = append(stbl, full("co64", 0, offsets))
	} else {
		stbl = append(stbl, full("stco", 0, offsets))
	}

	stbl = append(stbl, t.Groups)
	var edts []byte
	if t.Edits != nil {
		edts = box("edts", full("elst", t.elstVersion(), t.elst()))
	}
	return box("trak",
		box("tkhd", U32(flags, 0, 0, id, 0, duration, 0, 0, 0, 0x01000000), matrix(t.Matrix), U32(0, 0)),
		edts,
		box("mdia",
			full("mdhd", 0, U32(0, 0, scale, duration, code<<16)),
			full("hdlr", 0, U32(0), []byte(handler), make([]byte, 12), []byte("test\x00")),
			box("minf", header, box("stbl", stbl...))))
}

func (t *Track) stsc() []byte {
	var p []byte
	n := uint32(0)
	for c, per := range t.chunks() {
		if c > 0 && per == t.Chunks[c-1] {
			continue
		}
		p = append(p, U32(uint32(c+1), per, 1)...)
		n++
	}
	return append(U32(n), p...)
}

func (t *Track) elstVersion() byte {
	for _, e := range t.Edits {
		if e.Duration > math.MaxUint32 || e.Time > math.MaxInt32 || e.Time < math.MinInt32 {
			return 1
		}
	}
	return 0
}

func (t *Track) elst() []byte {
	p := U32(uint32(len(t.Edits)))
	version := t.elstVersion()
	for _, e := range t.Edits {
		if version == 1 {
			p = append(p, U64(e.Duration, uint64(e.Time))...)
		} else {
			p = append(p, U32(uint32(e.Duration), uint32(int32(e.Time)))...)
		}
		if e.Rate == 0 {
			e.Rate = 1 << 16
		}
		p = append(p, U32(uint32(e.Rate))...)
	}
	return p
}

func runs(r []Run) []byte {
	p := U32(uint32(len(r)))
	for _, r := range r {
		p = append(p, U32(r.Count, r.Value)...)
	}
	return p
}
