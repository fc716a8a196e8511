package tensor

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Files are little-endian. On a machine that is not, elements are turned around on the way.
var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

func onCPU(t *Tensor) error {
	if t.device.Kind != CPU {
		return fmt.Errorf("tensor: cannot write memory of %v", t.device)
	}
	return nil
}

// writeData writes the elements in row-major order. What is not contiguous is gathered first, one element of the first
// dimension, such as a frame, at a time.
func writeData(w io.Writer, t *Tensor) error {
	if t.Len() == 0 {
		return nil
	}
	if t.Contiguous() && !bigEndian {
		_, err := w.Write(t.Bytes())
		return err
	}
	if len(t.shape) == 0 {
		t = t.Reshape(1)
	}
	var scratch []byte
	for i := range t.shape[0] {
		item := t.Index(i)
		n := item.Len() * item.dtype.Size()
		scratch = slices.Grow(scratch[:0], n)[:n]
		item.gather(scratch)
		if bigEndian {
			reverse(scratch, item.dtype.Size())
		}
		if _, err := w.Write(scratch); err != nil {
			return err
		}
	}
	return nil
}

// fromFile returns a tensor over the first bytes of data, which is all that a file has after its header.
func fromFile(data []byte, dtype DType, shape []int) (*Tensor, error) {
	n, ok := sizeOf(dtype, shape)
	if !ok || n > len(data) {
		return nil, fmt.Errorf("tensor: %d bytes for %v of shape %v: %w", len(data), dtype, shape, io.ErrUnexpectedEOF)
	}
	if data = data[:n]; aligned(data, dtype) && !bigEndian {
		return FromBytes(data, dtype, shape...)
	}
	t := New(dtype, shape...)
	copy(t.data, data)
	if bigEndian {
		reverse(t.data, dtype.Size())
	}
	return t, nil
}

// reverse turns the bytes of each element around.
func reverse(data []byte, size int) {
	for ; len(data) >= size; data = data[size:] {
		slices.Reverse(data[:size])
	}
}
