package sprocket

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/tensor"
)

// fill is a batch that several workers put their frames into.
type fill struct {
	d     *VideoDecoder
	slots []int32 // ordered by the number of the frame they hold
	out   FrameBatch

	mu    sync.Mutex
	shape []int      // of one slot, set by the first frame
	first seek.Frame // that frame
}

func newFill(d *VideoDecoder, ns []int, dst *tensor.Tensor) *fill {
	b := &fill{d: d, slots: make([]int32, len(ns))}
	b.out.Tensor = dst
	b.out.Frames = make([]FrameInfo, len(ns))
	for i, n := range ns {
		if n < 0 {
			n += d.Len()
		}
		f, _ := d.index.Frame(n) // it was planned, so it is there
		b.out.Frames[i] = d.frameInfo(f)
		b.slots[i] = int32(i)
	}
	slices.SortFunc(b.slots, func(x, y int32) int { return cmp.Compare(b.out.Frames[x].N, b.out.Frames[y].N) })
	return b
}

// of returns the slots of a frame.
func (b *fill) of(n int) []int32 {
	i, _ := slices.BinarySearchFunc(b.slots, n, func(s int32, n int) int { return cmp.Compare(b.out.Frames[s].N, n) })
	k := i
	for k < len(b.slots) && b.out.Frames[b.slots[k]].N == n {
		k++
	}
	return b.slots[i:k]
}

// put converts a picture into the slots of its frame. It is called by several workers, each with another frame.
func (b *fill) put(f seek.Frame, v codec.VideoFrame) error {
	if err := b.fit(f, v); err != nil {
		return err
	}
	slots := b.of(f.N)
	view, _ := b.d.views.Get().(*tensor.Tensor)
	if view == nil {
		view = new(tensor.Tensor)
	}
	defer b.d.views.Put(view)
	b.out.Tensor.IndexTo(view, int(slots[0]))
	if b.d.opts.Native {
		raw, err := v.AppendRaw(view.Bytes()[:0])
		if err != nil {
			return err
		}
		if len(raw) != len(view.Bytes()) {
			return frameError(f, fmt.Errorf("%d bytes of %s, frame %d has %d", len(raw), v.PixelFormat(), b.first.N, len(view.Bytes())))
		}
	} else if err := v.Convert(view, &b.d.pixels); err != nil {
		return frameError(f, err)
	}
	pixels := view.Bytes()
	for _, s := range slots[1:] {
		b.out.Tensor.IndexTo(view, int(s))
		copy(view.Bytes(), pixels)
	}
	for _, s := range slots {
		b.out.Frames[s].Damaged = v.Damaged()
	}
	b.d.stats.frames.Add(int64(len(slots)))
	return nil
}

// fit makes the tensor when the first frame comes, and checks that all frames have one shape.
func (b *fill) fit(f seek.Frame, v codec.VideoFrame) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, h := v.Size()
	if b.shape != nil && b.d.sameShape(b.shape, w, h) {
		return nil
	}
	shape := b.d.pixels.Shape(w, h)
	if b.d.opts.Native {
		raw, err := v.AppendRaw(nil)
		if err != nil {
			return err
		}
		if shape = []int{len(raw)}; b.shape != nil && b.shape[0] == shape[0] {
			return nil
		}
	}
	if b.shape != nil {
		return frameError(f, fmt.Errorf("its shape is %v, that of frame %d of the same batch %v: set a Width and Height, or ask for it alone", shape, b.first.N, b.shape))
	}
	if b.out.Tensor == nil {
		b.out.Tensor = tensor.New(b.d.opts.DType, append([]int{len(b.slots)}, shape...)...)
	} else if dst := b.out.Tensor; !slices.Equal(dst.Shape()[1:], shape) || !dst.Index(0).Contiguous() {
		return frameError(f, fmt.Errorf("its shape is %v, the destination's slots have shape %v and strides %v", shape, dst.Shape()[1:], dst.Strides()[1:]))
	}
	b.shape, b.first = shape, f
	return nil
}

// sameShape says whether a picture of w×h pixels has the shape, without allocating.
func (d *VideoDecoder) sameShape(shape []int, w, h int) bool {
	if d.opts.Native || len(shape) != 3 {
		return false
	}
	w, h = d.pixels.Scaled(w, h)
	if d.pixels.Layout == tensor.NHWC {
		return shape[0] == h && shape[1] == w
	}
	return shape[1] == h && shape[2] == w
}

// fail notes why a frame's slots stay empty.
func (b *fill) fail(f seek.Frame, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out.Errs == nil {
		b.out.Errs = make([]error, len(b.slots))
	}
	for _, s := range b.of(f.N) {
		b.out.Errs[s] = err
	}
}

// finish returns the batch, and the first error when some frames failed. When all failed there is no batch.
func (b *fill) finish() (*FrameBatch, error) {
	if b.out.Errs == nil {
		return &b.out, nil
	}
	i := slices.IndexFunc(b.out.Errs, func(err error) bool { return err != nil })
	err := b.out.Errs[i]
	if b.shape == nil {
		return nil, err
	}
	if n := len(b.out.Errs) - countNil(b.out.Errs); n > 1 {
		err = fmt.Errorf("%w (and %d more of %d frames)", err, n-1, len(b.slots))
	}
	return &b.out, err
}

// empty returns a batch of no frames, shaped as the headers tell.
func (b *fill) empty() (*FrameBatch, error) {
	if b.out.Tensor == nil {
		shape := []int{0, 0}
		if !b.d.opts.Native {
			p := b.d.info.Video
			if p.Width <= 0 || p.Height <= 0 {
				return nil, errors.New("sprocket: an empty batch of a track that tells no size")
			}
			shape = append([]int{0}, b.d.pixels.Shape(p.Width, p.Height)...)
		}
		b.out.Tensor = tensor.New(b.d.opts.DType, shape...)
	}
	return &b.out, nil
}

func countNil(errs []error) int {
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	return n
}
