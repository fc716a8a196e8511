package mpegts

// bits reads bits, most significant first. Past the end it reads zeros and is short. With escaped set it leaves out the
// emulation prevention bytes of ITU-T H.264, 7.4.1, and H.265.
type bits struct {
	data    []byte
	at      int // byte
	left    int // bits of data[at] that were not read
	zeros   int
	escaped bool
	short   bool
}

func newBits(data []byte, escaped bool) bits {
	return bits{data: data, at: -1, escaped: escaped}
}

func (r *bits) bit() uint32 {
	if r.left == 0 {
		r.at++
		if r.escaped && r.zeros >= 2 && r.at < len(r.data) && r.data[r.at] == 3 {
			r.at++
			r.zeros = 0
		}
		if r.at >= len(r.data) {
			r.short = true
			return 0
		}
		if r.data[r.at] == 0 {
			r.zeros++
		} else {
			r.zeros = 0
		}
		r.left = 8
	}
	r.left--
	return uint32(r.data[r.at]>>r.left) & 1
}

func (r *bits) u(n int) uint32 {
	var v uint32
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

func (r *bits) flag() bool { return r.bit() == 1 }

func (r *bits) skip(n int) {
	for range n {
		if r.short {
			return
		}
		r.bit()
	}
}

// ue reads an exponential Golomb code (ITU-T H.264, 9.1).
func (r *bits) ue() uint32 {
	zeros := 0
	for r.bit() == 0 {
		if zeros++; r.short || zeros > 31 {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}
