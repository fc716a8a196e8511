package testmedia

import (
	"encoding/binary"
	"slices"
)

// TS is an MPEG-2 transport stream that is built packet by packet. The zero value is ready.
type TS struct {
	Stride int // 188, 192 or 204; 0 means 188
	out    []byte
	next   map[int]byte // continuity counters
}

// TSStream is an entry of a program map table.
type TSStream struct {
	PID         int
	Type        byte
	Descriptors []byte
}

// PES is a PES packet.
type PES struct {
	Stream   byte  // stream_id; 0xe0
	PTS, DTS int64 // -1 for none; 33 bits are written
	Data     []byte
	Bounded  bool // its length is told
	Random   bool // random access indicator
}

// Bytes returns the stream.
func (t *TS) Bytes() []byte { return t.out }

// Raw appends bytes that are no transport packets.
func (t *TS) Raw(b []byte) { t.out = append(t.out, b...) }

// Packets appends transport packets of 188 bytes each.
func (t *TS) Packets(packets ...[]byte) {
	for _, p := range packets {
		switch t.Stride {
		case 192:
			t.out = binary.BigEndian.AppendUint32(t.out, uint32(len(t.out)))
		}
		t.out = append(t.out, p...)
		if t.Stride == 204 {
			t.out = append(t.out, make([]byte, 16)...)
		}
	}
}

// Mux appends the packets of several PIDs in turn.
func (t *TS) Mux(all ...[][]byte) {
	most := 0
	for _, a := range all {
		most = max(most, len(a))
	}
	for i := range most {
		for _, a := range all {
			// Spread evenly over the longest.
			for k := i * len(a) / most; k < (i+1)*len(a)/most; k++ {
				t.Packets(a[k])
			}
		}
	}
}

// counter returns the next continuity counter of a PID.
func (t *TS) counter(pid int) byte {
	if t.next == nil {
		t.next = map[int]byte{}
	}
	c := t.next[pid]
	t.next[pid] = (c + 1) & 15
	return c
}

// Skip makes the next packet of a PID follow a lost one.
func (t *TS) Skip(pid int) { t.counter(pid) }

// Split returns the transport packets that carry data. The first begins a unit.
func (t *TS) Split(pid int, data []byte, random bool) [][]byte {
	var out [][]byte
	for first := true; first || len(data) > 0; first = false {
		p := make([]byte, 0, 188)
		p = append(p, 0x47, byte(pid>>8&31), byte(pid), 0x10|t.counter(pid))
		if first {
			p[1] |= 0x40
		}
		room := 184
		if first && random {
			p[3] |= 0x20
			p = append(p, 1, 0x40)
			room -= 2
		}
		if n := room - len(data); n > 0 { // stuffing
			if p[3]&0x20 == 0 {
				p[3] |= 0x20
				p = append(p, byte(n-1))
				if n > 1 {
					p = append(p, 0)
					p = append(p, slices.Repeat([]byte{0xff}, n-2)...)
				}
			} else {
				p[4] += byte(n)
				p = append(p, slices.Repeat([]byte{0xff}, n)...)
			}
			room = len(data)
		}
		p = append(p, data[:room]...)
		data = data[room:]
		out = append(out, p)
	}
	return out
}

// PESHeader returns the header of a PES packet and what it carries.
func PESHeader(p PES) []byte {
	if p.Stream == 0 {
		p.Stream = 0xe0
	}
	b := []byte{0, 0, 1, p.Stream, 0, 0, 0x80, 0, 0}
	stamp := func(mark byte, t int64) {
		b = append(b, mark<<4|byte(t>>30&7)<<1|1, byte(t>>22), byte(t>>15&127)<<1|1, byte(t>>7), byte(t&127)<<1|1)
	}
	switch {
	case p.PTS >= 0 && p.DTS >= 0:
		b[7], b[8] = 0xc0, 10
		stamp(3, p.PTS)
		stamp(1, p.DTS)
	case p.PTS >= 0:
		b[7], b[8] = 0x80, 5
		stamp(2, p.PTS)
	}
	b = append(b, p.Data...)
	if p.Bounded {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-6))
	}
	return b
}

// PES returns the transport packets of a PES packet.
func (t *TS) PES(pid int, p PES) [][]byte { return t.Split(pid, PESHeader(p), p.Random) }

// Section returns the transport packets of a section.
func (t *TS) Section(pid int, section []byte) [][]byte {
	return t.Split(pid, append([]byte{0}, section...), false)
}

// Table returns a long section with its checksum.
func Table(id byte, extension int, version byte, body []byte) []byte {
	b := []byte{id, 0xb0, 0, byte(extension >> 8), byte(extension), 0xc1 | version<<1, 0, 0}
	b = append(b, body...)
	n := len(b) + 4 - 3
	b[1] |= byte(n >> 8)
	b[2] = byte(n)
	return binary.BigEndian.AppendUint32(b, CRC32(b))
}

// CRC32 is that of ISO/IEC 13818-1, annex A.
func CRC32(b []byte) uint32 {
	c := uint32(0xffffffff)
	for _, v := range b {
		c ^= uint32(v) << 24
		for range 8 {
			if c&(1<<31) != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
	}
	return c
}

// PAT returns the transport packets of a program association table: program i+1 has its map at pids[i].
func (t *TS) PAT(version byte, pids ...int) [][]byte {
	var b []byte
	for i, pid := range pids {
		b = append(b, 0, byte(i+1), 0xe0|byte(pid>>8), byte(pid))
	}
	return t.Section(0, Table(0, 1, version, b))
}

// PMT returns the transport packets of a program map table.
func (t *TS) PMT(pid int, version byte, clock int, streams ...TSStream) [][]byte {
	b := []byte{0xe0 | byte(clock>>8), byte(clock), 0xf0, 0}
	for _, s := range streams {
		b = append(b, s.Type, 0xe0|byte(s.PID>>8), byte(s.PID), 0xf0|byte(len(s.Descriptors)>>8), byte(len(s.Descriptors)))
		b = append(b, s.Descriptors...)
	}
	return t.Section(pid, Table(2, 1, version, b))
}

// stopped writes the stop bit.
func stopped(w *bitWriter) []byte {
	w.bits(1, 1)
	return w.b
}

// AVC describes H.264 units: pictures of 16·Width by 16·Height pixels, of fields if Interlaced.
type AVC struct {
	Width, Height uint32
	Interlaced    bool
}

// Sets returns a sequence and a picture parameter set, behind start codes.
func (a AVC) Sets() []byte {
	w := bitWriter{b: []byte{0x67, 66, 0, 30}, n: 32}
	w.ue(0) // seq_parameter_set_id
	w.ue(4) // frame_num of 8 bits
	w.ue(0) // pic_order_cnt_type
	w.ue(4) // pic_order_cnt_lsb of 8 bits
	w.ue(1) // max_num_ref_frames
	w.bits(0, 1)
	w.ue(a.Width - 1)
	if a.Interlaced {
		w.ue(a.Height/2 - 1)
		w.bits(0, 2) // frame_mbs_only_flag, mb_adaptive_frame_field_flag
	} else {
		w.ue(a.Height - 1)
		w.bits(1, 1)
	}
	w.bits(1, 1) // direct_8x8_inference_flag
	w.bits(0, 2) // no cropping, no VUI
	sps := stopped(&w)
	p := bitWriter{b: []byte{0x68}, n: 8}
	p.ue(0)
	p.ue(0)
	p.bits(0, 2)
	p.ue(0)
	p.ue(0)
	p.ue(0)
	p.bits(0, 3)
	p.ue(0)
	p.ue(0)
	p.ue(0)
	p.bits(0, 3)
	b := append([]byte{0, 0, 0, 1}, sps...)
	return append(append(b, 0, 0, 0, 1), stopped(&p)...)
}

// AUD is an access unit delimiter behind a start code.
var AUD = []byte{0, 0, 0, 1, 9, 0xf0}

// Slice is an H.264 slice: what its header says.
type Slice struct {
	IDR      bool
	NoRef    bool // nal_ref_idc is 0
	First    uint32
	Number   uint32 // frame_num
	Order    uint32 // pic_order_cnt_lsb
	Field    bool
	Bottom   bool
	IDRCount uint32
	Size     int // bytes of the unit, about
}

// Slice returns a slice behind a start code. Its content is a pattern.
func (a AVC) Slice(s Slice) []byte {
	w := bitWriter{b: []byte{0x61}, n: 8}
	if s.IDR {
		w.b[0] = 0x65
	}
	if s.NoRef {
		w.b[0] &= 0x9f
	}
	w.ue(s.First)
	w.ue(7)
	w.ue(0)
	w.bits(s.Number, 8)
	if a.Interlaced {
		if w.bits(bit(s.Field), 1); s.Field {
			w.bits(bit(s.Bottom), 1)
		}
	}
	if s.IDR {
		w.ue(s.IDRCount)
	}
	w.bits(s.Order, 8)
	b := append([]byte{0, 0, 1}, escape(stopped(&w))...)
	for x := uint32(s.Order*7919 + s.Number*104729 + 1); len(b) < s.Size; {
		x = x*1664525 + 1013904223
		b = append(b, byte(x>>24)|1) // never a zero: no start code
	}
	return b
}

func bit(v bool) uint32 {
	if v {
		return 1
	}
	return 0
}

// escape puts emulation prevention bytes in.
func escape(b []byte) []byte {
	var out []byte
	zeros := 0
	for _, v := range b {
		if zeros >= 2 && v <= 3 {
			out, zeros = append(out, 3), 0
		}
		if out = append(out, v); v == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

// ADTS returns a frame of AAC at 48 kHz, stereo, with n bytes in all.
func ADTS(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)*31 + seed
		if b[i] == 0xff {
			b[i] = 0
		}
	}
	copy(b, []byte{0xff, 0xf1, 0x4c, 0x80 | byte(n>>11), byte(n >> 3), byte(n<<5) | 0x1f, 0xfc})
	return b
}
