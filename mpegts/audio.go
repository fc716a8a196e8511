package mpegts

import (
	"github.com/sprocket-video/sprocket/container"
)

// heading is what the header of a frame of sound says.
type heading struct {
	size     int // bytes of the frame, its header included
	strip    int // bytes at its beginning that are no part of the packet
	samples  int
	rate     int // samples a second
	channels int
	joins    bool // goes with the frame before it
	codec    string
	profile  int
}

// verdict is what came of reading a header.
type verdict uint8

const (
	noHeader verdict = iota
	moreBytes
	isHeader
)

const maxHeading = 64

// audio splits what a PID carries into frames, by their headers.
type audio struct {
	st    *stream
	read  func(b []byte, h *heading) verdict
	least int // bytes that a header has at least

	buf    [maxHeading]byte // bytes that may be a header
	places [maxHeading]int64
	n      int
	bufES  int64 // place of buf[0] in the PID

	cur   unit // the frame in progress
	open  bool
	until int64 // where it ends
	head  heading

	clean   bool    // the last frame ended here, undamaged: the next header is to be here
	seen    bool    // some header was good
	like    heading // it
	now     heading // being read
	base    int64   // time of the frame from which samples are counted; noTime
	samples int64
	rate    int64
	damaged bool
}

func newAudio(st *stream) *audio {
	a := &audio{st: st, base: noTime, clean: true}
	switch st.meaning.codec {
	case "aac":
		a.read, a.least = readADTS, 7
	case "aac_latm":
		a.read, a.least = readLOAS, 3
	case "ac3", "eac3":
		a.read, a.least = readAC3, 8
	case "opus":
		a.read, a.least = readOpus, 3
	default:
		a.read, a.least = readMPEGAudio, 4
	}
	return a
}

func (a *audio) begin() {}

func (a *audio) gap() {
	a.damaged = true
	if a.open { // how much of it is missing is not known
		a.cur.corrupt = true
		a.finish(a.st.es, a.st.end)
	}
	a.drop()
	a.n, a.clean = 0, false
	a.st.skip = 0
}

func (a *audio) data(b []byte, pos int64) {
	for i := 0; i < len(b); {
		es := a.st.es + int64(i)
		if a.until > es {
			k := int(min(a.until-es, int64(len(b)-i)))
			i += k
			if es+int64(k) < a.until {
				a.st.skip = a.until - es - int64(k)
				return
			}
			a.ended(pos + int64(i))
			continue
		}
		if a.n == 0 {
			a.bufES = es
			if a.until == es && a.open {
				a.ended(a.st.at(es-1, pos) + 1)
			}
		}
		if a.n == maxHeading {
			a.shift(1)
		}
		for a.buf[a.n], a.places[a.n] = b[i], pos+int64(i); ; {
			a.n++
			i++
			if a.n >= a.least || i == len(b) {
				break
			}
			a.buf[a.n], a.places[a.n] = b[i], pos+int64(i)
		}
		if a.n >= a.least {
			a.try()
		}
	}
}

// ended notes that the frame's bytes have come. Whether it is whole the next header tells, where frames join.
func (a *audio) ended(end int64) {
	if !a.open {
		return
	}
	a.cur.size, a.cur.end = a.until-a.cur.es, end
	a.clean = true
	if !a.holds() {
		a.give()
	}
}

// holds says whether frames of this codec may join the one before them.
func (a *audio) holds() bool { return a.st.meaning.codec == "eac3" || a.head.codec == "eac3" }

// try looks whether what is in buf is a header, or the beginning of one.
func (a *audio) try() {
	for a.n > 0 {
		a.now = heading{}
		h := &a.now
		v := a.read(a.buf[:a.n], h)
		if v == moreBytes {
			if a.n < maxHeading {
				return
			}
			v = noHeader
		}
		if v == isHeader && (a.clean || !a.seen || h.rate == a.like.rate && h.channels == a.like.channels || h.rate == 0) && h.size >= a.n {
			a.start(h)
			return
		}
		if a.clean {
			a.clean = false
			if a.seen {
				a.damaged = true
			}
		}
		a.drop()
		a.shift(1)
	}
}

// shift takes k bytes off the front of buf.
func (a *audio) shift(k int) {
	copy(a.buf[:], a.buf[k:a.n])
	copy(a.places[:], a.places[k:a.n])
	a.n -= k
	a.bufES += int64(k)
}

// start begins the frame whose header is in buf.
func (a *audio) start(h *heading) {
	if h.rate == 0 { // LOAS: as before
		h.rate, h.channels, h.profile, h.samples = a.like.rate, a.like.channels, a.like.profile, a.like.samples
	}
	a.like, a.seen = *h, true
	if h.joins && a.open {
		a.until = a.bufES + int64(h.size)
		a.n = 0
		return
	}
	a.drop()
	a.head = *h
	st := a.st
	s := st.take(a.bufES)
	u := unit{es: a.bufES, pos: a.places[0], pts: s.pts, dts: s.dts, key: true, start: true, corrupt: a.damaged}
	if h.strip > 0 {
		u.es += int64(h.strip)
		if h.strip < a.n {
			u.pos = a.places[h.strip]
		} else {
			u.pos = a.places[a.n-1] + 1
		}
	}
	a.damaged = false
	rate := int64(h.rate)
	if s.pts != noTime {
		a.base, a.samples, a.rate = s.pts, 0, rate
	} else if a.base != noTime && a.rate > 0 {
		if rate != a.rate {
			a.base, a.samples, a.rate = a.base+a.samples*second/a.rate, 0, rate
		}
		u.pts = a.base + a.samples*second/max(a.rate, 1)
	}
	u.dts = u.pts
	if rate > 0 {
		u.duration = int64(h.samples) * second / rate
	}
	a.samples += int64(h.samples)
	u.desc = a.describe()
	a.cur, a.open = u, true
	a.until = a.bufES + int64(h.size)
	a.n = 0
}

// drop gives the frame that was held back.
func (a *audio) drop() {
	if a.open && a.until <= a.bufES {
		a.give()
	}
}

func (a *audio) give() {
	a.open = false
	a.st.emit(&a.cur)
}

// finish ends a frame before its end.
func (a *audio) finish(es, end int64) {
	if a.until > es {
		a.cur.corrupt = true
	}
	if a.until >= es {
		a.cur.size, a.cur.end = es-a.cur.es, end
	}
	a.until = es
	a.give()
}

func (a *audio) end() {
	if a.open {
		a.finish(a.st.es, a.st.end)
	}
	a.n, a.open = 0, false
}

// describe returns the number of the description that the frame has.
func (a *audio) describe() int {
	h := &a.head
	st := a.st
	for i := range st.descs {
		d := &st.descs[i]
		if d.Codec == h.codec && d.Audio.SampleRate == h.rate && d.Audio.Channels == h.channels && d.Audio.Profile == h.profile {
			return i
		}
	}
	return st.describeSound(container.Description{
		Codec: h.codec,
		Audio: container.Sound{SampleRate: h.rate, Channels: h.channels, Profile: h.profile},
	})
}

func (st *stream) describeSound(d container.Description) int {
	if len(st.descs) == maxDescs {
		return maxDescs - 1
	}
	st.descs = append(st.descs, d)
	return len(st.descs) - 1
}
