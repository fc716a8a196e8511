package mpegts

import (
	"slices"

	"github.com/sprocket-video/sprocket/container"
)

// mpeg2 reads what lies between the start codes of ISO/IEC 13818-2 and 11172-2.
type mpeg2 struct {
	st       *stream
	sequence []byte // the last sequence header with its extension
	header   int    // bytes of it that are not the extension; 0 before a sequence header came
	isMPEG2  bool

	begun   bool   // a picture header came, and no slice since
	ref     uint32 // temporal_reference
	intra   bool
	parity  uint32 // picture_structure: 1 top, 2 bottom, 3 frame
	field   uint32 // picture_structure of a first field whose second has not come; 0 none
	fieldOf uint32 // its temporal_reference
	now     picture
	desc    int
	applied string // sequence that the description in use is of
}

func (m *mpeg2) want(b byte) int {
	switch b {
	case 0x00:
		return 4
	case 0xb3:
		return 8 + 1 + 2*64
	case 0xb5:
		return 10
	}
	return 1
}

func (m *mpeg2) read(b []byte) role {
	switch c := b[0]; {
	case c == 0xb3:
		m.sequence = appendUnitShort(m.sequence[:0], b)
		m.header, m.begun = len(m.sequence), false
		return roleFirst
	case c == 0xb8:
		return m.head()
	case c == 0x00:
		r := m.head()
		if len(b) < 3 {
			return r
		}
		m.begun, m.ref, m.intra, m.parity = true, uint32(b[1])<<2|uint32(b[2])>>6, b[2]>>3&7 == 1, 3
		return r
	case c == 0xb5 && len(b) > 1 && b[1]>>4 == 1: // sequence extension
		m.isMPEG2 = true
		if m.header > 0 {
			m.sequence = appendUnitShort(m.sequence[:m.header], b)
		}
	case c == 0xb5 && len(b) > 3 && b[1]>>4 == 8: // picture coding extension
		m.parity = uint32(b[3]) & 3
	case c >= 0x01 && c <= 0xaf:
		return m.slice()
	}
	return rolePlain
}

// head says what a header is that comes before a picture's slices: the first of a unit, when the slices behind the last picture header are missing.
func (m *mpeg2) head() role {
	if m.begun {
		m.begun = false
		return roleFirst
	}
	return rolePrefix
}

func appendUnitShort(b, unit []byte) []byte { return append(append(b, 0, 0, 1), unit...) }

// slice says what the first slice behind a picture header begins.
func (m *mpeg2) slice() role {
	if !m.begun {
		return roleSlice
	}
	m.begun = false
	if m.field != 0 && m.parity != 3 && m.parity != m.field && m.ref == m.fieldOf {
		m.field = 0
		return roleField
	}
	m.field, m.fieldOf = 0, m.ref
	if m.parity != 3 {
		m.field = m.parity
	}
	m.now = picture{key: m.intra, tick: noTime}
	if len(m.sequence) >= 12 {
		m.describe()
	}
	m.now.desc = m.desc
	return rolePicture
}

func (m *mpeg2) picture() picture { return m.now }

func (m *mpeg2) copy(st *stream) syntax {
	c := *m
	c.st, c.sequence = st, slices.Clone(m.sequence)
	return &c
}

func (m *mpeg2) seed([]container.Description) {}

// rates are the frame rates of table 6-4.
var rates = [...][2]int64{{}, {24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {30, 1}, {50, 1}, {60000, 1001}, {60, 1}}

func (m *mpeg2) describe() {
	if m.applied == string(m.sequence) || m.applied != "" && !m.now.key {
		return
	}
	m.applied = string(m.sequence)
	r := newBits(m.sequence[4:], false)
	w, h, ratio, rate := int(r.u(12)), int(r.u(12)), r.u(4), r.u(4)
	d := container.Description{Codec: "mpeg1video", Config: []byte(m.applied)}
	d.Video = container.Picture{Profile: -1, Level: -1, BitDepth: 8, Chroma: "4:2:0"}
	num, den := int64(0), int64(1)
	if int(rate) < len(rates) && rate > 0 {
		num, den = rates[rate][0], rates[rate][1]
	}
	if m.isMPEG2 {
		d.Codec = "mpeg2video"
		if at := m.header + 4; len(m.sequence) > at { // behind its start code
			x := newBits(m.sequence[at:], false)
			x.skip(4)
			pl := x.u(8)
			d.Video.Profile, d.Video.Level = int(pl>>4&7), int(pl&15)
			x.bit() // progressive_sequence
			d.Video.Chroma = chromas[x.u(2)&3]
			w |= int(x.u(2)) << 12
			h |= int(x.u(2)) << 12
			x.skip(12 + 1 + 8 + 1)
			num *= int64(x.u(2)) + 1
			den *= int64(x.u(5)) + 1
		}
		d.Video.PixelAspect = displayAspect(ratio, w, h)
	}
	d.Video.Width, d.Video.Height = w, h
	m.st.frame = frameTicks(den, num)
	// Each group of pictures brings its headers along: only what changes the pictures makes another description.
	for i := range m.st.descs {
		if m.st.descs[i].Video == d.Video && m.st.descs[i].Codec == d.Codec {
			m.desc = i
			return
		}
	}
	m.desc = m.st.describe(d)
}

// displayAspect returns the shape of a pixel when that of the picture is told: table 6-3.
func displayAspect(code uint32, w, h int) container.Ratio {
	var num, den int
	switch code {
	case 1:
		return container.Ratio{Num: 1, Den: 1}
	case 2:
		num, den = 4, 3
	case 3:
		num, den = 16, 9
	case 4:
		num, den = 221, 100
	}
	if num == 0 || w == 0 || h == 0 {
		return container.Ratio{}
	}
	num, den = num*h, den*w
	a, b := num, den
	for b != 0 {
		a, b = b, a%b
	}
	return container.Ratio{Num: num / a, Den: den / a}
}

// mpeg4 reads what lies between the start codes of ISO/IEC 14496-2.
type mpeg4 struct {
	st      *stream
	headers []byte // those before the last picture
	fresh   bool   // headers go on
	now     picture
	desc    int
	applied string
}

func (m *mpeg4) want(b byte) int {
	switch {
	case b == 0xb6:
		return 2
	case b == 0xb0, b == 0xb5, b <= 0x2f:
		return maxUnit
	}
	return 1
}

func (m *mpeg4) read(b []byte) role {
	switch c := b[0]; {
	case c == 0xb6:
		m.fresh = false
		m.now = picture{key: len(b) > 1 && b[1]>>6 == 0, tick: noTime}
		if len(m.headers) > 0 {
			m.describe()
		}
		m.now.desc = m.desc
		return rolePicture
	case c == 0xb0, c == 0xb5, c <= 0x2f:
		if !m.fresh {
			m.headers, m.fresh = m.headers[:0], true
		}
		if len(m.headers) < 4*maxUnit {
			m.headers = appendUnitShort(m.headers, b)
		}
		return rolePrefix
	case c == 0xb3, c == 0xb2:
		return rolePrefix
	}
	return rolePlain
}

func (m *mpeg4) picture() picture { return m.now }

func (m *mpeg4) copy(st *stream) syntax {
	c := *m
	c.st, c.headers = st, slices.Clone(m.headers)
	return &c
}

func (m *mpeg4) seed([]container.Description) {}

func (m *mpeg4) describe() {
	if m.applied == string(m.headers) || m.applied != "" && !m.now.key {
		return
	}
	m.applied = string(m.headers)
	d := container.Description{Codec: "mpeg4", Config: []byte(m.applied)}
	d.Video = container.Picture{Profile: -1, Level: -1, BitDepth: 8, Chroma: "4:2:0"}
	for i := 0; i+4 < len(m.headers); i++ {
		h := m.headers[i:]
		if h[0] == 0 && h[1] == 0 && h[2] == 1 && h[3] >= 0x20 && h[3] <= 0x2f {
			m.readLayer(h[4:], &d.Video)
			break
		}
	}
	m.desc = m.st.describe(d)
}

// readLayer reads a video object layer, 6.2.3, as far as the size of a picture.
func (m *mpeg4) readLayer(b []byte, v *container.Picture) {
	r := newBits(b, false)
	r.skip(1 + 8)
	verid := uint32(1)
	if r.flag() {
		verid = r.u(4)
		r.skip(3)
	}
	if a := r.u(4); a == 15 {
		v.PixelAspect = container.Ratio{Num: int(r.u(8)), Den: int(r.u(8))}
	} else {
		v.PixelAspect = aspect(uint8(min(a, 5)), 0, 0)
	}
	if r.flag() { // vol_control_parameters
		r.skip(3)
		if r.flag() { // vbv_parameters
			r.skip(15 + 1 + 15 + 1 + 15 + 1 + 3 + 11 + 1 + 15 + 1)
		}
	}
	shape := r.u(2)
	if shape == 3 && verid != 1 {
		r.skip(4)
	}
	r.bit()
	resolution := int64(r.u(16))
	r.bit()
	m.st.frame = 0
	if r.flag() { // fixed_vop_rate
		n := 0
		for int64(1)<<n < resolution {
			n++
		}
		m.st.frame = frameTicks(int64(r.u(max(n, 1))), resolution)
	}
	if shape != 0 {
		return
	}
	r.bit()
	w := int(r.u(13))
	r.bit()
	h := int(r.u(13))
	if !r.short {
		v.Width, v.Height = w, h
	}
}
