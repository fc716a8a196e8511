package container

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Ticks is a time or a duration counted in a [Timebase].
type Ticks int64

// NoTicks is a time that is not known.
const NoTicks Ticks = math.MinInt64

// Timebase is the length of one tick in seconds, Num/Den. Both are positive in every timebase a demuxer returns.
type Timebase struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// String returns "1/90000".
func (tb Timebase) String() string { return fmt.Sprintf("%d/%d", tb.Num, tb.Den) }

// Valid says whether the timebase can be computed with.
func (tb Timebase) Valid() bool { return tb.Num > 0 && tb.Den > 0 }

// Duration converts ticks to a time.Duration, rounded up.
// With [Timebase.Ticks] rounding down, asking for a frame at its own PTS always finds that frame,
// for every timebase of a nanosecond or longer. Results outside the range of a Duration saturate, and NoTicks gives its minimum.
func (tb Timebase) Duration(t Ticks) time.Duration {
	if !tb.Valid() {
		return 0
	}
	if t == NoTicks {
		return math.MinInt64
	}
	return time.Duration(mulDiv(int64(t), tb.Num, int64(time.Second), tb.Den, 1, roundUp))
}

// Ticks converts a time.Duration to ticks, rounded down. Results outside the range of Ticks saturate; none is NoTicks.
func (tb Timebase) Ticks(d time.Duration) Ticks {
	if !tb.Valid() {
		return 0
	}
	return max(Ticks(mulDiv(int64(d), tb.Den, 1, tb.Num, int64(time.Second), roundDown)), NoTicks+1)
}

// Seconds converts ticks to seconds as float64(t)*Num/Den: multiplied first, then divided.
func (tb Timebase) Seconds(t Ticks) float64 {
	if t == NoTicks || !tb.Valid() {
		return math.NaN()
	}
	return float64(t) * float64(tb.Num) / float64(tb.Den)
}

// Convert converts ticks to another timebase, to the nearest tick, halves away from zero.
// Results outside the range of Ticks saturate; NoTicks stays NoTicks, and nothing else becomes it.
func (tb Timebase) Convert(t Ticks, to Timebase) Ticks {
	if t == NoTicks || !tb.Valid() || !to.Valid() {
		return NoTicks
	}
	return max(Ticks(mulDiv(int64(t), tb.Num, to.Den, tb.Den, to.Num, roundNearest)), NoTicks+1)
}

type rounding int

const (
	roundDown rounding = iota
	roundUp
	roundNearest
)

// mulDiv returns a·b·c/(d·e), computed in 192 bits and saturated. All but a are positive.
func mulDiv(a, b, c, d, e int64, r rounding) int64 {
	neg := a < 0
	u := uint64(a)
	if neg {
		u = -u
	}
	h, l := bits.Mul64(u, uint64(b))
	h1, l1 := bits.Mul64(l, uint64(c))
	div0, div1 := bits.Mul64(uint64(d), uint64(e))
	if h == 0 && div0 == 0 && h1 < div1 { // nearly always
		q, rem := bits.Div64(h1, l1, div1)
		return round(neg, q, false, rem != 0, rem >= div1-rem, r)
	}
	// (h,l)·c in three words.
	h2, l2 := bits.Mul64(h, uint64(c))
	mid, carry := bits.Add64(h1, l2, 0)
	div := u128{div0, div1}
	q, rem, over := divide([3]uint64{h2 + carry, mid, l1}, div)
	return round(neg, q, over, rem != u128{}, !less(rem, sub(div, rem)), r)
}

// round returns q, the magnitude of a quotient, rounded, saturated where it is over, and with its sign.
// Inexact says that something is left, half that it is a half or more.
func round(neg bool, q uint64, over, inexact, half bool, r rounding) int64 {
	up := half
	switch r {
	case roundDown:
		up = neg && inexact
	case roundUp:
		up = !neg && inexact
	}
	if up {
		q++
		over = over || q == 0
	}
	switch {
	case neg && (over || q > 1<<63):
		return math.MinInt64
	case neg:
		return -int64(q)
	case over || q > math.MaxInt64:
		return math.MaxInt64
	}
	return int64(q)
}

type u128 = [2]uint64 // high word first

func less(a, b u128) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }

func sub(a, b u128) u128 {
	l, borrow := bits.Sub64(a[1], b[1], 0)
	h, _ := bits.Sub64(a[0], b[0], borrow)
	return u128{h, l}
}

// divide returns the low word of n/d, the remainder, and whether the quotient has more words than one.
func divide(n [3]uint64, d u128) (q uint64, rem u128, over bool) {
	if d[0] == 0 {
		q2, r := bits.Div64(0, n[0], d[1])
		q1, r := bits.Div64(r, n[1], d[1])
		q0, r := bits.Div64(r, n[2], d[1])
		return q0, u128{0, r}, q2 != 0 || q1 != 0
	}
	// The divisor has two words: long division, bit by bit. Only timebases beyond 32 bits come here.
	for i := range 192 {
		carry := rem[0] >> 63
		rem = u128{rem[0]<<1 | rem[1]>>63, rem[1]<<1 | n[i/64]>>(63-i%64)&1}
		over = over || q>>63 == 1
		q <<= 1
		if carry == 1 || !less(rem, d) {
			rem = sub(rem, d)
			q |= 1
		}
	}
	return q, rem, over
}
