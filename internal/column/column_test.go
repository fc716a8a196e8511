package column

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

func build(values []int64) Column {
	var b Builder
	for _, v := range values {
		b.Append(v)
	}
	return b.Build()
}

func check(t *testing.T, c Column, want []int64) {
	t.Helper()
	if c.Len() != len(want) {
		t.Fatalf("Len() = %d, want %d", c.Len(), len(want))
	}
	for i, w := range want {
		if got := c.At(i); got != w {
			t.Fatalf("At(%d) = %d, want %d", i, got, w)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestColumnHoldsWhatWasAppended(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sequences := map[string]func(i int) int64{
		"constant":        func(int) int64 { return -7 },
		"times":           func(i int) int64 { return int64(i)*512 - 1024 + int64(i%4)*512 },
		"negative times":  func(i int) int64 { return -int64(i) * 3003 },
		"offsets over 4G": func(i int) int64 { return 1<<33 + int64(i)*100_000 },
		"widest compact":  func(i int) int64 { return int64(i%2) * math.MaxUint32 },
		"too wide by one": func(i int) int64 { return int64(i%2) * (math.MaxUint32 + 1) },
		"extremes":        func(i int) int64 { return []int64{math.MinInt64, 0, math.MaxInt64}[i%3] },
		"noise":           func(int) int64 { return int64(rng.Uint64()) },
		"wide at last":    func(i int) int64 { return int64(i/700) << 40 },
	}
	for name, f := range sequences {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 1, 2, 255, 256, 257, 511, 512, 513, 1000, 2000} {
				values := make([]int64, n)
				for i := range values {
					values[i] = f(i)
				}
				c := build(values)
				check(t, c, values)
				for _, i := range []int{-1, n, n + 256, math.MinInt, math.MaxInt} {
					if !panics(func() { c.At(i) }) {
						t.Errorf("At(%d) of %d values did not panic", i, n)
					}
				}
			}
		})
	}
}

func TestColumnTakesFourBytesAValue(t *testing.T) {
	var grown, plain Builder
	const n = 1_080_000
	grown.Grow(n)
	for i := range n {
		grown.Append(int64(i) * 512)
		plain.Append(int64(i) * 512)
	}
	for _, c := range []Column{grown.Build(), plain.Build()} {
		if got, limit := c.Bytes(), n*46/10; got > limit {
			t.Errorf("Bytes() = %d for %d values, want at most %d", got, n, limit)
		}
	}
	wide := build([]int64{0, math.MaxInt64})
	if got, want := wide.Bytes(), 16; got != want {
		t.Errorf("Bytes() = %d for two wide values, want %d", got, want)
	}
}

func TestBuilderGrowIsEnough(t *testing.T) {
	allocs := testing.AllocsPerRun(10, func() {
		var b Builder
		b.Grow(10_000)
		for i := range 10_000 {
			b.Append(int64(i))
		}
		if c := b.Build(); c.Len() != 10_000 {
			t.Fatal("values lost")
		}
	})
	if allocs > 4 { // two slices; with the race detector slices.Grow makes two more
		t.Errorf("%v allocations for 10000 values, want at most 4", allocs)
	}
}

func TestBuilderIsEmptyAfterBuild(t *testing.T) {
	var b Builder
	b.Append(1)
	b.Append(math.MaxInt64)
	first := b.Build()
	b.Append(5)
	if b.Len() != 1 {
		t.Errorf("Len() = %d after Build and Append, want 1", b.Len())
	}
	second := b.Build()
	check(t, first, []int64{1, math.MaxInt64})
	check(t, second, []int64{5})
}

func TestBuilderGrowAnywhere(t *testing.T) {
	var b Builder
	var want []int64
	for i := range 1000 {
		b.Grow(i%7 - 3)
		v := int64(i)
		if i > 600 {
			v <<= 40
		}
		b.Append(v)
		want = append(want, v)
	}
	check(t, b.Build(), want)
}

func FuzzColumn(f *testing.F) {
	f.Add([]byte{}, int64(0), uint8(0))
	f.Add(make([]byte, 40), int64(90_000), uint8(3))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 255, 255, 255, 255, 255, 255, 255, 127}, int64(math.MaxUint32), uint8(200))
	f.Fuzz(func(t *testing.T, data []byte, step int64, repeat uint8) {
		var values []int64
		for len(data) >= 4 && len(values) < 3000 {
			base := int64(int32(binary.LittleEndian.Uint32(data)))
			for i := range int64(repeat) + 1 {
				values = append(values, base*step+i)
			}
			data = data[4:]
		}
		check(t, build(values), values)
	})
}

func BenchmarkAppend(b *testing.B) {
	const n = 1_000_000
	for _, grow := range []bool{false, true} {
		name := "plain"
		if grow {
			name = "grown"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var builder Builder
				if grow {
					builder.Grow(n)
				}
				for i := range int64(n) {
					builder.Append(i * 512)
				}
				if c := builder.Build(); c.Len() != n {
					b.Fatal("values lost")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
		})
	}
}

func BenchmarkAt(b *testing.B) {
	const n = 1 << 20
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(i) * 512
	}
	c := build(values)
	for b.Loop() {
		sumColumn(&c)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
}

func sumColumn(c *Column) (sum int64) {
	for i := range c.Len() {
		sum += c.At(i)
	}
	return sum
}
