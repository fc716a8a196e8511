package sprocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
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
	if d.guess != nil {
		return d.located(d.guess.Number(ctx, n)).frame(ctx)
	}
	f, err := d.resolve(n)
	if err != nil {
		return nil, err
	}
	if d.cache == nil {
		return d.decodeFrame(ctx, f, nil)
	}
	var out *Frame
	err = d.cache.each(ctx, []int{f.N}, func(s *stored) error {
		out = d.fromCache(f, s)
		return nil
	}, func([]int) error {
		out, err = d.decodeFrame(ctx, f, func(s *stored) { d.cache.settle(f.N, s) })
		return err
	})
	return out, err
}

func (d *VideoDecoder) resolve(n int) (seek.Frame, error) {
	n, err := seek.Resolve(d.index, n)
	if err != nil {
		return seek.Frame{}, err
	}
	return d.index.Frame(n)
}

// decodeFrame decodes one frame, and gives it to keep, if there is one, when it is sound.
func (d *VideoDecoder) decodeFrame(ctx context.Context, f seek.Frame, keep func(*stored)) (*Frame, error) {
	runs, threads, err := d.plan(ctx, []int{f.N})
	if err != nil {
		return nil, err
	}
	var out *Frame
	var failed error
	err = d.decodeRuns(ctx, runs, &d.pixels, threads, func(f seek.Frame, v codec.VideoFrame) error {
		out, err = d.newFrame(f, v)
		return err
	}, func(_ *seek.Run, o outcome) {
		if o.errs != nil {
			failed = o.errs[0]
		} else if keep != nil && o.clean {
			keep(&stored{f.N, out.Tensor.Clone(), out.PixelFormat, out.NativeWidth, out.NativeHeight})
		}
	})
	if err = cmp.Or(err, failed); err != nil {
		return nil, err
	}
	return out, nil
}

// fromCache makes a frame of its own of a stored one.
func (d *VideoDecoder) fromCache(f seek.Frame, s *stored) *Frame {
	d.stats.frames.Add(1)
	d.stats.hits.Add(1)
	return &Frame{
		FrameInfo: d.frameInfo(f), Tensor: s.pixels.Clone(),
		PixelFormat: s.format, NativeWidth: s.width, NativeHeight: s.height,
	}
}

// FramePlayedAt returns the frame played at time t: the last one whose PTS is not after t, held until the next one starts.
// It returns a *seek.RangeError before the first frame and after the end of the last.
func (d *VideoDecoder) FramePlayedAt(ctx context.Context, t time.Duration) (*Frame, error) {
	if d.guess != nil {
		return d.playedAt(ctx, t)
	}
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

// FramesAtSize is FramesAt, but the frames have this width and height instead of those of VideoOptions; zero is as there. Nothing of it is cached.
func (d *VideoDecoder) FramesAtSize(ctx context.Context, ns []int, width, height int) (*FrameBatch, error) {
	if d.opts.Native || width < 0 || height < 0 {
		return nil, fmt.Errorf("sprocket: size %dx%d of native planes, or negative", width, height)
	}
	px := d.pixels
	px.Width, px.Height = width, height
	return d.batchAs(ctx, ns, nil, &px)
}

// FramesInRange returns frames start, start+step, … before stop. As in a slice of Python, negative numbers count from the end and
// what is out of range is clipped. Stop may be End. The step must be positive.
func (d *VideoDecoder) FramesInRange(ctx context.Context, start, stop, step int) (*FrameBatch, error) {
	if step <= 0 {
		return nil, fmt.Errorf("sprocket: step %d of a range is not positive", step)
	}
	if err := d.begin(ctx); err != nil {
		return nil, err
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
	if d.guess != nil {
		return d.locate(ctx, d.timesAt(len(ts), func(k int) time.Duration { return ts[k] })).batch(ctx)
	}
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
	if d.guess != nil {
		return d.locate(ctx, d.timesIn(start, stop)).batch(ctx)
	}
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
	if err := d.checkRange(ctx, start, stop); err != nil {
		return nil, err
	}
	n := math.Round((stop - start).Seconds() * fps)
	if n > math.MaxInt32 {
		return nil, fmt.Errorf("sprocket: %v frames a second for %v are too many", fps, stop-start)
	}
	at := func(k int) time.Duration {
		// Rounded up, as the PTS of frames are: at their own rate every frame comes once.
		return min(start+time.Duration(math.Ceil(float64(k)*float64(time.Second)/fps)), stop-1)
	}
	if d.guess != nil {
		return d.locate(ctx, d.timesAt(int(n), at)).batch(ctx)
	}
	ns := make([]int, int(n))
	for k := range ns {
		var err error
		if ns[k], err = d.index.Search(d.index.Timebase().Ticks(at(k))); err != nil {
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
	return d.batchAs(ctx, ns, dst, &d.pixels)
}

// batchAs is batch with pixels of a form that may be another than the decoder's.
func (d *VideoDecoder) batchAs(ctx context.Context, ns []int, dst *tensor.Tensor, px *codec.Pixels) (*FrameBatch, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	if d.guess != nil {
		return d.numbered(ctx, ns).fill(ctx, dst, px)
	}
	b, err := newFill(d, ns, dst, px)
	if err != nil {
		return nil, err
	}
	if len(ns) == 0 {
		return b.empty()
	}
	if d.cache == nil || px != &d.pixels {
		err = b.decode(ctx, ns, nil)
	} else {
		err = d.cache.each(ctx, b.numbers(), b.have, func(ns []int) error { return b.decode(ctx, ns, d.cache) })
	}
	if err != nil {
		return nil, err
	}
	return b.finish()
}

// newFrame makes a frame of its own of a picture.
func (d *VideoDecoder) newFrame(f seek.Frame, v codec.VideoFrame) (*Frame, error) {
	out := &Frame{}
	d.describe(out, f, v)
	var err error
	out.Tensor, err = d.newPixels(v)
	return out, err
}

// describe fills in everything but the pixels.
func (d *VideoDecoder) describe(out *Frame, f seek.Frame, v codec.VideoFrame) {
	out.FrameInfo, out.PixelFormat = d.frameInfo(f), v.PixelFormat()
	out.Damaged = v.Damaged()
	out.NativeWidth, out.NativeHeight = v.Size()
	d.stats.frames.Add(1)
}

// newPixels converts a picture into a tensor of its own.
func (d *VideoDecoder) newPixels(v codec.VideoFrame) (*tensor.Tensor, error) {
	return newPixels(v, d.opts.Native, &d.pixels)
}

// pixelsInto converts a picture into t. Where that is nil or of another shape it makes a new tensor; with must it fails.
func (d *VideoDecoder) pixelsInto(t *tensor.Tensor, must bool, v codec.VideoFrame) (*tensor.Tensor, error) {
	if t == nil && must {
		return nil, errors.New("no destination")
	}
	if d.opts.Native && t != nil {
		raw, err := v.AppendRaw(t.Bytes()[:0])
		if err != nil || len(raw) == len(t.Bytes()) {
			return t, err
		}
		if must {
			return nil, fmt.Errorf("%d bytes, the destination has %d", len(raw), len(t.Bytes()))
		}
	}
	w, h := v.Size()
	if t == nil || d.opts.Native || !must && !hasShape(t.Shape(), &d.pixels, w, h) {
		return d.newPixels(v)
	}
	return t, v.Convert(t, &d.pixels)
}
