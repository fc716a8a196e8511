package tensor

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// counting returns a tensor whose elements are 0, 1, 2, … in row-major order.
func counting(t *testing.T, dtype DType, shape ...int) *Tensor {
	t.Helper()
	x := New(dtype, shape...)
	for i := range x.Len() {
		switch dtype {
		case Uint8:
			Values[uint8](x)[i] = uint8(i)
		case Uint16:
			Values[uint16](x)[i] = uint16(i)
		case Float32:
			Values[float32](x)[i] = float32(i)
		case Int64:
			Values[int64](x)[i] = int64(i)
		case Float64:
			Values[float64](x)[i] = float64(i)
		}
	}
	return x
}

// panicText returns what f panics with, or "".
func panicText(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text, _ = r.(string)
			if text == "" {
				text = "another panic"
			}
		}
	}()
	f()
	return ""
}

func TestNewIsZeroAndAligned(t *testing.T) {
	for range 50 {
		x := New(Float32, 2, 3, 5)
		b := x.Bytes()
		if len(b) != 120 || cap(b) != 120 {
			t.Fatalf("Bytes() has length %d and capacity %d, want 120", len(b), cap(b))
		}
		if p := uintptr(unsafe.Pointer(&b[0])); p%Align != 0 {
			t.Fatalf("memory at %#x, want a multiple of %d", p, Align)
		}
		if i := slices.IndexFunc(b, func(v byte) bool { return v != 0 }); i >= 0 {
			t.Fatalf("byte %d is %d, want 0", i, b[i])
		}
	}
}

func TestNewDescribesItself(t *testing.T) {
	x := New(Uint16, 2, 3, 4)
	if x.DType() != Uint16 || x.Device() != (Device{}) || x.Len() != 24 || !x.Contiguous() {
		t.Errorf("got %v on %v with %d elements, contiguous %t", x.DType(), x.Device(), x.Len(), x.Contiguous())
	}
	if got, want := x.Shape(), []int{2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("Shape() = %v, want %v", got, want)
	}
	if got, want := x.Strides(), []int{12, 4, 1}; !slices.Equal(got, want) {
		t.Errorf("Strides() = %v, want %v", got, want)
	}
	if got, want := x.String(), "uint16[2 3 4]"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestNewDoesNotKeepTheShape(t *testing.T) {
	shape := []int{2, 3}
	x := New(Uint8, shape...)
	shape[0] = 99
	if x.Shape()[0] != 2 {
		t.Errorf("Shape() = %v after the caller's slice changed, want [2 3]", x.Shape())
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		got  interface{ String() string }
		want string
	}{
		{Uint8, "uint8"}, {Uint16, "uint16"}, {Float32, "float32"}, {Int64, "int64"}, {Float64, "float64"}, {DType(9), "dtype(9)"},
		{NCHW, "NCHW"}, {NHWC, "NHWC"},
		{Device{}, "cpu"}, {Device{Kind: CUDA, Index: 1}, "cuda:1"},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("String() = %q, want %q", got, tt.want)
		}
	}
}

func TestShapesWithoutElements(t *testing.T) {
	for _, shape := range [][]int{{0}, {0, 3}, {3, 0}, {2, 0, 4}, {0, math.MaxInt / 64}, {math.MaxInt / 64, 0}} {
		x := New(Uint8, shape...)
		if x.Len() != 0 || len(x.Bytes()) != 0 || !x.Contiguous() || Values[uint8](x) != nil {
			t.Errorf("New(%v): Len() = %d, want no elements", shape, x.Len())
		}
		if c := x.Clone(); !slices.Equal(c.Shape(), shape) {
			t.Errorf("Clone().Shape() = %v, want %v", c.Shape(), shape)
		}
		if _, err := FromBytes(nil, Int64, shape...); err != nil {
			t.Errorf("FromBytes(nil, %v) = %v", shape, err)
		}
	}
}

func TestShapeOfNoDimensionsIsOneElement(t *testing.T) {
	x := New(Int64)
	Values[int64](x)[0] = 7
	if x.Len() != 1 || !x.Contiguous() || len(x.Bytes()) != 8 {
		t.Errorf("Len() = %d, %d bytes, want one element of 8", x.Len(), len(x.Bytes()))
	}
	if panicText(func() { x.Index(0) }) == "" || panicText(func() { x.Slice(0, 0) }) == "" {
		t.Error("a view of a dimension that is not there did not panic")
	}
	if got := Values[int64](x.Clone())[0]; got != 7 {
		t.Errorf("Clone() has %d, want 7", got)
	}
}

func TestShapesThatOverflow(t *testing.T) {
	const big = math.MaxInt / 2
	for _, shape := range [][]int{
		{-1}, {3, -1}, {0, -1}, {-1, 0}, {-1, -1},
		{math.MaxInt}, {math.MaxInt - 1}, {big, 3}, {3, big}, {1 << 31, 1 << 31, 1 << 31}, {1 << 32, 1 << 32},
		{math.MaxInt, math.MaxInt, 0}, {0, math.MaxInt, math.MaxInt},
	} {
		if text := panicText(func() { New(Float64, shape...) }); !strings.HasPrefix(text, "tensor: shape") {
			t.Errorf("New(%v) panics with %q, want it to name the shape", shape, text)
		}
		if _, err := FromBytes(nil, Float64, shape...); err == nil {
			t.Errorf("FromBytes(nil, %v) has no error", shape)
		}
		if _, err := FromBytes(make([]byte, 8), Float64, shape...); err == nil {
			t.Errorf("FromBytes of 8 bytes, %v has no error", shape)
		}
	}
}

func TestFromBytesUsesTheCallersMemory(t *testing.T) {
	data := make([]byte, 6, 100)
	x, err := FromBytes(data, Uint8, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	data[4] = 42
	if got := Values[uint8](x)[4]; got != 42 {
		t.Errorf("element 4 = %d after the caller wrote 42", got)
	}
	_ = append(x.Bytes(), 1)
	if data[:7][6] != 0 {
		t.Error("append to Bytes() wrote into the caller's memory behind the tensor")
	}
}

func TestFromBytesRefuses(t *testing.T) {
	memory := New(Uint8, 64).Bytes() // aligned
	for _, tt := range []struct {
		name  string
		data  []byte
		dtype DType
		shape []int
		want  string
	}{
		{"too short", memory[:5], Uint8, []int{2, 3}, "5 bytes for uint8 of shape [2 3]"},
		{"too long", memory[:7], Uint8, []int{2, 3}, "7 bytes for uint8 of shape [2 3]"},
		{"negative", memory[:4], Uint8, []int{-2, -2}, "4 bytes for uint8 of shape [-2 -2]"},
		{"uint16 at an odd address", memory[1:9], Uint16, []int{4}, "not aligned to the 2 bytes of uint16"},
		{"float32 two bytes off", memory[2:10], Float32, []int{2}, "not aligned to the 4 bytes of float32"},
		{"int64 four bytes off", memory[4:12], Int64, []int{1}, "not aligned to the 8 bytes of int64"},
		{"no such type", memory[:1], DType(5), []int{1}, "no such type: dtype(5)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := FromBytes(tt.data, tt.dtype, tt.shape...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := FromBytes(memory[1:4], Uint8, 3); err != nil {
		t.Errorf("uint8 at an odd address: %v", err)
	}
}

func TestFromSliceSharesMemory(t *testing.T) {
	data := []float64{1, 2, 3, 4, 5, 6}
	x, err := FromSlice(data, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	Values[float64](x)[5] = -1
	if data[5] != -1 || x.DType() != Float64 || x.Len() != 6 {
		t.Errorf("slice is %v, type %v, %d elements", data, x.DType(), x.Len())
	}
	if _, err := FromSlice(data, 4, 2); err == nil {
		t.Error("6 elements made a tensor of shape [4 2]")
	}
	if _, err := FromSlice([]int64(nil), 0, 3); err != nil {
		t.Errorf("nil for shape [0 3]: %v", err)
	}
}

func TestValuesPanicsForAnotherType(t *testing.T) {
	x := New(Uint16, 2)
	if text := panicText(func() { Values[uint8](x) }); !strings.Contains(text, "Values[uint8] of uint16") {
		t.Errorf("panics with %q", text)
	}
	if text := panicText(func() { Values[uint16](New(Uint16, 2, 2).Permute(1, 0)) }); !strings.Contains(text, "strides [1 2]") {
		t.Errorf("panics with %q", text)
	}
}
