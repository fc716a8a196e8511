package tensor

import (
	"io"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

func memoryOf(t *Tensor) *byte { return unsafe.SliceData(t.data) }

func TestPoolGivesMemoryOutAgain(t *testing.T) {
	p := NewPool(1<<20, Float32, 2, 3)
	a := p.Get()
	if a.String() != "float32[2 3]" || !a.Contiguous() || a.Len() != 6 {
		t.Fatalf("Get() = %v", a)
	}
	first := memoryOf(a)
	p.Put(a)
	b := p.Get()
	if memoryOf(b) != first {
		t.Error("Get after Put made new memory")
	}
	if c := p.Get(); memoryOf(c) == first {
		t.Error("Get gave out memory that is in use")
	}
}

func TestPoolRefusesWhatIsNotIts(t *testing.T) {
	p := NewPool(1<<20, Uint8, 4, 4)
	lent := p.Get()
	done := p.Get()
	p.Put(done)
	again := p.Get() // the memory of done, which must not come back by way of done
	for name, x := range map[string]*Tensor{
		"a tensor made elsewhere": New(Uint8, 4, 4),
		"another pool's":          NewPool(1<<20, Uint8, 4, 4).Get(),
		"a view":                  lent.Slice(0, 4),
		"a permuted view":         lent.Permute(0, 1),
		"a reshaped view":         lent.Reshape(4, 4),
		"a copy":                  lent.Clone(),
		"one put back":            done,
	} {
		if text := panicText(func() { p.Put(x) }); !strings.Contains(text, "did not lend") {
			t.Errorf("Put of %s panics with %q", name, text)
		}
	}
	p.Put(lent)
	p.Put(again)
}

func TestPoolUseAfterPutIsLoud(t *testing.T) {
	for name, use := range map[string]func(x *Tensor){
		"Index":    func(x *Tensor) { x.Index(0) },
		"Slice":    func(x *Tensor) { x.Slice(1, 2) },
		"Bytes":    func(x *Tensor) { x.Bytes() },
		"Values":   func(x *Tensor) { Values[uint8](x) },
		"Clone":    func(x *Tensor) { x.Clone() },
		"Permute":  func(x *Tensor) { x.Permute(1, 0).Clone() },
		"WriteNPY": func(x *Tensor) { _ = WriteNPY(io.Discard, x) },
	} {
		p := NewPool(1<<20, Uint8, 4, 2)
		x := p.Get()
		use(x)
		p.Put(x)
		if panicText(func() { use(x) }) == "" {
			t.Errorf("%s of a tensor that was put back did not panic", name)
		}
	}
}

func TestPoolKeepsNoMoreThanItsLimit(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int64
		shape []int
		keep  int
	}{
		{"two and a half", 250, []int{100}, 2},
		{"none", 99, []int{100}, 0},
		{"zero", 0, []int{100}, 0},
		{"negative", -1, []int{100}, 0},
		{"tensors without elements", 100, []int{0, 3}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPool(tt.limit, Uint8, tt.shape...)
			var lent []*Tensor
			for range 5 {
				lent = append(lent, p.Get())
			}
			for _, x := range lent {
				p.Put(x)
			}
			if got := len(p.free); got != tt.keep {
				t.Errorf("%d tensors kept, want %d", got, tt.keep)
			}
			if x := p.Get(); x.Len() != New(Uint8, tt.shape...).Len() {
				t.Errorf("Get() = %v", x)
			}
		})
	}
}

// Every goroutine fills what it got and finds it as it left it.
func TestPoolNeverLendsTwice(t *testing.T) {
	p := NewPool(1<<10, Int64, 16)
	var wg sync.WaitGroup
	for worker := range int64(8) {
		wg.Go(func() {
			for range 500 {
				x := p.Get()
				values := Values[int64](x)
				for i := range values {
					values[i] = worker
				}
				for i, v := range values {
					if v != worker {
						t.Errorf("worker %d found %d at %d", worker, v, i)
						return
					}
				}
				p.Put(x)
			}
		})
	}
	wg.Wait()
}

func BenchmarkPool(b *testing.B) {
	p := NewPool(64<<20, Uint8, 3, 1080, 1920)
	b.ReportAllocs()
	for b.Loop() {
		p.Put(p.Get())
	}
}
