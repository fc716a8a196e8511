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

// agrees says whether a frame with the header n may follow one with h.
func (h *heading) agrees(n *heading) bool {
	return h.codec == n.codec && (h.rate == n.rate || h.rate == 0 || n.rate == 0) && (h.channels == n.channels || n.joins && !h.joins || h.rate == 0 || n.rate == 0)
}

// audio splits what a PID carries into frames, by their headers.
//
// Where a frame ended the next one begins, whatever its header says. Elsewhere, at first and behind damage, what looks like a header may be none:
// there it is one when it says what the one before the damage said, or when another that agrees with it lies where its frame ends.
type audio struct {
	st    *stream
	read  func(b []byte, h *heading) verdict
	least int // bytes that a header has at least

	buf    [maxHeading]byte // bytes that may be a header
	places [maxHeading]int64
	n      int
	before int64 // place behind the byte before buf[0], as long as nothing is skipped
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

	maybe  [8]candidate // headers that may be none, in the order in which they came
	nMaybe int
}

// candidate is a frame whose header may be none.
type candidate struct {
	heading
	es, pos int64 // of its first byte, and of that of the packet
	stamp   stamp
}

func newAudio(st *stream) *audio {
	a := &audio{st: st, base: noTime}
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
func (a *audio) doubt() {}

func (a *audio) gap() {
	if a.open { // how much of it is missing is not known
		a.cur.corrupt = true
		a.finish(a.st.es, a.st.end)
	}
	a.drop()
	a.settle()
	a.n, a.clean, a.damaged = 0, false, true
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
		if v == isHeader && h.size >= a.n {
			if a.clean || a.seen && h.rate != 0 && h.rate == a.like.rate && h.channels == a.like.channels || a.confirm(h) {
				a.start(h)
				return
			}
			a.note(h)
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

// note keeps a header that may be none.
func (a *audio) note(h *heading) {
	c := candidate{heading: *h, es: a.bufES, pos: a.packetPos(h), stamp: *a.st.stampOf(a.bufES)}
	if c.stamp.used {
		c.stamp.pts = noTime
	}
	if a.nMaybe == len(a.maybe) {
		copy(a.maybe[:], a.maybe[1:])
		a.nMaybe--
	}
	a.maybe[a.nMaybe] = c
	a.nMaybe++
}

// pending says whether the end of a frame of sound that may be one is still to come.
func (st *stream) pending() bool {
	a, ok := st.framer.(*audio)
	if !ok || a.nMaybe == 0 {
		return false
	}
	c := &a.maybe[0]
	return c.es+int64(c.size) > st.es
}

// confirm takes the frame at whose end h lies, if there is one.
func (a *audio) confirm(h *heading) bool {
	for i := range a.nMaybe {
		c := &a.maybe[i]
		if c.es+int64(c.size) != a.bufES || !c.agrees(h) {
			continue
		}
		a.nMaybe = 0
		a.frame(&c.heading, c.es, c.pos, c.stamp)
		a.st.use(c.stamp.es)
		a.like = a.head
		a.cur.size, a.cur.end = a.bufES-a.cur.es, a.before
		if !a.holds() {
			a.give()
		}
		return true
	}
	return false
}

// settle takes the first frame that might have been confirmed, had there been more: where no header was sure so far one that is cut, too.
func (a *audio) settle() {
	for i := range a.nMaybe {
		c := &a.maybe[i]
		until := c.es + int64(c.size)
		if a.seen && until != a.st.es || until < a.bufES {
			continue
		}
		a.frame(&c.heading, c.es, c.pos, c.stamp)
		a.st.use(c.stamp.es)
		if until >= a.st.es {
			a.finish(a.st.es, a.st.end)
			break
		}
		a.cur.size, a.cur.end = until-a.cur.es, a.before
		if k := until - a.bufES; k > 0 {
			a.cur.end = a.places[k-1] + 1
		}
		a.give()
		break
	}
	a.nMaybe = 0
}

// shift takes k bytes off the front of buf.
func (a *audio) shift(k int) {
	a.before = a.places[k-1] + 1
	copy(a.buf[:], a.buf[k:a.n])
	copy(a.places[:], a.places[k:a.n])
	a.n -= k
	a.bufES += int64(k)
}

// packetPos returns where the packet begins whose header is in buf.
func (a *audio) packetPos(h *heading) int64 {
	if h.strip < a.n {
		return a.places[h.strip]
	}
	return a.places[a.n-1] + 1
}

// start begins the frame whose header is in buf, and is sure.
func (a *audio) start(h *heading) {
	a.nMaybe = 0
	if h.joins && a.open {
		a.like, a.seen = *h, true
		a.until = a.bufES + int64(h.size)
	} else {
		a.drop()
		a.frame(h, a.bufES, a.packetPos(h), a.st.take(a.bufES))
		a.like, a.seen = a.head, true
	}
	a.n = 0
}

// frame begins a frame.
func (a *audio) frame(h *heading, es, pos int64, s stamp) {
	a.head = *h
	if h.rate == 0 { // LOAS: as before
		a.head.rate, a.head.channels, a.head.profile, a.head.samples = a.like.rate, a.like.channels, a.like.profile, a.like.samples
	}
	u := unit{es: es + int64(h.strip), pos: pos, pts: s.pts, dts: s.dts, key: true, start: true, corrupt: a.damaged}
	a.damaged = false
	rate := int64(a.head.rate)
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
		u.duration = int64(a.head.samples) * second / rate
	}
	a.samples += int64(a.head.samples)
	u.desc = a.describe()
	a.cur, a.open = u, true
	a.until = es + int64(h.size)
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
	a.settle()
	a.n, a.open, a.clean = 0, false, false
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
