package sprocket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/tensor"
)

// Frames yields all frames in presentation order, from one decoder that runs once through the track. It holds only the few frames
// that are being reordered, and one for each of its threads. A frame that fails yields a nil frame and a *FrameError, and the iteration goes
// on with the next one; other errors, such as the context's, end it. Each frame is the caller's.
func (d *VideoDecoder) Frames(ctx context.Context) iter.Seq2[*Frame, error] {
	return d.iterate(ctx, func(f seek.Frame, v codec.VideoFrame) (*Frame, error) { return d.newFrame(f, v) }, nil)
}

// FramesInto is Frames in memory that is used again, so that a frame allocates nothing: each Frame is lent until the loop's next
// turn, with its tensor where get is nil.
//
// Otherwise get makes the tensors, and they are the caller's. It is called once for every frame, as many frames early as the track
// reorders, and returns a tensor of the shape and type of a frame. Those of frames that fail, are not reached, or are decoded again
// because the decoder's threads met damage, are not given back.
func (d *VideoDecoder) FramesInto(ctx context.Context, get func() *tensor.Tensor) iter.Seq2[*Frame, error] {
	l := &lender{d: d, get: get}
	return d.iterate(ctx, l.take, l.back)
}

// lender makes frames of memory that is given back.
type lender struct {
	d    *VideoDecoder
	get  func() *tensor.Tensor // nil: the memory is the lender's
	free []*Frame
}

func (l *lender) take(f seek.Frame, v codec.VideoFrame) (*Frame, error) {
	var out *Frame
	if n := len(l.free) - 1; n >= 0 {
		out, l.free = l.free[n], l.free[:n]
	} else {
		out = &Frame{}
	}
	t := out.Tensor
	if l.get != nil {
		t = l.get()
	}
	l.d.describe(out, f, v)
	var err error
	out.Tensor, err = l.d.pixelsInto(t, l.get != nil, v)
	return out, err
}

func (l *lender) back(f *Frame) {
	if l.get != nil {
		f.Tensor = nil
	}
	l.free = append(l.free, f)
}

// iterate decodes all frames. Take makes a frame of each picture, and back, if there is one, is given each one that is over.
func (d *VideoDecoder) iterate(ctx context.Context, take func(seek.Frame, codec.VideoFrame) (*Frame, error), back func(*Frame)) iter.Seq2[*Frame, error] {
	return func(yield func(*Frame, error) bool) {
		if err := d.enter(); err != nil {
			yield(nil, err)
			return
		}
		defer d.leave()
		if d.Len() == 0 {
			return
		}
		play := d.playThrough
		if d.guess != nil {
			play = d.playGuessed
		}
		if err := play(ctx, take, back, yield); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped ends the decoding when the caller's loop ends.
var errStopped = errors.New("stopped")

// maxPlayThreads bounds the threads that play a track: each holds a packet back, and what maxWaiting packets hold back is lost count of.
const maxPlayThreads = 16

// errUnclean ends the decoding by several threads where something went wrong.
var errUnclean = errors.New("not clean")

// playThrough yields all frames. Where threads decode the track, and one thing goes wrong, one thread goes on from the frames that are
// to come: threads tell late what went wrong, but no frame is yielded before all of its packets are known to be clean.
func (d *VideoDecoder) playThrough(ctx context.Context, take func(seek.Frame, codec.VideoFrame) (*Frame, error), back func(*Frame), yield func(*Frame, error) bool) error {
	l := &linear{d: d, take: take, back: back, yield: yield}
	l.taint = func(f seek.Frame) (int64, error) { return d.taint(ctx, l.bad, f) }
	err := d.play(ctx, l, d.first())
	if errors.Is(err, errUnclean) {
		var start container.PacketInfo
		if start, err = l.restart(ctx); err == nil {
			err = d.play(ctx, l, start)
		}
	}
	return err
}

// playThreads takes threads of the budget to play a track with: what Threads says, or all that are free where the track is long.
func (d *VideoDecoder) playThreads(ctx context.Context, again bool) (int, error) {
	threads := 1
	if !again && d.opts.Threads > 0 {
		threads = min(d.opts.Threads, maxPlayThreads)
	}
	if err := d.budget.acquire(ctx, threads); err != nil {
		return 0, err
	}
	if again || d.opts.Threads > 0 || d.index.Packets() < minThreaded || !d.mayThread() {
		return threads, nil
	}
	for threads < min(d.workers(), maxPlayThreads) && d.budget.try(1) {
		threads++
	}
	return threads, nil
}

// play decodes all packets from start on for l.
func (d *VideoDecoder) play(ctx context.Context, l *linear, start container.PacketInfo) error {
	for first, err := range d.demuxer.List(ctx, d.track, start) {
		if err != nil {
			return err
		}
		threads, err := d.playThreads(ctx, l.again)
		if err != nil {
			return err
		}
		defer d.budget.release(threads)
		w, err := d.acquire(ctx, first.Description, threads)
		if err != nil {
			return err
		}
		defer func() {
			w.trail = trail{last: -2}
			d.rest(w)
		}()
		w.share = threads
		l.w, l.fed = w, first.N-1
		last := d.index.Packets() - 1
		if d.ahead != nil {
			ahead := d.lookAhead(ctx, []seek.Run{{Start: first, Last: last}})
			defer ahead.close()
			w.ahead = ahead
		}
		if err := d.feed(ctx, w, first, last, last, l); err != nil {
			return err
		}
		if err := w.dec.Flush(ctx, w.emit); err != nil {
			if threads > 1 && errors.Is(err, codec.ErrDecode) {
				err = errUnclean
			}
			return err
		}
		w.waiting = w.waiting[:0]
		l.fed = d.index.Packets()
		return l.deliver()
	}
	return nil
}

// linear is the consumer of a whole track.
type linear struct {
	d       *VideoDecoder
	take    func(seek.Frame, codec.VideoFrame) (*Frame, error)
	back    func(*Frame)
	yield   func(*Frame, error) bool
	next    int      // the frame to deliver next
	pending []*Frame // frames that came out
	w       *worker
	again   bool    // several threads met something that was not clean
	unclean bool    // so do they now
	fed     int64   // the last packet that went in
	bad     []int64 // packets that are damaged
	errs    map[int64]error
	taint   func(seek.Frame) (int64, error)
}

func (l *linear) wants(int64) bool { return true }

func (l *linear) enough() bool { return true }

func (l *linear) feeding(packet int64) { l.fed = packet }

// restart forgets what is not yielded, and returns the packet to go on from for the rest.
func (l *linear) restart(ctx context.Context) (start container.PacketInfo, err error) {
	l.again, l.unclean, l.bad, l.errs = true, false, nil, nil
	for _, f := range l.pending {
		if l.back != nil {
			l.back(f)
		}
	}
	l.pending = l.pending[:0]
	// The frames to come may be decoded in another order, however far the track reorders.
	for n := l.next; n < min(l.d.Len(), l.next+maxWaiting); n++ {
		f, err := l.d.index.Frame(n)
		if err != nil {
			return start, err
		}
		if n > l.next && f.Packet >= start.N {
			continue
		}
		if start, err = l.d.index.Start(ctx, n); err != nil {
			return start, err
		}
	}
	return start, nil
}

func (l *linear) failed(packet int64, err error) {
	l.unclean = l.w.threads > 1
	l.fed = max(l.fed, packet)
	l.bad = append(l.bad, packet)
	if l.errs == nil {
		l.errs = map[int64]error{}
	}
	l.errs[packet] = err
}

func (l *linear) emit(v codec.VideoFrame) error {
	packet := v.Packet()
	if v.Damaged() {
		l.unclean = l.w.threads > 1
		l.bad = append(l.bad, packet)
	}
	f, ok, err := l.d.frameOf(packet, l.next, l.next+2*maxWaiting)
	if err != nil {
		return err
	}
	if ok {
		out, err := l.take(f, v)
		if err != nil {
			return fmt.Errorf("sprocket: frame %d: %w", f.N, err) // no fault of the frame's, so no FrameError
		}
		l.pending = append(l.pending, out)
	}
	return l.deliver()
}

// deliver yields the frames that are ready, in order. A frame is ready when every packet decoded before its own is out of the
// decoder: until then it is not known whether the frame is made from a damaged one.
func (l *linear) deliver() error {
	if l.unclean {
		return errUnclean
	}
	for ; l.next < l.d.Len(); l.next++ {
		f, err := l.d.index.Frame(l.next)
		if err != nil {
			return err
		}
		if f.Last() > l.fed {
			return nil
		}
		if !l.w.settled(f.Packet) {
			return nil
		}
		out, err := l.judge(f)
		if err != nil {
			return err
		}
		delete(l.errs, f.Packet)
		delete(l.errs, f.Last())
		if !l.give(f, out) {
			return errStopped
		}
		l.drop(f.N)
	}
	return nil
}

// give yields a frame, or why there is none. The loop's body runs without a share of the budget.
func (l *linear) give(f seek.Frame, out verdict) bool {
	l.d.budget.release(l.w.share)
	defer l.d.budget.force(l.w.share)
	if out.err != nil {
		return l.yield(nil, l.d.frameError(f, out.err))
	}
	return l.yield(out.frame, nil)
}

// drop gives the frames numbered n back.
func (l *linear) drop(n int) {
	l.pending = slices.DeleteFunc(l.pending, func(f *Frame) bool {
		if f.N == n && l.back != nil {
			l.back(f)
		}
		return f.N == n
	})
}

type verdict struct {
	frame *Frame
	err   error
}

// judge decides what to deliver for f: its picture, or why there is none.
func (l *linear) judge(f seek.Frame) (verdict, error) {
	var out *Frame
	if i := slices.IndexFunc(l.pending, func(p *Frame) bool { return p.N == f.N }); i >= 0 {
		out = l.pending[i]
	}
	err := l.errs[f.Packet]
	if second := l.errs[f.Last()]; second != nil && !l.d.opts.KeepDamaged {
		out, err = nil, second
	}
	switch {
	case out == nil && err != nil:
		return verdict{err: err}, nil
	case out == nil:
		return verdict{err: fmt.Errorf("no picture came out of packet %d: %w", f.Packet, codec.ErrDecode)}, nil
	case l.d.opts.KeepDamaged:
		return verdict{frame: out}, nil
	case out.Damaged:
		return verdict{err: ErrDamaged}, nil
	}
	bad, err := l.taint(f)
	if bad >= 0 {
		return verdict{err: fmt.Errorf("it is made from packet %d: %w", bad, ErrDamaged)}, nil
	}
	return verdict{frame: out}, err
}
