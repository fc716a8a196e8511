package ffmpeg

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// Every sample value becomes the float32 nearest to its share of the largest one, with every set of kernels.
func TestFloatsAreCorrectlyRounded(t *testing.T) {
	if err := available(); err != nil {
		t.Skip(err)
	}
	for set := int32(0); set <= 2; set++ {
		src := make([]byte, 2*65536)
		for v := range 65536 {
			binary.NativeEndian.PutUint16(src[2*v:], uint16(v))
		}
		dst := make([]float32, 65536)
		s := store{srcStride: 2 * 65536, dx: 1, dy: 65536, dc: 1, width: 65536, rows: 1, channels: 1, wide: 1, floats: 1, set: set}
		s.run(unsafe.Pointer(&src[0]), unsafe.Pointer(&dst[0]))
		for v, got := range dst {
			if want := float32(v) / 65535; got != want {
				t.Fatalf("set %d: %d of 65535 is %v, want %v", set, v, got, want)
			}
		}
		for v := range 256 {
			src[v] = byte(v)
		}
		s = store{srcStride: 256, dx: 1, dy: 256, dc: 1, width: 256, rows: 1, channels: 1, floats: 1, set: set}
		s.run(unsafe.Pointer(&src[0]), unsafe.Pointer(&dst[0]))
		for v, got := range dst[:256] {
			if want := float32(v) / 255; got != want {
				t.Fatalf("set %d: %d of 255 is %v, want %v", set, v, got, want)
			}
		}
	}
}

// All sets of kernels agree with a loop over single samples, at every width around their blocks, and write nothing else.
func TestKernels(t *testing.T) {
	if err := available(); err != nil {
		t.Skip(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		s := store{width: int32(1 + r.IntN(300)), rows: int32(1 + r.IntN(3)), channels: 3, set: int32(r.IntN(3)), wide: int32(r.IntN(2)), floats: int32(r.IntN(2))}
		w, h := int(s.width), int(s.rows)
		in := 1 + int(s.wide)
		out := in
		if s.floats == 1 {
			out = 4
		}
		s.srcStride = int64(3*w*in + 2*r.IntN(20))
		first := 0
		switch r.IntN(5) {
		case 0: // planes
			s.dx, s.dy, s.dc = 1, int64(w+r.IntN(9)), int64((w+9)*h)
		case 1: // pixels
			s.dx, s.dy, s.dc = 3, int64(3*w+r.IntN(9)), 1
		case 2: // pixels with the channels in reverse
			s.dx, s.dy, s.dc, first = 3, int64(3*w+r.IntN(9)), -1, 2
		case 3: // turned by 90 degrees
			s.dx, s.dy, s.dc, first = int64(h), -1, int64(w*h), h-1
		case 4: // one channel, mirrored
			s.channels, s.dx, s.dy, s.dc, first = 1, -1, int64(w), 1, w-1
		}
		src := make([]byte, int(s.srcStride)*h)
		for i := range src {
			src[i] = byte(r.Uint32())
		}
		const room = 64
		dst := make([]byte, 2*room+out*3*(w+9)*(h+1))
		for i := range dst {
			dst[i] = 0x5A
		}
		want := append([]byte(nil), dst...)
		for y := range h {
			for x := range w {
				for c := range int(s.channels) {
					from := src[int(s.srcStride)*y+(x*int(s.channels)+c)*in:]
					to := want[room+out*(first+x*int(s.dx)+y*int(s.dy)+c*int(s.dc)):]
					switch {
					case s.floats == 1 && s.wide == 1:
						binary.NativeEndian.PutUint32(to, math.Float32bits(float32(binary.NativeEndian.Uint16(from))/65535))
					case s.floats == 1:
						binary.NativeEndian.PutUint32(to, math.Float32bits(float32(from[0])/255))
					default:
						copy(to[:out], from)
					}
				}
			}
		}
		s.run(unsafe.Pointer(&src[0]), unsafe.Pointer(&dst[room+out*first]))
		if i := firstDifference(dst, want); i != len(want) {
			t.Fatalf("%+v: byte %d of %d is %d, want %d", s, i, len(dst), dst[i], want[i])
		}
	}
}
