package tensor

import (
	"fmt"
	"slices"
)

// Index returns element i of the first dimension, as a view. It panics when i is out of range.
func (t *Tensor) Index(i int) *Tensor {
	v := new(Tensor)
	t.IndexTo(v, i)
	return v
}

// IndexTo makes v the view that Index returns, without allocating.
func (t *Tensor) IndexTo(v *Tensor, i int) {
	if len(t.shape) == 0 || i < 0 || i >= t.shape[0] {
		panic(fmt.Sprintf("tensor: index %d of shape %v", i, t.shape))
	}
	*v = t.part(i, t.shape[1:], t.strides[1:])
}

// Slice returns elements from a to b, exclusive, of the first dimension, as a view. It panics when they are out of range.
func (t *Tensor) Slice(a, b int) *Tensor {
	if len(t.shape) == 0 || a < 0 || b < a || b > t.shape[0] {
		panic(fmt.Sprintf("tensor: slice %d:%d of shape %v", a, b, t.shape))
	}
	shape := slices.Clone(t.shape)
	shape[0] = b - a
	v := t.part(a, shape, t.strides)
	return &v
}

// Permute returns a view with the dimensions in another order: dimension i of the view is dimension axes[i] of the tensor.
// It panics unless axes names each dimension once.
func (t *Tensor) Permute(axes ...int) *Tensor {
	shape, strides := make([]int, 0, len(axes)), make([]int, 0, len(axes))
	for i, axis := range axes {
		if axis < 0 || axis >= len(t.shape) || slices.Contains(axes[:i], axis) {
			break
		}
		shape, strides = append(shape, t.shape[axis]), append(strides, t.strides[axis])
	}
	if len(shape) != len(axes) || len(axes) != len(t.shape) {
		panic(fmt.Sprintf("tensor: permute shape %v to axes %v", t.shape, axes))
	}
	v := t.view(shape, strides)
	return &v
}

// Reshape returns a view of a contiguous tensor with other dimensions for the same elements: a frame as a batch of one.
// It panics when the tensor is not contiguous or the number of elements is another.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	if n, ok := sizeOf(t.dtype, shape); !ok || n != t.Len()*t.dtype.Size() || !t.Contiguous() {
		panic(fmt.Sprintf("tensor: reshape shape %v with strides %v to %v", t.shape, t.strides, shape))
	}
	v := t.view(slices.Clone(shape), contiguous(shape))
	return &v
}

// Clone returns a contiguous copy of a tensor of the CPU in memory of its own.
func (t *Tensor) Clone() *Tensor {
	c := New(t.dtype, t.shape...)
	t.gather(c.data)
	return c
}

// view returns a tensor over the same memory. It is not the pool's: only what Get returned can be put back.
func (t *Tensor) view(shape, strides []int) Tensor {
	return Tensor{dtype: t.dtype, device: t.device, shape: shape, strides: strides, data: t.data}
}

// part returns a view that begins at element i of the first dimension.
func (t *Tensor) part(i int, shape, strides []int) Tensor {
	v := t.view(shape, strides)
	if v.Len() == 0 {
		v.data = nil
		return v
	}
	first := i * t.strides[0]
	last := first
	for k, d := range shape {
		last += (d - 1) * strides[k]
	}
	size := t.dtype.Size()
	v.data = slices.Clip(t.data[first*size : (last+1)*size])
	return v
}

// gather copies the elements to dst in row-major order.
func (t *Tensor) gather(dst []byte) {
	if t.Len() > 0 {
		gather(dst, t.data, t.dtype.Size(), t.shape, t.strides)
	}
}

// gather returns what is left of dst.
func gather(dst, src []byte, size int, shape, strides []int) []byte {
	if n, ok := dense(shape, strides); ok {
		copy(dst, src[:n*size])
		return dst[n*size:]
	}
	if len(shape) == 1 {
		pick(dst, src, size, shape[0], strides[0])
		return dst[shape[0]*size:]
	}
	for i := range shape[0] {
		dst = gather(dst, src[i*strides[0]*size:], size, shape[1:], strides[1:])
	}
	return dst
}

// pick copies n elements that lie stride elements apart.
func pick(dst, src []byte, size, n, stride int) {
	step := stride * size
	switch size {
	case 1:
		for i := range dst[:n] {
			dst[i] = src[i*step]
		}
	case 2:
		for i := range n {
			*(*[2]byte)(dst[2*i:]) = [2]byte(src[i*step:])
		}
	case 4:
		for i := range n {
			*(*[4]byte)(dst[4*i:]) = [4]byte(src[i*step:])
		}
	default:
		for i := range n {
			*(*[8]byte)(dst[8*i:]) = [8]byte(src[i*step:])
		}
	}
}

// dense returns the number of elements, and whether they lie one after the other in row-major order.
func dense(shape, strides []int) (int, bool) {
	step, ok := 1, true
	for i, d := range slices.Backward(shape) {
		ok = ok && (d == 1 || strides[i] == step)
		step *= d
	}
	return step, ok || step == 0
}
