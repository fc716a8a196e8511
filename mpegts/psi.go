package mpegts

import (
	"fmt"
	"strings"
)

// section collects sections (2.4.4) out of transport packets.
type section struct {
	buf  []byte
	need int // bytes of the section; 0 while its length is not known
	live bool
}

// feed takes the payload of a transport packet. Done is called with each whole section, which is lent.
func (s *section) feed(b []byte, start bool, done func([]byte)) {
	if start {
		if len(b) == 0 {
			return
		}
		n := int(b[0])
		b = b[1:]
		if n > len(b) {
			s.live = false
			return
		}
		s.take(b[:n], done) // the end of one that began before
		b = b[n:]
		s.live, s.need, s.buf = true, 0, s.buf[:0]
	}
	s.take(b, done)
}

func (s *section) take(b []byte, done func([]byte)) {
	for s.live && len(b) > 0 {
		if len(s.buf) == 0 && b[0] == 0xff { // stuffing
			s.live = false
			return
		}
		want := 3
		if s.need > 0 {
			want = s.need
		}
		k := min(want-len(s.buf), len(b))
		s.buf = append(s.buf, b[:k]...)
		b = b[k:]
		if len(s.buf) < want {
			return
		}
		if s.need == 0 {
			s.need = 3 + int(s.buf[1]&15)<<8 + int(s.buf[2])
			if s.need > 3 {
				continue
			}
		}
		done(s.buf)
		s.need, s.buf = 0, s.buf[:0]
	}
}

// table returns what is between the header of a long section and its checksum, when the checksum is right and the section is in force.
func table(b []byte, id byte) (body []byte, extension int, version byte, ok bool) {
	if len(b) < 12 || b[0] != id || b[1]&0x80 == 0 || crc32(b) != 0 {
		return nil, 0, 0, false
	}
	if b[5]&1 == 0 { // current_next_indicator
		return nil, 0, 0, false
	}
	return b[8 : len(b)-4], int(b[3])<<8 | int(b[4]), b[5] >> 1 & 31, true
}

var crcTable = func() (t [256]uint32) {
	for i := range t {
		v := uint32(i) << 24
		for range 8 {
			if v&(1<<31) != 0 {
				v = v<<1 ^ 0x04c11db7
			} else {
				v <<= 1
			}
		}
		t[i] = v
	}
	return t
}()

// crc32 is that of annex A: 0 over a whole section.
func crc32(b []byte) uint32 {
	c := uint32(0xffffffff)
	for _, v := range b {
		c = c<<8 ^ crcTable[byte(c>>24)^v]
	}
	return c
}

// program is one entry of the program association table.
type program struct{ number, pid int }

// parsePAT returns the programs of a program association section.
func parsePAT(b []byte) []program {
	var out []program
	for ; len(b) >= 4; b = b[4:] {
		if p := (program{int(b[0])<<8 | int(b[1]), int(b[2]&31)<<8 | int(b[3])}); p.number != 0 {
			out = append(out, p)
		}
	}
	return out
}

// elementary is one stream of a program map section.
type elementary struct {
	pid         int
	streamType  byte
	descriptors []byte
	registered  string // format_identifier of the program's registration descriptor
}

// parsePMT returns the streams of a program map section and the PID of its clock.
func parsePMT(b []byte) (clock int, out []elementary) {
	if len(b) < 4 {
		return -1, nil
	}
	clock = int(b[0]&31)<<8 | int(b[1])
	n := int(b[2]&15)<<8 | int(b[3])
	b = b[4:]
	registered := ""
	if n <= len(b) {
		if d := descriptor(b[:n], 5); len(d) >= 4 {
			registered = string(d[:4])
		}
	}
	b = b[min(n, len(b)):]
	for len(b) >= 5 {
		e := elementary{streamType: b[0], pid: int(b[1]&31)<<8 | int(b[2]), registered: registered}
		n := int(b[3]&15)<<8 | int(b[4])
		b = b[5:]
		n = min(n, len(b))
		e.descriptors = b[:n]
		b = b[n:]
		out = append(out, e)
	}
	return clock, out
}

// descriptor returns the content of the first descriptor with a tag; nil when there is none.
func descriptor(b []byte, tag byte) []byte {
	for len(b) >= 2 {
		n := int(b[1])
		if 2+n > len(b) {
			return nil
		}
		if b[0] == tag {
			return b[2 : 2+n : 2+n]
		}
		b = b[2+n:]
	}
	return nil
}

// language returns that of the descriptors of an elementary stream: ISO 639, teletext or subtitling.
func language(d []byte) string {
	for _, tag := range [...]byte{0x0a, 0x56, 0x59} {
		if l := descriptor(d, tag); len(l) >= 3 {
			s := strings.ToLower(string(l[:3]))
			if s >= "aaa" && s <= "zzz" && s != "und" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" {
				return s
			}
		}
	}
	return ""
}

func pidName(pid int) string { return fmt.Sprintf("PID 0x%x", pid) }
