package mpegts

import (
	"bytes"

	"github.com/sprocket-video/sprocket/container"
)

// role is what a NAL unit, or what else lies between start codes, is to the access unit.
type role uint8

const (
	rolePlain   role = iota // goes with what is before it
	rolePrefix              // begins an access unit, when a picture came before
	roleFirst               // is the first of an access unit, wherever it is
	rolePicture             // the first slice of a picture
	roleField               // the first slice of the second field of the frame before
	roleSlice               // another slice of the same picture
)

// syntax reads the units of one codec.
type syntax interface {
	// want returns how many bytes of a unit, which begins with b, are needed to read it.
	want(b byte) int
	// read looks at a unit's first bytes.
	read(b []byte) role
	// picture returns what is known of the picture whose first slice was just read.
	picture() picture
	// seed gives it the parameter sets that were found before.
	seed(descs []container.Description)
	// copy returns one in the same state, for another stream.
	copy(st *stream) syntax
}

// picture is what a first slice, and what came before it, say.
type picture struct {
	key  bool
	late bool // a key picture, but pictures are right only some way behind it
	rest bool // it is not the first slice of the picture that was read
	desc int
	tick int64 // its presentation order count, in fields; noTime when it is not known
}

const (
	maxUnit = 1024 // bytes of a unit that are looked at
	trustIn = 128  // PES packets that begin with an access unit, and have one each, before the rest is taken to be so
)

// video splits what a PID carries into access units.
//
// It looks at every byte at first. Once it has seen that PES packets begin with access units, one each, it skips from the first slice
// in each to the next. When a PES packet then begins otherwise, the promise was broken, maybe before: see scanner.distrust.
type video struct {
	st     *stream
	syntax syntax

	open     bool // cur has begun
	shown    bool // and has a picture
	cur      unit
	pending  place // where the next unit begins, if a picture follows
	waiting  bool
	headless bool // and may lack its first bytes
	partial  bool // cur began before what was read, or may have
	sliced   bool // a slice was read
	sure     bool // the unit that follows begins where it seems to

	zeros int // that the bytes before end with
	buf   [maxUnit + 2]byte
	n     int // bytes of the unit between start codes that are in buf
	need  int // bytes of it that are to be read; 0 when it was read
	start place

	tick    int64 // presentation order of the picture in cur
	known   int64 // time of a picture before whose order is knownAt; noTime
	knownAt int64
	delay   int64 // PTS less DTS of the last key picture
	each    int64 // ticks from one count to the next; 0 not known

	suspects []unit // that were skipped and may be several

	good     int   // PES packets in a row that hold one access unit
	trusted  bool  // skip
	distrust bool  // was broken once: never skip
	broken   bool  // just now
	payload  int64 // where the PES packet's payload begins
	turn     bool  // no start code in it came yet
	heads    int   // access units that began since the turn before
	aligned  bool  // the first of them at the beginning of the payload
	judged   bool  // whether they are one to a PES packet is of interest
	doubted  bool  // not for the one that began last
}

// place is where a start code begins.
type place struct{ es, pos, before int64 } // before is behind the byte before it

func newVideo(st *stream) *video {
	v := &video{st: st, tick: noTime, known: noTime}
	switch st.meaning.codec {
	case "h264":
		v.syntax = &h264{st: st}
	case "hevc":
		v.syntax = &hevc{st: st}
	case "mpeg4":
		v.syntax = &mpeg4{st: st}
	default:
		v.syntax = &mpeg2{st: st}
	}
	return v
}

func (v *video) begin() {
	if v.turn && v.st.es > v.payload && !v.doubted { // not a start code in all of the PES packet before
		v.unaligned()
	}
	if v.st.skip > 0 {
		v.zeros = 0
	}
	v.payload, v.turn, v.doubted = v.st.es, true, false
}

// judge counts the PES packet before, and begins with the one whose first start code is at start.
func (v *video) judge(start int64) {
	if v.judged && v.heads == 1 && v.aligned {
		if v.good++; v.good >= trustIn && !v.distrust {
			v.trusted = true
		}
	} else if v.judged {
		v.unaligned()
	}
	v.turn, v.heads, v.judged = false, 0, !v.doubted
	if v.aligned = start == v.payload; !v.aligned && !v.doubted {
		v.unaligned()
	}
}

// unaligned notes a PES packet that is not one access unit: none is ever taken to be one after that.
func (v *video) unaligned() {
	v.good = -1 << 30
	v.broken = v.trusted
}

func (v *video) gap() {
	v.st.skip = 0 // where the next unit begins is not known any more
	v.zeros, v.need = 0, 0
	v.doubt()
}

// doubt: damage says nothing about how the stream is made.
func (v *video) doubt() {
	v.doubted = v.doubted || v.turn
	v.judged = v.judged && v.turn
}

var startCode = []byte{0, 0, 1}

func (v *video) data(b []byte, pos int64) {
	if !v.open {
		v.open = true
		v.cur = unit{es: v.st.es, pos: pos}
		if v.shown = v.partial; !v.partial {
			v.stamp()
		}
	}
	base := v.st.es
	i := 0 // what is before it was taken
	for i < len(b) {
		one := v.find(b, i)
		if one < 0 {
			break
		}
		if one-2 < i { // its zeros were taken for the unit's
			v.n = max(0, v.n+one-2-i)
		}
		v.append(b[i:max(one-2, i)], true)
		if v.st.skip > 0 {
			return
		}
		start := base + int64(one) - 2
		if z := v.zerosBefore(b, one-2, i); z && start != v.payload {
			start--
		}
		if v.turn {
			v.judge(start)
		}
		v.start = place{es: start, pos: v.st.at(start, pos), before: v.st.at(start-1, pos) + 1}
		v.n, v.need = 0, 1
		i = one + 1
		v.zeros = 0
	}
	if i < len(b) {
		v.append(b[i:], false)
		v.count(b[i:])
	}
}

// zerosBefore says whether the byte before b[at] is a zero. The bytes before b[from] were looked at before.
func (v *video) zerosBefore(b []byte, at, from int) bool {
	if at-1 >= from {
		return b[at-1] == 0
	}
	return from == 0 && v.zeros >= 1-at
}

// find returns the index of the 1 of the next start code in b, from i on; -1 when there is none. Its zeros may be in the bytes before.
func (v *video) find(b []byte, i int) int {
	if i == 0 {
		if v.zeros >= 2 && b[0] == 1 {
			return 0
		}
		if v.zeros >= 1 && len(b) > 1 && b[0] == 0 && b[1] == 1 {
			return 1
		}
	}
	if k := bytes.Index(b[i:], startCode); k >= 0 {
		return i + k + 2
	}
	return -1
}

// count notes how many zeros the bytes end with.
func (v *video) count(b []byte) {
	n := 0
	for n < len(b) && n < 3 && b[len(b)-1-n] == 0 {
		n++
	}
	if n == len(b) {
		n = min(3, n+v.zeros)
	}
	v.zeros = n
}

// append takes bytes of the unit between start codes; whole says that they are its last. Of a unit that goes on two more are waited for than are
// read: they tell that the last of these are no zeros of a start code.
func (v *video) append(b []byte, whole bool) {
	if v.need == 0 {
		return
	}
	if v.n == 0 && len(b) > 0 {
		v.need = min(v.syntax.want(b[0]), maxUnit)
	}
	v.n += copy(v.buf[v.n:v.need+2], b)
	if n := min(v.n, v.need); whole || v.n == v.need+2 {
		if v.need = 0; n > 0 {
			v.unit(v.buf[:n])
		}
	}
}

// unit decides where access units begin.
func (v *video) unit(b []byte) {
	role := v.syntax.read(b)
	if v.waiting && v.st.hurtTo > v.pending.es && (role == roleFirst || role == rolePrefix && v.start.es == v.payload || role == roleSlice) {
		v.rest()
	}
	switch role {
	case rolePrefix, roleFirst:
		if v.shown && !v.waiting {
			v.pending, v.waiting, v.headless = v.start, true, role != roleFirst && v.behindDamage()
			v.sure = v.sliced || role == roleFirst || v.start.es == v.payload
		}
	case rolePicture:
		p := v.syntax.picture()
		if !v.waiting {
			v.sure, v.headless = v.sliced || v.start.es == v.payload, v.behindDamage()
		}
		if v.shown {
			at := v.start
			if v.waiting {
				at = v.pending
			}
			v.cut(at)
		}
		if v.headless {
			p.key = p.key && !p.rest
			v.st.hurt(v.cur.es, v.cur.es+1)
		}
		v.heads++
		v.shown, v.waiting = true, false
		v.cur.key, v.cur.desc, v.cur.start, v.tick = p.key, p.desc, p.key && !p.late, p.tick
		v.slice()
	case roleField:
		v.waiting = false
		v.heads = max(v.heads, 1)
		v.slice()
	case roleSlice:
		if !v.shown { // the stream begins in a picture
			v.shown = true
			v.st.hurt(v.cur.es, v.cur.es+1)
			v.doubt()
		}
		v.waiting = false
	}
	v.sliced = v.sliced || role >= rolePicture
}

// behindDamage says whether a unit that begins with what begins at start may have had more before it.
func (v *video) behindDamage() bool {
	return v.st.hurtFrom < v.st.hurtTo && v.start.es != v.payload
}

// rest begins the unit that was announced where the first slice of its picture is lost, with what is left of it.
func (v *video) rest() {
	desc := v.cur.desc
	v.cut(v.pending)
	v.cur.desc, v.tick, v.waiting = desc, noTime, false
}

// slice goes on to the next PES packet, if all that is to be known of this one is known.
func (v *video) slice() {
	if v.trusted && v.heads == 1 && v.judged && !v.turn {
		v.st.skip = never
		v.zeros = 0
	}
}

// seedUnits has the units of a configuration read.
func seedUnits(s syntax, config []byte) {
	for _, u := range bytes.Split(config, startCode) {
		if len(u) > 0 {
			s.read(u)
		}
	}
}

// cut ends the unit before a place, and begins the next there.
func (v *video) cut(at place) {
	v.cur.size, v.cur.end = at.es-v.cur.es, at.before
	v.give()
	before := v.cur
	v.cur = unit{es: at.es, pos: at.pos}
	v.stamp()
	// Of two units in a PES packet the second has no time: there is a gap in them.
	if step := v.st.clock.step; v.trusted && len(v.suspects) < maxSuspects && step > 0 && v.cur.dts != noTime && before.dts != noTime && v.cur.dts-before.dts > step*19/10 {
		v.suspects = append(v.suspects, before)
	}
}

// maxSuspects is how many units are looked at again.
const maxSuspects = 16

// stamp gives the unit its times.
func (v *video) stamp() {
	s := v.st.take(v.cur.es)
	v.cur.pts, v.cur.dts = s.pts, s.dts
}

func (v *video) give() {
	if v.partial {
		v.partial = !v.sure
		return
	}
	v.cur.duration = v.st.frame
	v.derive()
	v.st.emit(&v.cur)
}

// derive gives a picture without a time the one that its place in presentation order tells.
func (v *video) derive() {
	if v.tick == noTime {
		return
	}
	same := v.known != noTime && v.tick/pocEpoch == v.knownAt/pocEpoch
	d := v.tick - v.knownAt
	if v.cur.pts == noTime {
		switch {
		case same && v.each > 0:
			v.cur.pts, v.cur.derived = v.known+d*v.each, true
		case same && v.st.frame > 0: // the count goes by fields
			v.cur.pts, v.cur.derived = v.known+d*v.st.frame/2, true
		case v.cur.key:
			v.cur.delay = v.delay
		}
		return
	}
	if same && d != 0 && (v.cur.pts-v.known)/d > 0 {
		v.each = (v.cur.pts - v.known) / d
	}
	v.known, v.knownAt = v.cur.pts, v.tick
	if v.cur.key && v.cur.dts != noTime {
		v.delay = v.cur.pts - v.cur.dts
	}
}

func (v *video) end() {
	v.append(nil, true)
	if v.open && v.shown {
		v.cur.size, v.cur.end = v.st.es-v.cur.es, v.st.end
		v.give()
	}
	v.open, v.shown, v.waiting, v.need, v.zeros = false, false, false, 0, 0
	v.cur = unit{}
	v.turn, v.judged = false, false
}

// describe returns the number of a description, which is added when there is none with this configuration.
func (st *stream) describe(d container.Description) int {
	for i := range st.descs {
		if bytes.Equal(st.descs[i].Config, d.Config) && st.descs[i].Codec == d.Codec {
			return i
		}
	}
	if n := len(st.descs); n == maxDescs || n > 0 && st.configs+len(d.Config) > maxConfigs {
		return n - 1
	}
	st.configs += len(d.Config)
	st.descs = append(st.descs, d)
	return len(st.descs) - 1
}

const (
	maxDescs   = 255     // descriptions that a track may have
	maxConfigs = 1 << 20 // bytes of their configurations
)
