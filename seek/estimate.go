package seek

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/container"
)

// Estimate is an approximate index: it knows the way to a time without a list of all packets. It is safe for concurrent use.
//
// The frame it finds for a time is the one that an exact index finds: the last with a PTS not after it. Numbers are another matter:
// where the packets before a frame have not been counted its number follows from its time and the frame rate, and Frame.Estimated
// says so. A number asked for is turned into a time the same way, by what is known, and gives the frame played then. Numbers are
// counted, and right, from the beginning of the track up to where the frames found so far leave the first gap.
//
// What was found is remembered: some thousand packets, those used last, and where counted frames are. When everything has been listed,
// because the demuxer found no other way or the times of the track run backward, the index becomes an exact one: see Table.
//
// Two things are taken for granted that hold for the streams of all codecs: nothing decoded before a key packet at which decoding can
// start is shown after it (ITU-T H.265, 8.3.1, and with it the DTS and order of packets that container.EstimatingDemuxer promises).
type Estimate struct {
	demuxer container.SeekableDemuxer
	guide   container.EstimatingDemuxer // the same; nil when it cannot
	track   int
	tb      container.Timebase
	told    container.Estimate
	second  container.Ticks

	turn   chan struct{} // holds a token while someone looks for packets; guards what follows
	first  container.PacketInfo
	known  bool           // first is
	begun  bool           // the first frame is known
	probed bool           // it is known that fields have no packets of their own
	hidden map[place]bool // of the first packets: leading pictures that cannot be decoded
	starts map[place]bool // key packets whose bytes were read: can decoding start there?
	lying  map[place]bool // those where it cannot

	mu        sync.Mutex
	table     *Table     // when everything is listed
	stretches []*stretch // what is remembered, by time; no stretch changes, it is replaced
	held      int        // packets in them
	uses      uint64
	count     chain
	noted     int                     // places in hidden, starts and lying
	asked     int                     // the largest Len that was told
	pins      map[int]container.Ticks // estimated numbers that were told, and the frames they were told of
}

// place is what a packet without a number is known by.
type place struct {
	pos int64
	pts container.Ticks
}

func placeOf(p *container.PacketInfo) place { return place{p.Pos, shownAt(p)} }

// shownAt is the time by which a packet is put in order.
func shownAt(p *container.PacketInfo) container.Ticks {
	if p.PTS == container.NoTicks {
		return p.DTS
	}
	return p.PTS
}

// errUnfit: the track cannot be approximated. It is listed instead.
var errUnfit = errors.New("times run backward, or there is no place to start for long")

// Guess returns an approximate index of a track, at the cost of a few reads: what leads through the container, and the first packets. Where those would
// cost a request of their own (container.Estimate.Apart) they are left until they are asked for: see Begin.
// Where all packets can be listed without reading, where the demuxer knows no other way, and where the fields of H.264 have packets of their own,
// everything is listed, as by Build.
func Guess(ctx context.Context, d container.SeekableDemuxer, track int) (*Estimate, error) {
	e := &Estimate{
		demuxer: d, track: track, tb: d.Tracks()[track].Timebase, turn: make(chan struct{}, 1),
		pins: map[int]container.Ticks{}, hidden: map[place]bool{}, starts: map[place]bool{}, lying: map[place]bool{},
		told: container.Estimate{Method: "packets", Exact: true},
	}
	e.second = max(1, e.tb.Ticks(1e9))
	var known bool
	if e.guide, known = d.(container.EstimatingDemuxer); known {
		var err error
		if e.told, err = e.guide.Estimate(ctx, track); err != nil {
			return nil, err
		}
	}
	if e.told.Apart && !e.told.Exact {
		e.count.foretell(e.told, e.tb)
		return e, nil
	}
	if !e.told.Exact {
		err := e.begin(ctx)
		if err == nil || ctx.Err() != nil {
			return e, err
		}
	}
	return e, e.listAll(ctx)
}

// Begin finds the first frame, where Guess left that. Whoever asks for frames by number, or for all, need not call it; but what is told of the whole
// track, its beginning and its length, is surer after it.
func (e *Estimate) Begin(ctx context.Context) error {
	_, err := e.orList(ctx, func() error { return e.begin(ctx) })
	return err
}

// begin finds the first frame, unless that is known.
func (e *Estimate) begin(ctx context.Context) error {
	if e.begun {
		return nil
	}
	var err error
	if e.first, err = e.guide.Locate(ctx, e.track, container.NoTicks+1); err != nil {
		return err
	}
	e.known = true
	e.forget(shownAt(&e.first)) // it was not known that nothing is before it
	s, err := e.stretchOf(ctx, e.first)
	for err == nil && s.final() == 0 {
		switch {
		case !s.complete():
			s, err = e.extend(ctx, s, func(s *stretch) bool { return s.settled >= s.earliest || s.complete() })
			if err == nil && !s.complete() && s.final() == 0 {
				s, err = e.extend(ctx, s, longer(s, 16)) // what comes first is hidden
			}
		case s.next > 0:
			s, err = e.after(s)
		default:
			return errUnfit // nothing is shown
		}
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count.start(s, e.told, e.tb)
	e.note()
	e.advance()
	e.begun = true
	return nil
}

// listAll makes the index exact.
func (e *Estimate) listAll(ctx context.Context) error {
	t, err := Build(ctx, e.demuxer, e.track)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.table, e.stretches, e.held = t, nil, 0
	return nil
}

// use waits for the turn. The caller calls done, unless there is an error.
func (e *Estimate) use(ctx context.Context) (done func(), err error) {
	select {
	case e.turn <- struct{}{}:
		return func() {
			e.mu.Lock()
			e.note()
			e.mu.Unlock()
			<-e.turn
		}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// note counts what is known of places, for Bytes. It has its turn, and the mutex is held.
func (e *Estimate) note() { e.noted = len(e.hidden) + len(e.starts) + len(e.lying) }

// orList does what is asked in turn; when the track turns out to be unfit, all of it is listed. It returns the table if there is one:
// then nothing was done.
func (e *Estimate) orList(ctx context.Context, work func() error) (*Table, error) {
	if t := e.Table(); t != nil {
		return t, nil
	}
	done, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if t := e.Table(); t != nil {
		return t, nil
	}
	if err = work(); errors.Is(err, errUnfit) {
		if err = e.listAll(ctx); err == nil {
			return e.Table(), nil
		}
	}
	return nil, err
}

// Table returns the exact index when everything has been listed, or nil.
func (e *Estimate) Table() *Table {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.table
}

// Kind returns Approximate, or Exact when everything has been listed.
func (e *Estimate) Kind() Kind {
	if e.Table() != nil {
		return Exact
	}
	return Approximate
}

// Told returns what the demuxer told of the track when the index was made.
func (e *Estimate) Told() container.Estimate { return e.told }

// Timebase returns the unit of every time of the index.
func (e *Estimate) Timebase() container.Timebase { return e.tb }

// Counted returns the number of frames, from the first on, that were counted, and whether they are all there are.
func (e *Estimate) Counted() (n int, all bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.table != nil {
		return e.table.Len(), true
	}
	return e.count.counted(), e.count.whole >= 0
}

// Bytes returns about how much memory the index holds, without the demuxer's.
func (e *Estimate) Bytes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.table != nil {
		return e.table.Bytes()
	}
	return e.held*(packetBytes+frameBytes) + len(e.stretches)*stretchBytes + cap(e.count.points)*pointBytes + 64*(e.noted+len(e.pins))
}

// Len returns the number of frames, about.
func (e *Estimate) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.table != nil {
		return e.table.Len()
	}
	n := e.count.len()
	e.asked = max(e.asked, n)
	return n
}

// Frame returns what frame n should be, without looking at it: its PTS and duration are those of its number at the frame rate. For
// the frame itself see Number.
func (e *Estimate) Frame(n int) (Frame, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.table != nil {
		return e.table.Frame(n)
	}
	if n < 0 || n >= e.count.len() {
		return Frame{}, e.noFrame(n)
	}
	pts := e.count.time(n)
	return Frame{N: n, Packet: -1, PTS: pts, Duration: e.count.time(n+1) - pts, Estimated: true}, nil
}

// Search returns the number that the frame played at pts should have. For the frame itself see At.
func (e *Estimate) Search(pts container.Ticks) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.table != nil {
		return e.table.Search(pts)
	}
	n := e.count.len()
	if pts < e.count.time(0) || pts >= e.count.time(n) {
		return 0, e.noTime(pts)
	}
	// The last with a time not after it.
	lo, hi := 0, n
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); e.count.time(mid) <= pts {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1, nil
}

// Start returns the packet at which decoding must begin to get the frame that number n gives. Its N is -1.
func (e *Estimate) Start(ctx context.Context, n int) (container.PacketInfo, error) {
	if n < 0 {
		return container.PacketInfo{}, &RangeError{Asked: fmt.Sprintf("frame %d", n), Have: fmt.Sprintf("%d frames", e.Len())}
	}
	l, err := e.Number(ctx, n)
	if err != nil {
		return container.PacketInfo{}, err
	}
	x, err := e.Excerpt(ctx, []Located{l})
	if err != nil {
		return container.PacketInfo{}, err
	}
	p, err := x.Table.Start(ctx, x.Numbers[0])
	if x.Table != e.Table() {
		p.N = -1
	}
	return p, err
}

// noFrame is the error for a number that is out of range. The mutex is held.
func (e *Estimate) noFrame(n int) error {
	about := "about "
	if e.count.whole >= 0 {
		about = ""
	}
	return &RangeError{Asked: fmt.Sprintf("frame %d", n), Have: fmt.Sprintf("%s%d frames", about, e.count.len())}
}

// noTime is the error for a time that is out of range. The mutex is held.
func (e *Estimate) noTime(pts container.Ticks) error {
	begin, end := e.count.begin, e.count.end
	about := "about "
	if e.count.tail {
		about = ""
	}
	return &RangeError{
		Asked: fmt.Sprintf("time %v", e.tb.Duration(pts)),
		Have:  fmt.Sprintf("times from %v to %s%v", e.tb.Duration(begin), about, e.tb.Duration(end)),
	}
}

// Bounds on what is remembered.
const (
	maxHeld      = 16 << 10 // packets in stretches
	maxStretches = 4 << 10
	maxLength    = 64 << 10 // packets of a stretch: without a place to start for so long a list of all packets is better
	maxLies      = 64       // key packets in a row at which decoding cannot start

	packetBytes, frameBytes, stretchBytes, pointBytes = 80, 16, 200, 16
)

// publish remembers a stretch in place of what was known of it. The mutex is not held.
func (e *Estimate) publish(s *stretch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.uses++
	s.used = e.uses
	if !e.begun {
		e.count.pace(s, e.told)
	}
	i, found := slices.BinarySearchFunc(e.stretches, s.from, func(s *stretch, pts container.Ticks) int { return compare(s.from, pts) })
	if found {
		e.held += len(s.packets) - len(e.stretches[i].packets)
		e.stretches[i] = s
	} else {
		e.held += len(s.packets)
		e.stretches = slices.Insert(e.stretches, i, s)
	}
	e.advance()
	for len(e.stretches) > 1 && (e.held > maxHeld || len(e.stretches) > maxStretches) {
		old := 0
		for i, o := range e.stretches {
			if o.used < e.stretches[old].used {
				old = i
			}
		}
		e.held -= len(e.stretches[old].packets)
		e.stretches = slices.Delete(e.stretches, old, old+1)
	}
}

// forget drops what is known of the stretch that begins at from.
func (e *Estimate) forget(from container.Ticks) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i, found := e.search(from); found {
		e.held -= len(e.stretches[i].packets)
		e.stretches = slices.Delete(e.stretches, i, i+1)
	}
}

func (e *Estimate) search(from container.Ticks) (int, bool) {
	return slices.BinarySearchFunc(e.stretches, from, func(s *stretch, pts container.Ticks) int { return compare(s.from, pts) })
}

// remembered returns the last stretch that begins not after pts, or nil.
func (e *Estimate) remembered(pts container.Ticks) *stretch {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, found := e.search(pts)
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	s := e.stretches[i]
	e.uses++
	s.used = e.uses
	return s
}

// advance counts on, as far as the stretches reach. The mutex is held.
func (e *Estimate) advance() {
	if e.count.points == nil {
		return
	}
	for e.count.whole < 0 {
		i, found := e.search(e.count.last().pts)
		if !found || !e.count.add(e.stretches[i]) {
			break
		}
	}
	if k := len(e.stretches); k > 0 && e.stretches[k-1].eof && e.stretches[k-1].next == 0 {
		e.count.ends(e.stretches[k-1])
	}
}

// pin makes the number that is told of a frame its own: it gives the frame back. The mutex is held.
func (e *Estimate) pin(n int, pts container.Ticks) int {
	for at, told := e.pins[n]; told && at != pts; at, told = e.pins[n] {
		n++
	}
	if len(e.pins) == maxHeld {
		clear(e.pins)
	}
	e.pins[n] = pts
	return n
}

func compare(a, b container.Ticks) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// roundToInt rounds a count of frames that may be anything.
func roundToInt(f float64) int {
	if !(f > 0) {
		return 0
	}
	return int(min(math.Round(f), math.MaxInt32))
}
