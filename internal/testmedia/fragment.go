package testmedia

import (
	"encoding/binary"
	"math"
)

// Extends is a track extends box: what samples in fragments are like that do not say.
type Extends struct{ ID, Description, Duration, Size, Flags uint32 }

// Mvex returns a movie extends box, for Movie.Extra, with a fragment duration unless that is 0: of version 1 where it takes 64 bits.
func Mvex(duration uint64, tracks ...Extends) []byte {
	var parts [][]byte
	switch {
	case duration > math.MaxUint32:
		parts = append(parts, FullBox("mehd", 1, 0, U64(duration)))
	case duration > 0:
		parts = append(parts, FullBox("mehd", 0, 0, U32(uint32(duration))))
	}
	for _, t := range tracks {
		parts = append(parts, FullBox("trex", 0, 0, U32(t.ID, t.Description, t.Duration, t.Size, t.Flags)))
	}
	return Box("mvex", parts...)
}

// Fragment is a movie fragment and its media data.
type Fragment struct {
	Tracks []TrackFragment
	Extra  []byte // more boxes in the movie fragment box
}

// TrackFragment is what a fragment has of one track.
type TrackFragment struct {
	ID    uint32
	Flags uint32 // of the header box; they say which of the fields are written

	Description, Duration, Size, SampleFlags uint32

	Time  *uint64 // of the decode time box; nil: none
	Short bool    // that box has version 0
	Runs  []TrackRun
	Extra []byte // more boxes in the track fragment box
}

// TrackRun is a track run box.
type TrackRun struct {
	Version byte
	Flags   uint32 // they say which fields are written
	First   uint32 // flags of the first sample
	Samples []Sample
}

// Sample is one sample of a run. Size is what it has in the media data, written or not.
type Sample struct {
	Duration, Size, Flags uint32
	Offset                int32
}

// Header flags of track fragments and track runs.
const (
	HasBase, HasDescription, HasDuration, HasSize, HasFlags, IsEmpty, BaseIsMoof = 0x1, 0x2, 0x8, 0x10, 0x20, 0x10000, 0x20000

	RunData, RunFirst, RunDuration, RunSize, RunFlags, RunOffset = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800
)

// NonSync are the flags of a sample that is no sync sample, and depends on others.
const NonSync = 0x01010000

// Layout returns the boxes of a fragment that begins at off, up to its media data, and the size of that.
// Explicit bases are the beginning of the media data.
func (f *Fragment) Layout(off int64) (head []byte, data int64) {
	size := int64(len(f.moof(off, 0)))
	return f.head(off, off+size+8)
}

func (f *Fragment) head(off, data int64) ([]byte, int64) {
	b := f.moof(off, data)
	var n int64
	for _, t := range f.Tracks {
		for _, r := range t.Runs {
			n += r.bytes()
		}
	}
	return append(append(b, U32(uint32(8+n))...), "mdat"...), n
}

func (r *TrackRun) bytes() (n int64) {
	for _, s := range r.Samples {
		n += int64(s.Size)
	}
	return n
}

func (f *Fragment) moof(off, data int64) []byte {
	parts := [][]byte{FullBox("mfhd", 0, 0, U32(1))}
	pos, end := data, off
	for i := range f.Tracks {
		t := &f.Tracks[i]
		base := end // where the data of the track before ends
		if t.Flags&HasBase != 0 {
			base = data
		} else if t.Flags&BaseIsMoof != 0 {
			base = off
		}
		parts = append(parts, t.traf(base, pos))
		for _, r := range t.Runs {
			pos += r.bytes()
		}
		end = pos
	}
	return Box("moof", append(parts, f.Extra)...)
}

func (t *TrackFragment) traf(base, pos int64) []byte {
	head := U32(t.ID)
	if t.Flags&HasBase != 0 {
		head = append(head, U64(uint64(base))...)
	}
	for _, v := range []struct{ flag, value uint32 }{{HasDescription, t.Description}, {HasDuration, t.Duration}, {HasSize, t.Size}, {HasFlags, t.SampleFlags}} {
		if t.Flags&v.flag != 0 {
			head = append(head, U32(v.value)...)
		}
	}
	parts := [][]byte{FullBox("tfhd", 0, t.Flags, head)}
	switch {
	case t.Time != nil && t.Short:
		parts = append(parts, FullBox("tfdt", 0, 0, U32(uint32(*t.Time))))
	case t.Time != nil:
		parts = append(parts, FullBox("tfdt", 1, 0, U64(*t.Time)))
	}
	for i := range t.Runs {
		r := &t.Runs[i]
		parts = append(parts, r.trun(uint32(pos-base)))
		pos += r.bytes()
	}
	return Box("traf", append(parts, t.Extra)...)
}

func (r *TrackRun) trun(data uint32) []byte {
	b := U32(uint32(len(r.Samples)))
	if r.Flags&RunData != 0 {
		b = append(b, U32(data)...)
	}
	if r.Flags&RunFirst != 0 {
		b = append(b, U32(r.First)...)
	}
	for _, s := range r.Samples {
		for _, v := range []struct{ flag, value uint32 }{{RunDuration, s.Duration}, {RunSize, s.Size}, {RunFlags, s.Flags}, {RunOffset, uint32(s.Offset)}} {
			if r.Flags&v.flag != 0 {
				b = binary.BigEndian.AppendUint32(b, v.value)
			}
		}
	}
	return FullBox("trun", r.Version, r.Flags, b)
}

// AppendFragment appends a fragment to a file. Its media data is Pattern(0, 0, i).
func AppendFragment(file []byte, f Fragment) []byte {
	head, n := f.Layout(int64(len(file)))
	file = append(file, head...)
	for i := range int(n) {
		file = append(file, Pattern(0, 0, i))
	}
	return file
}

// Reference is an entry of a segment index.
type Reference struct {
	Size, Duration uint32
	Index          bool // it refers to another segment index
	SAP            uint32
}

// Sidx returns a segment index box of version 1, whose first reference begins first bytes behind it.
func Sidx(track, timescale uint32, time, first uint64, refs ...Reference) []byte {
	return SidxOf(1, track, timescale, time, first, refs...)
}

// SidxOf is Sidx of any version. Version 0 has 32 bits for the time and the first place.
func SidxOf(version byte, track, timescale uint32, time, first uint64, refs ...Reference) []byte {
	var b []byte
	for _, r := range refs {
		size := r.Size
		if r.Index {
			size |= 1 << 31
		}
		b = append(b, U32(size, r.Duration, r.SAP)...)
	}
	begin := U64(time, first)
	if version == 0 {
		begin = U32(uint32(time), uint32(first))
	}
	return FullBox("sidx", version, 0, U32(track, timescale), begin, U16(0, uint16(len(refs))), b)
}

// RandomAccess is an entry of a track fragment random access box.
type RandomAccess struct {
	Time, Moof         uint64
	Traf, Trun, Sample uint32
}

// Mfra returns a movie fragment random access box with one table, of one track, whose numbers have four bytes each.
func Mfra(track uint32, entries ...RandomAccess) []byte {
	return MfraOf(1, [3]int{4, 4, 4}, track, entries...)
}

// MfraOf is Mfra with a table of any version, whose numbers of track fragments, track runs and samples have so many bytes, 1 to 4. Version 0 has 32 bits
// for times and places.
func MfraOf(version byte, widths [3]int, track uint32, entries ...RandomAccess) []byte {
	b := U32(track, uint32(widths[0]-1)<<4|uint32(widths[1]-1)<<2|uint32(widths[2]-1), uint32(len(entries)))
	for _, e := range entries {
		if version == 0 {
			b = append(b, U32(uint32(e.Time), uint32(e.Moof))...)
		} else {
			b = append(b, U64(e.Time, e.Moof)...)
		}
		for i, v := range []uint32{e.Traf, e.Trun, e.Sample} {
			b = append(b, U32(v)[4-widths[i]:]...)
		}
	}
	tfra := FullBox("tfra", version, 0, b)
	return Box("mfra", tfra, FullBox("mfro", 0, 0, U32(uint32(8+len(tfra)+16))))
}
