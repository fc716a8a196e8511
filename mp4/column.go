package mp4

import "math"

// column is a column of 32-bit values, either run by run or one by one, whichever is smaller.
type column struct {
	runs []run
	each []uint32
}

type run struct{ count, value uint32 }

// total adds the counts of a table of counts and values.
func total(p []byte) int64 {
	var n int64
	for ; len(p) >= 8; p = p[8:] {
		n += int64(be32(p))
	}
	return n
}

// makeColumn makes a column of the first n values of a table of counts and values.
func makeColumn(p []byte, n int64) column {
	var c column
	var runs int64
	left := n
	for q := p; len(q) >= 8 && left > 0; q = q[8:] {
		if k := int64(be32(q)); k > 0 {
			left -= k
			runs++
		}
	}
	left = n
	if 8*runs > 4*n {
		c.each = make([]uint32, 0, n)
		for ; len(p) >= 8 && left > 0; p = p[8:] {
			k, v := min(int64(be32(p)), left), be32(p[4:])
			for range k {
				c.each = append(c.each, v)
			}
			left -= k
		}
		for ; left > 0; left-- {
			c.each = append(c.each, 0)
		}
		return c
	}
	c.runs = make([]run, 0, runs+1)
	for ; len(p) >= 8 && left > 0; p = p[8:] {
		if k := min(int64(be32(p)), left); k > 0 {
			c.runs = append(c.runs, run{uint32(k), be32(p[4:])})
			left -= k
		}
	}
	if left > 0 {
		c.runs = append(c.runs, run{uint32(left), 0})
	}
	return c
}

// max returns the largest value, read as int32 if signed.
func (c *column) max(signed bool) int64 {
	m := int64(math.MinInt64)
	value := func(v uint32) int64 {
		if signed {
			return int64(int32(v))
		}
		return int64(v)
	}
	for _, r := range c.runs {
		m = max(m, value(r.value))
	}
	for _, v := range c.each {
		m = max(m, value(v))
	}
	return m
}

// minSigned returns the smallest value, read as int32.
func (c *column) minSigned() int64 {
	m := int64(math.MaxInt64)
	for _, r := range c.runs {
		m = min(m, int64(int32(r.value)))
	}
	for _, v := range c.each {
		m = min(m, int64(int32(v)))
	}
	return m
}

// skip goes n values on in a column of runs, of which begun have begun and left values are left in the last.
// It returns the sum of the values.
func (c *column) skip(n int64, begun, left *uint32) (sum int64) {
	for n > 0 {
		if *left == 0 {
			*left = c.runs[*begun].count
			*begun++
		}
		k := min(n, int64(*left))
		sum += k * int64(c.runs[*begun-1].value)
		*left -= uint32(k)
		n -= k
	}
	return sum
}

// next takes up to n equal values out of a column of runs; see skip.
func (c *column) next(n int, begun, left *uint32) (int, uint32) {
	if *left == 0 {
		*left = c.runs[*begun].count
		*begun++
	}
	k := min(uint32(n), *left)
	*left -= k
	return int(k), c.runs[*begun-1].value
}

// offsets are chunk offsets in four bytes each, where they lie close enough, else in eight.
type offsets struct {
	base  []int64 // of 1<<offsetBlock chunks; nil when they are all 0
	rel   []uint32
	whole []int64
}

const offsetBlock = 12

func (o *offsets) len() int64 { return int64(max(len(o.rel), len(o.whole))) }

func (o *offsets) at(i int) int64 {
	if o.whole != nil {
		return o.whole[i]
	}
	if o.base == nil {
		return int64(o.rel[i])
	}
	return o.base[i>>offsetBlock] + int64(o.rel[i])
}

type bitset []uint64

func (s bitset) set(i int64)      { s[i>>6] |= 1 << (i & 63) }
func (s bitset) has(i int64) bool { return s[i>>6]>>(i&63)&1 != 0 }

// packOffsets packs 64-bit offsets.
func packOffsets(p []byte) offsets {
	n := len(p) / 8
	at := func(i int) int64 { return int64(min(be64(p[8*i:]), maxTime)) }
	o := offsets{base: make([]int64, (n+1<<offsetBlock-1)>>offsetBlock), rel: make([]uint32, n)}
	for b := range o.base {
		from, to := b<<offsetBlock, min((b+1)<<offsetBlock, n)
		base := at(from)
		for i := from; i < to; i++ {
			base = min(base, at(i))
		}
		o.base[b] = base
		for i := from; i < to; i++ {
			d := at(i) - base
			if d > math.MaxUint32 {
				o = offsets{whole: make([]int64, n)}
				for i := range o.whole {
					o.whole[i] = at(i)
				}
				return o
			}
			o.rel[i] = uint32(d)
		}
	}
	return o
}
