package mp4

import (
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/sprocket-video/sprocket/container"
)

// defaults are what samples are like that do not say, ISO/IEC 14496-12, 8.8.3 and 8.8.7.
type defaults struct {
	desc, duration, size, flags uint32
}

// nonSync is the flag of a sample that is no sync sample, 8.8.3.1.
const nonSync = 0x10000

// fragmentTrack is one track as its fragments are read.
type fragmentTrack struct {
	defaults     // of the track extends box
	descs    int // sample descriptions there are
	rolls    rollGroups
	raps     groupDescriptions
	samples  *samples // nil when the track is not in use
}

// fragmenter turns movie fragment boxes into samples.
type fragmenter struct {
	o      *opener
	tracks map[uint32]*fragmentTrack // by track_ID
	// claims is how many more bytes the samples may have whose runs hold no bytes for each: as many as the source, or as a stream has brought.
	claims  int64
	advance int64  // how many such samples a fragment may have all the same: the bytes of a stream are still to come
	path    string // of the fragment being read
	beyond  int64  // packets left out because the source ends before they do
	first   int64  // the fragment that has the first of them
}

// readExtends reads a movie extends box, 8.8.1. fragmentDuration is 0 when it does not tell.
func (o *opener) readExtends(mvex box) (extend map[uint32]defaults, fragmentDuration uint64) {
	extend = map[uint32]defaults{}
	o.each("moov/mvex", mvex, func(c box) {
		v, _, r, ok := c.full()
		switch c.typ {
		case "mehd":
			switch {
			case ok && v == 1 && len(r.body) >= 8:
				fragmentDuration = be64(r.body)
			case ok && v == 0 && len(r.body) >= 4:
				fragmentDuration = uint64(be32(r.body))
			default:
				o.warn("moov/mvex/mehd", c.off, corrupt("%d bytes", len(c.body)))
			}
		case "trex":
			if !ok || len(r.body) < 20 {
				o.warn("moov/mvex/trex", c.off, corrupt("%d bytes", len(c.body)))
				return
			}
			if _, ok := extend[be32(r.body)]; !ok {
				extend[be32(r.body)] = defaults{be32(r.body[4:]), be32(r.body[8:]), be32(r.body[12:]), be32(r.body[16:])}
			}
		}
	})
	return extend, fragmentDuration
}

// fragment is the state while a movie fragment box is read.
type fragment struct {
	*fragmenter
	off  int64 // of the box
	next int64 // where the data of the last track fragment ends
}

// trackFragment is the state while a track fragment box is read.
type trackFragment struct {
	*fragment
	defaults
	samples *samples // nil when the track is not in use
	rolls   rollGroups
	raps    groupDescriptions
	path    string
	base    int64 // data offsets count from here
	next    int64 // where the data of the last run ends
}

// read reads a movie fragment box whose header lies at off.
func (f *fragmenter) read(path string, moof box, off int64) {
	f.path = path
	fr := &fragment{fragmenter: f, off: off, next: off}
	n := 0
	f.o.each(path, moof, func(c box) {
		if c.typ == "traf" {
			fr.readTrack(fmt.Sprintf("%s/traf[%d]", path, n), c)
			n++
		}
	})
}

// readTrack reads a track fragment box, 8.8.6.
func (fr *fragment) readTrack(path string, traf box) {
	var tfhd, tfdt, sdtp box
	var groups grouped
	fr.o.each(path, traf, func(c box) {
		switch c.typ {
		case "tfhd":
			tfhd = c
		case "tfdt":
			tfdt = c
		case "sdtp":
			sdtp = c
		case "sbgp", "sgpd":
			groups.keep(c)
		}
	})
	tf := &trackFragment{fragment: fr, path: path}
	empty, ok := tf.readHeader(tfhd)
	if !ok {
		return
	}
	if tf.samples != nil && tfdt.typ != "" && !tf.readDecodeTime(tfdt) {
		return
	}
	var before int64
	if tf.samples != nil {
		before = tf.samples.n
	}
	runs := 0
	fr.o.each(path, traf, func(c box) {
		if c.typ == "trun" {
			tf.readRun(c)
			runs++
		}
	})
	fr.next = tf.next
	if s := tf.samples; s != nil {
		if runs == 0 && empty && s.end <= maxTime {
			s.end += int64(tf.duration) // 8.8.7.1: there are no samples for so long
		}
		tf.readDependence(s, s.n-before, sdtp)
		tf.readGroups(s, before, &groups)
	}
}

// readHeader reads a track fragment header box, 8.8.7. ok is false when the fragment cannot be used.
func (tf *trackFragment) readHeader(b box) (empty, ok bool) {
	_, flags, r, ok := b.full()
	p := r.body
	if !ok || len(p) < 4+4*bits.OnesCount32(flags&0x3b)+4*int(flags&1) {
		tf.o.warn(tf.path+"/tfhd", max(b.off, tf.off), corrupt("%d bytes", len(b.body)))
		return false, false
	}
	t := tf.tracks[be32(p)]
	if t == nil {
		tf.o.warn(tf.path+"/tfhd", b.off, corrupt("no track has ID %d", be32(p)))
		t = &fragmentTrack{}
	}
	p = p[4:]
	tf.defaults, tf.samples, tf.rolls, tf.raps = t.defaults, t.samples, t.rolls, t.raps
	// 8.8.7.1: the first track fragment counts from the box, the others from the end of the data of the one before.
	tf.base = tf.fragment.next
	switch {
	case flags&0x1 != 0:
		tf.base = int64(min(be64(p), math.MaxInt64/2))
		p = p[8:]
	case flags&0x20000 != 0:
		tf.base = tf.off
	}
	for _, d := range []struct {
		bit uint32
		v   *uint32
	}{{0x2, &tf.desc}, {0x8, &tf.duration}, {0x10, &tf.size}, {0x20, &tf.flags}} {
		if flags&d.bit != 0 {
			*d.v = be32(p)
			p = p[4:]
		}
	}
	tf.next = tf.base
	// Sample descriptions count from 1; 0, and what is not there, is taken as the first.
	tf.desc--
	if tf.desc != 0 && int64(tf.desc) >= int64(t.descs) {
		if tf.desc != math.MaxUint32 && tf.samples != nil {
			tf.o.warn(tf.path+"/tfhd", b.off, corrupt("sample description %d of %d", int64(tf.desc)+1, t.descs))
		}
		tf.desc = 0
	}
	return flags&0x10000 != 0, true
}

// readDecodeTime reads a track fragment decode time box, 8.8.12.
func (tf *trackFragment) readDecodeTime(b box) bool {
	v, _, r, ok := b.full()
	var dts uint64
	switch {
	case ok && v == 1 && len(r.body) >= 8:
		dts = be64(r.body)
	case ok && v != 1 && len(r.body) >= 4:
		dts = uint64(be32(r.body))
	default:
		tf.o.warn(tf.path+"/tfdt", b.off, corrupt("%d bytes", len(b.body)))
		return true // the fragment goes on where the last one ended
	}
	if dts > maxTime {
		tf.o.warn(tf.path+"/tfdt", b.off, corrupt("decode time %d", dts))
		return false
	}
	if end := tf.samples.end; !tf.samples.startAt(int64(dts)) {
		tf.o.warn(tf.path+"/tfdt", b.off, corrupt("decode time %d after %d", dts, end))
	}
	return true
}

// readDependence reads what others depend on of the last count samples, 8.6.4.
func (tf *trackFragment) readDependence(s *samples, count int64, sdtp box) {
	if len(sdtp.body) > 4 {
		p := sdtp.body[4:]
		s.setDeps(s.n-count, min(count, int64(len(p))), func(i int64) byte { return p[i] & 0x0c })
	}
}

// leaveOut counts packets that are not all there.
func (f *fragment) leaveOut(n int64) {
	if f.beyond == 0 {
		f.first = f.off
	}
	f.beyond += n
}

// warnBeyond tells of the packets that were left out.
func (f *fragmenter) warnBeyond() {
	if f.beyond > 0 {
		f.o.warn("moof", f.first, fmt.Errorf("%d packets are left out: the source ends at %d: %w", f.beyond, f.o.size, io.ErrUnexpectedEOF))
		f.beyond = 0
	}
}

// overLimit says that a track has more packets than may be.
func (tf *trackFragment) overLimit(off int64) {
	tf.o.warn(tf.path+"/trun", off, fmt.Errorf("%w: more than %d packets", container.ErrLimit, tf.samples.n))
}
