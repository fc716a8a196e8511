package sprocket

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/sprocket-video/sprocket/seek"
)

// Sampling says which frames are given to a model that looks at a few frames of a video and their times.
// Exactly one of Uniform and FPS is set.
type Sampling struct {
	// Uniform is how many frames: frame k of n is number k·(Len-1)/(n-1), rounded, halves up, so the first and the last are among
	// them. One alone is the one in the middle. A track of fewer frames gives each once.
	Uniform int
	// FPS is how many frames a second: those played at Begin, Begin+1/FPS, Begin+2/FPS, … before End, each once.
	FPS float64
	// MaxFrames bounds the frames that FPS gives. Where there would be more the rate is as much lower, so that they are spread over all
	// of the track. Zero is no bound.
	MaxFrames int
	// MaxPixels bounds the pixels of a frame: larger ones are scaled down, their aspect kept. Zero is no bound.
	MaxPixels int
}

// Sample returns the frames that s asks for, in order, decoded in one call. FrameBatch.Frames tells their times.
func (d *VideoDecoder) Sample(ctx context.Context, s Sampling) (*FrameBatch, error) {
	switch {
	case s.Uniform < 0 || s.MaxFrames < 0 || s.MaxPixels < 0 || s.FPS < 0 || math.IsNaN(s.FPS) || math.IsInf(s.FPS, 0):
		return nil, errors.New("sprocket: negative or infinite sampling")
	case (s.Uniform > 0) == (s.FPS > 0):
		return nil, errors.New("sprocket: sampling needs one of Uniform and FPS")
	case s.MaxPixels > 0 && d.opts.Native:
		return nil, errors.New("sprocket: MaxPixels with native planes")
	}
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	if d.guess != nil && s.FPS > 0 {
		px := d.pixels
		px.MaxPixels = cmp.Or(s.MaxPixels, px.MaxPixels)
		if err := d.enter(); err != nil {
			return nil, err
		}
		defer d.leave()
		return d.locate(ctx, d.sampledTimes(s)).fill(ctx, nil, &px)
	}
	ns := d.sampled(s)
	if s.MaxPixels == 0 {
		return d.batch(ctx, ns, nil)
	}
	px := d.pixels
	px.MaxPixels = s.MaxPixels
	return d.batchAs(ctx, ns, nil, &px)
}

// sampled returns the numbers of the frames that s asks for.
func (d *VideoDecoder) sampled(s Sampling) []int {
	length := d.Len()
	if s.Uniform > 0 {
		return uniform(s.Uniform, length)
	}
	if length == 0 {
		return nil
	}
	m := d.Metadata()
	seconds := m.Duration.Seconds()
	n := max(1, math.Ceil(seconds*s.FPS-1e-9)) // the times before End
	fps := s.FPS
	if s.MaxFrames > 0 && n > float64(s.MaxFrames) {
		n, fps = float64(s.MaxFrames), float64(s.MaxFrames)/seconds
	}
	at := func(k float64) time.Duration { return time.Duration(math.Ceil(k * float64(time.Second) / fps)) }
	var ns []int
	if n <= float64(length) {
		for k := range int(n) {
			// Times are in the track: only the last of them, by rounding, may not be.
			if f, err := d.Index().Search(d.info.Timebase.Ticks(m.Begin + min(at(float64(k)), m.Duration-1))); err == nil {
				ns = append(ns, f)
			}
		}
		return slices.Compact(ns)
	}
	// More times than frames: those frames during which one of them lies.
	for i := range length {
		f, err := d.Index().Frame(i)
		if err != nil {
			return ns
		}
		info := d.frameInfo(f)
		from, to := info.PTS-m.Begin, info.PTS+info.Duration-m.Begin
		if last := min(n-1, math.Floor(float64(to-1)*fps/float64(time.Second))); to > from && at(last) >= from {
			ns = append(ns, i)
		}
	}
	return ns
}

// sampledTimes finds the frames that s asks for by their times.
func (d *VideoDecoder) sampledTimes(s Sampling) func(context.Context) ([]seek.Located, error) {
	return func(ctx context.Context) (frames []seek.Located, err error) {
		m := d.Metadata()
		fps := s.FPS
		if seconds := m.Duration.Seconds(); s.MaxFrames > 0 && seconds*fps > float64(s.MaxFrames) {
			fps = float64(s.MaxFrames) / seconds
		}
		for k := 0.0; ; {
			at := time.Duration(math.Ceil(k * float64(time.Second) / fps))
			if k > 0 && (at >= m.Duration || s.MaxFrames > 0 && k >= float64(s.MaxFrames)) {
				return frames, nil
			}
			l, err := d.guess.At(ctx, d.ticks(m.Begin+at))
			if errors.Is(err, seek.ErrRange) && len(frames) > 0 {
				return frames, nil // the track ends before the estimate of its end
			}
			if err != nil {
				return nil, err
			}
			if n := len(frames); n == 0 || frames[n-1].PTS != l.PTS {
				frames = append(frames, l)
			}
			// The first time that may show another frame.
			next := d.info.Timebase.Duration(l.PTS+l.Duration) - m.Begin
			k = max(k+1, math.Floor(float64(next)*fps/float64(time.Second)))
		}
	}
}

// uniform returns n numbers spread over those below length.
func uniform(n, length int) []int {
	n = min(n, length)
	if n == 1 {
		return []int{(length - 1) / 2}
	}
	ns := make([]int, n)
	for k := range ns {
		// (2ab + c) / 2c is ab/c with halves up; the parts keep within an int.
		whole, rest := (length-1)/(n-1), (length-1)%(n-1)
		ns[k] = k*whole + (2*k*rest+n-1)/(2*(n-1))
	}
	return ns
}
