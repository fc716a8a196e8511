// Package transport takes the packets of MPEG-2 transport streams apart, and collects what they carry
// (ISO/IEC 13818-1, 2.4.3). It knows no tables and no codecs.
package transport

import "bytes"

const (
	// Size is the bytes of a transport packet, whatever lies between it and the next.
	Size = 188
	// Sync is the first byte of each.
	Sync = 0x47
	// NullPID is that of packets without content.
	NullPID = 0x1fff
)

// Packet is the header of a transport packet.
type Packet struct {
	PID        int
	Counter    int8 // continuity_counter
	Start      bool // payload_unit_start_indicator
	Error      bool // transport_error_indicator
	Scrambled  bool
	Break      bool // discontinuity_indicator
	Random     bool // random_access_indicator
	HasPayload bool
	HasPCR     bool
	Payload    int   // where the payload begins; Size when there is none
	PCR        int64 // base, in 1/90000 s
}

// Parse reads the header of a transport packet of Size bytes.
func Parse(b []byte) Packet {
	_ = b[Size-1]
	p := Packet{
		PID:        int(b[1]&0x1f)<<8 | int(b[2]),
		Counter:    int8(b[3] & 15),
		Start:      b[1]&0x40 != 0,
		Error:      b[1]&0x80 != 0,
		Scrambled:  b[3]&0xc0 != 0,
		HasPayload: b[3]&0x10 != 0,
		Payload:    4,
	}
	if b[3]&0x20 != 0 {
		n := int(b[4])
		p.Payload = 5 + n
		if n > 0 {
			p.Break, p.Random = b[5]&0x80 != 0, b[5]&0x40 != 0
			if b[5]&0x10 != 0 && n >= 7 {
				p.HasPCR = true
				p.PCR = int64(b[6])<<25 | int64(b[7])<<17 | int64(b[8])<<9 | int64(b[9])<<1 | int64(b[10])>>7
			}
		}
	}
	if !p.HasPayload || p.Payload >= Size {
		p.Payload, p.HasPayload = Size, false
	}
	return p
}

// Duplicate says whether b is the transport packet a sent again: the same but for the clock reference (2.4.3.3).
func Duplicate(a, b []byte) bool {
	if a[3] != b[3] || a[1] != b[1] || a[2] != b[2] {
		return false
	}
	if b[3]&0x20 == 0 || b[4] == 0 || b[5]&0x10 == 0 || b[4] < 7 {
		return bytes.Equal(a[4:Size], b[4:Size])
	}
	return bytes.Equal(a[4:6], b[4:6]) && bytes.Equal(a[12:Size], b[12:Size])
}

// Resync returns where in b the next transport packet begins, when there is none at at: where sync bytes lie a stride apart.
// Ok false means that the caller must come back with more bytes, from next on, and with the same search, which is false at first;
// last says that there are none.
//
// A single bad sync byte costs its packet only: the grid goes on where the two after it are in place.
func Resync(b []byte, at, stride int, last bool, search *bool) (next int, ok bool) {
	i := at
	if !*search {
		found, sure := synced(b, at+stride, stride, last)
		if !sure {
			return at, false
		}
		if found {
			return at + stride, true
		}
		*search = true
		i++
	}
	for ; i < len(b); i++ {
		k := bytes.IndexByte(b[i:], Sync)
		if k < 0 {
			break
		}
		i += k
		found, sure := synced(b, i, stride, last)
		if !sure {
			return i, false
		}
		if found {
			*search = false
			return i, true
		}
	}
	return len(b), false
}

// synced says whether transport packets lie at i and, as far as there is something, two times a stride on. Sure says whether
// b was long enough to tell.
func synced(b []byte, i, stride int, last bool) (found, sure bool) {
	if i+2*stride >= len(b) && !last {
		return false, false
	}
	if i+Size > len(b) {
		return false, true
	}
	for k := 0; k < 3 && i < len(b); k++ {
		if b[i] != Sync {
			return false, true
		}
		i += stride
	}
	return true, true
}
