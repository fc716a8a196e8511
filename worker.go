package sprocket

import (
	"context"
	"math"
	"slices"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// worker is one decoder with the memory it works in, and what it decoded last.
type worker struct {
	dec         codec.VideoDecoder
	description int
	threads     int
	packet      container.Packet
	consumer    consumer
	emit        func(codec.VideoFrame) error // consumer.emit, made once
	share       int                          // what is taken of the budget for it
	ahead       *lookahead                   // of the call; nil where there is none

	trail
	warm   bool // the decoder is where trail ends: it can go on
	useful bool // and has been asked to
	// Packets of pictures later than keep are decoded even if nobody wants them now: they may be asked for next.
	keep container.Ticks

	waiting []int64 // packets that are in the decoder
	stash   []*held // pictures that came out before they were asked for, of a warm worker
}

// maxWaiting bounds how many packets are thought to be in the decoder. One that waited longer has no picture of its own.
const maxWaiting = 64

func (w *worker) entered(packet int64) {
	if len(w.waiting) == maxWaiting {
		w.waiting = slices.Delete(w.waiting, 0, 1)
	}
	w.waiting = append(w.waiting, packet)
}

func (w *worker) left(packet int64) {
	if i := slices.Index(w.waiting, packet); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
}

// settled says whether every packet up to n has left the decoder: until then it is not known whether one of them is damaged, and
// what is made from it.
func (w *worker) settled(n int64) bool {
	for _, k := range w.waiting {
		if k <= n {
			return false
		}
	}
	return true
}

// trail is a stretch of packets that was decoded.
type trail struct {
	start  container.PacketInfo
	last   int64           // the packet decoded last
	passed container.Ticks // pictures up to here have come out, or were left out
}

// reaches says whether the run can be had by decoding on, for no more packets than by starting anew.
func (t *trail) reaches(run *seek.Run) bool {
	return run.Start.N >= t.start.N && run.Start.N <= t.last+1 && run.Frames[0].PTS > t.passed
}

// resume returns a warm worker that can go on to the run, the one with the fewest packets to go, or nil. Follows says that the run
// goes on where some worker ended, warm or not: whoever reads in order is at work.
func (d *VideoDecoder) resume(run *seek.Run, px *codec.Pixels) (w *worker, follows bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	best := -1
	for i, w := range d.idle {
		if !w.reaches(run) {
			continue
		}
		follows = true
		usable := w.warm && (px == &d.pixels || len(w.stash) == 0) // what is stashed is converted
		if usable && (best < 0 || w.last > d.idle[best].last) {
			best = i
		}
	}
	if best >= 0 {
		w = d.unpool(best)
		w.useful = true
	}
	return w, follows
}

// unpool takes a worker out of those at rest, which stay in the order in which they came to rest. The mutex is held.
func (d *VideoDecoder) unpool(i int) *worker {
	w := d.idle[i]
	d.idle = append(d.idle[:i], d.idle[i+1:]...)
	return w
}

// acquire returns a worker whose decoder is as new: one at rest, or a new one.
//
// Warm workers that were of use are left as they are while there are fewer decoders than workers.
func (d *VideoDecoder) acquire(ctx context.Context, description, threads int) (*worker, error) {
	d.mu.Lock()
	best, rank := -1, 4
	full := d.decoders >= d.workers()
	for i, w := range d.idle {
		r := 0
		switch fits := w.description == description && w.threads == threads; {
		case !fits && full:
			r = 3
		case !fits:
			continue
		case w.warm && w.useful && full:
			r = 2
		case w.warm && w.useful:
			continue
		case w.warm:
			r = 1
		}
		if r < rank {
			best, rank = i, r
		}
	}
	var w *worker
	if best >= 0 {
		w = d.unpool(best)
	} else {
		d.decoders++
	}
	d.mu.Unlock()
	if w == nil {
		w = &worker{}
		w.emit = func(v codec.VideoFrame) error {
			d.stats.decoded.Add(1)
			w.left(v.Packet())
			return w.consumer.emit(v)
		}
	} else if rank == 3 || w.warm && w.dec.Reset() != nil {
		_ = w.dec.Close() // given up for one of another kind
		w.dec = nil
	}
	w.cool()
	w.trail = trail{last: -2}
	if w.dec == nil {
		dec, err := d.openDecoder(ctx, description, threads)
		if err != nil {
			d.forget()
			return nil, err
		}
		w.dec, w.description, w.threads = dec, description, threads
	}
	return w, nil
}

// cool forgets what a warm worker had.
func (w *worker) cool() {
	w.warm, w.useful = false, false
	w.waiting, w.stash = w.waiting[:0], nil
}

// forget notes that there is one decoder less.
func (d *VideoDecoder) forget() {
	d.mu.Lock()
	d.decoders--
	d.mu.Unlock()
}

func (d *VideoDecoder) openDecoder(ctx context.Context, description, threads int) (codec.VideoDecoder, error) {
	d.stats.opened.Add(1)
	return openVideo(ctx, d.backend, d.info, &codec.VideoOptions{
		Threads: threads, Description: description, ReorderDepth: d.index.ReorderDepth(),
	})
}

// rest keeps a worker for the next call: a warm one as it is, others reset.
// A worker that cannot be reset, or is one too many, is closed.
func (d *VideoDecoder) rest(w *worker) {
	w.consumer, w.share, w.ahead = nil, 0, nil
	if w.dec == nil {
		d.forget()
		return
	}
	if !w.warm {
		w.cool()
		if w.dec.Reset() != nil {
			_ = w.dec.Close() // it is given up for the reset error
			d.forget()
			return
		}
	}
	d.mu.Lock()
	kept := !d.closed && len(d.idle) < d.workers()
	if kept {
		d.idle = append(d.idle, w)
	} else {
		d.decoders--
	}
	d.mu.Unlock()
	if !kept {
		_ = w.dec.Close() // nothing can be lost: it is at rest
	}
}

// begin says from where w has to read for a run, and what it may leave out.
func (w *worker) begin(run *seek.Run, stay bool) (from container.PacketInfo) {
	from = run.Start
	if w.warm {
		from = container.PacketInfo{Track: run.Start.Track, N: w.last + 1}
	} else {
		w.trail = trail{start: run.Start, last: run.Start.N - 1, passed: container.NoTicks}
	}
	w.warm = false // until the run has ended well
	w.keep = math.MaxInt64
	if stay {
		w.keep = run.Frames[len(run.Frames)-1].PTS
	}
	return from
}
