package tensor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestIndexAndSliceOfABatch(t *testing.T) {
	batch := counting(t, Uint8, 4, 3, 2)
	frame := batch.Index(2)
	if got, want := frame.Shape(), []int{3, 2}; !slices.Equal(got, want) {
		t.Errorf("Index(2).Shape() = %v, want %v", got, want)
	}
	if got, want := Values[uint8](frame), []uint8{12, 13, 14, 15, 16, 17}; !slices.Equal(got, want) {
		t.Errorf("Index(2) = %v, want %v", got, want)
	}
	middle := batch.Slice(1, 3)
	if got, want := middle.String(), "uint8[2 3 2]"; got != want {
		t.Errorf("Slice(1, 3) = %s, want %s", got, want)
	}
	if got, want := Values[uint8](middle.Index(1)), Values[uint8](frame); &got[0] != &want[0] {
		t.Error("Slice(1, 3).Index(1) is not the memory of Index(2)")
	}
	if got := middle.Slice(1, 1); got.Len() != 0 || !slices.Equal(got.Shape(), []int{0, 3, 2}) {
		t.Errorf("Slice(1, 1) = %v, want no elements", got)
	}
	frame.Bytes()[0] = 99
	if got := Values[uint8](batch)[12]; got != 99 {
		t.Errorf("element 12 = %d after a write through the view, want 99", got)
	}
	_ = append(frame.Bytes(), 77)
	if got := Values[uint8](batch)[18]; got != 18 {
		t.Errorf("append to a frame's bytes made the next frame begin with %d", got)
	}
	if batch.Shape()[0] != 4 {
		t.Errorf("the batch has shape %v after views of it", batch.Shape())
	}
}

func TestIndexToReplacesTheView(t *testing.T) {
	batch := counting(t, Uint8, 3, 2)
	view := *New(Float32, 9)
	for i := range 3 {
		batch.IndexTo(&view, i)
		if got, want := view.Bytes(), batch.Index(i).Bytes(); &got[0] != &want[0] || view.String() != "uint8[2]" {
			t.Errorf("IndexTo(%d) = %v at another place than Index", i, &view)
		}
	}
	if n := testing.AllocsPerRun(20, func() { batch.IndexTo(&view, 1) }); n != 0 {
		t.Errorf("IndexTo allocates %v times", n)
	}
	batch.IndexTo(batch, 2)
	if got, want := batch.Bytes(), []byte{4, 5}; !slices.Equal(got, want) {
		t.Errorf("IndexTo itself = %v, want %v", got, want)
	}
}

func TestViewsOutOfRangePanic(t *testing.T) {
	x := New(Uint8, 4, 2)
	for name, f := range map[string]func(){
		"Index(-1)":     func() { x.Index(-1) },
		"Index(4)":      func() { x.Index(4) },
		"IndexTo(4)":    func() { x.IndexTo(new(Tensor), 4) },
		"Slice(-1, 2)":  func() { x.Slice(-1, 2) },
		"Slice(3, 2)":   func() { x.Slice(3, 2) },
		"Slice(0, 5)":   func() { x.Slice(0, 5) },
		"Permute(0)":    func() { x.Permute(0) },
		"Permute(0, 0)": func() { x.Permute(0, 0) },
		"Permute(0, 2)": func() { x.Permute(0, 2) },
		"Permute(1, 0, 2)": func() {
			x.Permute(1, 0, 2)
		},
		"Permute(-1, 0)":      func() { x.Permute(-1, 0) },
		"Reshape(3, 3)":       func() { x.Reshape(3, 3) },
		"Reshape(-2, -4)":     func() { x.Reshape(-2, -4) },
		"Permuted.Reshape(8)": func() { x.Permute(1, 0).Reshape(8) },
		"Permuted.Bytes()":    func() { x.Permute(1, 0).Bytes() },
	} {
		if text := panicText(f); !strings.HasPrefix(text, "tensor: ") {
			t.Errorf("%s panics with %q, want a message of this package", name, text)
		}
	}
}

func TestIndexOfNoElements(t *testing.T) {
	x := New(Uint8, 2, 0, 3)
	if v := x.Index(1); v.Len() != 0 || !slices.Equal(v.Shape(), []int{0, 3}) {
		t.Errorf("Index(1) = %v, want uint8[0 3]", v)
	}
	if v := x.Slice(2, 2).Permute(2, 0, 1); v.Len() != 0 || len(v.Clone().Bytes()) != 0 {
		t.Errorf("got %v, want no elements", v)
	}
}

func TestPermuteTurnsLayoutsAround(t *testing.T) {
	const n, h, w, c = 2, 3, 4, 3
	nhwc := counting(t, Uint8, n, h, w, c)
	nchw := nhwc.Permute(0, 3, 1, 2)
	if got, want := nchw.Shape(), []int{n, c, h, w}; !slices.Equal(got, want) {
		t.Fatalf("Shape() = %v, want %v", got, want)
	}
	if nchw.Contiguous() {
		t.Error("the permuted view says it is contiguous")
	}
	got := Values[uint8](nchw.Clone())
	for i := range got {
		x, y, ch, f := i%w, i/w%h, i/w/h%c, i/w/h/c
		if want := uint8(((f*h+y)*w+x)*c + ch); got[i] != want {
			t.Fatalf("element %d = %d, want %d", i, got[i], want)
		}
	}
	back := nchw.Permute(0, 2, 3, 1)
	if !back.Contiguous() || &back.Bytes()[0] != &nhwc.Bytes()[0] {
		t.Error("permuted there and back is not the same memory")
	}
}

// A dimension of one may have any stride.
func TestContiguousIgnoresDimensionsOfOne(t *testing.T) {
	x := counting(t, Uint16, 3, 1, 5)
	for _, axes := range [][]int{{1, 0, 2}, {0, 2, 1}} {
		if v := x.Permute(axes...); !v.Contiguous() || len(v.Bytes()) != 30 {
			t.Errorf("Permute(%v) is not contiguous", axes)
		}
	}
	if x.Permute(2, 1, 0).Contiguous() {
		t.Error("Permute(2, 1, 0) is contiguous")
	}
	column := counting(t, Uint8, 4, 3).Permute(1, 0).Slice(1, 2)
	if column.Contiguous() {
		t.Error("a column of a matrix is contiguous")
	}
	if got, want := Values[uint8](column.Clone()), []uint8{1, 4, 7, 10}; !slices.Equal(got, want) {
		t.Errorf("the column is %v, want %v", got, want)
	}
}

func TestCloneHasItsOwnMemory(t *testing.T) {
	x := counting(t, Uint8, 2, 2)
	c := x.Clone()
	c.Bytes()[0] = 9
	if x.Bytes()[0] != 0 {
		t.Error("a write to the copy changed the tensor")
	}
}

// Any chain of views, cloned, has the elements that the arithmetic of indices says.
func TestViewsAgreeWithIndexArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, dtype := range []DType{Uint8, Uint16, Float32, Int64, Float64} {
		t.Run(dtype.String(), func(t *testing.T) {
			for range 200 {
				shape := make([]int, 1+rng.IntN(4))
				for i := range shape {
					shape[i] = 1 + rng.IntN(4)
				}
				x := counting(t, dtype, shape...)
				v, steps := x, fmt.Sprint(shape)
				for range rng.IntN(6) {
					if len(v.Shape()) == 0 {
						break
					}
					switch rng.IntN(3) {
					case 0:
						axes := rng.Perm(len(v.Shape()))
						v, steps = v.Permute(axes...), steps+fmt.Sprint(" permute ", axes)
					case 1:
						a := rng.IntN(v.Shape()[0])
						b := a + 1 + rng.IntN(v.Shape()[0]-a)
						v, steps = v.Slice(a, b), steps+fmt.Sprint(" slice ", a, b)
					case 2:
						i := rng.IntN(v.Shape()[0])
						v, steps = v.Index(i), steps+fmt.Sprint(" index ", i)
					}
				}
				first := int(elements(v)[0])
				want := make([]float64, 0, v.Len())
				walk(v.Shape(), v.Strides(), first, func(i int) { want = append(want, float64(uint8(i))) })
				got := elements(v.Clone())
				for i := range got {
					got[i] = float64(uint8(got[i]))
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s: elements %v, want %v", steps, got, want)
				}
				if v.Contiguous() && !slices.Equal(v.Bytes(), v.Clone().Bytes()) {
					t.Fatalf("%s: Bytes() is not what Clone() has", steps)
				}
			}
		})
	}
}

// walk calls f with the place of each element.
func walk(shape, strides []int, at int, f func(int)) {
	if len(shape) == 0 {
		f(at)
		return
	}
	for i := range shape[0] {
		walk(shape[1:], strides[1:], at+i*strides[0], f)
	}
}

// elements returns the elements of the memory of x, which need not be contiguous, in their order there.
func elements(x *Tensor) []float64 {
	flat, err := FromBytes(x.data, x.dtype, len(x.data)/x.dtype.Size())
	if err != nil {
		panic(err)
	}
	out := make([]float64, flat.Len())
	for i := range out {
		switch x.dtype {
		case Uint8:
			out[i] = float64(Values[uint8](flat)[i])
		case Uint16:
			out[i] = float64(Values[uint16](flat)[i])
		case Float32:
			out[i] = float64(Values[float32](flat)[i])
		case Int64:
			out[i] = float64(Values[int64](flat)[i])
		case Float64:
			out[i] = Values[float64](flat)[i]
		}
	}
	return out
}

func BenchmarkClonePermuted(b *testing.B) {
	x := New(Uint8, 720, 1280, 3).Permute(2, 0, 1)
	b.SetBytes(int64(x.Len()))
	b.ReportAllocs()
	for b.Loop() {
		x.Clone()
	}
}
