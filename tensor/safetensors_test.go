package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
)

func safetensorsOf(t *testing.T, metadata map[string]string, tensors ...Named) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSafetensors(&b, metadata, tensors...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// safetensorsFile returns a file with any header.
func safetensorsFile(header string, data ...byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func TestSafetensorsHeaderIsWhatTheFormatAsks(t *testing.T) {
	pts, err := FromSlice([]float64{0.5, 1.5}, 2)
	if err != nil {
		t.Fatal(err)
	}
	file := safetensorsOf(t, map[string]string{"source": "a<b.mp4", "fps": "30"},
		Named{"frames", counting(t, Uint8, 2, 3)}, Named{"pts_seconds", pts}, Named{"index", counting(t, Int64, 2)})
	size := binary.LittleEndian.Uint64(file)
	if size%8 != 0 || (8+size)%64 != 0 {
		t.Errorf("header of %d bytes does not align the data", size)
	}
	want := `{"__metadata__":{"fps":"30","source":"a\u003cb.mp4"},` +
		`"pts_seconds":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},` +
		`"index":{"dtype":"I64","shape":[2],"data_offsets":[16,32]},` +
		`"frames":{"dtype":"U8","shape":[2,3],"data_offsets":[32,38]}}`
	if got := strings.TrimRight(string(file[8:8+size]), " "); got != want {
		t.Errorf("header is\n%s, want\n%s", got, want)
	}
	if got, want := len(file), int(8+size+38); got != want {
		t.Errorf("file of %d bytes, want %d", got, want)
	}
	if got := file[len(file)-6:]; !bytes.Equal(got, []byte{0, 1, 2, 3, 4, 5}) {
		t.Errorf("the file ends with %v, want the frames", got)
	}
}

func TestSafetensorsAreTheSameEachTime(t *testing.T) {
	metadata := map[string]string{}
	for i := range 40 {
		metadata[strings.Repeat("k", i+1)] = "v"
	}
	write := func() []byte {
		return safetensorsOf(t, maps.Clone(metadata), Named{"b", New(Uint8, 3)}, Named{"a", New(Uint8, 3)})
	}
	first := write()
	for range 10 {
		if !bytes.Equal(write(), first) {
			t.Fatal("the same tensors and metadata gave other bytes")
		}
	}
}

func TestSafetensorsComeBack(t *testing.T) {
	metadata := map[string]string{"rate": "48000", "": "empty key", "umlaut": "ü\n"}
	x := counting(t, Uint8, 3, 4)
	in := []Named{
		{"f64", counting(t, Float64, 2, 2)}, {"i64", counting(t, Int64, 3)}, {"no elements", New(Float32, 0, 7)},
		{"f32", counting(t, Float32, 1, 3)}, {"u16", counting(t, Uint16, 3)}, {"scalar", counting(t, Uint16)},
		{"whole", x}, {"permuted", x.Permute(1, 0)}, {"part", x.Slice(1, 3)}, {"", x.Index(2)}, {`quoted "name" \`, x},
	}
	file := safetensorsOf(t, metadata, in...)
	for shift := range 2 {
		out, texts, err := ParseSafetensors(append(make([]byte, shift), file...)[shift:])
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(texts, metadata) {
			t.Errorf("metadata = %v, want %v", texts, metadata)
		}
		back := map[string]*Tensor{}
		for _, n := range out {
			back[n.Name] = n.Tensor
		}
		for _, n := range in {
			got := back[n.Name]
			if got == nil || got.String() != n.Tensor.String() || !bytes.Equal(got.Bytes(), n.Tensor.Clone().Bytes()) {
				t.Errorf("%q = %v, want %v", n.Name, got, n.Tensor)
			}
		}
		if len(out) != len(in) {
			t.Errorf("%d tensors, want %d", len(out), len(in))
		}
	}
}

func TestSafetensorsWithoutTensors(t *testing.T) {
	tensors, metadata, err := ParseSafetensors(safetensorsOf(t, nil))
	if err != nil || len(tensors) != 0 || metadata != nil {
		t.Errorf("got %v, %v, %v, want nothing", tensors, metadata, err)
	}
}

func TestSafetensorsRefuseNames(t *testing.T) {
	x := New(Uint8, 1)
	for name, tensors := range map[string][]Named{
		"twice":     {{"a", x}, {"b", x}, {"a", x}},
		"metadata":  {{"__metadata__", x}},
		"not UTF-8": {{"a\xff", x}},
	} {
		var b bytes.Buffer
		if err := WriteSafetensors(&b, nil, tensors...); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v after %d bytes, want an error before any", name, err, b.Len())
		}
	}
}

func TestParseSafetensorsRefuses(t *testing.T) {
	entry := func(dtype, shape, offsets string) string {
		return `{"x":{"dtype":` + dtype + `,"shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	for _, tt := range []struct {
		name string
		file []byte
		want error
	}{
		{"nothing", nil, io.ErrUnexpectedEOF},
		{"cut in the length", make([]byte, 7), io.ErrUnexpectedEOF},
		{"cut in the header", safetensorsFile(entry(`"U8"`, `[1]`, `[0,1]`))[:20], io.ErrUnexpectedEOF},
		{"cut in the data", safetensorsFile(entry(`"U8"`, `[2]`, `[0,2]`), 1), io.ErrUnexpectedEOF},
		{"header of 2^64 bytes", bytes.Repeat([]byte{255}, 16), io.ErrUnexpectedEOF},
		{"no header", safetensorsFile(""), ErrFormat},
		{"header is a list", safetensorsFile("[]"), ErrFormat},
		{"entry is a number", safetensorsFile(`{"x":1}`), ErrFormat},
		{"metadata is a number", safetensorsFile(`{"__metadata__":1}`), ErrFormat},
		{"metadata of numbers", safetensorsFile(`{"__metadata__":{"a":1}}`), ErrFormat},
		{"other type", safetensorsFile(entry(`"BF16"`, `[1]`, `[0,2]`), 1, 2), ErrFormat},
		{"no type", safetensorsFile(`{"x":{"shape":[1],"data_offsets":[0,1]}}`, 1), ErrFormat},
		{"negative offset", safetensorsFile(entry(`"U8"`, `[1]`, `[-1,0]`), 1), ErrFormat},
		{"offsets turned around", safetensorsFile(entry(`"U8"`, `[1]`, `[1,0]`), 1), ErrFormat},
		{"offsets far apart", safetensorsFile(entry(`"U8"`, `[1]`, `[0,9223372036854775807]`), 1), io.ErrUnexpectedEOF},
		{"offset too large", safetensorsFile(entry(`"U8"`, `[1]`, `[0,9223372036854775808]`), 1), ErrFormat},
		{"three offsets", safetensorsFile(entry(`"U8"`, `[4]`, `[0,1,2]`), 1, 2), ErrFormat},
		{"shape smaller than data", safetensorsFile(entry(`"U8"`, `[1]`, `[0,2]`), 1, 2), ErrFormat},
		{"shape larger than data", safetensorsFile(entry(`"F32"`, `[1]`, `[0,2]`), 1, 2), ErrFormat},
		{"shape that overflows", safetensorsFile(entry(`"U8"`, `[4294967296,4294967296,4294967296]`, `[0,0]`)), ErrFormat},
		{"negative shape", safetensorsFile(entry(`"U8"`, `[-1,-1]`, `[0,1]`), 1), ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _, err := ParseSafetensors(tt.file); !errors.Is(err, tt.want) {
				t.Errorf("ParseSafetensors = %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func FuzzParseSafetensors(f *testing.F) {
	f.Add(safetensorsFile(`{"__metadata__":{"a":"b"},"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 1, 2))
	f.Add(safetensorsFile(`{"x":{"dtype":"F64","shape":[],"data_offsets":[1,9]}}`, 1, 2, 3, 4, 5, 6, 7, 8, 9))
	f.Fuzz(func(t *testing.T, file []byte) {
		tensors, metadata, err := ParseSafetensors(file)
		if err != nil {
			return
		}
		var total int
		for _, n := range tensors {
			if size := n.Tensor.Len() * n.Tensor.DType().Size(); size > len(file) {
				t.Fatalf("%v from %d bytes", n.Tensor, len(file))
			} else if total += size; total > 1<<20 {
				return // entries that overlap: writing them all out is not what is tested
			}
		}
		back, texts, err := ParseSafetensors(safetensorsOf(t, metadata, tensors...))
		if err != nil || len(back) != len(tensors) || !maps.Equal(texts, metadata) {
			t.Fatalf("%v and %v came back as %v, %v, %v", tensors, metadata, back, texts, err)
		}
	})
}
