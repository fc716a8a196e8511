package sprocket

import (
	"cmp"
	"context"
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
	px    *codec.Pixels
	slots []int32 // ordered by the number of the frame they hold
	out   FrameBatch

	mu    sync.Mutex
	shape []int      // of one slot, set by the first frame
	first seek.Frame // that frame

	natives map[int]native // of frames for the cache
}

func newFill(d *VideoDecoder, ns []int, dst *tensor.Tensor, px *codec.Pixels) (*fill, error) {
	b := &fill{d: d, px: px, slots: make([]int32, len(ns))}
	b.out.Tensor = dst
	b.out.Frames = make([]FrameInfo, len(ns))
	for i, n := range ns {
		f, err := d.resolve(n)
		if err != nil {
			return nil, err
		}
		b.out.Frames[i] = d.frameInfo(f)
		b.slots[i] = int32(i)
	}
	slices.SortFunc(b.slots, func(x, y int32) int { return cmp.Compare(b.out.Frames[x].N, b.out.Frames[y].N) })
	return b, nil
}

// numbers returns the numbers of the frames, each once.
func (b *fill) numbers() []int {
	ns := make([]int, len(b.slots))
	for i, s := range b.slots {
		ns[i] = b.out.Frames[s].N
	}
	return slices.Compact(ns)
}

// decode decodes frames into their slots, and keeps them in a cache, if there is one.
func (b *fill) decode(ctx context.Context, ns []int, cache *frameCache) error {
	runs, threads, err := b.d.plan(ctx, ns)
	if err != nil {
		return err
	}
	return b.d.decodeRuns(ctx, runs, b.px, threads, b.put, func(run *seek.Run, out outcome) {
		for i, f := range run.Frames {
			switch {
			case out.errs != nil && out.errs[i] != nil:
				b.fail(f, out.errs[i])
			case cache != nil && out.clean:
				cache.settle(f.N, b.stored(f))
			}
		}
	})
}

// stored returns a copy of a frame that was put.
func (b *fill) stored(f seek.Frame) *stored {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.natives[f.N]
	delete(b.natives, f.N)
	return &stored{f.N, b.out.Tensor.Index(int(b.of(f.N)[0])).Clone(), p.format, p.width, p.height}
}

// native is what a Frame tells of the decoded picture.
type native struct {
	format        string
	width, height int
}

// have puts a frame of the cache into its slots.
func (b *fill) have(s *stored) error {
	f, err := b.d.index.Frame(s.n)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fitShape(f, s.pixels.Shape()); err != nil {
		return err
	}
	slots := b.of(f.N)
	for _, k := range slots {
		copy(b.out.Tensor.Index(int(k)).Bytes(), s.pixels.Bytes())
	}
	b.d.stats.frames.Add(int64(len(slots)))
	b.d.stats.hits.Add(1)
	return nil
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
			return b.d.frameError(f, fmt.Errorf("%d bytes of %s, frame %d has %d", len(raw), v.PixelFormat(), b.first.N, len(view.Bytes())))
		}
	} else if err := v.Convert(view, b.px); err != nil {
		return b.d.frameError(f, err)
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
	if b.d.cache != nil && b.px == &b.d.pixels {
		b.note(f, v)
	}
	return nil
}

// note keeps what the cache has to know of a picture.
func (b *fill) note(f seek.Frame, v codec.VideoFrame) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.natives == nil {
		b.natives = map[int]native{}
	}
	w, h := v.Size()
	b.natives[f.N] = native{v.PixelFormat(), w, h}
}

// fit makes the tensor when the first frame comes, and checks that all frames have one shape.
func (b *fill) fit(f seek.Frame, v codec.VideoFrame) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, h := v.Size()
	if b.shape != nil && b.sameShape(w, h) {
		return nil
	}
	shape := b.px.Shape(w, h)
	if b.d.opts.Native {
		raw, err := v.AppendRaw(nil)
		if err != nil {
			return err
		}
		shape = []int{len(raw)}
	}
	return b.fitShape(f, shape)
}

// fitShape is fit for a shape. The mutex is held.
func (b *fill) fitShape(f seek.Frame, shape []int) error {
	if b.shape != nil {
		if slices.Equal(b.shape, shape) {
			return nil
		}
		return b.d.frameError(f, fmt.Errorf("its shape is %v, that of frame %d of the same batch %v: set a Width and Height, or ask for it alone", shape, b.first.N, b.shape))
	}
	if b.out.Tensor == nil {
		b.out.Tensor = tensor.New(b.d.opts.DType, append([]int{len(b.slots)}, shape...)...)
	} else if dst := b.out.Tensor; !slices.Equal(dst.Shape()[1:], shape) || !dst.Index(0).Contiguous() {
		return b.d.frameError(f, fmt.Errorf("its shape is %v, the destination's slots have shape %v and strides %v", shape, dst.Shape()[1:], dst.Strides()[1:]))
	}
	b.shape, b.first = shape, f
	return nil
}

// sameShape says whether a picture of w×h pixels has the shape of the batch, without allocating.
func (b *fill) sameShape(w, h int) bool { return !b.d.opts.Native && hasShape(b.shape, b.px, w, h) }

// hasShape says whether shape is px.Shape(w, h), without allocating.
func hasShape(shape []int, px *codec.Pixels, w, h int) bool {
	if len(shape) != 3 {
		return false
	}
	w, h = px.Scaled(w, h)
	if px.Layout == tensor.NHWC {
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
			shape = append([]int{0}, b.px.Shape(p.Width, p.Height)...)
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
