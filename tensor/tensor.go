// Package tensor is shaped, strided arrays of numbers: what frames are decoded into.
//
// A tensor does not own its memory in any deeper sense than a slice does: views share it, and the caller may bring it.
// Only its elements and [Tensor.IndexTo] change a tensor, so sharing one between goroutines needs care only there.
package tensor

import (
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// DType is the type of the elements.
type DType uint8

// Element types. The zero value is Uint8.
const (
	Uint8 DType = iota
	Uint16
	Float32
	Int64
	Float64
)

type dtypeInfo struct {
	name, npy, safetensors string
	size                   int
}

var dtypes = [...]dtypeInfo{
	{"uint8", "|u1", "U8", 1},
	{"uint16", "<u2", "U16", 2},
	{"float32", "<f4", "F32", 4},
	{"int64", "<i8", "I64", 8},
	{"float64", "<f8", "F64", 8},
}

// Size returns the bytes of one element.
func (t DType) Size() int { return dtypes[t].size }

// String returns NumPy's name of the type, "uint8".
func (t DType) String() string {
	if int(t) < len(dtypes) {
		return dtypes[t].name
	}
	return fmt.Sprintf("dtype(%d)", t)
}

// Layout is the order of the axes of a picture or a batch of them.
type Layout uint8

// Layouts. Batches have the N, single pictures do not.
const (
	NCHW Layout = iota // planes: channel, row, column
	NHWC               // interleaved: row, column, channel
)

// String returns "NCHW" or "NHWC".
func (l Layout) String() string {
	if l == NHWC {
		return "NHWC"
	}
	return "NCHW"
}

// DeviceKind is where memory is.
type DeviceKind uint8

// Kinds of devices.
const (
	CPU DeviceKind = iota
	CUDA
)

// Device is one place for memory. The zero value is the CPU.
type Device struct {
	Kind  DeviceKind
	Index int
}

// String returns "cpu" or "cuda:0".
func (d Device) String() string {
	if d.Kind == CUDA {
		return fmt.Sprintf("cuda:%d", d.Index)
	}
	return "cpu"
}

// Tensor is a strided array. Element (i, j, …) is at i·strides[0] + j·strides[1] + … elements from the start.
type Tensor struct {
	dtype   DType
	device  Device
	shape   []int
	strides []int
	data    []byte // from the first element to the end of the last one
	pool    *Pool  // that lent the tensor, until it is put back; guarded by the pool's mutex
}

// Align is the alignment in bytes of memory that New makes.
const Align = 64

// New returns a contiguous tensor of zeros, its memory aligned to Align bytes.
// It panics when a dimension is negative or the size does not fit in an int: shapes come from the program, not from input.
func New(dtype DType, shape ...int) *Tensor {
	n := bytesOf(dtype, shape)
	buf := make([]byte, n+Align)
	skip := 0
	if r := int(uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % Align); r != 0 {
		skip = Align - r
	}
	return &Tensor{dtype: dtype, shape: slices.Clone(shape), strides: contiguous(shape), data: buf[skip : skip+n : skip+n]}
}

// FromBytes returns a contiguous tensor over the caller's memory, in the machine's byte order.
// The memory must be exactly as long as the shape says and aligned for the type.
func FromBytes(data []byte, dtype DType, shape ...int) (*Tensor, error) {
	if int(dtype) >= len(dtypes) {
		return nil, fmt.Errorf("tensor: no such type: %v", dtype)
	}
	if n, ok := sizeOf(dtype, shape); !ok || n != len(data) {
		return nil, fmt.Errorf("tensor: %d bytes for %v of shape %v", len(data), dtype, shape)
	}
	if !aligned(data, dtype) {
		return nil, fmt.Errorf("tensor: memory is not aligned to the %d bytes of %v", dtype.Size(), dtype)
	}
	return &Tensor{dtype: dtype, shape: slices.Clone(shape), strides: contiguous(shape), data: slices.Clip(data)}, nil
}

func aligned(data []byte, dtype DType) bool {
	return len(data) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(dtype.Size()) == 0
}

// Element is what a tensor can hold.
type Element interface {
	uint8 | uint16 | float32 | int64 | float64
}

// FromSlice returns a contiguous tensor over the caller's slice.
func FromSlice[T Element](data []T, shape ...int) (*Tensor, error) {
	var b []byte
	if len(data) > 0 {
		b = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(data[0])))
	}
	return FromBytes(b, dtypeOf[T](), shape...)
}

// Values returns the elements of a contiguous tensor as a slice that shares its memory.
// It panics when T is not the tensor's type or the tensor is not contiguous.
func Values[T Element](t *Tensor) []T {
	if t.dtype != dtypeOf[T]() {
		panic(fmt.Sprintf("tensor: Values[%v] of %v", dtypeOf[T](), t.dtype))
	}
	b := t.Bytes()
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/t.dtype.Size())
}

func dtypeOf[T Element]() DType {
	switch any(*new(T)).(type) {
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case float32:
		return Float32
	case int64:
		return Int64
	}
	return Float64
}

// DType returns the type of the elements.
func (t *Tensor) DType() DType { return t.dtype }

// Device returns where the memory is.
func (t *Tensor) Device() Device { return t.device }

// Shape returns the dimensions. The slice is shared: read it only.
func (t *Tensor) Shape() []int { return t.shape }

// Strides returns the steps between elements of each dimension, in elements. The slice is shared: read it only.
func (t *Tensor) Strides() []int { return t.strides }

// Len returns the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// Contiguous says whether the elements lie densely in row-major order.
func (t *Tensor) Contiguous() bool {
	_, ok := dense(t.shape, t.strides)
	return ok
}

// Bytes returns the memory of a contiguous tensor. It panics when the tensor is not contiguous, or was put back into its pool.
func (t *Tensor) Bytes() []byte {
	n, ok := dense(t.shape, t.strides)
	if !ok || len(t.data) != n*t.dtype.Size() {
		panic(fmt.Sprintf("tensor: Bytes of shape %v with strides %v in %d bytes", t.shape, t.strides, len(t.data)))
	}
	return t.data
}

// String returns "uint8[3 480 640]".
func (t *Tensor) String() string { return fmt.Sprintf("%v%v", t.dtype, t.shape) }

func contiguous(shape []int) []int {
	strides := make([]int, len(shape))
	step := 1
	for i, d := range slices.Backward(shape) {
		strides[i] = step
		step *= d
	}
	return strides
}

func bytesOf(dtype DType, shape []int) int {
	n, ok := sizeOf(dtype, shape)
	if !ok {
		panic(fmt.Sprintf("tensor: shape %v of %v", shape, dtype))
	}
	return n
}

// sizeOf returns the bytes of a contiguous tensor, or false where the dimensions are negative or their product, those of
// zero left out, is too large for an int. So no stride overflows either.
func sizeOf(dtype DType, shape []int) (int, bool) {
	n, empty := dtype.Size(), false
	for _, d := range shape {
		switch {
		case d < 0 || d > 0 && n > (math.MaxInt-Align)/d:
			return 0, false
		case d == 0:
			empty = true
		default:
			n *= d
		}
	}
	if empty {
		return 0, true
	}
	return n, true
}
