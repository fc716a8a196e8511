package mp4

import (
	"math"
	"math/bits"
)

// readRun reads a track run box, ISO/IEC 14496-12, 8.8.8.
func (tf *trackFragment) readRun(b box) {
	path := tf.path + "/trun"
	_, flags, r, ok := b.full()
	p := r.body
	head := 4 + 4*bits.OnesCount32(flags&0x5)
	if !ok || len(p) < head {
		tf.o.warn(path, b.off, corrupt("%d bytes", len(b.body)))
		return
	}
	count := int64(be32(p))
	p = p[4:]
	pos := tf.next
	if flags&0x1 != 0 {
		pos = tf.base + int64(int32(be32(p)))
		p = p[4:]
	}
	first := tf.flags
	if flags&0x4 != 0 {
		first = be32(p)
		p = p[4:]
	}
	f := runFields{p: p, stride: 4 * bits.OnesCount32(flags&0xf00), duration: -1, size: -1, flags: -1, offset: -1}
	at := 0
	for bit, field := range []*int{&f.duration, &f.size, &f.flags, &f.offset} {
		if flags&(0x100<<bit) != 0 {
			*field = at
			at += 4
		}
	}
	if f.stride > 0 {
		if have := int64(len(p) / f.stride); count > have {
			tf.o.warn(path, b.off, corrupt("%d samples of %d bytes in %d bytes", count, f.stride, len(p)))
			count = have
		}
	} else {
		// Nothing in the box vouches for so many.
		if n := tf.believe(count, int64(tf.size)); n < count {
			tf.o.warn(path, b.off, corrupt("%d samples of %d bytes, of which %d are taken: there are not so many bytes", count, tf.size, n))
			count = n
		}
	}
	if count == 0 {
		return
	}
	size := f.total(f.size, tf.size, count)
	if size > math.MaxInt64/4 || pos < 0 {
		tf.o.warn(path, b.off, corrupt("%d bytes at %d", size, pos))
		return
	}
	tf.next = min(pos+int64(size), math.MaxInt64/2)
	if tf.samples != nil {
		tf.addRun(b, f, count, pos, first)
	}
}

// emptySample is what a sample without fields and without bytes is taken to have, when it is asked whether the source has so many: about what it
// costs to list one.
const emptySample = 64

// believe returns how many of count samples are taken that have size bytes each and no fields, and charges for them.
func (f *fragmenter) believe(count, size int64) int64 {
	if size == 0 {
		size = emptySample
	}
	backed := max(f.claims, 0) / size
	n := min(count, backed+f.advance)
	f.advance -= max(0, n-backed)
	f.claims -= n * size
	return n
}

// runFields are the fields that a run has for each sample.
type runFields struct {
	p                             []byte
	stride                        int
	duration, size, flags, offset int // where in a sample's fields; -1 when the default holds
}

// field returns the fields from the given one of the first sample on.
func (f *runFields) field(at int) []byte { return f.p[at:] }

// total adds up a field of count samples.
func (f *runFields) total(at int, same uint32, count int64) uint64 {
	if at < 0 {
		return uint64(count) * uint64(same)
	}
	var sum uint64
	for i, p := 0, f.field(at); i < int(count); i++ {
		sum += uint64(be32(p[i*f.stride:]))
	}
	return sum
}

// whole returns how many of count samples from pos on lie in a source of the given size.
func (f *runFields) whole(same uint32, count, pos, size int64) int64 {
	switch {
	case pos > size:
		return 0
	case f.size < 0 && same == 0:
		return count
	case f.size < 0:
		return min(count, (size-pos)/int64(same))
	}
	p := f.field(f.size)
	for i := range count {
		if pos += int64(be32(p[i*int64(f.stride):])); pos > size {
			return i
		}
	}
	return count
}

// addRun adds count samples, which lie from pos on.
func (tf *trackFragment) addRun(b box, f runFields, count, pos int64, first uint32) {
	s := tf.samples
	ticks := f.total(f.duration, tf.duration, count)
	if ticks > maxTime || s.end > maxTime {
		tf.o.warn(tf.path+"/trun", b.off, corrupt("%d samples last %d from %d on", count, ticks, s.end))
		return
	}
	n := f.whole(tf.size, count, pos, tf.o.size)
	if n < count {
		tf.leaveOut(count - n)
	}
	if room := min(tf.o.limits.Packets, maxSamples) - s.n; n > room {
		n = max(room, 0)
		tf.overLimit(b.off)
	}
	if n > 0 {
		tf.addSamples(f, n, pos, first)
	}
	s.begun = true
	s.end += int64(ticks)
	s.latest = max(s.latest, s.end)
}

func (tf *trackFragment) addSamples(f runFields, n, pos int64, first uint32) {
	s := tf.samples
	s.join()
	s.listed = s.end + int64(f.total(f.duration, tf.duration, n))
	if pos != s.next || s.n == 0 {
		s.firsts = append(s.firsts, uint32(s.n))
		s.building.Append(pos)
	}
	bytes := f.total(f.size, tf.size, n)
	s.next = pos + int64(bytes)
	s.bytes += int64(bytes)
	s.n += n
	add := func(g *growing, at int, same uint32) {
		if at < 0 {
			g.add(same, n)
		} else {
			g.addFields(f.field(at), f.stride, n)
		}
	}
	add(&s.sizes, f.size, tf.size)
	add(&s.deltas, f.duration, tf.duration)
	add(&s.offsets, f.offset, 0) // 8.8.8.1: version 0 offsets are unsigned, but writers store negative ones in it, as in ctts
	s.descs.add(tf.desc, n)
	if f.flags >= 0 {
		p := f.field(f.flags)
		flags := func(i int64) uint32 { return be32(p[i*int64(f.stride):]) }
		s.setKeys(n, func(i int64) bool { return flags(i)&nonSync == 0 })
		s.setDeps(s.n-n, n, func(i int64) byte { return depends(flags(i)) })
		return
	}
	for i, flags := range []uint32{first, tf.flags} {
		from, count := s.n-n, int64(1)
		if i > 0 {
			from, count = from+1, n-1
		}
		if flags&nonSync != 0 && count > 0 {
			s.needKeys()
			for k := range count {
				s.keys.clear(from + k)
			}
		}
		if d := depends(flags); d != 0 {
			s.setDeps(from, count, func(int64) byte { return d })
		}
	}
}

// depends returns what sample flags, 8.8.3.1, say of the samples that depend on this one, as sdtp has it.
func depends(flags uint32) byte { return byte(flags>>20) & 0x0c }
