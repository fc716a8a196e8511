package tensor

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func npyOf(t *testing.T, x *Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteNPY(&b, x); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNPYHeaderIsWhatNumPyWrites(t *testing.T) {
	for _, tt := range []struct {
		dtype DType
		shape []int
		want  string
	}{
		{Uint8, nil, "{'descr': '|u1', 'fortran_order': False, 'shape': (), }"},
		{Uint16, []int{3}, "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }"},
		{Float32, []int{3, 480, 640}, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 480, 640), }"},
		{Int64, []int{0, 2}, "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 2), }"},
		{Float64, []int{1}, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"},
	} {
		header, err := AppendNPYHeader([]byte("before"), tt.dtype, tt.shape...)
		if err != nil {
			t.Fatal(err)
		}
		header, ok := bytes.CutPrefix(header, []byte("before"))
		if !ok || len(header)%64 != 0 || !bytes.HasPrefix(header, []byte("\x93NUMPY\x01\x00")) {
			t.Errorf("header of %d bytes is %q", len(header), header)
		}
		if got, want := int(header[8])|int(header[9])<<8, len(header)-10; got != want {
			t.Errorf("HEADER_LEN = %d, want %d", got, want)
		}
		got, ok := strings.CutSuffix(string(header[10:]), "\n")
		if !ok || strings.TrimRight(got, " ") != tt.want {
			t.Errorf("dictionary is %q, want %q, spaces and a new line", got, tt.want)
		}
	}
}

func TestNPYComesBack(t *testing.T) {
	for _, dtype := range []DType{Uint8, Uint16, Float32, Int64, Float64} {
		x := counting(t, dtype, 3, 2, 4)
		for name, x := range map[string]*Tensor{
			"whole": x, "frame": x.Index(1), "part": x.Slice(1, 3), "permuted": x.Permute(0, 2, 1), "transposed": x.Permute(2, 1, 0),
			"column": x.Permute(2, 0, 1).Index(1), "no elements": x.Slice(1, 1), "one element": x.Index(0).Index(1).Index(2),
		} {
			t.Run(dtype.String()+" "+name, func(t *testing.T) {
				file := npyOf(t, x)
				back, err := ParseNPY(file)
				if err != nil {
					t.Fatal(err)
				}
				if back.String() != x.String() || !bytes.Equal(back.Bytes(), x.Clone().Bytes()) {
					t.Errorf("got %v %v, want %v %v", back, back.Bytes(), x, x.Clone().Bytes())
				}
				// At any address.
				shifted, err := ParseNPY(append([]byte{0}, file...)[1:])
				if err != nil || !bytes.Equal(shifted.Bytes(), back.Bytes()) {
					t.Errorf("one byte further: %v, %v", shifted, err)
				}
			})
		}
	}
}

// npyFile returns a file with any dictionary.
func npyFile(version byte, dict string, data ...byte) []byte {
	b := append([]byte(npyMagic), version, 0, byte(len(dict)), byte(len(dict)>>8))
	if version > 1 {
		b = append(b, 0, 0)
	}
	return append(append(b, dict...), data...)
}

func TestParseNPYReadsWhatOthersWrite(t *testing.T) {
	data := []byte{1, 2, 3, 4, 5, 6}
	for _, tt := range []struct {
		name string
		file []byte
		want []uint8
	}{
		{"other order of keys", npyFile(1, "{'shape': (2, 3), 'descr': '|u1', 'fortran_order': False}\n", data...), []uint8{1, 2, 3, 4, 5, 6}},
		{"double quotes, no spaces", npyFile(1, `{"descr":"|u1","fortran_order":False,"shape":(2,3)}`, data...), []uint8{1, 2, 3, 4, 5, 6}},
		{"version 2", npyFile(2, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }  \n", data...), []uint8{1, 2, 3, 4, 5, 6}},
		{"Fortran order", npyFile(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", data...), []uint8{1, 3, 5, 2, 4, 6}},
		{"more data than shape", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", append(data, 7, 8)...), []uint8{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, err := ParseNPY(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if got := Values[uint8](x.Clone()); !slices.Equal(got, tt.want) || !slices.Equal(x.Shape(), []int{2, 3}) {
				t.Errorf("got %v %v, want %v", x, got, tt.want)
			}
		})
	}
}

func TestParseNPYRefuses(t *testing.T) {
	good := npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", 1, 2, 3, 4, 5, 6)
	for _, tt := range []struct {
		name string
		file []byte
		want error
	}{
		{"nothing", nil, ErrFormat},
		{"magic only", good[:6], ErrFormat},
		{"other magic", []byte("PK\x03\x04abcdef"), ErrFormat},
		{"version 4", npyFile(4, "{}"), ErrFormat},
		{"cut in the version", npyFile(2, "")[:10], ErrFormat},
		{"cut in the header", good[:30], io.ErrUnexpectedEOF},
		{"cut in the data", good[:len(good)-1], io.ErrUnexpectedEOF},
		{"header of 4 GB", append([]byte(npyMagic), 2, 0, 255, 255, 255, 255, '{', '}'), io.ErrUnexpectedEOF},
		{"huge shape", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807), }"), io.ErrUnexpectedEOF},
		{"large shape", npyFile(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"), io.ErrUnexpectedEOF},
		{"shape beyond an int", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }"), ErrFormat},
		{"negative shape", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -1), }"), ErrFormat},
		{"too many dimensions", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': ("+strings.Repeat("1,", 65)+"), }", 1), ErrFormat},
		{"big-endian", npyFile(1, "{'descr': '>u2', 'fortran_order': False, 'shape': (1,), }", 1, 2), ErrFormat},
		{"objects", npyFile(1, "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 1), ErrFormat},
		{"records", npyFile(1, "{'descr': [('a', '<u2'), ('b', '<u2')], 'fortran_order': False, 'shape': (1,), }", 1), ErrFormat},
		{"empty descr", npyFile(1, "{'descr': '', 'fortran_order': False, 'shape': (1,), }", 1), ErrFormat},
		{"no dictionary", npyFile(1, "[]"), ErrFormat},
		{"open dictionary", npyFile(1, "{'descr': '|u1'"), ErrFormat},
		{"empty dictionary", npyFile(1, "{}"), ErrFormat},
		{"missing key", npyFile(1, "{'descr': '|u1', 'shape': (1,), }", 1), ErrFormat},
		{"key twice", npyFile(1, "{'descr': '|u1', 'descr': '|u1', 'shape': (1,), }", 1), ErrFormat},
		{"unknown key", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'x': 1}", 1), ErrFormat},
		{"order is a number", npyFile(1, "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,), }", 1), ErrFormat},
		{"shape is a number", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': 6, }", 1), ErrFormat},
		{"shape is open", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (6, }", 1), ErrFormat},
		{"shape with a gap", npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1,,1), }", 1), ErrFormat},
		{"no comma", npyFile(1, "{'shape': (1,) 'descr': '|u1', 'fortran_order': False}", 1), ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if x, err := ParseNPY(tt.file); !errors.Is(err, tt.want) {
				t.Errorf("ParseNPY = %v, %v, want %v", x, err, tt.want)
			}
		})
	}
}

func TestNPYHeaderRefuses(t *testing.T) {
	for name, f := range map[string]func() ([]byte, error){
		"negative dimension":  func() ([]byte, error) { return AppendNPYHeader([]byte("x"), Uint8, 2, -1) },
		"no such type":        func() ([]byte, error) { return AppendNPYHeader([]byte("x"), DType(77), 2) },
		"too many dimensions": func() ([]byte, error) { return AppendNPYHeader([]byte("x"), Uint8, make([]int, 30000)...) },
	} {
		if b, err := f(); err == nil || string(b) != "x" {
			t.Errorf("%s: %q, %v, want an error and nothing appended", name, b, err)
		}
	}
}

func TestWritersRefuseOtherDevices(t *testing.T) {
	x := New(Uint8, 2)
	x.device = Device{Kind: CUDA}
	if err := WriteNPY(io.Discard, x); err == nil || !strings.Contains(err.Error(), "cuda:0") {
		t.Errorf("WriteNPY = %v, want an error that names the device", err)
	}
	if err := WriteSafetensors(io.Discard, nil, Named{"x", x}); err == nil || !strings.Contains(err.Error(), "cuda:0") {
		t.Errorf("WriteSafetensors = %v, want an error that names the device", err)
	}
}

// failing fails after n bytes.
type failing struct{ n int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWritersReportErrors(t *testing.T) {
	x := counting(t, Uint8, 4, 4)
	for name, x := range map[string]*Tensor{"contiguous": x, "permuted": x.Permute(1, 0)} {
		var whole bytes.Buffer
		if err := WriteSafetensors(&whole, nil, Named{"x", x}); err != nil {
			t.Fatal(err)
		}
		for _, missing := range []int{1, 16, 17} { // in the data and in the header
			if err := WriteNPY(&failing{len(npyOf(t, x)) - missing}, x); !errors.Is(err, errFull) {
				t.Errorf("WriteNPY of a %s tensor to a disk %d bytes too small = %v", name, missing, err)
			}
			if err := WriteSafetensors(&failing{whole.Len() - missing}, nil, Named{"x", x}); !errors.Is(err, errFull) {
				t.Errorf("WriteSafetensors of a %s tensor to a disk %d bytes too small = %v", name, missing, err)
			}
		}
	}
}

func TestReverse(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for _, size := range []int{1, 2, 4, 8} {
		c := slices.Clone(b)
		reverse(c, size)
		for i := range c {
			if want := b[i/size*size+size-1-i%size]; c[i] != want {
				t.Errorf("reverse by %d = %v", size, c)
				break
			}
		}
	}
}

func FuzzParseNPY(f *testing.F) {
	f.Add(npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", 1, 2, 3, 4, 5, 6))
	f.Add(npyFile(2, "{'descr': '<f8', 'fortran_order': True, 'shape': (1,), }", 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add(npyFile(1, "{'shape': (), 'fortran_order': True, 'descr': '<u2'}", 1, 2))
	f.Fuzz(func(t *testing.T, file []byte) {
		x, err := ParseNPY(file)
		if err != nil {
			return
		}
		if n := x.Len() * x.DType().Size(); n > len(file) {
			t.Fatalf("%v from %d bytes", x, len(file))
		}
		back, err := ParseNPY(npyOf(t, x))
		if err != nil || back.String() != x.String() || !bytes.Equal(back.Bytes(), x.Clone().Bytes()) {
			t.Fatalf("%v came back as %v, %v", x, back, err)
		}
	})
}
