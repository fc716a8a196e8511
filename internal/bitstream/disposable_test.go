package bitstream

import (
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// bitsOf packs a string of 0 and 1, spaces aside, into bytes.
func bitsOf(s string) []byte {
	var out []byte
	n := 0
	for _, c := range s {
		if c == ' ' {
			continue
		}
		if n%8 == 0 {
			out = append(out, 0)
		}
		out[n/8] |= byte(c-'0') << (7 - n%8)
		n++
	}
	return out
}

// sized is an OBU with its size.
func sized(kind byte, body []byte) []byte {
	return append([]byte{kind<<3 | 2, byte(len(body))}, body...)
}

func TestAV1Disposable(t *testing.T) {
	const unknown, needed, unneeded = container.DisposableUnknown, container.Needed, container.Unneeded
	// profile 0, not still, not reduced; no timing, no display delay, one point: idc 0, level 0; sizes of 4 bits;
	// no frame ids; tools; order hints of 3 bits; screen content and integer vectors chosen by frame.
	const plain = "000 0 0  0 0 00000 000000000000 00000  0011 0011 0000 0000  0  000  0000 1 00  1 1  010 "
	// With a decoder model: removal times of 2 bits, presentation times of 3, no equal interval, two points, the second without a model.
	model := "000 0 0  1 " + zeros(64) + " 0 1 00000 " + zeros(32) + " 00001 00010  0 00001  000000000000 00000 1 0 0 0  000100000001 00000 0  0011 0011 0000 0000  0  000  0000 1 00  1 1  010 "
	config := func(seq string) []byte { return append([]byte{0x81, 0, 0, 0}, sized(1, bitsOf(seq))...) }
	ids := "000 0 0  0 0 00000 000000000000 00000  0011 0011 0000 0000  1 0000 000 000  0000 1 00  1 1  010 "
	for _, c := range []struct {
		name   string
		config []byte
		frame  string // bits of a frame header
		want   container.Disposable
	}{
		// show_existing, type 01 inter, shown, resilient, cdf, screen, size override, hint, primary, refresh.
		{"refreshes nothing", config(plain), "0 01 1 0 0 0 0 101 000 00000000", unneeded},
		{"refreshes one", config(plain), "0 01 1 0 0 0 0 101 000 00010000", needed},
		{"hidden", config(plain), "0 01 0 0 0 0 0 0 101 000 00000000", unneeded},
		{"hidden, refreshes one", config(plain), "0 01 0 1 0 0 0 0 101 000 00000001", needed},
		{"error resilient: no primary reference", config(plain), "0 01 1 1 0 0 0 101 00000000", unneeded},
		{"error resilient, refreshes the last", config(plain), "0 01 1 1 0 0 0 101 00000001 111", needed},
		{"screen content: vectors chosen", config(plain), "0 01 1 0 0 1 0 0 101 000 00000000", unneeded},
		{"intra only", config(plain), "0 10 1 0 0 0 0 101 00000000", unneeded},
		{"S-frame", config(plain), "0 11 1 0 0 0 101 00000000", needed},
		{"key", config(plain), "0 00 1 00000000", needed},
		{"hidden key", config(plain), "0 00 0 1 0 0 0 0 101 00000000", unneeded},
		{"shown again", config(plain), "1 000 0000", unknown},
		{"cut", config(plain), "0 01 1 0 0 0 0 1", unknown},
		// presentation time; removal times of the first point only.
		{"decoder model", config(model), "0 01 1 111 0 0 0 0 101 000 1 11 00000000", unneeded},
		{"decoder model, refreshes the last", config(model), "0 01 1 111 0 0 0 0 101 000 1 11 00000001", needed},
		{"frame ids", config(ids), "0 01 1 0 0 0 000 0 101 000 00000000", unknown},
		{"no sequence header", []byte{0x81, 0, 0, 0}, "0 01 1 0 0 0 0 101 000 00000000", unknown},
		{"no configuration", nil, "0 01 1 0 0 0 0 101 000 00000000", unknown},
	} {
		d := &container.Description{Codec: "av1", Config: c.config}
		frame := sized(6, bitsOf(c.frame))
		if got := Disposable(d, append([]byte{0x12, 0}, frame...)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := Inspect(d, frame).Disposable; got != unknown {
			t.Errorf("%s: %v from the head", c.name, got)
		}
	}
	d := &container.Description{Codec: "av1", Config: config(plain)}
	none, one := sized(6, bitsOf("0 01 1 0 0 0 0 101 000 00000000")), sized(6, bitsOf("0 01 0 0 0 0 0 0 101 000 00010000"))
	for _, c := range []struct {
		name string
		data []byte
		want container.Disposable
	}{
		{"two frames, one refreshes", append(append([]byte{0x12, 0}, none...), one...), needed},
		{"two frames", append(append([]byte{0x12, 0}, none...), none...), unneeded},
		{"a sequence header", append(sized(1, bitsOf(plain)), none...), unknown},
		{"cut", append([]byte{0x12, 0}, none[:len(none)-1]...), unknown},
		{"no frame", []byte{0x12, 0}, unknown},
		{"nothing", nil, unknown},
	} {
		if got := Disposable(d, c.data); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func zeros(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}

func TestVP9Disposable(t *testing.T) {
	const unknown, needed = container.DisposableUnknown, container.Needed
	// marker, profile, existing, type, shown, resilient, …
	const key, hidden, none, some = "10 00 0 0 1 0", "10 00 0 1 0 0 0 00 00000001", "10 00 0 1 1 0 00 00000000 1", "10 00 0 1 1 1 00010000"
	super := func(frames ...string) []byte {
		var out []byte
		index := []byte{0xc0 | byte(len(frames)-1)}
		for _, f := range frames {
			b := append(bitsOf(f), 0, 0, 0x80)
			out = append(out, b...)
			index = append(index, byte(len(b)))
		}
		return append(append(out, index...), index[0])
	}
	for _, c := range []struct {
		name string
		data []byte
		want container.Disposable
	}{
		{"key", bitsOf(key), needed},
		{"refreshes one", bitsOf(some + " 0"), needed},
		{"intra only of profile 1", bitsOf("10 10 0 1 0 1 1 " + zeros(24) + " 010 0 111 00100000 0"), needed},
		{"intra only of profile 2, RGB", bitsOf("10 01 0 1 0 1 1 " + zeros(24) + " 0 111 00100000 0"), needed},
		{"refreshes none: what follows may take its vectors", bitsOf(none), unknown},
		{"shown again", bitsOf("10 00 1 000"), unknown},
		{"one that refreshes behind one that does not", super(none, some), needed},
		{"a hidden one that refreshes", super(hidden, none), needed},
		{"two that do not", super(none, none), unknown},
		{"an index that lies", append(bitsOf(none), 0xc1, 0xff, 0xff, 0xc1), unknown},
		{"nothing", nil, unknown},
	} {
		if got := Disposable(&container.Description{Codec: "vp9"}, c.data); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
