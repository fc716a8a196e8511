package mpegts

import (
	"encoding/binary"
	"fmt"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
)

// scanner goes through transport packets, and hands what each PID carries to its stream.
type scanner struct {
	stride int
	limits container.Limits
	search bool    // sync is lost
	next   int64   // where the next transport packet is to begin
	grid   []int64 // see container.Transport; empty before the first packet where that is searched

	pids     [transport.NullPID + 1]*stream
	tables   []*stream // program tables
	programs map[int]*timeline
	pmts     map[int]bool // program map PIDs by the last program association table: have they come?
	free     *timeline    // of streams without a program

	// found is told of elementary streams that a program map lists; it adds those that are wanted.
	found func(e *elementary, line *timeline)
	// warn is told what is wrong.
	warn func(path string, off int64, err error)
	pat  []byte // the last one, to see changes

	resyncs int64
}

// newScanner returns a scanner whose first transport packet begins at first.
func newScanner(first int64, stride int, limits container.Limits) *scanner {
	s := &scanner{stride: stride, limits: limits, next: first, grid: []int64{first}, programs: map[int]*timeline{}, pmts: map[int]bool{}}
	s.free = &timeline{pcr: noTime}
	s.found = func(*elementary, *timeline) {}
	s.warn = func(string, int64, error) {}
	s.addTable(0, s.readPAT)
	return s
}

// addTable has the sections of a PID read.
func (s *scanner) addTable(pid int, read func(b []byte)) bool {
	if s.pids[pid] != nil || len(s.tables) > 1024 {
		return false
	}
	st := &stream{pid: pid, track: -1, counter: -1, prevAt: -1, sect: &section{}, table: read}
	s.pids[pid] = st
	s.tables = append(s.tables, st)
	return true
}

// addClock has the clock references of a PID read.
func (s *scanner) addClock(pid int, line *timeline) {
	if pid < 0 || pid >= transport.NullPID {
		return
	}
	st := s.pids[pid]
	if st == nil {
		st = &stream{pid: pid, track: -1, counter: -1, prevAt: -1}
		s.pids[pid] = st
	}
	for _, l := range st.pcrOf {
		if l == line {
			return
		}
	}
	st.pcrOf = append(st.pcrOf, line)
}

func (s *scanner) readPAT(b []byte) {
	body, _, _, ok := table(b, 0)
	if !ok {
		s.warn("program association table", s.next, container.ErrCorrupt)
		return
	}
	if string(s.pat) == string(b) {
		return
	}
	s.pat = append(s.pat[:0], b...)
	for _, p := range parsePAT(body) {
		if s.programs[p.pid] != nil || len(s.programs) >= s.limits.Tracks {
			continue
		}
		line := &timeline{pcr: noTime}
		if s.addTable(p.pid, func(b []byte) { s.readPMT(p.pid, line, b) }) {
			s.programs[p.pid] = line
			s.pmts[p.pid] = false
		}
	}
}

func (s *scanner) readPMT(pid int, line *timeline, b []byte) {
	st := s.pids[pid]
	if string(st.last()) == string(b) {
		return
	}
	body, _, _, ok := table(b, 2)
	if !ok {
		if len(b) > 0 && b[0] == 2 {
			s.warn("program map table, "+pidName(pid), s.next, container.ErrCorrupt)
		}
		return
	}
	st.keep(b)
	s.pmts[pid] = true
	clock, all := parsePMT(body)
	for i := range all {
		s.found(&all[i], line)
	}
	s.addClock(clock, line)
}

// ready says whether all programs that were told of have told their streams.
func (s *scanner) ready() bool {
	for _, came := range s.pmts {
		if !came {
			return false
		}
	}
	return len(s.pmts) > 0
}

// feed takes the transport packets off the front of b, which lies at off of the source, and returns how many bytes that was. Last says that
// nothing follows.
func (s *scanner) feed(b []byte, off int64, last bool) int {
	at := int(s.next - off)
	for at < len(b) {
		if b[at] != transport.Sync || s.search {
			next, ok := transport.Resync(b, at, s.stride, last, &s.search)
			if ok {
				s.resync(off+int64(at), off+int64(next))
			}
			if at = next; !ok {
				break
			}
			continue
		}
		if at+transport.Size > len(b) {
			break
		}
		p := b[at : at+transport.Size : at+transport.Size]
		h := binary.BigEndian.Uint32(p)
		if st := s.pids[h>>8&transport.NullPID]; st != nil {
			// Only a payload, of the same PES packet, with nothing missing, that nobody looks at.
			if h&0xc000f0 == 0x10 && st.skip >= transport.Size-4 && int8(h&15) == (st.counter+1)&15 {
				n := s.run(b[at:], h, st.skip/(transport.Size-4))
				at += (n - 1) * s.stride
				st.counter = int8(h+uint32(n)-1) & 15
				st.prevAt = off + int64(at)
				st.skip -= int64(n) * (transport.Size - 4)
				st.es += int64(n) * (transport.Size - 4)
				st.end = off + int64(at) + transport.Size
			} else {
				s.packet(st, p, b, off, at)
			}
		}
		at += s.stride
	}
	at = min(at, len(b))
	s.next = max(s.next, off+int64(at))
	s.keepPrevious(b, off)
	return at
}

// run returns how many transport packets of b, of which the first has the header h, follow each other with nothing but the next part of the
// same payload; at most most.
func (s *scanner) run(b []byte, h uint32, most int64) int {
	n := 1
	for at := s.stride; at+transport.Size <= len(b) && int64(n) < most; at += s.stride {
		if binary.BigEndian.Uint32(b[at:]) != h&^15|(h+uint32(n))&15 {
			break
		}
		n++
	}
	return n
}

// resync notes that transport packets go on elsewhere.
func (s *scanner) resync(from, to int64) {
	if s.resyncs++; s.resyncs <= 8 {
		s.warn("", from, fmt.Errorf("no transport packet, the next one is at %d: %w", to, container.ErrCorrupt))
	}
	n := len(s.grid)
	if n == 0 || (to-s.grid[n-1])%int64(s.stride) != 0 && int64(n)*8 < s.limits.HeaderBytes {
		s.grid = append(s.grid, to)
	}
}

// keepPrevious keeps the last packet of each PID: the next may be the same again.
func (s *scanner) keepPrevious(b []byte, off int64) {
	for _, st := range s.pids {
		if st != nil && st.prevAt >= off && st.prevAt+transport.Size <= off+int64(len(b)) {
			copy(st.prev[:], b[st.prevAt-off:])
		}
	}
}

// packet takes one transport packet of a stream.
func (s *scanner) packet(st *stream, b, window []byte, off int64, at int) {
	pos := off + int64(at)
	p := transport.Parse(b)
	if p.HasPCR && !p.Error {
		for _, l := range st.pcrOf {
			l.reference(p.PCR)
		}
	}
	if !p.HasPayload || st.table == nil && st.framer == nil {
		return
	}
	if st.counter >= 0 && p.Counter != (st.counter+1)&15 {
		if p.Counter == st.counter && transport.Duplicate(st.previous(window, off), b) {
			return
		}
		if !p.Break {
			if st.lost++; st.lost == 1 {
				st.lostAt = pos
			}
			st.gap()
		}
	}
	st.counter, st.prevAt = p.Counter, pos
	body, bodyAt := b[p.Payload:], pos+int64(p.Payload)
	switch {
	case st.table != nil:
		st.sect.feed(body, p.Start, st.table)
		return
	case st.meaning.framing == frameSections:
		if p.Error {
			st.hurt(st.es, st.es+int64(len(body)))
		}
		st.section(body, bodyAt, p.Start)
		return
	case p.Start:
		st.start(&p)
	}
	if st.inHeader {
		n, done := st.pes.Feed(body)
		body, bodyAt = body[n:], bodyAt+int64(n)
		if st.inHeader = !done; !done {
			return
		}
		if st.live = st.pes.Good(); st.live {
			st.begin()
		} else {
			st.gap()
		}
	}
	if st.live {
		if p.Scrambled {
			st.scrambled = true
		}
		if p.Error {
			st.hurt(st.es, st.es+int64(len(body)))
			st.framer.doubt()
		}
		st.carry(body, bodyAt)
	}
}

// previous returns the transport packet before, of the same PID.
func (st *stream) previous(window []byte, off int64) []byte {
	if st.prevAt >= off {
		return window[st.prevAt-off:]
	}
	return st.prev[:]
}

// gap notes that transport packets are missing.
func (st *stream) gap() {
	if st.framer == nil {
		if st.sect != nil {
			st.sect.live = false
		}
		return
	}
	from := st.es - 1
	if st.inHeader || st.live && st.es == st.stamps[1].es { // what came last is the header of what is damaged
		from = st.es
	}
	st.hurt(from, from+1)
	if st.inHeader { // the rest of it did not come
		st.inHeader, st.live = false, false
	}
	st.framer.gap()
}

// start begins a PES packet.
func (st *stream) start(p *transport.Packet) {
	if st.live && st.length >= 0 && st.es-st.stamps[1].es < int64(st.length) {
		st.short()
	}
	st.random = st.random || p.Random
	if !p.Scrambled {
		st.inHeader, st.live = true, false
		st.pes.Reset()
		return
	}
	// Nothing of it can be read, not even its header.
	st.scrambled, st.inHeader, st.live = true, false, true
	st.framer.begin()
	st.skip = 0
	st.length = -1
	st.stamps[0], st.stamps[1] = st.stamps[1], stamp{es: st.es, pts: noTime, dts: noTime, random: st.random}
	st.random = false
}

// short notes that a PES packet has fewer bytes than its header told. Of sound the frames tell.
func (st *stream) short() {
	if st.meaning.framing != frameAudio {
		st.hurt(st.es-1, st.es)
	}
}

// last and keep remember the last section of a table.
func (st *stream) last() []byte  { return st.kept }
func (st *stream) keep(b []byte) { st.kept = append(st.kept[:0], b...) }

// section takes the payload of a transport packet of sections: each is a unit.
func (st *stream) section(b []byte, pos int64, start bool) {
	w := st.framer.(*whole)
	if start {
		n := int(b[0])
		b, pos = b[1:], pos+1
		n = min(n, len(b))
		st.sectionData(w, b[:n], pos)
		w.flush()
		st.left = 0
		st.live = true
		b, pos = b[n:], pos+int64(n)
	}
	if st.live {
		st.sectionData(w, b, pos)
	}
}

// sectionData takes bytes of sections one after the other.
func (st *stream) sectionData(w *whole, b []byte, pos int64) {
	for len(b) > 0 && st.live {
		if !w.open {
			if b[0] == 0xff { // stuffing up to the end
				st.live = false
				return
			}
			t := st.clock.line.now()
			w.cur = unit{es: st.es, pos: pos, pts: t, dts: t, key: true}
			w.open, st.left, st.headerLeft = true, 3, 3
		}
		k := min(st.left, len(b))
		for i := 0; i < k && st.headerLeft > 0; i++ {
			st.sectionHead[3-st.headerLeft] = b[i]
			st.headerLeft--
		}
		st.es += int64(k)
		st.end = pos + int64(k)
		b, pos = b[k:], pos+int64(k)
		if st.left -= k; st.left == 0 {
			if st.es-w.cur.es == 3 {
				st.left = int(st.sectionHead[1]&15)<<8 | int(st.sectionHead[2])
			}
			if st.left == 0 {
				w.flush()
			}
		}
	}
}

// end tells all streams that nothing follows.
func (s *scanner) end() {
	for _, st := range s.pids {
		if st != nil && st.framer != nil {
			st.framer.end()
		}
	}
}

// broken returns the PIDs of streams that were trusted to have one access unit in each PES packet, and have not.
func (s *scanner) broken(streams []*stream) (pids []int) {
	for _, st := range streams {
		if st != nil {
			if v := st.video(); v != nil && v.broken {
				pids = append(pids, st.pid)
			}
		}
	}
	return pids
}
