package bitstream

import "github.com/sprocket-video/sprocket/container"

// Types of OBU (AV1 bitstream specification, 6.2.2).
const (
	obuSequence = 1
	obuHeader   = 3
	obuFrame    = 6
	obuTileList = 8
)

// obu is one open bitstream unit.
type obu struct {
	kind              int
	temporal, spatial int
	body              []byte
}

// nextOBU takes an OBU off data, 5.3. whole says that its body is all there; ok that there is a header.
func nextOBU(data []byte) (o obu, rest []byte, whole, ok bool) {
	if len(data) == 0 {
		return o, nil, false, false
	}
	h := data[0]
	o.kind = int(h >> 3 & 15)
	n := 1
	if h&4 != 0 { // obu_extension_flag
		if len(data) < 2 {
			return o, nil, false, false
		}
		o.temporal, o.spatial = int(data[1]>>5), int(data[1]>>3&3)
		n = 2
	}
	o.body = data[n:]
	if h&2 == 0 { // without obu_has_size_field it reaches to the end
		return o, nil, true, true
	}
	v, k, ok := leb128(o.body)
	if !ok {
		return o, nil, false, false
	}
	o.body = o.body[k:]
	if v > uint64(len(o.body)) {
		return o, nil, false, true
	}
	return obu{o.kind, o.temporal, o.spatial, o.body[:v]}, o.body[v:], true, true
}

func leb128(b []byte) (v uint64, n int, ok bool) {
	for n < 8 && n < len(b) {
		v |= uint64(b[n]&0x7f) << (7 * n)
		n++
		if b[n-1]&0x80 == 0 {
			return v, n, true
		}
	}
	return 0, 0, false
}

// av1 classifies a temporal unit by its first frame header, 5.9.2.
func av1(data []byte) Info {
	still := false
	for {
		o, rest, whole, ok := nextOBU(data)
		if !ok {
			return Info{Class: Short}
		}
		switch o.kind {
		case obuSequence: // seq_profile(3), still_picture(1), reduced_still_picture_header(1)
			still = len(o.body) > 0 && o.body[0]>>3&1 == 1
		case obuHeader, obuFrame:
			if len(o.body) == 0 {
				return Info{Class: Short}
			}
			// show_existing_frame(1), frame_type(2), show_frame(1). A key frame that is not shown
			// is a delayed random access point: pictures before its showing need what came earlier.
			return keyIf(true, still || o.body[0]>>4 == 0b0001)
		}
		if !whole {
			return Info{Class: Short}
		}
		data = rest
	}
}

// av1Sequence is what a sequence header says that frame headers are read by, 5.5.
type av1Sequence struct {
	reduced       bool
	model         bool // decoder_model_info_present_flag
	equalInterval bool
	removalBits   int // buffer_removal_time_length
	timeBits      int // frame_presentation_time_length
	points        []av1Point
	frameIDs      bool
	screen        int // seq_force_screen_content_tools; 2 is chosen by frame
	integerMV     int // seq_force_integer_mv; 2 is chosen by frame
	orderHintBits int
}

// av1Point is an operating point.
type av1Point struct {
	idc   int
	model bool // decoder_model_present_for_this_op
}

func readAV1Sequence(body []byte) (s av1Sequence, ok bool) {
	b := bitReader{data: body}
	b.skip(4) // seq_profile, still_picture
	if s.reduced = b.bit() == 1; s.reduced {
		b.skip(5)
	} else {
		s.readPoints(&b)
	}
	width, height := b.bits(4)+1, b.bits(4)+1
	b.skip(width + height)
	if !s.reduced {
		s.frameIDs = b.bit() == 1
	}
	if s.frameIDs {
		b.skip(7)
	}
	b.skip(3) // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
	s.screen, s.integerMV = 2, 2
	if s.reduced {
		return s, !b.short
	}
	b.skip(4)
	order := b.bit() == 1
	if order {
		b.skip(2)
	}
	if b.bit() == 0 { // seq_choose_screen_content_tools
		s.screen = b.bit()
	}
	if s.screen > 0 && b.bit() == 0 { // seq_choose_integer_mv
		s.integerMV = b.bit()
	}
	if order {
		s.orderHintBits = b.bits(3) + 1
	}
	return s, !b.short
}

// readPoints reads what a sequence header says of timing and operating points.
func (s *av1Sequence) readPoints(b *bitReader) {
	delayBits := 0
	if b.bit() == 1 { // timing_info_present_flag
		b.skip(64)
		if s.equalInterval = b.bit() == 1; s.equalInterval {
			b.golomb() // uvlc, 4.10.3, is ue(v)
		}
		if s.model = b.bit() == 1; s.model {
			delayBits = b.bits(5) + 1
			b.skip(32)
			s.removalBits, s.timeBits = b.bits(5)+1, b.bits(5)+1
		}
	}
	display := b.bit() == 1
	for range b.bits(5) + 1 {
		p := av1Point{idc: b.bits(12)}
		if b.bits(5) > 7 {
			b.skip(1) // seq_tier
		}
		if s.model {
			if p.model = b.bit() == 1; p.model {
				b.skip(2*delayBits + 1)
			}
		}
		if display && b.bit() == 1 {
			b.skip(4)
		}
		s.points = append(s.points, p)
	}
}

// refresh reads a frame header up to its refresh_frame_flags, 5.9.2. ok is false when those are not told, or are not all there is to tell.
func (s *av1Sequence) refresh(o obu) (flags int, ok bool) {
	const key, intraOnly, switching = 0, 2, 3
	b := bitReader{data: o.body}
	if s.reduced {
		return 0xff, true
	}
	if b.bit() == 1 { // show_existing_frame
		return 0, false
	}
	kind := b.bits(2)
	shown := b.bit() == 1
	if shown && s.model && !s.equalInterval {
		b.skip(s.timeBits)
	}
	if !shown {
		b.skip(1) // showable_frame
	}
	if kind == switching || kind == key && shown {
		return 0xff, !b.short
	}
	resilient := b.bit() == 1
	b.skip(1) // disable_cdf_update
	screen := s.screen
	if screen == 2 {
		screen = b.bit()
	}
	if screen == 1 && s.integerMV == 2 {
		b.skip(1) // force_integer_mv
	}
	b.skip(1) // frame_size_override_flag
	b.skip(s.orderHintBits)
	if kind != key && kind != intraOnly && !resilient {
		b.skip(3) // primary_ref_frame
	}
	if s.model && b.bit() == 1 { // buffer_removal_time_present_flag
		for _, p := range s.points {
			in := p.idc>>o.temporal&1 == 1 && p.idc>>(o.spatial+8)&1 == 1
			if p.model && (p.idc == 0 || in) {
				b.skip(s.removalBits)
			}
		}
	}
	flags = b.bits(8)
	return flags, !b.short
}

// av1Disposable says that a temporal unit is Unneeded when none of its frames refreshes a reference: all that a later frame takes from earlier ones
// it takes from references, motion vectors, probabilities and segmentation too (7.20). A unit that carries a sequence header, or shows a frame
// decoded earlier, is not judged; nor is one whose frames have IDs, since decoders compare those of one frame and the next.
func av1Disposable(config, data []byte) container.Disposable {
	const unknown = container.DisposableUnknown
	if len(config) < 4 {
		return unknown
	}
	var s av1Sequence
	known := false
	for rest := config[4:]; len(rest) > 0 && !known; { // AV1CodecConfigurationRecord: four bytes, then OBUs
		o, after, whole, ok := nextOBU(rest)
		if !ok || !whole {
			return unknown
		}
		if o.kind == obuSequence {
			if s, known = readAV1Sequence(o.body); !known {
				return unknown
			}
		}
		rest = after
	}
	if !known || s.frameIDs {
		return unknown
	}
	frames := 0
	for len(data) > 0 {
		o, rest, whole, ok := nextOBU(data)
		if !ok || !whole {
			return unknown
		}
		switch o.kind {
		case obuSequence, obuTileList:
			return unknown
		case obuHeader, obuFrame:
			flags, ok := s.refresh(o)
			if !ok {
				return unknown
			}
			if flags != 0 {
				return container.Needed
			}
			frames++
		}
		data = rest
	}
	if frames == 0 {
		return unknown
	}
	return container.Unneeded
}
