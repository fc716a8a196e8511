package testmedia

import "encoding/binary"

// Fields builds an H.264 stream of field-coded pictures (PAFF): every frame is two fields, top first, each a coded picture of its own, of two by
// two macroblocks. ITU-T H.264, Main profile, CAVLC.
//
// The first frame, and every Fields.Every-th, is an IDR picture of samples that are sent as they are (I_PCM). The others send one macroblock of each field and
// skip the rest, which so stays that of the field of the same parity before; every third frame is one that no other refers to.
type Fields struct {
	Frames, Every int
}

// Size of the frames, in pixels of luma.
const (
	FieldsWidth  = 32
	FieldsHeight = 64
)

// FieldPair is one frame: its two fields as NAL units with lengths of four bytes, and the picture that they make, planes Y, U and V one after the other.
type FieldPair struct {
	Top, Bottom []byte
	Key         bool
	Unneeded    bool
	Picture     []byte
}

// AVCC returns the configuration record.
func (Fields) AVCC() []byte {
	sps, pps := fieldsSPS(), fieldsPPS()
	b := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1}
	b = binary.BigEndian.AppendUint16(b, uint16(len(sps)))
	b = append(append(b, sps...), 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pps)))
	return append(b, pps...)
}

// Pairs returns the frames in decode order, which is that of presentation.
func (f Fields) Pairs() []FieldPair {
	var out []FieldPair
	var before [2]fieldSamples // of the last frame that may be referred to
	refs := 0                  // frames that may be, since the last IDR picture
	since := 0
	for n := range f.Frames {
		p := FieldPair{Key: n%f.Every == 0}
		if p.Key {
			refs, since = 0, 0
		}
		p.Unneeded = !p.Key && n%3 == 2
		now := before
		var nals [2][]byte
		for parity := range nals {
			h := fieldHeader{bottom: parity == 1, idr: p.Key && parity == 0, intra: p.Key, ref: !p.Unneeded, frameNum: refs, order: 2*since + parity, number: n / f.Every}
			for mb := range 4 {
				if p.Key || mb == n%4 {
					now[parity][mb] = newMacroblock(n, parity, mb)
				}
			}
			only := n % 4
			if p.Key {
				only = -1
			}
			nals[parity] = h.slice(&now[parity], only)
		}
		p.Top, p.Bottom = withLength(nals[0]), withLength(nals[1])
		p.Picture = weave(&now)
		if !p.Unneeded {
			before = now
			refs++
		}
		since++
		out = append(out, p)
	}
	return out
}

// macroblock is 16×16 samples of Y, then 8×8 each of U and V.
type macroblock [384]byte

// fieldSamples are the macroblocks of a field.
type fieldSamples [4]macroblock

func newMacroblock(frame, parity, mb int) (m macroblock) {
	for i := range m {
		m[i] = byte(16 + (frame*37+parity*101+mb*53+i*(3+frame%5)+i/16*7)%200)
	}
	return m
}

// weave puts the lines of two fields together.
func weave(f *[2]fieldSamples) []byte {
	out := make([]byte, 0, FieldsWidth*FieldsHeight*3/2)
	for _, plane := range []struct{ at, size int }{{0, 16}, {256, 8}, {320, 8}} {
		for y := range 4 * plane.size {
			for x := range 2 * plane.size {
				line := y / 2
				mb := line/plane.size*2 + x/plane.size
				out = append(out, f[y%2][mb][plane.at+line%plane.size*plane.size+x%plane.size])
			}
		}
	}
	return out
}

func withLength(nal []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...)
}

// bitWriter writes bits, most significant first.
type bitWriter struct {
	b []byte
	n int // bits
}

func (w *bitWriter) bits(v uint32, n int) {
	for n--; n >= 0; n-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>n&1) << (7 - w.n%8)
		w.n++
	}
}

// ue writes ue(v), 9.1; a v of 0 is also se(0).
func (w *bitWriter) ue(v uint32) {
	n := 0
	for (v+1)>>(n+1) > 0 {
		n++
	}
	w.bits(0, n)
	w.bits(v+1, n+1)
}

// nal ends the RBSP and makes a NAL unit of it, 7.3.1.
func (w *bitWriter) nal(header byte) []byte {
	w.bits(1, 1)
	out := []byte{header}
	zeros := 0
	for _, v := range w.b {
		if zeros >= 2 && v <= 3 {
			out = append(out, 3)
			zeros = 0
		}
		if out = append(out, v); v == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

func fieldsSPS() []byte {
	var w bitWriter
	w.bits(77, 8) // Main
	w.bits(0, 8)
	w.bits(30, 8)
	w.ue(0)
	w.ue(0) // frame_num of 4 bits
	w.ue(0) // pic_order_cnt_type
	w.ue(4) // pic_order_cnt_lsb of 8 bits
	w.ue(2) // max_num_ref_frames
	w.bits(0, 1)
	w.ue(1)      // two macroblocks wide
	w.ue(1)      // two map units, of fields, high
	w.bits(0, 1) // frame_mbs_only_flag
	w.bits(0, 1) // mb_adaptive_frame_field_flag
	w.bits(1, 1) // direct_8x8_inference_flag
	w.bits(0, 2) // no cropping, no VUI
	return w.nal(0x67)
}

func fieldsPPS() []byte {
	var w bitWriter
	w.ue(0)
	w.ue(0)
	w.bits(0, 2) // CAVLC, no bottom_field_pic_order_in_frame
	w.ue(0)
	w.ue(0)
	w.ue(0)
	w.bits(0, 3) // no weighting
	w.ue(0)
	w.ue(0)
	w.ue(0)
	w.bits(0b100, 3) // deblocking_filter_control_present_flag
	return w.nal(0x68)
}

// fieldHeader is what the header of a slice says, 7.3.3.
type fieldHeader struct {
	bottom, idr, intra, ref bool
	frameNum, order, number int
}

// slice codes a field: all its macroblocks, or only one and the others skipped.
func (h *fieldHeader) slice(f *fieldSamples, only int) []byte {
	bit := map[bool]uint32{true: 1}
	var w bitWriter
	w.ue(0)
	if h.intra {
		w.ue(7)
	} else {
		w.ue(5)
	}
	w.ue(0)
	w.bits(uint32(h.frameNum%16), 4)
	w.bits(1, 1) // field_pic_flag
	w.bits(bit[h.bottom], 1)
	if h.idr {
		w.ue(uint32(h.number % 2)) // idr_pic_id
	}
	w.bits(uint32(h.order%256), 8)
	if !h.intra {
		w.bits(0, 2) // the default number of references, in their default order
	}
	switch {
	case h.idr:
		w.bits(0, 2)
	case h.ref:
		w.bits(0, 1)
	}
	w.ue(0) // slice_qp_delta
	w.ue(1) // no deblocking
	skipped := uint32(0)
	for mb := range f {
		if only >= 0 && mb != only {
			skipped++
			continue
		}
		if h.intra {
			w.ue(25) // I_PCM
		} else {
			w.ue(skipped)
			skipped = 0
			w.ue(5 + 25)
		}
		w.bits(0, (8-w.n%8)%8)
		for _, v := range f[mb] {
			w.bits(uint32(v), 8)
		}
	}
	if !h.intra && skipped > 0 {
		w.ue(skipped)
	}
	header := byte(1)
	if h.idr {
		header = 5
	}
	if h.ref {
		header |= 3 << 5
	}
	return w.nal(header)
}
