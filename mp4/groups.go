package mp4

import (
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// Sample groups, ISO/IEC 14496-12, 8.9. Two kinds tell where decoding can start: "rap " (10.4), random access points that are no sync samples, and
// "roll" (10.1), samples from which decoding gets right after some others. The rest ("prol", "sync", "tele", "seig", …) is not looked at.

// groupBoxes are the boxes of one kind of group: which samples are in it, and what the groups are.
type groupBoxes struct{ samples, descriptions box }

// grouped are the boxes of a sample table, or of a track fragment.
type grouped struct{ rap, roll groupBoxes }

// keep notes a box. The first of a kind counts.
func (g *grouped) keep(c box) {
	if len(c.body) < 8 {
		return
	}
	var of *groupBoxes
	switch string(c.body[4:8]) {
	case "rap ":
		of = &g.rap
	case "roll":
		of = &g.roll
	default:
		return
	}
	p := &of.samples
	if c.typ == "sgpd" {
		p = &of.descriptions
	}
	if p.typ == "" {
		*p = c
	}
}

// groupRun is a run of samples in one group, 0 for none.
type groupRun struct {
	count int64
	index uint32
}

// groupRuns reads a sample-to-group box. whole is false when it has fewer entries than it says.
func groupRuns(b box) (runs func(yield func(groupRun) bool), whole bool) {
	at := 8 // version and flags, grouping type
	if len(b.body) > 0 && b.body[0] >= 1 {
		at += 4 // its parameter
	}
	if len(b.body) < at+4 {
		return func(func(groupRun) bool) {}, b.typ == ""
	}
	p := b.body[at+4:]
	count := int64(be32(b.body[at:]))
	have := int64(len(p) / 8)
	return func(yield func(groupRun) bool) {
		for p := p[:8*min(count, have)]; len(p) > 0; p = p[8:] {
			if !yield(groupRun{int64(be32(p)), be32(p[4:])}) {
				return
			}
		}
	}, count <= have
}

// groupDescriptions are how many groups of a kind are described, 8.9.3, and which of them, from 1, samples are in that no run names.
type groupDescriptions struct{ count, other uint32 }

// readGroups reads a sample group description box whose entries have size bytes, and gives those to entry. whole is false when there is less than it says.
func readGroups(b box, size int, entry func(e []byte)) (g groupDescriptions, whole bool) {
	if b.typ == "" {
		return g, true
	}
	version, _, r, ok := b.full()
	if !ok || len(r.body) < 8 {
		return g, false
	}
	p, each := r.body[4:], size
	switch {
	case version == 1 || version > 1 && !olderGroups(p, size):
		each = int(min(be32(p), 1<<16))
		p = p[4:]
	}
	if version > 1 {
		if len(p) < 4 {
			return g, false
		}
		g.other = be32(p)
		p = p[4:]
	}
	if len(p) < 4 {
		return g, false
	}
	count := be32(p)
	p = p[4:]
	for range count {
		n := each
		if n == 0 { // each entry says how long it is
			if len(p) < 4 {
				return g, false
			}
			n = int(min(be32(p), 1<<16))
			p = p[4:]
		}
		if len(p) < n || n < size {
			return g, false
		}
		entry(p[:size])
		g.count++
		p = p[n:]
	}
	return g, true
}

// olderGroups says whether a box of version 2 is as the editions before 2020 have it, without a length: p then holds just the index,
// the count, and so many entries.
func olderGroups(p []byte, size int) bool {
	return len(p) >= 8 && uint64(len(p)-8) == uint64(be32(p[4:]))*uint64(size)
}

// rollGroups are the distances of "roll" groups.
type rollGroups struct {
	distances []int16
	other     uint32 // the group, from 1, of samples that no run names
}

func readRollGroups(b box) (r rollGroups, whole bool) {
	g, whole := readGroups(b, 2, func(e []byte) { r.distances = append(r.distances, int16(be16(e))) })
	r.other = g.other
	return r, whole
}

// readRapGroups reads which "rap " groups there are. What they say of leading samples is not asked for.
func readRapGroups(b box) (g groupDescriptions, whole bool) { return readGroups(b, 1, func([]byte) {}) }

// at returns the distance of group i, from 1; 0 for none, and for one there is not.
func (r *rollGroups) at(i uint32) (distance int16, known bool) {
	if i == 0 {
		return 0, true
	}
	if int64(i) > int64(len(r.distances)) {
		return 0, false
	}
	return r.distances[i-1], true
}

// rolls are the roll distances of samples.
type rolls []rollRun

// rollRun is the distance of samples from number first on, up to the first of the next run.
type rollRun struct {
	first    uint32
	distance int16
}

// set says the distance of the samples from number first on. It is called in order.
func (r *rolls) set(first int64, distance int16) {
	if k := len(*r) - 1; k >= 0 && (*r)[k].distance == distance || k < 0 && distance == 0 {
		return
	}
	*r = append(*r, rollRun{uint32(first), distance})
}

// fill puts the distances into packets, of which the first is sample i.
func (r rolls) fill(p []container.PacketInfo, i int64) {
	k := sort.Search(len(r), func(k int) bool { return int64(r[k].first) > i })
	for j := range p {
		for k < len(r) && int64(r[k].first) <= i+int64(j) {
			k++
		}
		p[j].Roll = 0
		if k > 0 {
			p[j].Roll = int(r[k-1].distance)
		}
	}
}

// group goes through the samples from to end-1 in runs of one group. Those that no run names are in the group other.
func (b groupBoxes) group(from, end int64, other uint32, f func(from, to int64, index uint32)) (whole bool) {
	runs, whole := groupRuns(b.samples)
	runs(func(r groupRun) bool {
		to := min(from+r.count, end)
		if to > from {
			f(from, to, r.index)
		}
		from = to
		return from < end
	})
	if from < end {
		f(from, end, other)
	}
	return whole
}

// readGroups reads the groups of the sample table.
func (r *tableReader) readGroups() {
	tb, g := r.tb, &r.t.groups
	warn := func(b box, whole bool) {
		if !whole {
			r.warn(b, "it has less than it says")
		}
	}
	if tb.keys != nil && (g.rap.samples.typ != "" || g.rap.descriptions.typ != "") {
		kinds, whole := readRapGroups(g.rap.descriptions)
		warn(g.rap.descriptions, whole)
		unknown := false
		warn(g.rap.samples, g.rap.group(0, tb.n, kinds.other, func(from, to int64, index uint32) {
			unknown = unknown || index > kinds.count
			for ; index > 0 && index <= kinds.count && from < to; from++ {
				tb.keys.set(from)
			}
		}))
		if unknown {
			r.warn(g.rap.samples, "samples are in groups beyond the %d described", kinds.count)
		}
	}
	kinds, whole := readRollGroups(g.roll.descriptions)
	warn(g.roll.descriptions, whole)
	unknown := false
	warn(g.roll.samples, g.roll.group(0, tb.n, kinds.other, func(from, _ int64, index uint32) {
		d, known := kinds.at(index)
		unknown = unknown || !known
		tb.rolls.set(from, d)
	}))
	if unknown {
		r.warn(g.roll.samples, "samples are in groups beyond the %d described", len(kinds.distances))
	}
}

// readGroups reads the groups of the samples from number from on, which a track fragment tells of. Its own descriptions count from 0x10001, 8.9.4.
func (tf *trackFragment) readGroups(s *samples, from int64, g *grouped) {
	warn := func(b box, whole bool) {
		if !whole {
			tf.o.warn(tf.path+"/"+b.typ, b.off, corrupt("it has less than it says"))
		}
	}
	const local = 0x10000
	unknown := int64(-1) // where a group is named that there is not
	if len(s.keys) > 0 && (g.rap.samples.typ != "" || g.rap.descriptions.typ != "" || tf.raps.other > 0) {
		s.needKeys()
		own, whole := readRapGroups(g.rap.descriptions)
		warn(g.rap.descriptions, whole)
		other := tf.raps.other
		if own.other > 0 {
			other = own.other + local
		}
		warn(g.rap.samples, g.rap.group(from, s.n, other, func(from, to int64, index uint32) {
			of := tf.raps
			if index > local {
				of, index = own, index-local
			}
			if index > of.count {
				unknown, index = max(g.rap.samples.off, tf.off), 0
			}
			for ; index > 0 && from < to; from++ {
				s.keys.set(from)
			}
		}))
	}
	own, whole := readRollGroups(g.roll.descriptions)
	warn(g.roll.descriptions, whole)
	other := tf.rolls.other
	if own.other > 0 {
		other = own.other + local
	}
	warn(g.roll.samples, g.roll.group(from, s.n, other, func(from, _ int64, index uint32) {
		of := &tf.rolls
		if index > local {
			of, index = &own, index-local
		}
		d, known := of.at(index)
		if !known {
			unknown = max(g.roll.samples.off, tf.off)
		}
		s.rolls.set(from, d)
	}))
	if unknown >= 0 {
		tf.o.warn(tf.path+"/sbgp", unknown, corrupt("samples are in groups that are not described"))
	}
}
