package tensor

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// Named is a tensor with its name in a file of several.
type Named struct {
	Name   string
	Tensor *Tensor
}

// metadataKey is the name in the header that is not a tensor's.
const metadataKey = "__metadata__"

// maxSafetensorsHeader is the limit of the format's first implementation.
const maxSafetensorsHeader = 100_000_000

// WriteSafetensors writes tensors of the CPU and a map of texts, which may be nil, as one safetensors file.
// The same arguments always give the same bytes. Tensors of wider elements come first, so that all are aligned.
func WriteSafetensors(w io.Writer, metadata map[string]string, tensors ...Named) error {
	ordered := slices.Clone(tensors)
	slices.SortStableFunc(ordered, func(a, b Named) int { return b.Tensor.dtype.Size() - a.Tensor.dtype.Size() })
	header, err := safetensorsHeader(metadata, ordered)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, n := range ordered {
		if err := writeData(w, n.Tensor); err != nil {
			return err
		}
	}
	return nil
}

type safetensorsEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

func safetensorsHeader(metadata map[string]string, tensors []Named) ([]byte, error) {
	text := []byte{'{'}
	add := func(name string, value any) error {
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, key...), ':'), encoded...)
		return nil
	}
	if len(metadata) > 0 {
		if err := add(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	names := map[string]bool{metadataKey: true}
	var offset int64
	for _, n := range tensors {
		if names[n.Name] || !utf8.ValidString(n.Name) {
			return nil, fmt.Errorf("safetensors: name %q is taken or not UTF-8", n.Name)
		}
		names[n.Name] = true
		if err := onCPU(n.Tensor); err != nil {
			return nil, err
		}
		t := n.Tensor
		end := offset + int64(t.Len())*int64(t.dtype.Size())
		entry := safetensorsEntry{DType: dtypes[t.dtype].safetensors, Shape: append([]int{}, t.shape...), Offsets: [2]int64{offset, end}}
		if err := add(n.Name, entry); err != nil {
			return nil, err
		}
		offset = end
	}
	text = append(text, '}')
	// Spaces up to where the data is aligned.
	const before = 8
	text = append(text, bytes.Repeat([]byte{' '}, (Align-(before+len(text))%Align)%Align)...)
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}

// ParseSafetensors returns the tensors and the metadata in a safetensors file, in order of data. Tensors share the memory of
// file where that is aligned for their type, and copy it otherwise. Types that this package does not have give ErrFormat.
func ParseSafetensors(file []byte) ([]Named, map[string]string, error) {
	if len(file) < 8 {
		return nil, nil, fmt.Errorf("safetensors: %w", io.ErrUnexpectedEOF)
	}
	size, rest := binary.LittleEndian.Uint64(file), file[8:]
	if size > maxSafetensorsHeader || size > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("safetensors: header of %d bytes: %w", size, io.ErrUnexpectedEOF)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(rest[:size], &entries); err != nil {
		return nil, nil, fmt.Errorf("safetensors: %w: %w", ErrFormat, err)
	}
	var metadata map[string]string
	if text, ok := entries[metadataKey]; ok {
		if err := json.Unmarshal(text, &metadata); err != nil {
			return nil, nil, fmt.Errorf("safetensors: %w: metadata: %w", ErrFormat, err)
		}
		delete(entries, metadataKey)
	}
	type placed struct {
		Named
		offset int64
	}
	var found []placed
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		t, offset, err := parseEntry(entries[name], rest[size:])
		if err != nil {
			return nil, nil, fmt.Errorf("safetensors: tensor %.40q: %w", name, err)
		}
		found = append(found, placed{Named{name, t}, offset})
	}
	slices.SortStableFunc(found, func(a, b placed) int { return cmp.Compare(a.offset, b.offset) })
	tensors := make([]Named, len(found))
	for i, f := range found {
		tensors[i] = f.Named
	}
	return tensors, metadata, nil
}

func parseEntry(text json.RawMessage, data []byte) (*Tensor, int64, error) {
	var e safetensorsEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	i := slices.IndexFunc(dtypes[:], func(d dtypeInfo) bool { return d.safetensors == e.DType })
	if i < 0 {
		return nil, 0, fmt.Errorf("%w: type %.20q", ErrFormat, e.DType)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	if begin < 0 || end < begin {
		return nil, 0, fmt.Errorf("%w: offsets %v", ErrFormat, e.Offsets)
	}
	if end > int64(len(data)) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if n, ok := sizeOf(DType(i), e.Shape); !ok || int64(n) != end-begin {
		return nil, 0, fmt.Errorf("%w: %d bytes for %v of shape %v", ErrFormat, end-begin, DType(i), e.Shape)
	}
	t, err := fromFile(data[begin:end], DType(i), e.Shape)
	return t, begin, err
}
