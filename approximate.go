package sprocket

import (
	"context"
	"fmt"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/tensor"
)

// located is frames that were found by an approximate index, or why they were not.
//
// They are decoded by a part: a decoder of the excerpt around them, whose index is exact. So everything works as by an exact index,
// with the numbers of the excerpt; what is told outside are those of the frames.
type located struct {
	d      *VideoDecoder
	frames []seek.Located
	err    error
}

func (d *VideoDecoder) located(l seek.Located, err error) located {
	return located{d, []seek.Located{l}, err}
}

// locate finds frames.
func (d *VideoDecoder) locate(ctx context.Context, find func(ctx context.Context) ([]seek.Located, error)) located {
	frames, err := find(ctx)
	return located{d, frames, err}
}

func (d *VideoDecoder) ticks(t time.Duration) container.Ticks { return d.info.Timebase.Ticks(t) }

// begin makes sure that the first frame is known, by which the length of the track is estimated.
func (d *VideoDecoder) begin(ctx context.Context) error {
	if d.guess == nil {
		return nil
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	return d.guess.Begin(ctx)
}

// numbered finds frames by their numbers.
func (d *VideoDecoder) numbered(ctx context.Context, ns []int) located {
	frames := make([]seek.Located, len(ns))
	for i, n := range ns {
		var err error
		if frames[i], err = d.guess.Number(ctx, n); err != nil {
			return located{d: d, err: err}
		}
	}
	return located{d: d, frames: frames}
}

// timesAt finds the frames played at n times.
func (d *VideoDecoder) timesAt(n int, at func(k int) time.Duration) func(context.Context) ([]seek.Located, error) {
	return func(ctx context.Context) ([]seek.Located, error) {
		frames := make([]seek.Located, n)
		for k := range frames {
			var err error
			if frames[k], err = d.guess.At(ctx, d.ticks(at(k))); err != nil {
				return nil, err
			}
		}
		return frames, nil
	}
}

// timesIn finds the frames played from start to stop, exclusive.
func (d *VideoDecoder) timesIn(start, stop time.Duration) func(context.Context) ([]seek.Located, error) {
	return func(ctx context.Context) (frames []seek.Located, err error) {
		if err := d.checkRange(ctx, start, stop); err != nil || start == stop {
			return nil, err
		}
		for l, err := range d.guess.From(ctx, d.ticks(start)) {
			if err != nil {
				return nil, err
			}
			// A frame begins before stop when its PTS, as a Duration, does.
			if len(frames) > 0 && d.info.Timebase.Duration(l.PTS) >= stop {
				break
			}
			frames = append(frames, l)
		}
		return frames, nil
	}
}

// checkRange checks what playedFrom does.
func (d *VideoDecoder) checkRange(ctx context.Context, start, stop time.Duration) error {
	if d.guess == nil {
		_, err := d.playedFrom(start, stop)
		return err
	}
	if stop < start {
		return fmt.Errorf("sprocket: range from %v to %v runs backward", start, stop)
	}
	_, err := d.guess.At(ctx, d.ticks(start))
	if stop > start {
		if err == nil {
			_, err = d.guess.At(ctx, d.ticks(stop-1))
		}
		return err
	}
	if err != nil { // an empty range may be at the very end
		if last, e := d.guess.Number(ctx, -1); e == nil && d.info.Timebase.Duration(last.PTS+last.Duration) == start {
			return nil
		}
	}
	return err
}

// playedAt is FramePlayedAt.
func (d *VideoDecoder) playedAt(ctx context.Context, t time.Duration) (*Frame, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	return d.located(d.guess.At(ctx, d.ticks(t))).frame(ctx)
}

// part is a decoder of an excerpt. It works with the decoders of the one it is a part of, which must not be freed meanwhile.
type part struct {
	*VideoDecoder
	of      *VideoDecoder
	numbers []int // of the frames, in the excerpt
}

func (l located) part(ctx context.Context) (*part, error) {
	if l.err != nil {
		return nil, l.err
	}
	d := l.d
	x, err := d.guess.Excerpt(ctx, l.frames)
	if err != nil {
		return nil, err
	}
	p := &part{of: d, numbers: x.Numbers, VideoDecoder: &VideoDecoder{
		opts: d.opts, src: d.src, ahead: d.ahead, account: d.account, demuxer: x.Demuxer, track: d.track, info: &x.Demuxer.Tracks()[d.track], index: x.Table, // with the descriptions met since
		backend: d.backend, pixels: d.pixels, stats: d.stats, budget: d.budget,
	}}
	d.mu.Lock()
	defer d.mu.Unlock()
	p.idle, d.idle = d.idle, nil
	p.decoders = len(p.idle)
	d.decoders -= p.decoders
	return p, nil
}

// end gives the decoders back, none of which knows what it decoded.
func (p *part) end() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	for _, w := range p.idle {
		if len(p.of.idle) >= p.of.workers() || w.warm && w.dec.Reset() != nil {
			_ = w.dec.Close() // it is at rest: nothing can be lost
			continue
		}
		w.cool()
		w.trail = trail{last: -2}
		p.of.idle = append(p.of.idle, w)
		p.of.decoders++
	}
	p.idle = nil
}

// info tells of frame i as it is known outside.
func (l located) info(i int, damaged bool) FrameInfo {
	info := l.d.frameInfo(l.frames[i].Frame)
	info.Damaged = damaged
	return info
}

// frame decodes the one frame.
func (l located) frame(ctx context.Context) (*Frame, error) {
	p, err := l.part(ctx)
	if err != nil {
		return nil, err
	}
	defer p.end()
	f, err := p.FrameAt(ctx, p.numbers[0])
	if err == nil {
		f.FrameInfo = l.info(0, f.Damaged)
	}
	return f, err
}

// batch decodes the frames into a tensor of its own.
func (l located) batch(ctx context.Context) (*FrameBatch, error) {
	if err := l.d.enter(); err != nil {
		return nil, err
	}
	defer l.d.leave()
	return l.fill(ctx, nil, &l.d.pixels)
}

// fill decodes the frames into dst, or into a tensor of its own.
func (l located) fill(ctx context.Context, dst *tensor.Tensor, px *codec.Pixels) (*FrameBatch, error) {
	p, err := l.part(ctx)
	if err != nil {
		return nil, err
	}
	defer p.end()
	if px == &l.d.pixels {
		px = &p.pixels
	}
	b, err := p.batchAs(ctx, p.numbers, dst, px)
	if b != nil {
		for i := range b.Frames {
			b.Frames[i] = l.info(i, b.Frames[i].Damaged)
		}
	}
	return b, err
}

// playTogether is how many frames at least are played by one part: each begins anew with its decoder.
const playTogether = 128

// playGuessed is playThrough: part after part, each from one key frame to another.
func (d *VideoDecoder) playGuessed(ctx context.Context, take func(seek.Frame, codec.VideoFrame) (*Frame, error), back func(*Frame), yield func(*Frame, error) bool) error {
	l := located{d: d}
	for f, err := range d.guess.From(ctx, container.NoTicks) {
		if err != nil {
			return err
		}
		if f.Key && len(l.frames) >= playTogether {
			if rest, err := l.play(ctx, take, back, yield); rest || err != nil {
				return err
			}
			l.frames = l.frames[:0]
		}
		l.frames = append(l.frames, f)
	}
	_, err := l.play(ctx, take, back, yield)
	return err
}

// play yields the frames, which follow each other. When everything has been listed by now it yields all the rest.
func (l located) play(ctx context.Context, take func(seek.Frame, codec.VideoFrame) (*Frame, error), back func(*Frame), yield func(*Frame, error) bool) (rest bool, err error) {
	if len(l.frames) == 0 {
		return false, nil
	}
	p, err := l.part(ctx)
	if err != nil {
		return false, err
	}
	defer p.end()
	rest = p.index == l.d.guess.Table()
	n := -p.numbers[0] // there may be frames before, and behind
	return rest, p.playThrough(ctx, take, back, func(f *Frame, err error) bool {
		k := n
		if n++; k < 0 || !rest && k >= len(l.frames) {
			return true
		}
		if f != nil && !rest {
			f.FrameInfo = l.info(k, f.Damaged)
		}
		return yield(f, err)
	})
}
