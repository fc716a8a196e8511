package hls

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// segmentBits is how many bits of PacketInfo.Pos are the offset in the segment.
const segmentBits = 32

var nanoseconds = container.Timebase{Num: 1, Den: int64(time.Second)}

// ticks converts a duration to the nearest tick.
func ticks(tb container.Timebase, d time.Duration) container.Ticks {
	return nanoseconds.Convert(container.Ticks(d), tb)
}

// listing returns the packets of a segment, which are listed when they are first asked for. Of a segment that is missing they tell that; other errors
// are returned.
func (s *stream) listing(ctx context.Context, g *segment) (*listing, error) {
	if l := g.listed.Load(); l != nil {
		return l, nil
	}
	if err := take(ctx, g.turn); err != nil {
		return nil, err
	}
	defer func() { <-g.turn }()
	if l := g.listed.Load(); l != nil {
		return l, nil
	}
	l := &listing{}
	if !g.Gap {
		var err error
		if l, err = s.listSegment(ctx, g); err != nil {
			if ctx.Err() != nil || !missing(err) {
				return nil, err
			}
			s.d.warn(err)
			l = s.hole(g, err)
		}
	}
	s.d.rows.Add(l.bytes())
	g.listed.Store(l)
	return l, nil
}

// hole is the listing of a segment that is missing: one packet for each slot, as long as the segment. So there is a frame, which fails, rather than
// the one before it for all that time.
func (s *stream) hole(g *segment, err error) *listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &listing{err: err, rows: make([][]row, len(s.slots))}
	for i, t := range s.slots {
		if t.used && (t.known || t.fixed) {
			l.rows[i] = []row{{duration: int32(min(max(ticks(t.track.Timebase, g.Duration), 0), math.MaxInt32)), flags: flagCorrupt}}
		}
	}
	return l
}

// lost is why a segment is missing. It is about the packet that stands for it, which is corrupt, and no longer about the server.
type lost struct{ error }

func (l lost) Is(target error) bool {
	return target == container.ErrCorrupt || errors.Is(l.error, target)
}

// gone returns the error of a packet that stands for a missing segment.
func (l *listing) gone() error {
	if e, ok := errors.AsType[*container.Error](l.err); ok {
		located := *e
		located.Err = lost{e.Err}
		return &located
	}
	return l.err
}

// firstPackets is how many packets are looked at for the one that is presented first.
const firstPackets = 64

func (s *stream) listSegment(ctx context.Context, g *segment) (*listing, error) {
	p, done, err := s.open(ctx, g)
	if err != nil {
		return nil, err
	}
	defer done()
	tracks := p.d.Tracks()
	s.mu.Lock()
	slots := make([]slot, len(s.slots))
	for i, t := range s.slots {
		slots[i] = *t
	}
	s.mu.Unlock()
	l := &listing{rows: make([][]row, len(slots)), wraps: p.wraps, bare: p.bare}
	if l.first, l.timed, err = firstTime(ctx, p.d); err != nil {
		return nil, s.located("list", g, err)
	}
	for i := range slots {
		inner := slots[i].inner(tracks)
		if !slots[i].used || inner < 0 {
			continue
		}
		if l.rows[i], err = s.listTrack(ctx, p, inner, i, g); err != nil {
			return nil, s.located("list", g, err)
		}
	}
	if w, ok := p.d.(container.Warner); ok {
		for _, err := range w.Warnings() {
			s.d.warn(s.located("list", g, err))
		}
	}
	return l, nil
}

// firstTime returns the time of the first picture of a segment or, where it has none, of its first sound.
func firstTime(ctx context.Context, d container.SeekableDemuxer) (time.Duration, bool, error) {
	for _, kind := range []container.Kind{container.Video, container.Audio} {
		for i, tr := range d.Tracks() {
			if tr.Kind != kind {
				continue
			}
			first, n := container.NoTicks, 0
			for info, err := range d.List(ctx, i, container.PacketInfo{}) {
				if err != nil {
					return 0, false, err
				}
				if info.PTS != container.NoTicks && !info.Discard && (first == container.NoTicks || info.PTS < first) {
					first = info.PTS
				}
				if n++; n == firstPackets {
					break
				}
			}
			if first != container.NoTicks {
				return d.Tracks()[i].Timebase.Duration(first), true, nil
			}
		}
	}
	return 0, false, nil
}

// rowBytes is what a row takes.
const rowBytes = 40

// listTrack lists one track of a segment.
func (s *stream) listTrack(ctx context.Context, p *part, inner, number int, g *segment) ([]row, error) {
	var rows []row
	for info, err := range p.d.List(ctx, inner, container.PacketInfo{}) {
		if err != nil {
			return nil, err
		}
		r, ok := makeRow(&info, p.head)
		if !ok {
			return nil, fmt.Errorf("packet %d of %d bytes at %d, %d ticks long: %w", info.N, info.Size, info.Pos, info.Duration, container.ErrCorrupt)
		}
		if int64(len(rows)) >= s.d.opts.Limits.Packets {
			return nil, fmt.Errorf("%w: more than %d packets", container.ErrLimit, len(rows))
		}
		if int64(len(rows)+1)*rowBytes > s.d.opts.Limits.HeaderBytes-s.d.rows.Load() {
			return nil, fmt.Errorf("%w: packets take more than %d bytes", container.ErrLimit, s.d.opts.Limits.HeaderBytes)
		}
		rows = append(rows, r)
	}
	tr := &p.d.Tracks()[inner] // after listing, which may tell more
	s.mu.Lock()
	t := s.slots[number]
	before := len(t.track.Descriptions)
	fresh := !t.known
	where := t.meet(tr, g)
	s.news = s.news || fresh || len(t.track.Descriptions) > before
	from, to := tr.Timebase, t.track.Timebase
	s.mu.Unlock()
	for i := range rows {
		r := &rows[i]
		if int(r.desc) < len(where) {
			r.desc = where[r.desc]
		}
		if from != to && !r.convert(from, to) {
			return nil, fmt.Errorf("time base %v after %v: %w", from, to, container.ErrCorrupt)
		}
	}
	return rows, nil
}

// makeRow packs a packet. It fails for what no segment has.
func makeRow(p *container.PacketInfo, head int64) (r row, ok bool) {
	pos := p.Pos - head
	r = row{pos: uint32(pos), size: uint32(p.Size), span: uint32(p.Span), duration: int32(p.Duration), desc: uint16(p.Description), roll: int16(p.Roll)}
	ok = pos >= 0 && pos <= math.MaxUint32 && int64(p.Size) <= math.MaxUint32 && p.Span >= 0 && p.Span <= math.MaxUint32 && p.Description <= math.MaxUint16 &&
		p.Duration >= 0 && p.Duration <= math.MaxInt32
	for _, f := range []struct {
		set bool
		bit uint8
	}{
		{p.Key, flagKey}, {p.Discard, flagDiscard}, {p.Corrupt, flagCorrupt}, {p.Disposable == container.Needed, flagNeeded},
		{p.Disposable == container.Unneeded, flagUnneeded}, {p.PTS == container.NoTicks, flagNoPTS}, {p.DTS == container.NoTicks, flagNoDTS},
	} {
		if f.set {
			r.flags |= f.bit
		}
	}
	switch {
	case r.flags&flagNoDTS == 0:
		r.dts = int64(p.DTS)
	case r.flags&flagNoPTS == 0:
		r.dts = int64(p.PTS)
	}
	if r.flags&flagNoPTS == 0 {
		offset := int64(p.PTS) - r.dts
		r.offset = int32(offset)
		ok = ok && offset >= math.MinInt32 && offset <= math.MaxInt32
	}
	const most = 1 << 61
	return r, ok && r.dts > -most && r.dts < most
}

// convert changes the timebase.
func (r *row) convert(from, to container.Timebase) bool {
	dts := from.Convert(container.Ticks(r.dts), to)
	offset := from.Convert(container.Ticks(r.dts)+container.Ticks(r.offset), to) - dts
	duration := from.Convert(container.Ticks(r.duration), to)
	if offset != container.Ticks(int32(offset)) || duration != container.Ticks(int32(duration)) {
		return false
	}
	r.dts, r.offset, r.duration = int64(dts), int32(offset), int32(duration)
	return true
}

// info returns packet i of a segment as it is listed. Its number is -1 where the packets before it were not counted.
func (s *stream) info(track, number int, g *segment, l *listing, i int) container.PacketInfo {
	r := &l.rows[number][i]
	s.mu.Lock()
	placed, base, floor := g.placed, int64(-1), container.NoTicks
	if g.base != nil {
		base, floor = g.base[number]+int64(i), g.floor[number]
	}
	tb := s.slots[number].track.Timebase
	s.mu.Unlock()
	return r.info(track, base, g.index, placed.shift(tb), floor)
}

func (r *row) info(track int, n int64, segment int, shift, floor container.Ticks) container.PacketInfo {
	p := container.PacketInfo{
		Track: track, N: n, PTS: container.NoTicks, DTS: container.NoTicks, Duration: container.Ticks(r.duration),
		Pos: int64(segment)<<segmentBits | int64(r.pos), Size: int(r.size), Span: int64(r.span), Description: int(r.desc),
		Roll: int(r.roll), Key: r.flags&flagKey != 0, Discard: r.flags&flagDiscard != 0, Corrupt: r.flags&flagCorrupt != 0,
	}
	switch {
	case r.flags&flagNeeded != 0:
		p.Disposable = container.Needed
	case r.flags&flagUnneeded != 0:
		p.Disposable = container.Unneeded
	}
	if r.flags&flagNoPTS == 0 {
		p.PTS = container.Ticks(r.dts) + container.Ticks(r.offset) + shift
	}
	if r.flags&flagNoDTS == 0 {
		p.DTS = max(container.Ticks(r.dts)+shift, floor)
		if p.PTS != container.NoTicks && p.DTS > p.PTS {
			p.DTS = container.NoTicks // segments that overlap: none would be right
		}
	}
	return p
}

// count gives the packets of segment i, behind counted ones, their numbers.
func (s *stream) count(i int, l *listing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.get(i)
	if g == nil || i != s.counted {
		return nil // someone else was faster
	}
	g.base, g.floor = make([]int64, len(s.slots)), make([]container.Ticks, len(s.slots))
	for k, t := range s.slots {
		g.base[k], g.floor[k] = t.total, t.last
		rows := l.of(k)
		for r := range rows {
			if dts := rows[r].info(0, 0, 0, g.placed.shift(t.track.Timebase), t.last).DTS; dts != container.NoTicks {
				t.last = max(t.last, dts)
			}
		}
		if t.total += int64(len(rows)); t.total > s.d.opts.Limits.Packets {
			return s.name("list", fmt.Errorf("%w: more than %d packets", container.ErrLimit, s.d.opts.Limits.Packets))
		}
	}
	s.counted++
	return nil
}

// counting returns the segment in which packet n of a slot is, as far as packets have been counted.
func (s *stream) counting(number int, n int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := sort.Search(s.counted-s.gone, func(i int) bool { return s.segs[i].base[number] > n })
	return s.gone + max(i-1, 0)
}

// pass goes over a segment whose packets nobody knows any more, and says whether packet n of a slot was among those before the next one.
func (s *stream) pass(i, number int, n int64) (had bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i == s.counted {
		g := s.get(i)
		if g == nil {
			return false // it went just now
		}
		g.base, g.floor = make([]int64, len(s.slots)), make([]container.Ticks, len(s.slots))
		for k, t := range s.slots {
			g.base[k], g.floor[k] = t.total, t.last
		}
		s.counted++
	}
	end := s.slots[number].total
	if g := s.get(i + 1); g != nil && i+1 < s.counted {
		end = g.base[number]
	}
	return n < end
}

// list yields the packets of a slot from number n on.
func (s *stream) list(ctx context.Context, track, number int, n int64, yield func(container.PacketInfo, error) bool) {
	_, to := s.window()
	var ahead prefetch
	defer ahead.stop()
	listed, lost := 0, error(nil)
	for i := s.counting(number, n); i < to; i++ {
		g := s.at(i)
		if g == nil {
			continue // it went just now
		}
		if s.slid(g) && g.listed.Load() == nil {
			if s.pass(i, number, n) && n > 0 {
				yield(container.PacketInfo{}, s.located("list", g, ErrGone))
				return
			}
			continue
		}
		if g.listed.Load() == nil && i > 0 {
			ahead.begin(ctx, s, i, to)
		}
		l, err := s.counted1(ctx, g)
		if err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		if l.err != nil && lost == nil {
			lost = l.err
		}
		rows := l.of(number)
		if len(rows) == 0 {
			continue
		}
		if l.err == nil {
			listed++
		}
		s.mu.Lock()
		shift, base, floor := g.placed.shift(s.slots[number].track.Timebase), g.base[number], g.floor[number]
		s.mu.Unlock()
		for k := max(n-base, 0); k < int64(len(rows)); k++ {
			if k%256 == 0 && ctx.Err() != nil {
				yield(container.PacketInfo{}, ctx.Err())
				return
			}
			if !yield(rows[k].info(track, base+k, g.index, shift, floor), nil) {
				return
			}
		}
	}
	if listed > 0 || n > 0 {
		return
	}
	s.mu.Lock()
	t := *s.slots[number]
	s.mu.Unlock()
	if lost == nil && !t.known {
		lost = s.name("list", unsupported("the segments have no %v", t.kind))
	}
	if lost != nil {
		yield(container.PacketInfo{}, lost)
	}
}

// counted1 lists and places a segment, and numbers its packets; those before it have numbers.
func (s *stream) counted1(ctx context.Context, g *segment) (*listing, error) {
	l, err := s.listing(ctx, g)
	if err != nil {
		return nil, err
	}
	if err := s.put(ctx, g, l); err != nil {
		return nil, err
	}
	if err := s.count(g.index, l); err != nil {
		return nil, err
	}
	s.d.once(s)
	return l, nil
}

// prefetch lists segments ahead of who goes through them. Its goroutines end with stop.
type prefetch struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	next   chan int
}

// begin starts to list segments behind i, once; later it does nothing.
func (p *prefetch) begin(ctx context.Context, s *stream, i, to int) {
	if p.cancel != nil || s.d.opts.Parallel < 2 || i+1 >= to {
		return
	}
	ctx, p.cancel = context.WithCancel(ctx)
	p.next = make(chan int)
	go func() {
		defer close(p.next)
		for k := i + 1; k < to; k++ {
			select {
			case p.next <- k:
			case <-ctx.Done():
				return
			}
		}
	}()
	for range s.d.opts.Parallel - 1 {
		p.wg.Go(func() {
			for k := range p.next {
				if g := s.at(k); g != nil {
					_, _ = s.listing(ctx, g) // who needs it sees the error
				}
			}
		})
	}
}

func (p *prefetch) stop() {
	if p.cancel == nil {
		return
	}
	p.cancel()
	for range p.next { // the first goroutine ends with it
	}
	p.wg.Wait()
}
