package sprocket

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/seek"
)

// Frames yields all frames in presentation order, from one decoder that runs once through the track. It holds only the few frames
// that are being reordered. A frame that fails yields a nil frame and its error, and the iteration goes on with the next one;
// other errors, such as the context's, end it. Each frame is the caller's.
func (d *VideoDecoder) Frames(ctx context.Context) iter.Seq2[*Frame, error] {
	return func(yield func(*Frame, error) bool) {
		if err := d.enter(); err != nil {
			yield(nil, err)
			return
		}
		defer d.leave()
		if d.Len() == 0 {
			return
		}
		if err := d.playThrough(ctx, yield); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped ends the decoding when the caller's loop ends.
var errStopped = errors.New("stopped")

func (d *VideoDecoder) playThrough(ctx context.Context, yield func(*Frame, error) bool) error {
	for first, err := range d.demuxer.List(ctx, d.track, d.first()) {
		if err != nil {
			return err
		}
		threads := max(d.opts.Threads, 1)
		if err := d.budget.acquire(ctx, threads); err != nil {
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
		yield := func(f *Frame, err error) bool {
			d.budget.release(threads)
			defer d.budget.force(threads)
			return yield(f, err)
		}
		last := d.index.Packets() - 1
		if d.ahead != nil {
			ahead := d.lookAhead(ctx, []seek.Run{{Start: first, Last: last}})
			defer ahead.close()
			w.ahead = ahead
		}
		l := &linear{d: d, w: w, yield: yield, pending: map[int]*Frame{}, fed: -1}
		l.taint = func(f seek.Frame) (int64, error) { return d.taint(ctx, l.bad, f) }
		if err := d.feed(ctx, w, first, last, last, l); err != nil {
			return err
		}
		if err := w.dec.Flush(ctx, w.emit); err != nil {
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
	yield   func(*Frame, error) bool
	next    int            // the frame to deliver next
	pending map[int]*Frame // frames that came out, by number
	w       *worker
	fed     int64   // the last packet that went in
	bad     []int64 // packets that are damaged
	errs    map[int64]error
	taint   func(seek.Frame) (int64, error)
}

func (l *linear) wants(int64) bool { return true }

func (l *linear) enough() bool { return true }

func (l *linear) feeding(packet int64) { l.fed = packet }

func (l *linear) failed(packet int64, err error) {
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
		l.bad = append(l.bad, packet)
	}
	f, ok, err := l.d.frameOf(packet, l.next, l.next+2*maxWaiting)
	if err != nil {
		return err
	}
	if ok {
		out, err := l.d.newFrame(f, v)
		if err != nil {
			return frameError(f, err)
		}
		l.pending[f.N] = out
	}
	return l.deliver()
}

// deliver yields the frames that are ready, in order. A frame is ready when every packet decoded before its own is out of the
// decoder: until then it is not known whether the frame is made from a damaged one.
func (l *linear) deliver() error {
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
		delete(l.pending, f.N)
		delete(l.errs, f.Packet)
		delete(l.errs, f.Last())
		if out.err != nil && !l.yield(nil, frameError(f, out.err)) || out.err == nil && !l.yield(out.frame, nil) {
			return errStopped
		}
	}
	return nil
}

type verdict struct {
	frame *Frame
	err   error
}

// judge decides what to deliver for f: its picture, or why there is none.
func (l *linear) judge(f seek.Frame) (verdict, error) {
	out := l.pending[f.N]
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
