package sprocket

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/tensor"
)

// End, as the stop of a range, means behind the last frame.
const End = math.MaxInt

// FrameAt returns frame n. It returns a *seek.RangeError when there is no such frame.
func (d *VideoDecoder) FrameAt(ctx context.Context, n int) (*Frame, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	runs, err := seek.Plan(ctx, d.index, []int{n})
	if err != nil {
		return nil, err
	}
	var out *Frame
	errs, err := d.decodeRun(ctx, &runs[0], func(f seek.Frame, v codec.VideoFrame) error {
		out, err = d.newFrame(f, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	if errs != nil {
		return nil, errs[0]
	}
	return out, nil
}

// FramePlayedAt returns the frame played at time t: the last one whose PTS is not after t, held until the next one starts.
// It returns a *seek.RangeError before the first frame and after the end of the last.
func (d *VideoDecoder) FramePlayedAt(ctx context.Context, t time.Duration) (*Frame, error) {
	n, err := d.index.Search(d.index.Timebase().Ticks(t))
	if err != nil {
		return nil, err
	}
	return d.FrameAt(ctx, n)
}

// FramesAt returns the frames numbered ns, in that order; repeats are allowed. Every packet is decoded at most once.
//
// When frames fail, the batch holds the others: see FrameBatch.Errs. The error is then the first of those.
func (d *VideoDecoder) FramesAt(ctx context.Context, ns []int) (*FrameBatch, error) {
	return d.batch(ctx, ns, nil)
}

// FramesInRange returns frames start, start+step, … before stop. As in a slice of Python, negative numbers count from the end and
// what is out of range is clipped. Stop may be End. The step must be positive.
func (d *VideoDecoder) FramesInRange(ctx context.Context, start, stop, step int) (*FrameBatch, error) {
	if step <= 0 {
		return nil, fmt.Errorf("sprocket: step %d of a range is not positive", step)
	}
	clip := func(n int) int {
		if n < 0 {
			n += d.Len()
		}
		return min(max(n, 0), d.Len())
	}
	var ns []int
	for n, end := clip(start), clip(stop); n < end; n += min(step, d.Len()) {
		ns = append(ns, n)
	}
	return d.batch(ctx, ns, nil)
}

// FramesPlayedAt returns the frames played at the times ts, in that order: see FramePlayedAt and FramesAt.
func (d *VideoDecoder) FramesPlayedAt(ctx context.Context, ts []time.Duration) (*FrameBatch, error) {
	ns := make([]int, len(ts))
	for i, t := range ts {
		n, err := d.index.Search(d.index.Timebase().Ticks(t))
		if err != nil {
			return nil, err
		}
		ns[i] = n
	}
	return d.batch(ctx, ns, nil)
}

// FramesPlayedInRange returns the frames played from start to stop, exclusive: the one played at start, and all that begin
// before stop. Start must be a time of the track and stop not after its end, or it returns a *seek.RangeError.
// With equal times the batch is empty.
func (d *VideoDecoder) FramesPlayedInRange(ctx context.Context, start, stop time.Duration) (*FrameBatch, error) {
	n, err := d.playedFrom(start, stop)
	if err != nil {
		return nil, err
	}
	var ns []int
	for ; start < stop && n < d.Len(); n++ {
		f, err := d.index.Frame(n)
		if err != nil {
			return nil, err
		}
		// A frame begins before stop when its PTS, as a Duration, does.
		if len(ns) > 0 && d.index.Timebase().Duration(f.PTS) >= stop {
			break
		}
		ns = append(ns, n)
	}
	return d.batch(ctx, ns, nil)
}

// FramesPlayedAtRate returns the frames played at start, start+1/fps, start+2/fps, … before stop: round((stop-start)·fps) of them,
// halves up, each as often as it is on show. Start and stop are as in FramesPlayedInRange. FrameInfo tells of the frames, not of
// the times they were asked for.
func (d *VideoDecoder) FramesPlayedAtRate(ctx context.Context, start, stop time.Duration, fps float64) (*FrameBatch, error) {
	if !(fps > 0) || math.IsInf(fps, 0) {
		return nil, fmt.Errorf("sprocket: %v frames a second", fps)
	}
	if _, err := d.playedFrom(start, stop); err != nil {
		return nil, err
	}
	n := math.Round((stop - start).Seconds() * fps)
	if n > math.MaxInt32 {
		return nil, fmt.Errorf("sprocket: %v frames a second for %v are too many", fps, stop-start)
	}
	ns := make([]int, int(n))
	for k := range ns {
		// Rounded up, as the PTS of frames are: at their own rate every frame comes once.
		t := start + time.Duration(math.Ceil(float64(k)*float64(time.Second)/fps))
		var err error
		if ns[k], err = d.index.Search(d.index.Timebase().Ticks(min(t, stop-1))); err != nil {
			return nil, err
		}
	}
	return d.batch(ctx, ns, nil)
}

// playedFrom checks a range of times and returns the frame played at its start. An empty range may be at the very end.
func (d *VideoDecoder) playedFrom(start, stop time.Duration) (int, error) {
	if stop < start {
		return 0, fmt.Errorf("sprocket: range from %v to %v runs backward", start, stop)
	}
	m := d.Metadata()
	if start == stop && start >= m.Begin && start <= m.End {
		return 0, nil
	}
	n, err := d.index.Search(d.index.Timebase().Ticks(start))
	if err == nil && stop > m.End {
		err = &seek.RangeError{Asked: fmt.Sprintf("time %v", stop), Have: fmt.Sprintf("times from %v to %v", m.Begin, m.End)}
	}
	return n, err
}

// ReadFramesAt decodes the frames numbered ns into dst, whose shape is that of FrameBatch.Tensor for len(ns) frames.
// Frame ns[i] goes straight into slot i. After the first calls it allocates nothing per frame.
func (d *VideoDecoder) ReadFramesAt(ctx context.Context, dst *tensor.Tensor, ns []int) (*FrameBatch, error) {
	if dst == nil || len(dst.Shape()) == 0 || dst.Shape()[0] != len(ns) || dst.DType() != d.opts.DType {
		return nil, fmt.Errorf("sprocket: destination %v for %d frames of %v", dst, len(ns), d.opts.DType)
	}
	return d.batch(ctx, ns, dst)
}

// batch decodes the frames numbered ns into dst, or into a tensor of its own.
func (d *VideoDecoder) batch(ctx context.Context, ns []int, dst *tensor.Tensor) (*FrameBatch, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	runs, err := seek.Plan(ctx, d.index, ns)
	if err != nil {
		return nil, err
	}
	b := newFill(d, ns, dst)
	if len(ns) == 0 {
		return b.empty()
	}
	if w := d.workers(); w > 1 {
		if runs, err = seek.Split(ctx, d.index, runs, piecesPerWorker*w); err != nil {
			return nil, err
		}
	}
	if err := d.decodeRuns(ctx, runs, b.put, b.fail); err != nil {
		return nil, err
	}
	return b.finish()
}

// piecesPerWorker is how many runs there should be for each worker, so that they finish together.
const piecesPerWorker = 4

// decodeRun decodes one run with a worker of the pool.
func (d *VideoDecoder) decodeRun(ctx context.Context, run *seek.Run, sink func(seek.Frame, codec.VideoFrame) error) ([]error, error) {
	w, err := d.acquire(ctx, run.Start.Description)
	if err != nil {
		return nil, err
	}
	defer d.rest(w)
	return d.decode(ctx, w, run, sink)
}

// decodeRuns decodes runs on as many workers as there are to use. Sink and fail are called by all of them.
func (d *VideoDecoder) decodeRuns(ctx context.Context, runs []seek.Run, sink func(seek.Frame, codec.VideoFrame) error, fail func(seek.Frame, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	work := func() {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(runs) {
				return
			}
			errs, err := d.decodeRun(ctx, &runs[i], sink)
			if err != nil {
				cancel(err)
				return
			}
			for k, err := range errs {
				if err != nil {
					fail(runs[i].Frames[k], err)
				}
			}
		}
	}
	var wg sync.WaitGroup
	for range min(d.workers(), len(runs)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return context.Cause(ctx)
}

// newFrame makes a frame of its own of a picture.
func (d *VideoDecoder) newFrame(f seek.Frame, v codec.VideoFrame) (*Frame, error) {
	out := &Frame{FrameInfo: d.frameInfo(f), PixelFormat: v.PixelFormat()}
	out.Damaged = v.Damaged()
	out.NativeWidth, out.NativeHeight = v.Size()
	d.stats.frames.Add(1)
	if d.opts.Native {
		raw, err := v.AppendRaw(nil)
		if err == nil {
			out.Tensor, err = tensor.FromBytes(raw, tensor.Uint8, len(raw))
		}
		return out, err
	}
	out.Tensor = tensor.New(d.opts.DType, d.pixels.Shape(v.Size())...)
	return out, v.Convert(out.Tensor, &d.pixels)
}
