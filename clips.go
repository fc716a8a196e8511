package sprocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/tensor"
)

// Policy says what a clip holds where it goes past the end of the track.
type Policy uint8

// Policies.
const (
	RepeatLast Policy = iota // the clip's last frame that is there, again and again
	Wrap                     // the clip's frames that are there, over and over
	Refuse                   // nothing: the call fails with a *seek.RangeError
)

// IndexClips says which clips are taken by the numbers of their frames. The zero value, and nil, is one clip of one frame.
type IndexClips struct {
	Clips  int // how many; zero means 1
	Frames int // in each; zero means 1
	Step   int // from one frame of a clip to its next; zero means 1

	// The first frames of clips are from Start, inclusive, to End, exclusive; negative numbers count from the end of the track.
	// End zero is as far as whole clips fit, but at least one.
	Start, End int

	Policy Policy
	Rand   *rand.Rand // what random clips are drawn with; nil is a generator of its own
}

// TimeClips says which clips are taken by the times of their frames: at each time the frame played then.
// The zero value, and nil, is one clip of one frame.
type TimeClips struct {
	Clips  int           // how many random clips; zero means 1
	Every  time.Duration // from the start of one regular clip to that of the next; must be positive there
	Frames int           // in each; zero means 1
	Step   time.Duration // from one frame of a clip to its next; zero means 1/Metadata.AverageFPS

	// The first frames of clips are from Start, inclusive, to End, exclusive. Start zero is Metadata.Begin; End zero is as far as whole
	// clips fit, and an error where none does.
	Start, End time.Duration

	Policy Policy
	Rand   *rand.Rand // what random clips are drawn with; nil is a generator of its own
}

// Clips are clips of equally many frames: Tensor has shape (clips, frames, C, H, W) or (clips, frames, H, W, C), or with native planes
// (clips, frames, bytes).
type Clips struct {
	*tensor.Tensor
	Frames [][]FrameInfo
	// Errs is nil when every frame is good. Otherwise Errs[i][k] says why frame k of clip i, then undefined, is not there.
	Errs [][]error
}

// ClipsAtRandomIndices returns clips that begin at random frames, evenly distributed. See FramesAt for what is decoded, and how
// frames fail.
func (d *VideoDecoder) ClipsAtRandomIndices(ctx context.Context, o *IndexClips) (*Clips, error) {
	return d.clipsAt(ctx, o, func(o *IndexClips, start, end int) (starts []int) {
		for range o.Clips {
			starts = append(starts, start+intN(o.Rand, end-start))
		}
		return starts
	})
}

// ClipsAtRegularIndices returns clips whose first frames are spread evenly, from the first one there may be to the last:
// clip k of n begins at frame Start + k·(End-1-Start)/(n-1), rounded down. Several begin at one frame where there are too few.
func (d *VideoDecoder) ClipsAtRegularIndices(ctx context.Context, o *IndexClips) (*Clips, error) {
	return d.clipsAt(ctx, o, func(o *IndexClips, start, end int) (starts []int) {
		for k := range o.Clips {
			starts = append(starts, start+k*(end-1-start)/max(1, o.Clips-1))
		}
		return starts
	})
}

// ClipsAtRandomTimes returns clips that begin at random times, evenly distributed.
func (d *VideoDecoder) ClipsAtRandomTimes(ctx context.Context, o *TimeClips) (*Clips, error) {
	return d.clipsPlayedAt(ctx, o, func(o *TimeClips, start, end time.Duration) (starts []time.Duration, err error) {
		for range max(1, o.Clips) {
			starts = append(starts, start+time.Duration(intN(o.Rand, int(end-start))))
		}
		return starts, nil
	})
}

// ClipsAtRegularTimes returns the clips that begin at Start, Start+Every, Start+2·Every, … before End.
func (d *VideoDecoder) ClipsAtRegularTimes(ctx context.Context, o *TimeClips) (*Clips, error) {
	return d.clipsPlayedAt(ctx, o, func(o *TimeClips, start, end time.Duration) (starts []time.Duration, err error) {
		if o.Every <= 0 {
			return nil, fmt.Errorf("sprocket: regular clips every %v", o.Every)
		}
		if int64((end-start)/o.Every) >= maxClipFrames {
			return nil, fmt.Errorf("sprocket: clips every %v from %v to %v are too many", o.Every, start, end)
		}
		for t := start; t < end; t += o.Every {
			starts = append(starts, t)
		}
		return starts, nil
	})
}

// maxClipFrames is more frames than one tensor can be meant to hold.
const maxClipFrames = math.MaxInt32

func intN(r *rand.Rand, n int) int {
	if r == nil {
		return rand.IntN(n)
	}
	return r.IntN(n)
}

func (d *VideoDecoder) clipsAt(ctx context.Context, o *IndexClips, place func(o *IndexClips, start, end int) []int) (*Clips, error) {
	var c IndexClips
	if o != nil {
		c = *o
	}
	c.Clips, c.Frames, c.Step = cmp.Or(c.Clips, 1), cmp.Or(c.Frames, 1), cmp.Or(c.Step, 1)
	if c.Clips < 0 || c.Frames < 0 || c.Step < 0 || c.Clips > maxClipFrames/c.Frames || c.Policy > Refuse {
		return nil, fmt.Errorf("sprocket: clips %+v", c)
	}
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	n := d.Len()
	start, end := c.Start, c.End
	if start < 0 {
		start += n
	}
	switch {
	case end == 0:
		end = 1
		if c.Frames == 1 || c.Step <= (n-1)/(c.Frames-1) {
			end = max(1, n-c.Step*(c.Frames-1))
		}
	case end < 0:
		end += n
	}
	end = min(end, n)
	if start < 0 || start >= end {
		return nil, &seek.RangeError{Asked: fmt.Sprintf("clips that begin from frame %d to %d", c.Start, c.End), Have: fmt.Sprintf("%d frames, and starts before %d", n, end)}
	}
	var numbers []int
	for _, first := range place(&c, start, end) {
		clip, err := fillClip(c.Frames, c.Policy, func(k int) (int, bool) {
			f := int64(first) + int64(k)*int64(c.Step)
			return int(f), k == 0 || c.Step < n && f < int64(n)
		})
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, clip...)
	}
	b, err := d.FramesAt(ctx, numbers)
	return partClips(b, err, c.Frames)
}

func (d *VideoDecoder) clipsPlayedAt(ctx context.Context, o *TimeClips, place func(o *TimeClips, start, end time.Duration) ([]time.Duration, error)) (*Clips, error) {
	var c TimeClips
	if o != nil {
		c = *o
	}
	c.Frames = cmp.Or(c.Frames, 1)
	if c.Clips < 0 || c.Frames < 0 || c.Step < 0 || max(c.Clips, 1) > maxClipFrames/c.Frames || c.Policy > Refuse {
		return nil, fmt.Errorf("sprocket: clips %+v", c)
	}
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	m := d.Metadata()
	if m.Frames == 0 {
		return nil, &seek.RangeError{Asked: "clips", Have: "0 frames"}
	}
	// The k-th time of a clip, rounded up as the PTS of frames are: at their own rate every frame comes once.
	later := func(k int) float64 { return float64(k) * float64(c.Step) }
	if c.Step == 0 {
		later = func(k int) float64 { return math.Ceil(float64(k) * float64(time.Second) / m.AverageFPS) }
	}
	start, end := cmp.Or(c.Start, m.Begin), c.End
	if end == 0 {
		end = m.End - time.Duration(min(later(c.Frames-1), float64(m.End-m.Begin)))
	}
	end = min(end, m.End)
	if start < m.Begin || start >= end {
		return nil, &seek.RangeError{
			Asked: fmt.Sprintf("clips that begin from %v to %v", start, end),
			Have:  fmt.Sprintf("times from %v to %v", m.Begin, m.End),
		}
	}
	starts, err := place(&c, start, end)
	if err != nil {
		return nil, err
	}
	if len(starts) > maxClipFrames/c.Frames {
		return nil, fmt.Errorf("sprocket: %d clips of %d frames are too many", len(starts), c.Frames)
	}
	if d.guess != nil {
		return clipsOf(starts, &c, m.End, later, func(t time.Duration) (seek.Located, error) { return d.guess.At(ctx, d.ticks(t)) },
			func(frames []seek.Located) (*FrameBatch, error) { return located{d: d, frames: frames}.batch(ctx) })
	}
	return clipsOf(starts, &c, m.End, later, func(t time.Duration) (int, error) { return d.index.Search(d.ticks(t)) },
		func(numbers []int) (*FrameBatch, error) { return d.FramesAt(ctx, numbers) })
}

// clipsOf finds the frames of clips that begin at some times, and decodes them.
func clipsOf[F any](starts []time.Duration, c *TimeClips, end time.Duration, later func(k int) float64, find func(time.Duration) (F, error), decode func([]F) (*FrameBatch, error)) (*Clips, error) {
	var frames []F
	for _, first := range starts {
		var failed error
		clip, err := fillClip(c.Frames, c.Policy, func(k int) (f F, ok bool) {
			t := float64(first) + later(k)
			if t >= float64(end) {
				return f, false
			}
			f, err := find(time.Duration(t))
			if err != nil && !errors.Is(err, seek.ErrRange) {
				failed = err
			}
			return f, err == nil
		})
		if err = cmp.Or(failed, err); err != nil {
			return nil, err
		}
		frames = append(frames, clip...)
	}
	b, err := decode(frames)
	return partClips(b, err, c.Frames)
}

// fillClip returns the frames of a clip of n frames. Frame says which the k-th is, if it is there; what follows one that is not is
// not there either.
func fillClip[F any](n int, policy Policy, frame func(k int) (F, bool)) ([]F, error) {
	clip := make([]F, 0, n)
	for k := range n {
		f, ok := frame(k)
		if !ok {
			break
		}
		clip = append(clip, f)
	}
	have := len(clip)
	if have == 0 || have < n && policy == Refuse {
		return nil, &seek.RangeError{Asked: fmt.Sprintf("clip of %d frames", n), Have: fmt.Sprintf("%d from its start on", have)}
	}
	for k := have; k < n; k++ {
		if policy == Wrap {
			clip = append(clip, clip[k%have])
		} else {
			clip = append(clip, clip[have-1])
		}
	}
	return clip, nil
}

// partClips parts the frames of all clips, which were decoded at once.
func partClips(b *FrameBatch, err error, perClip int) (*Clips, error) {
	if b == nil {
		return nil, err
	}
	c := &Clips{
		Tensor: b.Reshape(append([]int{len(b.Frames) / perClip, perClip}, b.Shape()[1:]...)...),
		Frames: slices.Collect(slices.Chunk(b.Frames, perClip)),
	}
	if b.Errs != nil {
		c.Errs = slices.Collect(slices.Chunk(b.Errs, perClip))
	}
	return c, err
}
