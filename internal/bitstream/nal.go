package bitstream

import (
	"bytes"
	"math"

	"github.com/sprocket-video/sprocket/container"
)

// nals takes the NAL units out of an access unit. With size 1 to 4 each is preceded by its length (ISO/IEC 14496-15, 5.3.3),
// with 0 by a start code.
type nals struct {
	data []byte
	size int
}

// next returns the next unit. It returns false after the last. The last unit may be cut short: whole says that it is not.
func (r *nals) next() (nal []byte, whole, ok bool) {
	if r.size == 0 {
		return r.nextAnnexB()
	}
	for len(r.data) > r.size {
		n := 0
		for _, b := range r.data[:r.size] {
			n = n<<8 | int(b)
		}
		r.data = r.data[r.size:]
		if n > len(r.data) {
			nal, r.data = r.data, nil
			return nal, false, true
		}
		nal, r.data = r.data[:n], r.data[n:]
		if n > 0 {
			return nal, true, true
		}
	}
	return nil, false, false
}

// nextAnnexB returns what lies between the next two start codes. Of the last unit it cannot be known whether it is whole.
func (r *nals) nextAnnexB() (nal []byte, whole, ok bool) {
	for {
		start := bytes.Index(r.data, startCodePrefix)
		if start < 0 {
			return nil, false, false
		}
		r.data = r.data[start+len(startCodePrefix):]
		switch end := bytes.Index(r.data, startCodePrefix); {
		case end < 0:
			nal, r.data = r.data, nil
			return nal, false, len(nal) > 0
		case end > 0:
			nal, r.data = r.data[:end], r.data[end:]
			return nal, true, true
		}
	}
}

var startCodePrefix = []byte{0, 0, 1}

// LengthSize returns the bytes of a NAL length under the configuration record of "h264" or "hevc",
// or 0 when there is no such record and units are separated by start codes.
func LengthSize(codec string, config []byte) int {
	switch {
	case codec == "h264" && len(config) >= 7 && config[0] == 1:
		return int(config[4]&3) + 1 // AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.3.3.1
	case codec == "hevc" && len(config) >= 23 && config[0] <= 1 && !(config[0] == 0 && config[1] == 0):
		return int(config[21]&3) + 1 // HEVCDecoderConfigurationRecord, 8.3.3.1
	}
	return 0
}

// h264 classifies by ITU-T H.264, table 7-1 and D.1.8.
func h264(config, data []byte) Info {
	info := Info{Class: Short}
	refs, slices := false, false
	recovery := -1
	units := nals{data, LengthSize("h264", config)}
	for {
		nal, whole, ok := units.next()
		if !ok {
			break
		}
		ref, kind := nal[0]>>5&3, nal[0]&31
		switch {
		case kind == 6 && whole:
			if n, ok := RecoveryPoint(nal[1:]); ok {
				recovery = n
			}
		case kind >= 1 && kind <= 5:
			slices = true
			refs = refs || ref != 0
			if info.Class == Short {
				info.Class = NotKey
			}
			if kind == 5 {
				info.Class = IDR
			}
		}
	}
	if !slices {
		return info
	}
	if info.Class == NotKey && recovery >= 0 {
		info.Class, info.RecoveryFrames = Recovery, recovery
	}
	info.Disposable = container.Needed
	if !refs { // all slices were seen or they agree: nal_ref_idc is 0 for all or for none of a picture (7.4.1)
		info.Disposable = container.Unneeded
	}
	return info
}

// RecoveryPoint looks for a recovery point message in an H.264 SEI unit, behind its first byte, and returns its recovery_frame_cnt.
func RecoveryPoint(nal []byte) (int, bool) {
	var buf [maxSEI]byte
	b := unescape(buf[:0], nal)
	for len(b) > 2 {
		kind, size := 0, 0
		for _, v := range [...]*int{&kind, &size} {
			for len(b) > 0 && b[0] == 0xff {
				*v += 255
				b = b[1:]
			}
			if len(b) == 0 {
				return 0, false
			}
			*v += int(b[0])
			b = b[1:]
		}
		if kind == 6 {
			r := bitReader{data: b[:min(size, len(b))]}
			n := r.golomb()
			return n, !r.short
		}
		if size >= len(b) {
			return 0, false
		}
		b = b[size:]
	}
	return 0, false
}

// hevc classifies by ITU-T H.265, table 7-1.
func hevc(config, data []byte) Info {
	info := Info{Class: Short}
	topLayer := -1 // the highest temporal id, where the configuration tells
	if LengthSize("hevc", config) > 0 {
		topLayer = int(config[21]>>3&7) - 1
	} else {
		topLayer = topOfSPS(config)
	}
	needed, seen := false, false
	units := nals{data, LengthSize("hevc", config)}
	for {
		nal, _, ok := units.next()
		if !ok {
			break
		}
		if len(nal) < 2 || nal[1]&7 == 0 { // ITU-T H.265, 7.4.2.2: it is not 0, but a zero of the next start code is
			continue
		}
		kind, tid := nal[0]>>1&63, int(nal[1]&7)-1
		layer := nal[0]&1<<5 | nal[1]>>3
		if kind >= 32 || layer != 0 { // parameter sets and SEI; other layers (MV-HEVC) ride on layer 0
			continue
		}
		seen = true
		// Even types below 16 are sub-layer non-reference pictures; only at the top layer is that "needed by none".
		needed = needed || kind >= 16 || kind&1 == 1 || tid != topLayer
		switch {
		case kind == 19, kind == 20:
			info.Class = IDR
		case kind >= 16 && kind <= 23:
			info.Class = Open // BLA and CRA: RASL pictures behind them are not decodable from here
		default:
			info.Class = NotKey
			info.Skipped = kind == 8 || kind == 9
		}
	}
	if seen {
		info.Disposable = container.Needed
		if !needed {
			info.Disposable = container.Unneeded
		}
	}
	return info
}

// topOfSPS returns the highest temporal id by the sequence parameter set among units with start codes; -1 when there is none.
func topOfSPS(config []byte) int {
	units := nals{data: config}
	for {
		nal, _, ok := units.next()
		if !ok {
			return -1
		}
		if len(nal) > 2 && nal[0]>>1&63 == 33 {
			return int(nal[2] >> 1 & 7) // sps_max_sub_layers_minus1, 7.3.2.2.1
		}
	}
}

// maxSEI is how much of an SEI unit is read: x264 puts some 700 bytes of text before what counts.
const maxSEI = 1024

// unescape appends b to out without its emulation prevention bytes (7.4.1), as far as out has room.
func unescape(out, b []byte) []byte {
	zeros := 0
	for _, v := range b[:min(len(b), cap(out))] {
		if zeros >= 2 && v == 3 {
			zeros = 0
			continue
		}
		if v == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, v)
	}
	return out
}

// bitReader reads bits, most significant first. Past the end it reads zeros and is short.
type bitReader struct {
	data  []byte
	pos   int
	short bool
}

func (r *bitReader) bit() int {
	i := r.pos >> 3
	if i >= len(r.data) {
		r.short = true
		return 0
	}
	v := r.data[i] >> (7 - r.pos&7) & 1
	r.pos++
	return int(v)
}

// bits reads n of them, at most 31.
func (r *bitReader) bits(n int) int {
	v := 0
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

func (r *bitReader) skip(n int) { r.pos += n }

// golomb reads ue(v) (9.1), saturated.
func (r *bitReader) golomb() int {
	zeros := 0
	for r.bit() == 0 {
		zeros++
		if r.short || zeros > 31 {
			return math.MaxInt32
		}
	}
	v := 1
	for range zeros {
		v = v<<1 | r.bit()
	}
	return v - 1
}
