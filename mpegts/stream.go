package mpegts

import (
	"math"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
)

// unit is one packet, as it is found.
type unit struct {
	es       int64 // place of its first byte in what its PID carries
	pos, end int64 // of its first byte in the source, and behind its last
	size     int64
	pts, dts int64 // on the time line; noTime where there is none
	duration int64 // 0 when the packet does not tell
	desc     int
	key      bool
	delay    int64 // PTS less DTS, where neither is known
	start    bool  // decoding can start here
	derived  bool  // the times follow from the order of pictures
	corrupt  bool
}

// sink takes the units of a track, in decode order. The unit is lent.
type sink interface{ add(u *unit) }

// framer finds units in what a PID carries.
type framer interface {
	// begin says that a PES packet begins.
	begin()
	// data gives the next bytes, which lie at pos of the source.
	data(b []byte, pos int64)
	// gap says that bytes are missing before the next ones.
	gap()
	// doubt says that some of the next ones may be wrong.
	doubt()
	// end says that nothing follows.
	end()
}

// stamp is what a PES header says about the first unit that begins in its payload.
type stamp struct {
	es       int64 // where the payload begins
	pts, dts int64
	random   bool
	used     bool
}

// stream is what a PID carries.
type stream struct {
	pid     int
	track   int // index of its track; -1 when it has none
	meaning meaning
	clock   clock
	out     sink
	framer  framer
	stopped framer   // while what comes is no part of the track
	sect    *section // of tables, and of tracks of sections
	table   func(b []byte)
	kept    []byte      // the last section of a table
	pcrOf   []*timeline // programs whose clock this PID carries

	counter int8  // continuity counter; -1 before the first packet
	lost    int64 // times that it did not go on
	lostAt  int64 // place of the first
	prevAt  int64
	prev    [transport.Size]byte

	es   int64    // bytes carried so far
	end  int64    // place in the source behind the last of them
	tail [4]int64 // places of the last four bytes
	skip int64    // bytes that the framer need not see

	hurtFrom, hurtTo int64 // damage that no unit was marked for yet lies between these bytes; none where they are equal

	pes       transport.PES
	inHeader  bool
	live      bool // a payload is going on
	random    bool // random access indicator, not yet used
	scrambled bool // some packet was
	stamps    [2]stamp
	length    int // what the PES header told; -1 unbounded

	// Of sections:
	left        int // bytes of what is being read: the header, then the rest
	headerLeft  int
	sectionHead [3]byte

	descs   []container.Description
	configs int   // bytes of their configurations
	frame   int64 // duration of a picture as parameter sets tell; 0 unknown
}

const never = math.MaxInt64 / 4

func newStream(pid, track int, m meaning, line *timeline) *stream {
	st := &stream{pid: pid, track: track, meaning: m, counter: -1, prevAt: -1}
	st.clock = clock{line: line, last: noTime, loose: m.kind != container.Video && m.kind != container.Audio}
	st.stamps = [2]stamp{{used: true}, {used: true}}
	switch m.framing {
	case frameVideo:
		st.framer = newVideo(st)
	case frameAudio:
		st.framer = newAudio(st)
	case frameSections:
		st.framer = &whole{st: st}
	default:
		st.framer = &whole{st: st}
	}
	return st
}

// at returns the place in the source of a byte near b[0], where b[0] is at pos and number st.es.
func (st *stream) at(es, pos int64) int64 {
	d := st.es - es
	switch {
	case d <= 0:
		return pos - d
	case d <= int64(len(st.tail)):
		return st.tail[int64(len(st.tail))-d]
	}
	return st.end - d
}

// carry gives bytes to the framer.
func (st *stream) carry(b []byte, pos int64) {
	if len(b) == 0 {
		return
	}
	n := int64(len(b))
	if st.skip >= n {
		st.skip -= n
	} else {
		if st.tail[3]+1 != st.end { // the last bytes were skipped
			for i := range st.tail {
				st.tail[i] = st.end - 4 + int64(i)
			}
		}
		st.skip = 0
		st.framer.data(b, pos)
		copy(st.tail[:], st.tail[min(n, 4):])
		for i := max(0, 4-n); i < 4; i++ {
			st.tail[i] = pos + n - 4 + i
		}
	}
	st.es += n
	st.end = pos + n
}

// begin takes a PES header that is whole.
func (st *stream) begin() {
	st.framer.begin()
	st.skip = 0
	pts, dts := st.pes.Times()
	s := stamp{es: st.es, random: st.random}
	s.pts, s.dts = st.clock.placePair(pts, dts)
	st.random = false
	st.length = st.pes.Length()
	st.stamps[0], st.stamps[1] = st.stamps[1], s
	if st.pes.Scrambled() {
		st.scrambled = true
	}
}

// stampOf returns the times of the PES packet that a unit begins in, which begins at es.
func (st *stream) stampOf(es int64) *stamp {
	if es < st.stamps[1].es {
		return &st.stamps[0]
	}
	return &st.stamps[1]
}

// take gives a unit that begins at es the times of the PES packet that it is the first in.
func (st *stream) take(es int64) stamp {
	s := st.stampOf(es)
	if s.used {
		return stamp{pts: noTime, dts: noTime}
	}
	s.used = true
	return *s
}

// use notes that the times of the PES packet whose payload begins at es were taken.
func (st *stream) use(es int64) {
	for i := range st.stamps {
		st.stamps[i].used = st.stamps[i].used || st.stamps[i].es == es
	}
}

// becomes takes what a program map says of a track's PID, and says whether what comes is no part of the track. A map that does not know says nothing.
func (st *stream) becomes(t *planned, m meaning) bool {
	switch {
	case t.guessed || m.codec == "":
		return false
	case m.codec == t.meaning.codec:
		st.resume()
		return false
	}
	st.stop()
	return true
}

// stop ends the unit in progress. What comes up to resume is no part of the track.
func (st *stream) stop() {
	if st.framer == nil {
		return
	}
	st.framer.end()
	st.framer, st.stopped = nil, st.framer
	st.live, st.inHeader, st.skip = false, false, 0
}

// resume goes on behind stop.
func (st *stream) resume() {
	if st.stopped != nil {
		st.framer, st.stopped = st.stopped, nil
		st.counter = -1
	}
}

// video returns the framer of a track of access units; nil of another.
func (st *stream) video() *video {
	f := st.framer
	if f == nil {
		f = st.stopped
	}
	v, _ := f.(*video)
	return v
}

// hurt notes that bytes are wrong, or some are missing there.
func (st *stream) hurt(from, to int64) {
	if st.hurtFrom < st.hurtTo {
		from, to = min(from, st.hurtFrom), max(to, st.hurtTo)
	}
	st.hurtFrom, st.hurtTo = from, to
}

// emit hands a unit on, marked if it is damaged.
func (st *stream) emit(u *unit) {
	if u.size <= 0 || st.out == nil {
		return
	}
	end := u.es + u.size
	u.corrupt = u.corrupt || st.hurtFrom < end && u.es < st.hurtTo
	if st.hurtFrom = max(st.hurtFrom, end); st.hurtFrom >= st.hurtTo {
		st.hurtFrom, st.hurtTo = 0, 0
	}
	st.out.add(u)
}

// whole makes a unit of each PES packet.
type whole struct {
	st    *stream
	cur   unit
	open  bool
	strip int // bytes before the packet that are to come
}

func (w *whole) begin() {
	w.flush()
	w.strip = 0
	if w.st.pes.Stream() == metadataStream {
		w.strip = 5 // the header of a metadata access unit cell, 2.12.4.2
	}
}

// metadataStream is a stream_id of table 2-22.
const metadataStream = 0xfc

func (w *whole) data(b []byte, pos int64) {
	n := len(b)
	if w.strip > 0 {
		k := min(w.strip, len(b))
		w.strip -= k
		if b, pos = b[k:], pos+int64(k); len(b) == 0 {
			return
		}
	}
	if !w.open {
		s := w.st.take(w.st.stamps[1].es)
		w.cur = unit{es: w.st.es + int64(n-len(b)), pos: pos, pts: s.pts, dts: s.dts, key: s.random || w.st.meaning.kind != container.Video, start: true}
		w.open = true
	}
	w.st.skip = never // the size is all that counts
}

func (w *whole) gap() {
	if w.st.meaning.framing == frameSections { // where the next one begins is not known
		w.flush()
		w.st.live = false
	}
}

func (w *whole) doubt() {}
func (w *whole) end()   { w.flush() }

func (w *whole) flush() {
	if !w.open {
		return
	}
	w.open = false
	w.cur.size, w.cur.end = w.st.es-w.cur.es, w.st.end
	w.st.emit(&w.cur)
}
