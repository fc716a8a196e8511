package sprocket

import (
	"context"
	"iter"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

const (
	firstAhead = 1 << 20 // bytes of packets that an iteration fetches together at first: it may stop soon
	maxAhead   = 4 << 20 // and, twice as many each time, at last; others at once
)

// lookahead fetches the packets that a call will read before they are read, in the order in which they will be: as many pieces at once,
// and as many bytes that were not read yet, as the source is good for. Where packets lie near each other they are fetched together,
// also those of different runs.
type lookahead struct {
	d      *VideoDecoder
	from   source.Prefetcher
	bounds source.Ahead
	share  *source.Share   // of what all calls hold: bytes of pieces on their way or there, with packets that were not read
	ctx    context.Context // of what is on its way; ends with the call
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	more   func() (*piece, error, bool) // makes the next piece
	end    func()
	ended  bool
	pieces []*piece // made so far, in the order of their packets
	sent   int      // those before this one are there or on their way
	flying int
}

// piece is packets that are fetched together.
type piece struct {
	first, last int64 // packets; between them there may be some that no run has
	off, end    int64 // of the bytes
	left        int   // packets that are to come
	done        chan struct{}
	err         error // set before done is closed
}

// lookAhead makes the lookahead of a call over runs that are planned, or guessed. Runs without frames are of a call that wants all
// frames, but may stop soon. The caller closes it.
func (d *VideoDecoder) lookAhead(ctx context.Context, runs []seek.Run) *lookahead {
	a := &lookahead{d: d, from: d.ahead, bounds: d.ahead.Ahead()}
	a.share = d.account.Join(a.bounds.Bytes)
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.more, a.end = onDemand(a.divide(runs))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pump()
	return a
}

// close gives up what is on its way and waits for the end of that.
func (a *lookahead) close() {
	a.cancel()
	a.wg.Wait()
	defer a.share.Leave()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end()
	a.ended = true
}

// divide yields the pieces of runs. What nobody needs is left out (see unneeded); what lies between two packets is not, unless
// it is more than a hole.
func (a *lookahead) divide(runs []seek.Run) iter.Seq2[*piece, error] {
	return func(yield func(*piece, error) bool) {
		var p *piece
		for i := range runs {
			run := &runs[i]
			most, all := int64(maxAhead), run.Frames == nil
			if all {
				most = firstAhead
			}
			wanted := wantedPackets(run)
			for info, err := range a.d.demuxer.List(a.ctx, a.d.track, run.Start) {
				if err != nil {
					yield(nil, err)
					return
				}
				if info.N > run.Last {
					break
				}
				skip := !all && a.d.unneeded(&info) && !wanted(info.N)
				from, to := a.d.extent(&info)
				if p != nil && (skip || p.take(from, to, a.bounds.Hole, min(most, a.share.Most()))) {
					p.last = info.N
					p.left++
					continue
				}
				if p != nil {
					if !yield(p, nil) {
						return
					}
					if all {
						most = min(2*most, maxAhead)
					}
				}
				p = &piece{first: info.N, last: info.N, left: 1, off: from, end: to}
			}
		}
		if p != nil {
			yield(p, nil)
		}
	}
}

// extent returns where the bytes of a packet lie.
func (d *VideoDecoder) extent(info *container.PacketInfo) (from, to int64) {
	from, to = info.Pos, info.Pos+info.Extent()
	if t := d.info.Transport; t != nil {
		from = max(0, from-int64(t.PacketSize)) // the header of the transport packet that it begins in
	}
	return from, to
}

// wantedPackets returns whether a packet is that of a frame of the run.
func wantedPackets(run *seek.Run) func(packet int64) bool {
	var packets map[int64]bool
	return func(packet int64) bool {
		if packets == nil {
			packets = make(map[int64]bool, len(run.Frames))
			for _, f := range run.Frames {
				packets[f.Packet] = true
			}
		}
		return packets[packet]
	}
}

// take makes a stretch part of the piece, unless it lies too far off or makes the piece too large.
func (p *piece) take(from, to, hole, most int64) bool {
	if from > p.end+hole || to < p.off-hole {
		return false
	}
	from, to = min(from, p.off), max(to, p.end)
	if to-from > most {
		return false
	}
	p.off, p.end = from, to
	return true
}

// make makes the next piece, and says whether there was one. The mutex is held.
func (a *lookahead) make() bool {
	if a.ended {
		return false
	}
	p, err, ok := a.more()
	if !ok || err != nil { // who reads meets the error too
		a.ended = true
		return false
	}
	a.pieces = append(a.pieces, p)
	return true
}

// pump sends for pieces as long as the bounds allow. The mutex is held.
func (a *lookahead) pump() {
	for a.flying < a.bounds.Requests && a.ctx.Err() == nil {
		if a.sent == len(a.pieces) && !a.make() {
			return
		}
		p := a.pieces[a.sent]
		if p.done == nil {
			if !a.share.Take(p.end - p.off) {
				return
			}
			a.send(p)
		}
		a.sent++
	}
}

// send sends for a piece that is counted. The mutex is held.
func (a *lookahead) send(p *piece) {
	p.done = make(chan struct{})
	a.flying++
	a.wg.Go(func() {
		p.err = a.from.Prefetch(a.ctx, p.off, p.end-p.off)
		close(p.done)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.flying--
		a.pump()
	})
}

// find returns the piece that packet n is in, and nil where it is in none. The mutex is held.
func (a *lookahead) find(n int64) *piece {
	for len(a.pieces) == 0 || a.pieces[len(a.pieces)-1].last < n {
		if !a.make() {
			break
		}
	}
	i := sort.Search(len(a.pieces), func(i int) bool { return a.pieces[i].last >= n })
	if i == len(a.pieces) || a.pieces[i].first > n {
		return nil
	}
	return a.pieces[i]
}

// fill makes a piece that begins with a packet that is in none, because the guess was wrong. The mutex is held.
func (a *lookahead) fill(info *container.PacketInfo, last int64) *piece {
	i := sort.Search(len(a.pieces), func(i int) bool { return a.pieces[i].first > info.N })
	if i < len(a.pieces) {
		last = min(last, a.pieces[i].first-1)
	}
	for p, err := range a.divide([]seek.Run{{Start: *info, Last: last}}) {
		if err != nil {
			break // who reads meets the error too
		}
		a.pieces = slices.Insert(a.pieces, i, p)
		if i < a.sent {
			a.sent++
		}
		return p
	}
	return nil
}

// await waits until a piece, if there is one, is there, without holding the share of the budget meanwhile. It sends for the piece now
// if that was not done. The mutex is held when it is called, and not when it returns.
func (a *lookahead) await(ctx context.Context, p *piece, share int) error {
	if p == nil {
		a.mu.Unlock()
		return nil
	}
	if p.done == nil {
		a.share.Need(p.end - p.off)
		a.send(p)
	}
	a.mu.Unlock()
	select {
	case <-p.done:
		return p.err
	default:
	}
	a.d.budget.release(share)
	defer a.d.budget.force(share)
	start := time.Now()
	defer func() { a.d.stats.waited.Add(int64(time.Since(start))) }()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look waits for the bytes of packet n, if they are to come.
func (a *lookahead) look(ctx context.Context, n int64) error {
	a.mu.Lock()
	return a.await(ctx, a.find(n), 0)
}

// reach says that a packet of a run that ends with packet last is read, or passed over, next. It waits for its bytes, and lets those of
// others take their place.
func (a *lookahead) reach(ctx context.Context, info *container.PacketInfo, last int64, share int) error {
	a.mu.Lock()
	p := a.find(info.N)
	if p == nil {
		p = a.fill(info, last)
	}
	if err := a.await(ctx, p, share); err != nil || p == nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.left--; p.left == 0 {
		a.share.Give(p.end - p.off)
		a.pump()
	}
	return nil
}

// awaited is an index that waits for the bytes it will look at instead of asking for them alone.
type awaited struct {
	*seek.Table
	guess seek.Index
	ahead *lookahead
}

// Start returns the packet at which decoding must begin to get frame n.
func (x awaited) Start(ctx context.Context, n int) (container.PacketInfo, error) {
	info, err := x.guess.Start(ctx, n)
	if err != nil {
		return info, err
	}
	if err := x.ahead.look(ctx, info.N); err != nil {
		return info, err
	}
	return x.Table.Start(ctx, n)
}
