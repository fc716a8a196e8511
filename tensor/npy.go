package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ErrFormat: the bytes are not a file of the format, or one that this package cannot hold.
var ErrFormat = errors.New("not a readable file of arrays")

const npyMagic = "\x93NUMPY"

// WriteNPY writes a tensor of the CPU as a NumPy file, format 1.0, row-major and little-endian, its data 64-byte aligned.
func WriteNPY(w io.Writer, t *Tensor) error {
	if err := onCPU(t); err != nil {
		return err
	}
	header, err := AppendNPYHeader(nil, t.dtype, t.shape...)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	return writeData(w, t)
}

// AppendNPYHeader appends what stands before the data in a NumPy file. The elements follow in row-major order, little-endian:
// so a file can be written frame by frame.
func AppendNPYHeader(b []byte, dtype DType, shape ...int) ([]byte, error) {
	if int(dtype) >= len(dtypes) {
		return b, fmt.Errorf("tensor: no such type: %v", dtype)
	}
	var dict strings.Builder
	fmt.Fprintf(&dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtypes[dtype].npy)
	for i, d := range shape {
		if d < 0 {
			return b, fmt.Errorf("tensor: negative dimension in shape %v", shape)
		}
		if i > 0 {
			dict.WriteByte(' ')
		}
		fmt.Fprintf(&dict, "%d,", d)
	}
	// A tuple of one needs its comma. The others are written as Python would.
	text := dict.String()
	if len(shape) > 1 {
		text = strings.TrimSuffix(text, ",")
	}
	text += "), }"
	const before = len(npyMagic) + 4
	size := before + len(text) + 1
	size += (Align - size%Align) % Align
	if size-before > 0xffff {
		return b, fmt.Errorf("tensor: %d dimensions are too many for a NumPy header", len(shape))
	}
	b = append(b, npyMagic...)
	b = append(b, 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(size-before))
	b = append(b, text...)
	b = append(b, bytes.Repeat([]byte{' '}, size-before-len(text)-1)...)
	return append(b, '\n'), nil
}

// ParseNPY returns the tensor in a NumPy file of format 1, 2 or 3, little-endian. It shares the memory of file where that is
// aligned for the type, and copies it otherwise. Files in Fortran order give a view that is not contiguous.
func ParseNPY(file []byte) (*Tensor, error) {
	rest, ok := bytes.CutPrefix(file, []byte(npyMagic))
	if !ok || len(rest) < 4 {
		return nil, fmt.Errorf("npy: %w: no magic number", ErrFormat)
	}
	major := rest[0]
	rest = rest[2:]
	var size int64
	switch {
	case major == 1:
		size, rest = int64(binary.LittleEndian.Uint16(rest)), rest[2:]
	case (major == 2 || major == 3) && len(rest) >= 4:
		size, rest = int64(binary.LittleEndian.Uint32(rest)), rest[4:]
	default:
		return nil, fmt.Errorf("npy: %w: version %d", ErrFormat, major)
	}
	if size > int64(len(rest)) {
		return nil, fmt.Errorf("npy: header of %d bytes: %w", size, io.ErrUnexpectedEOF)
	}
	h, err := parseNPYHeader(string(rest[:size]))
	if err != nil {
		return nil, fmt.Errorf("npy: %w: %w", ErrFormat, err)
	}
	shape := h.shape
	if h.fortran {
		slices.Reverse(shape)
	}
	t, err := fromFile(rest[size:], h.dtype, shape)
	if err != nil || !h.fortran {
		return t, err
	}
	axes := make([]int, len(shape))
	for i := range axes {
		axes[i] = len(axes) - 1 - i
	}
	return t.Permute(axes...), nil
}

type npyHeader struct {
	dtype   DType
	fortran bool
	shape   []int
}

// maxDims is the most dimensions that NumPy itself can have.
const maxDims = 64

// parseNPYHeader reads the Python dictionary of a header, whose three keys may come in any order.
func parseNPYHeader(text string) (npyHeader, error) {
	var h npyHeader
	text = strings.TrimSpace(text)
	inner, ok := strings.CutPrefix(text, "{")
	if ok {
		inner, ok = strings.CutSuffix(inner, "}")
	}
	if !ok {
		return h, errors.New("no dictionary")
	}
	seen := map[string]bool{}
	for inner = strings.TrimSpace(inner); inner != ""; {
		key, rest, ok := strings.Cut(inner, ":")
		if !ok {
			return h, errors.New("a key without a value")
		}
		key, rest = unquote(key), strings.TrimSpace(rest)
		end := strings.IndexByte(rest, ',')
		if strings.HasPrefix(rest, "(") {
			end = strings.IndexByte(rest, ')') + 1
		}
		if end < 0 {
			end = len(rest)
		}
		if seen[key] {
			return h, fmt.Errorf("key %q twice", key)
		}
		seen[key] = true
		if err := h.set(key, strings.TrimSpace(rest[:end])); err != nil {
			return h, err
		}
		inner = strings.TrimSpace(rest[end:])
		if inner != "" && inner[0] != ',' {
			return h, errors.New("no comma after a value")
		}
		inner = strings.TrimSpace(strings.TrimPrefix(inner, ","))
	}
	if len(seen) != 3 {
		return h, errors.New("a key is missing")
	}
	return h, nil
}

// set takes one entry of the dictionary.
func (h *npyHeader) set(key, value string) error {
	switch key {
	case "descr":
		for i, d := range dtypes {
			if unquote(value) == d.npy {
				h.dtype = DType(i)
				return nil
			}
		}
		return fmt.Errorf("type %.20q", value)
	case "fortran_order":
		h.fortran = value == "True"
		if !h.fortran && value != "False" {
			return fmt.Errorf("fortran_order %.20q", value)
		}
		return nil
	case "shape":
		if len(value) < 2 || value[0] != '(' || value[len(value)-1] != ')' {
			return errors.New("shape is not a tuple")
		}
		fields := strings.Split(strings.TrimSuffix(strings.TrimSpace(value[1:len(value)-1]), ","), ",")
		if len(fields) > maxDims {
			return fmt.Errorf("%d dimensions", len(fields))
		}
		for _, field := range fields {
			if field == "" && len(fields) == 1 {
				break
			}
			d, err := strconv.Atoi(strings.TrimSpace(field))
			if err != nil || d < 0 {
				return fmt.Errorf("dimension %.20q", field)
			}
			h.shape = append(h.shape, d)
		}
		return nil
	}
	return fmt.Errorf("key %.20q", key)
}

// unquote returns what stands between quotes of either kind.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return ""
}
