package bitstream

import (
	"bytes"
	"testing"
)

func TestHalves(t *testing.T) {
	aud, pps, sei := []byte{9, 0xf0}, []byte{0x68, 1, 2}, []byte{6, 5, 1}
	slice, end := []byte{0x41, 0x9a, 1}, []byte{10}
	join := func(lengths bool, units ...[]byte) (out []byte) {
		for i, u := range units {
			switch {
			case lengths:
				out = append(out, 0, 0, 0, byte(len(u)))
			case i%2 == 0:
				out = append(out, 0, 0, 0, 1)
			default:
				out = append(out, 0, 0, 1)
			}
			out = append(out, u...)
		}
		return out
	}
	for name, c := range map[string]struct {
		first, second [][]byte
	}{
		"one picture":              {[][]byte{aud, pps, sei, slice, slice}, nil},
		"an end behind it":         {[][]byte{aud, slice, end}, nil},
		"two, by a delimiter":      {[][]byte{aud, slice}, [][]byte{aud, slice}},
		"two, by a parameter set":  {[][]byte{slice, slice}, [][]byte{pps, slice}},
		"two, by a message":        {[][]byte{pps, slice, slice}, [][]byte{sei, slice}},
		"slices of one, or of two": {[][]byte{slice, slice}, nil},
		"nothing":                  {nil, nil},
	} {
		for _, lengths := range []bool{false, true} {
			var config []byte
			if lengths {
				config = avcC
			}
			data := join(lengths, append(c.first[:len(c.first):len(c.first)], c.second...)...)
			want := 0
			if c.second != nil {
				want = len(join(lengths, c.first...))
			}
			if got := Halves(config, data); got != want {
				t.Errorf("%s, lengths %v: %d of %d, want %d", name, lengths, got, len(data), want)
			}
			if !lengths && want > 0 && !bytes.HasPrefix(data[want:], []byte{0, 0}) {
				t.Errorf("%s: no start code at %d", name, want)
			}
		}
	}
}

func FuzzHalves(f *testing.F) {
	f.Add(false, []byte{0, 0, 1, 0x41, 5, 0, 0, 0, 1, 0x68, 1})
	f.Add(true, []byte{0, 0, 0, 2, 0x41, 5, 0, 0, 0, 1, 0x68})
	f.Fuzz(func(t *testing.T, lengths bool, data []byte) {
		var config []byte
		if lengths {
			config = avcC
		}
		if n := Halves(config, data); n < 0 || n >= max(len(data), 1) {
			t.Errorf("%d of %d bytes", n, len(data))
		}
	})
}
