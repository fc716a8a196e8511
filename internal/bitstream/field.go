package bitstream

import avc "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

// Field is what the first slice of an H.264 packet says of the picture it belongs to.
type Field struct {
	Parity   Parity
	FrameNum int  // frame_num: that of both fields of a frame
	Needed   bool // nal_ref_idc is not 0
}

// Parity says which lines of a frame a picture has.
type Parity uint8

// Parities.
const (
	Both Parity = iota // a frame
	Top
	Bottom
)

// Completes says whether a packet of field f holds the other field of the frame that a packet of field before, right before it, begins
// (ITU-T H.264, 3.30 and 7.4.1.2.4).
func (f Field) Completes(before Field) bool {
	return f.Parity != Both && before.Parity != Both && f.Parity != before.Parity && f.FrameNum == before.FrameNum && f.Needed == before.Needed
}

// FieldReader reads the fields of a track of H.264.
type FieldReader struct {
	size         int // of NAL lengths
	planes       bool
	frameNumBits int
}

// NewFieldReader returns a reader for a track with the configuration record given. ok is false when the track has no fields, by its parameter sets,
// or when those do not agree.
func NewFieldReader(config []byte) (r FieldReader, ok bool) {
	if len(config) < 7 || LengthSize("h264", config) == 0 {
		return r, false
	}
	r.size = LengthSize("h264", config)
	rest := config[6:]
	for range config[5] & 31 { // AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.3.3.1
		if len(rest) < 2 {
			return r, false
		}
		n := int(rest[0])<<8 | int(rest[1])
		if rest = rest[2:]; n > len(rest) {
			return r, false
		}
		var sps avc.SPS
		if err := sps.Unmarshal(rest[:n]); err != nil || sps.FrameMbsOnlyFlag {
			return r, false
		}
		bits := int(sps.Log2MaxFrameNumMinus4) + 4
		if ok && (bits != r.frameNumBits || sps.SeparateColourPlaneFlag != r.planes) {
			return r, false
		}
		r.frameNumBits, r.planes, ok = bits, sps.SeparateColourPlaneFlag, bits <= 16
		rest = rest[n:]
	}
	return r, ok
}

// Read returns the field that the first slice of a packet is of. ok is false when there is none in data.
func (r FieldReader) Read(data []byte) (f Field, ok bool) {
	r.each(data, func(g Field) bool {
		f, ok = g, true
		return false
	})
	return f, ok
}

// Single says whether all slices of a packet, all of which is given, are of one field.
func (r FieldReader) Single(data []byte) bool {
	var first Field
	n := 0
	single := true
	r.each(data, func(g Field) bool {
		if n == 0 {
			first = g
		}
		n++
		single = g.Parity != Both && g.Parity == first.Parity
		return single
	})
	return n > 0 && single
}

// each yields the field of every slice.
func (r FieldReader) each(data []byte, yield func(Field) bool) {
	units := nals{data, r.size}
	for {
		nal, _, ok := units.next()
		if !ok {
			return
		}
		if kind := nal[0] & 31; kind != 1 && kind != 2 && kind != 5 {
			continue
		}
		f, ok := r.slice(nal)
		if !ok || !yield(f) {
			return
		}
	}
}

// slice reads the beginning of a slice header, 7.3.3.
func (r FieldReader) slice(nal []byte) (f Field, ok bool) {
	var buf [32]byte
	b := bitReader{data: unescape(buf[:0], nal[1:])}
	f.Needed = nal[0]>>5&3 != 0
	b.golomb() // first_mb_in_slice
	b.golomb() // slice_type
	b.golomb() // pic_parameter_set_id
	if r.planes {
		b.skip(2)
	}
	f.FrameNum = b.bits(r.frameNumBits)
	if b.bit() == 1 { // field_pic_flag
		f.Parity = Top + Parity(b.bit())
	}
	return f, !b.short
}
