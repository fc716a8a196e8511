package tensor

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// python runs a script where modules can be imported, and skips the test where they cannot.
func python(t *testing.T, modules, script string, args ...string) string {
	t.Helper()
	if out, err := exec.Command("python3", "-c", "import "+modules).CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skipf("needs python3 with %s: %v: %s", modules, err, lines[len(lines)-1])
	}
	var stderr bytes.Buffer
	cmd := exec.Command("python3", append([]string{"-c", script}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, stderr.Bytes())
	}
	return string(out)
}

func TestNumPyReadsWhatWeWrite(t *testing.T) {
	const script = `
import numpy, sys, json
for name in sys.argv[1:]:
    a = numpy.load(name, mmap_mode="r") if numpy.load(name).size else numpy.load(name)
    print(json.dumps([str(a.dtype), list(a.shape), bool(a.flags["C_CONTIGUOUS"]), a.flatten().tolist()]))
`
	dir := t.TempDir()
	var names, want []string
	for _, dtype := range []DType{Uint8, Uint16, Float32, Int64, Float64} {
		x := counting(t, dtype, 2, 3, 4)
		for _, x := range []*Tensor{x, x.Permute(0, 2, 1), x.Index(1).Slice(1, 2), x.Slice(1, 1), x.Index(1).Index(1).Index(1)} {
			name := filepath.Join(dir, strings.Repeat("x", len(names)+1)+".npy")
			if err := os.WriteFile(name, npyOf(t, x), 0o644); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
			want = append(want, describe(t, x))
		}
	}
	got := strings.Split(strings.TrimSpace(python(t, "numpy", script, names...)), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d", len(got), len(want))
	}
	for i := range got {
		if normal(t, got[i]) != want[i] {
			t.Errorf("NumPy reads %s, want %s", got[i], want[i])
		}
	}
}

func TestWeReadWhatNumPyWrites(t *testing.T) {
	const script = `
import numpy, os, sys
for dtype in sys.argv[2:]:
    a = numpy.arange(24, dtype=dtype).reshape(2, 3, 4)
    numpy.save(os.path.join(sys.argv[1], dtype + "C.npy"), a)
    numpy.save(os.path.join(sys.argv[1], dtype + "F.npy"), numpy.asfortranarray(a))
`
	dir := t.TempDir()
	python(t, "numpy", script, dir, "uint8", "uint16", "float32", "int64", "float64")
	for _, dtype := range []DType{Uint8, Uint16, Float32, Int64, Float64} {
		want := counting(t, dtype, 2, 3, 4)
		for _, order := range []string{"C", "F"} {
			file, err := os.ReadFile(filepath.Join(dir, dtype.String()+order+".npy"))
			if err != nil {
				t.Fatal(err)
			}
			x, err := ParseNPY(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(x.Clone().Bytes(), want.Bytes()) || !slices.Equal(x.Shape(), want.Shape()) {
				t.Errorf("%v %s: got %v with elements %v", dtype, order, x, elements(x.Clone()))
			}
		}
	}
}

func TestSafetensorsLibraryReadsWhatWeWrite(t *testing.T) {
	const script = `
import sys, json
from safetensors import safe_open
with safe_open(sys.argv[1], framework="np") as f:
    print(json.dumps(f.metadata(), sort_keys=True))
    for name in ["frames", "turned", "pts_seconds", "index", "none"]:
        a = f.get_tensor(name)
        print(json.dumps([str(a.dtype), list(a.shape), bool(a.flags["C_CONTIGUOUS"]), a.flatten().tolist()]))
`
	frames := counting(t, Uint8, 2, 3, 4)
	tensors := []Named{
		{"frames", frames}, {"turned", frames.Permute(2, 0, 1)}, {"pts_seconds", counting(t, Float64, 2)},
		{"index", counting(t, Int64, 2)}, {"none", New(Float32, 0, 3)},
	}
	name := filepath.Join(t.TempDir(), "a.safetensors")
	if err := os.WriteFile(name, safetensorsOf(t, map[string]string{"source": "x.mp4", "a": "ü"}, tensors...), 0o644); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(python(t, "numpy, safetensors", script, name)), "\n")
	want := []string{`{"a":"ü","source":"x.mp4"}`}
	for _, n := range tensors {
		want = append(want, describe(t, n.Tensor))
	}
	for i := range got {
		got[i] = normal(t, got[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("safetensors reads\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// describe returns type, shape, contiguity of a copy, and elements as JSON.
func describe(t *testing.T, x *Tensor) string {
	t.Helper()
	b, err := json.Marshal([]any{x.DType().String(), append([]int{}, x.Shape()...), true, append([]float64{}, elements(x.Clone())...)})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// normal returns Go's form of a JSON text.
func normal(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
