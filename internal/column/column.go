// Package column holds long immutable sequences of int64 in about four bytes a value.
//
// Times and offsets of a track's packets lie close to those of their neighbours. So values are kept in blocks of 256,
// each an int64 base, its smallest value, and a uint32 for each value's distance from it.
package column

import (
	"math"
	"slices"
)

const (
	blockBits = 8
	blockLen  = 1 << blockBits
)

// Column is an immutable sequence of int64. The zero value is empty. It is safe for concurrent use.
type Column struct {
	bases []int64  // the smallest value of each block
	offs  []uint32 // of every value, from its block's base
	wide  []int64  // all values, where a block spans more than a uint32 can; then the other two are nil
}

// At returns value i. It panics when i is out of range.
func (c *Column) At(i int) int64 {
	if c.wide != nil {
		return c.wide[i]
	}
	return c.bases[uint(i)>>blockBits] + int64(c.offs[i])
}

// Len returns the number of values.
func (c *Column) Len() int { return len(c.offs) + len(c.wide) }

// Bytes returns the memory that the values take.
func (c *Column) Bytes() int { return 8*cap(c.bases) + 4*cap(c.offs) + 8*cap(c.wide) }

// Builder collects the values of a column. The zero value is ready. It is for one goroutine at a time.
type Builder struct {
	block [blockLen]int64 // the values not yet in column
	n     int             // how many of them
	col   Column
}

// Grow makes room for n more values. It allocates for all of them at once, so n must not be a number that input declares
// without having the bytes for it.
func (b *Builder) Grow(n int) {
	if n <= 0 {
		return
	}
	if b.col.wide != nil {
		b.col.wide = slices.Grow(b.col.wide, b.n+n)
		return
	}
	b.col.offs = slices.Grow(b.col.offs, b.n+n)
	b.col.bases = slices.Grow(b.col.bases, (b.n+n+blockLen-1)>>blockBits)
}

// Append adds a value.
func (b *Builder) Append(v int64) {
	if b.n == blockLen {
		b.flush()
	}
	b.block[uint(b.n)%blockLen] = v
	b.n++
}

// Len returns the number of values appended.
func (b *Builder) Len() int { return b.col.Len() + b.n }

// Build returns the column of the values appended, in memory of just their size. The builder is empty after it.
func (b *Builder) Build() Column {
	b.flush()
	c := b.col
	b.col = Column{}
	return Column{bases: clip(c.bases), offs: clip(c.offs), wide: clip(c.wide)}
}

// flush moves the block into the column.
func (b *Builder) flush() {
	block := b.block[:b.n]
	if len(block) == 0 {
		return
	}
	b.n = 0
	if b.col.wide != nil {
		b.col.wide = append(b.col.wide, block...)
		return
	}
	low, high := block[0], block[0]
	for _, v := range block[1:] {
		low, high = min(low, v), max(high, v)
	}
	// The difference of two int64 always fits in a uint64.
	if uint64(high)-uint64(low) > math.MaxUint32 {
		b.widen()
		b.col.wide = append(b.col.wide, block...)
		return
	}
	b.col.bases = append(b.col.bases, low)
	have := len(b.col.offs)
	if cap(b.col.offs) < have+len(block) {
		b.col.offs = slices.Grow(b.col.offs, max(have, len(block))) // append alone grows by a quarter and copies four times as much
	}
	offs := b.col.offs[have : have+len(block)]
	for i, v := range block {
		offs[i] = uint32(v - low)
	}
	b.col.offs = b.col.offs[:have+len(block)]
}

// widen gives up the compact form.
func (b *Builder) widen() {
	wide := make([]int64, len(b.col.offs), max(cap(b.col.offs), blockLen))
	for i := range wide {
		wide[i] = b.col.At(i)
	}
	b.col = Column{wide: wide}
}

// clip returns s in an array of its own length, within an eighth.
func clip[E any](s []E) []E {
	if cap(s)-len(s) <= len(s)/8 {
		return s
	}
	return append(make([]E, 0, len(s)), s...)
}
