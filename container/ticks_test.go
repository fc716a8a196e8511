package container

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// Timebases in use, and odd ones. All ticks are a nanosecond or longer.
var timebases = []Timebase{
	{1, 90_000}, {1, 1000}, {1, 600}, {1, 1}, {1001, 30_000}, {1001, 24_000}, {1, 12_800}, {1, 15_360}, {1, 44_100}, {1, 48_000},
	{1, 14_112_000}, {1, 705_600_000}, {1, 1_000_000}, {1, 1_000_000_000}, {1, 27_000_000}, {1, 192_000}, {5, 1<<32 - 1},
	{1, 7}, {2, 3}, {1, 999_999_937}, {3600, 1}, {1 << 31, 1<<31 - 1},
}

// someTicks returns times that are likely to break arithmetic, and random ones.
func someTicks(rng *rand.Rand) []Ticks {
	ticks := []Ticks{0, 1, 2, 3, 7, 1001, 3003, 8_589_934_591, 8_589_934_592, 1<<53 - 1, 1<<53 + 1}
	for bit := range 63 {
		ticks = append(ticks, 1<<bit, 1<<bit-1, 1<<bit+1)
	}
	for range 1000 {
		ticks = append(ticks, Ticks(rng.Int64()>>rng.IntN(63)))
	}
	for _, t := range ticks {
		ticks = append(ticks, -t)
	}
	return append(ticks, math.MaxInt64, math.MaxInt64-1, math.MinInt64+1)
}

// exact returns a·b·c/(d·e) as mulDiv should, by way of math/big.
func exact(a, b, c, d, e int64, r rounding) int64 {
	num := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	num.Mul(num, big.NewInt(c))
	den := new(big.Int).Mul(big.NewInt(d), big.NewInt(e))
	var q *big.Int
	switch r {
	case roundDown:
		q = floor(num, den)
	case roundUp:
		q = new(big.Int).Neg(floor(new(big.Int).Neg(num), den))
	case roundNearest: // floor((2|n| + d) / 2d), with the sign of n
		twice := new(big.Int).Lsh(new(big.Int).Abs(num), 1)
		q = floor(twice.Add(twice, den), new(big.Int).Lsh(den, 1))
		if num.Sign() < 0 {
			q.Neg(q)
		}
	}
	switch {
	case q.IsInt64():
		return q.Int64()
	case q.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

func floor(n, d *big.Int) *big.Int {
	return new(big.Int).Div(n, d) // Euclidean: for a positive d the same as floor
}

func TestTicksOfTheirOwnDurationAreThemselves(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, tb := range timebases {
		for _, want := range someTicks(rng) {
			d := tb.Duration(want)
			if d == math.MaxInt64 || d == math.MinInt64 {
				continue // saturated
			}
			if got := tb.Ticks(d); got != want {
				t.Errorf("%v: Ticks(Duration(%d)) = %d", tb, want, got)
			}
			if got := tb.Ticks(d - 1); got >= want && want > NoTicks+1 {
				t.Errorf("%v: Ticks(Duration(%d)-1ns) = %d, want less", tb, want, got)
			}
		}
	}
}

func TestDurationRoundsUpAndTicksDown(t *testing.T) {
	ntsc := Timebase{1001, 30_000}
	for _, tt := range []struct {
		ticks Ticks
		want  time.Duration
	}{{0, 0}, {1, 33_366_667}, {2, 66_733_334}, {3, 100_100_000}, {-1, -33_366_666}, {-3, -100_100_000}} {
		if got := ntsc.Duration(tt.ticks); got != tt.want {
			t.Errorf("Duration(%d) = %d, want %d", tt.ticks, got, tt.want)
		}
	}
	for _, tt := range []struct {
		d    time.Duration
		want Ticks
	}{{0, 0}, {33_366_666, 0}, {33_366_667, 1}, {-1, -1}, {-33_366_666, -1}, {-33_366_667, -2}, {100_100_000, 3}, {100_099_999, 2}} {
		if got := ntsc.Ticks(tt.d); got != tt.want {
			t.Errorf("Ticks(%d) = %d, want %d", tt.d, got, tt.want)
		}
	}
}

func TestConversionsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	second := int64(time.Second)
	all := append([]Timebase{{1, math.MaxInt64}, {math.MaxInt64, 1}, {math.MaxInt64, math.MaxInt64}, {math.MaxInt64 - 1, 3}, {1 << 40, 1<<40 + 1}}, timebases...)
	for _, tb := range all {
		to := all[rng.IntN(len(all))]
		for _, ticks := range someTicks(rng) {
			if got, want := int64(tb.Duration(ticks)), exact(int64(ticks), tb.Num, second, tb.Den, 1, roundUp); got != want {
				t.Fatalf("%v: Duration(%d) = %d, want %d", tb, ticks, got, want)
			}
			if got, want := int64(tb.Ticks(time.Duration(ticks))), exact(int64(ticks), tb.Den, 1, tb.Num, second, roundDown); got != max(want, math.MinInt64+1) {
				t.Fatalf("%v: Ticks(%d) = %d, want %d", tb, ticks, got, want)
			}
			if got, want := int64(tb.Convert(ticks, to)), exact(int64(ticks), tb.Num, to.Den, tb.Den, to.Num, roundNearest); got != max(want, math.MinInt64+1) {
				t.Fatalf("%v: Convert(%d, %v) = %d, want %d", tb, ticks, to, got, want)
			}
		}
	}
}

func TestConvertRoundsHalvesAwayFromZero(t *testing.T) {
	for _, tt := range []struct {
		ticks    Ticks
		from, to Timebase
		want     Ticks
	}{
		{1, Timebase{1, 2}, Timebase{1, 1}, 1},
		{-1, Timebase{1, 2}, Timebase{1, 1}, -1},
		{3, Timebase{1, 2}, Timebase{1, 1}, 2},
		{-3, Timebase{1, 2}, Timebase{1, 1}, -2},
		{1, Timebase{1, 3}, Timebase{1, 1}, 0},
		{2, Timebase{1, 3}, Timebase{1, 1}, 1},
		{-1, Timebase{1, 3}, Timebase{1, 1}, 0},
		{1, Timebase{1001, 30_000}, Timebase{1, 90_000}, 3003},
		{512, Timebase{1, 12_800}, Timebase{1, 90_000}, 3600},
		{math.MaxInt64, Timebase{1, 1}, Timebase{1, 1}, math.MaxInt64},
		{math.MaxInt64, Timebase{1, 1}, Timebase{1, 2}, math.MaxInt64},
	} {
		if got := tt.from.Convert(tt.ticks, tt.to); got != tt.want {
			t.Errorf("Convert(%d, %v to %v) = %d, want %d", tt.ticks, tt.from, tt.to, got, tt.want)
		}
	}
}

func TestNoTicksStaysUnknown(t *testing.T) {
	for _, tb := range append([]Timebase{{1, math.MaxInt64}}, timebases...) {
		if got := tb.Convert(NoTicks, Timebase{1, 1000}); got != NoTicks {
			t.Errorf("%v: Convert(NoTicks) = %d", tb, got)
		}
		if got := tb.Seconds(NoTicks); !math.IsNaN(got) {
			t.Errorf("%v: Seconds(NoTicks) = %v, want NaN", tb, got)
		}
		if got := tb.Duration(NoTicks); got != math.MinInt64 {
			t.Errorf("%v: Duration(NoTicks) = %d, want the minimum", tb, got)
		}
		// And what is known never becomes unknown.
		if got := tb.Convert(NoTicks+1, Timebase{1, math.MaxInt64}); got == NoTicks {
			t.Errorf("%v: Convert(%d) = NoTicks", tb, NoTicks+1)
		}
	}
	if got := (Timebase{1, math.MaxInt64}).Ticks(math.MinInt64); got != NoTicks+1 {
		t.Errorf("Ticks(minimum) = %d, want %d", got, NoTicks+1)
	}
}

func TestInvalidTimebases(t *testing.T) {
	good := Timebase{1, 1000}
	for _, tb := range []Timebase{{}, {1, 0}, {0, 1}, {-1, 1000}, {1, -1000}} {
		if tb.Valid() {
			t.Errorf("%v is valid", tb)
		}
		if d, ticks := tb.Duration(5), tb.Ticks(5); d != 0 || ticks != 0 {
			t.Errorf("%v: Duration(5) = %d, Ticks(5) = %d, want 0", tb, d, ticks)
		}
		if a, b := tb.Convert(5, good), good.Convert(5, tb); a != NoTicks || b != NoTicks {
			t.Errorf("%v: Convert gives %d and %d, want NoTicks", tb, a, b)
		}
		if s := tb.Seconds(5); !math.IsNaN(s) {
			t.Errorf("%v: Seconds(5) = %v, want NaN", tb, s)
		}
	}
}

func TestTimebaseText(t *testing.T) {
	tb := Timebase{1001, 30_000}
	if got, want := tb.String(), "1001/30000"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	b, err := json.Marshal(tb)
	if got, want := string(b), `{"num":1001,"den":30000}`; err != nil || got != want {
		t.Errorf("JSON is %s, %v, want %s", got, err, want)
	}
}

func TestSecondsMultipliesFirst(t *testing.T) {
	if got, want := (Timebase{1001, 30_000}).Seconds(3), 3*1001/30_000.0; got != want {
		t.Errorf("Seconds(3) = %v, want %v", got, want)
	}
}

func TestPacketEnd(t *testing.T) {
	for _, tt := range []struct {
		pts, duration, want Ticks
	}{
		{100, 20, 120}, {-100, 20, -80}, {100, 0, 100}, {NoTicks, 20, NoTicks},
		{math.MaxInt64 - 5, 5, math.MaxInt64}, {math.MaxInt64 - 5, 6, math.MaxInt64}, {math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		p := PacketInfo{PTS: tt.pts, Duration: tt.duration}
		if got := p.End(); got != tt.want {
			t.Errorf("End() of %d for %d = %d, want %d", tt.pts, tt.duration, got, tt.want)
		}
	}
}

func TestPacketResizeKeepsItsMemory(t *testing.T) {
	var p Packet
	p.Resize(100)
	first := &p.Data[0]
	for _, n := range []int{10, 0, 100, 125} {
		p.Resize(n)
		if len(p.Data) != n || &p.Data[:1][0] != first {
			t.Errorf("Resize(%d) gives %d bytes, in new memory: %t", n, len(p.Data), &p.Data[:1][0] != first)
		}
	}
	p.Resize(1000)
	if len(p.Data) != 1000 {
		t.Errorf("Resize(1000) gives %d bytes", len(p.Data))
	}
}

func FuzzMulDiv(f *testing.F) {
	f.Add(int64(1), int64(1001), int64(1_000_000_000), int64(30_000), int64(1))
	f.Add(int64(math.MinInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(1), int64(1))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Add(int64(-5), int64(1)<<62, int64(1)<<62, int64(1)<<62, int64(1)<<61+1)
	f.Fuzz(func(t *testing.T, a, b, c, d, e int64) {
		for _, v := range []*int64{&b, &c, &d, &e} { // all but a are positive
			if *v &= math.MaxInt64; *v == 0 {
				*v = 1
			}
		}
		for _, r := range []rounding{roundDown, roundUp, roundNearest} {
			if got, want := mulDiv(a, b, c, d, e, r), exact(a, b, c, d, e, r); got != want {
				t.Errorf("%d*%d*%d/(%d*%d), rounding %d = %d, want %d", a, b, c, d, e, r, got, want)
			}
		}
	})
}

func BenchmarkDuration(b *testing.B) {
	tb := Timebase{1, 90_000}
	var sum time.Duration
	for t := Ticks(0); b.Loop(); t += 3003 {
		sum += tb.Duration(t)
	}
	_ = sum
}
