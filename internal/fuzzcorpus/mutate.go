package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
)

// A mutation is determined by the seed, the name of the file and its number: the same three give the same bytes.
func chance(seed uint64, name string, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s#%d", name, n)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// mutator changes a file, and notes how.
type mutator struct {
	r    *rand.Rand
	b    []byte
	what []string
	// boxes are where ISO boxes begin, as far as the file has some.
	boxes []int
}

// mutate returns number n of the mutations of a file, in memory of its own, and what it is. Number 0 is the file itself.
func mutate(seed uint64, name string, n int, file []byte) ([]byte, string) {
	m := &mutator{r: chance(seed, name, n), b: slices.Clone(file)}
	if n == 0 {
		return m.b, "as it is"
	}
	m.boxes = findBoxes(m.b)
	kinds := []func(){m.flip, m.flip, m.ones, m.number, m.number, m.cut, m.remove, m.insert, m.swap, m.zero}
	if len(m.boxes) > 0 {
		// Where there are boxes, most of what matters is in them: their sizes, their types, their counts.
		kinds = append(kinds, m.boxSize, m.boxSize, m.boxBody, m.boxBody, m.boxBody, m.boxType, m.moveBox)
	}
	for range 1 + m.r.IntN(4) {
		if len(m.b) == 0 {
			break
		}
		kinds[m.r.IntN(len(kinds))]()
	}
	return m.b, strings.Join(m.what, "; ")
}

func (m *mutator) note(format string, args ...any) {
	m.what = append(m.what, fmt.Sprintf(format, args...))
}

// place chooses where: often near the ends of the file, where headers are.
func (m *mutator) place() int {
	n := len(m.b)
	switch m.r.IntN(4) {
	case 0:
		return m.r.IntN(min(n, 4096))
	case 1:
		return n - 1 - m.r.IntN(min(n, 4096))
	}
	return m.r.IntN(n)
}

// stretch chooses a range of at most most bytes.
func (m *mutator) stretch(most int) (from, to int) {
	from = m.place()
	return from, min(len(m.b), from+1+m.r.IntN(most))
}

func (m *mutator) flip() {
	n := 1 << m.r.IntN(6)
	for range n {
		i := m.place()
		bit := m.r.IntN(8)
		m.b[i] ^= 1 << bit
		if n <= 2 {
			m.note("bit %d of byte %d flipped", bit, i)
		}
	}
	if n > 2 {
		m.note("%d bits flipped", n)
	}
}

func (m *mutator) fill(v byte) {
	from, to := m.stretch(64)
	for i := from; i < to; i++ {
		m.b[i] = v
	}
	m.note("bytes %d to %d set to %#x", from, to, v)
}

func (m *mutator) ones() { m.fill(0xff) }
func (m *mutator) zero() { m.fill(0) }

// odd are numbers that overflow, are negative, are just too much, or are nothing.
var odd = []uint64{0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
	0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff}

func (m *mutator) oddNumber() uint64 {
	if m.r.IntN(3) == 0 {
		return m.r.Uint64() >> m.r.IntN(64)
	}
	return odd[m.r.IntN(len(odd))]
}

func (m *mutator) put(at int) {
	v := m.oddNumber()
	width := 1 << m.r.IntN(4)
	if at < 0 || at+width > len(m.b) {
		return
	}
	var buf [8]byte
	binary.BigEndian.PutUint64(buf[:], v)
	copy(m.b[at:], buf[8-width:])
	m.note("%d bytes at %d set to %#x", width, at, v)
}

func (m *mutator) number() { m.put(m.place()) }

func (m *mutator) cut() {
	at := m.place()
	m.b = m.b[:at]
	m.note("cut at %d", at)
}

func (m *mutator) remove() {
	from, to := m.stretch(1 << m.r.IntN(14))
	m.b = slices.Delete(m.b, from, to)
	m.note("bytes %d to %d removed", from, to)
}

func (m *mutator) insert() {
	from, to := m.stretch(1 << m.r.IntN(14))
	at := m.place()
	m.b = slices.Insert(m.b, at, slices.Clone(m.b[from:to])...)
	m.note("bytes %d to %d inserted at %d", from, to, at)
}

func (m *mutator) swap() {
	size := min(1<<m.r.IntN(13), len(m.b)/2)
	if size == 0 {
		return
	}
	i, k := m.r.IntN(len(m.b)-size+1), m.r.IntN(len(m.b)-size+1)
	if i > k {
		i, k = k, i
	}
	if i+size > k {
		return
	}
	t := slices.Clone(m.b[i : i+size])
	copy(m.b[i:], m.b[k:k+size])
	copy(m.b[k:], t)
	m.note("%d bytes at %d and %d swapped", size, i, k)
}

// box chooses a box that still lies in the file.
func (m *mutator) box() (at int, ok bool) {
	at = m.boxes[m.r.IntN(len(m.boxes))]
	return at, at+16 <= len(m.b)
}

func (m *mutator) boxSize() {
	at, ok := m.box()
	if !ok {
		return
	}
	size := binary.BigEndian.Uint32(m.b[at:])
	switch m.r.IntN(4) {
	case 0:
		size += uint32(m.r.IntN(33) - 16)
	case 1:
		size = uint32(len(m.b) - at)
	default:
		size = uint32(m.oddNumber())
	}
	binary.BigEndian.PutUint32(m.b[at:], size)
	m.note("box at %d has size %d", at, size)
}

// boxBody changes a number near the beginning of a box: versions, flags and counts.
func (m *mutator) boxBody() {
	if at, ok := m.box(); ok {
		m.put(at + 8 + 4*m.r.IntN(8))
	}
}

func (m *mutator) boxType() {
	at, ok := m.box()
	other, ok2 := m.box()
	if ok && ok2 {
		copy(m.b[at+4:at+8], m.b[other+4:other+8])
		m.note("box at %d has type %q", at, m.b[at+4:at+8])
	}
}

// moveBox puts a copy of a box somewhere else.
func (m *mutator) moveBox() {
	at, ok := m.box()
	to := m.boxes[m.r.IntN(len(m.boxes))]
	if !ok || to > len(m.b) {
		return
	}
	end := min(int64(len(m.b)), int64(at)+int64(min(binary.BigEndian.Uint32(m.b[at:]), 64<<10)))
	m.b = slices.Insert(m.b, to, slices.Clone(m.b[at:end])...)
	m.note("box at %d copied to %d", at, to)
}

// holders are boxes that hold boxes, with the bytes before the first of them.
var holders = map[string]int{"moov": 8, "trak": 8, "mdia": 8, "minf": 8, "stbl": 8, "edts": 8, "mvex": 8, "moof": 8, "traf": 8, "mfra": 8,
	"stsd": 16, "sinf": 8, "schi": 8, "udta": 8, "avc1": 86, "hvc1": 86, "hev1": 86, "av01": 86, "vp09": 86, "mp4a": 36, "encv": 86, "enca": 36}

// findBoxes returns where the boxes of an ISO file begin, nil when it is none.
func findBoxes(b []byte) []int {
	var all []int
	var walk func(from, to, depth int)
	walk = func(from, to, depth int) {
		for from+8 <= to && len(all) < 1<<14 {
			size := int(binary.BigEndian.Uint32(b[from:]))
			if size == 0 {
				size = to - from
			}
			if size < 8 || size > to-from {
				return
			}
			all = append(all, from)
			if skip := holders[string(b[from+4:from+8])]; skip > 0 && depth < 10 {
				walk(from+skip, from+size, depth+1)
			}
			from += size
		}
	}
	if len(b) >= 8 && strings.Contains("ftyp styp moov moof mdat free wide skip", string(b[4:8])) {
		walk(0, len(b), 0)
	}
	return all
}
