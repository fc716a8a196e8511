package transport

// PES collects the header of a PES packet (2.4.3.6), which may be spread over transport packets.
type PES struct {
	buf  [9 + 255]byte
	n    int
	need int
	bad  bool
}

// Reset begins another header.
func (h *PES) Reset() { h.n, h.need, h.bad = 0, 6, false }

// Feed takes the header's bytes off the front of b and returns how many they are. Done says that the header is whole; then
// Good says whether it is one.
func (h *PES) Feed(b []byte) (taken int, done bool) {
	for h.n < h.need {
		if taken == len(b) {
			return taken, false
		}
		k := copy(h.buf[h.n:h.need], b[taken:])
		h.n += k
		taken += k
		if h.n < h.need {
			return taken, false
		}
		switch {
		case h.need == 6:
			if h.buf[0] != 0 || h.buf[1] != 0 || h.buf[2] != 1 {
				h.bad = true
				return taken, true
			}
			if h.hasFields() {
				h.need = 9
			}
		case h.need == 9:
			if h.buf[6]&0xc0 != 0x80 { // MPEG-1 systems, or nothing known
				h.bad = true
				return taken, true
			}
			h.need += int(h.buf[8])
		}
		if h.need == h.n {
			break
		}
	}
	return taken, true
}

// hasFields says whether streams of this ID have more than a length in their headers (table 2-21).
func (h *PES) hasFields() bool {
	switch h.buf[3] {
	case 0xbc, 0xbe, 0xbf, 0xf0, 0xf1, 0xf2, 0xf8, 0xff:
		return false
	}
	return true
}

// Good says that it was a header.
func (h *PES) Good() bool { return !h.bad }

// Stream returns the stream_id.
func (h *PES) Stream() byte { return h.buf[3] }

// Length returns how many bytes of payload the header tells of; -1 when it does not.
func (h *PES) Length() int {
	n := int(h.buf[4])<<8 | int(h.buf[5])
	if n == 0 {
		return -1
	}
	return n - (h.n - 6)
}

// Scrambled says whether the payload is scrambled.
func (h *PES) Scrambled() bool { return h.n >= 9 && h.buf[6]&0x30 != 0 }

// Times returns the presentation and the decode time stamps, 33 bits, or -1.
func (h *PES) Times() (pts, dts int64) {
	pts, dts = -1, -1
	if h.n < 9 {
		return
	}
	if h.buf[7]&0x80 != 0 && h.n >= 14 {
		pts = stamp(h.buf[9:])
		if h.buf[7]&0x40 != 0 && h.n >= 19 {
			dts = stamp(h.buf[14:])
		}
	}
	return
}

func stamp(b []byte) int64 {
	return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4])>>1
}
