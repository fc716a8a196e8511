package mpegts

import (
	"bytes"
	"slices"
	"testing"

	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// FuzzOpen opens anything, lists it, reads some and looks for times.
func FuzzOpen(f *testing.F) {
	for _, file := range hostile() {
		if len(file) < 32<<10 {
			f.Add(file)
		}
	}
	for _, b := range tm.Seeds(32<<10, "ts/*/*") {
		f.Add(b)
	}
	f.Fuzz(exercise)
}

// FuzzUnits cuts what a PID carries into PES packets anywhere: the units are the same, however it is cut.
func FuzzUnits(f *testing.F) {
	var data []byte
	for _, u := range gop(6, 3, 0) {
		data = append(data, u.data...)
	}
	f.Add(byte(0x1b), data, []byte{7, 100, 3})
	f.Add(byte(0x24), []byte{0, 0, 1, 0x26, 1, 0x80, 0, 0, 1, 0x26, 1, 0x80}, []byte{1})
	f.Add(byte(0x24), []byte{0, 0, 1, 0x26, 0, 0, 0, 1, 1, 0x80}, []byte{0}) // a zero of a start code is none of the slice's
	f.Add(byte(0x02), []byte{0, 0, 1, 0xb3, 1, 0, 0x10, 0x13, 0, 0, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 1, 1, 5, 0, 0, 1, 0, 0, 16, 0, 0, 0, 1, 1}, []byte{4})
	f.Add(byte(0x0f), slices.Concat(sound(5)...), []byte{50})
	f.Add(byte(0x81), []byte{0x0b, 0x77, 0, 0, 0, 0x40, 0x40, 0}, []byte{2})
	f.Add(byte(0x11), []byte{0x56, 0xe0, 4, 0x20, 0, 0x11, 0x90}, []byte{2})
	f.Fuzz(func(t *testing.T, streamType byte, data, cuts []byte) {
		if len(data) > 1<<16 || len(data) == 0 {
			return
		}
		sizes := func(cuts []byte) []int64 {
			ts := &tm.TS{}
			ts.Packets(ts.PAT(0, mapPID)...)
			ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: streamType})...)
			rest := data
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: 0, DTS: -1, Data: rest[:1]})...)
			rest = rest[1:]
			for i := 0; len(rest) > 0; i++ {
				n := len(rest)
				if len(cuts) > 0 {
					n = min(n, 1+int(cuts[i%len(cuts)]))
				}
				// Not a new PES packet, which would say where a unit begins: only other transport packets.
				p := ts.Split(videoPID, rest[:n], false)
				p[0][1] &^= 0x40
				ts.Packets(p...)
				rest = rest[n:]
			}
			d, err := Open(t.Context(), bytes.NewReader(ts.Bytes()), nil)
			if err != nil {
				t.Fatal(err)
			}
			var out []int64
			for _, p := range all(t, d, 0) {
				out = append(out, int64(p.Size))
			}
			return out
		}
		if a, b := sizes(nil), sizes(cuts); !slices.Equal(a, b) {
			t.Errorf("units of %d bytes, cut otherwise of %d", a, b)
		}
	})
}
