package sprocket

import (
	"slices"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/tensor"
)

// held is a picture that came out before it was asked for, converted already.
type held struct {
	seek.Frame
	native
	pixels *tensor.Tensor
	depth  int
}

var _ codec.VideoFrame = (*held)(nil)

func (h *held) Packet() int64       { return h.Frame.Packet }
func (h *held) Size() (int, int)    { return h.width, h.height }
func (h *held) PixelFormat() string { return h.format }
func (h *held) Depth() int          { return h.depth }
func (h *held) Damaged() bool       { return false }

// AppendRaw appends the picture of a decoder that gives native planes.
func (h *held) AppendRaw(b []byte) ([]byte, error) { return append(b, h.pixels.Bytes()...), nil }

// Convert copies the picture: it is held in the one form that is asked for.
func (h *held) Convert(dst *tensor.Tensor, _ *codec.Pixels) error {
	copy(dst.Bytes(), h.pixels.Bytes())
	return nil
}

// unstash takes those of the wanted pictures that came out before, and drops what is not later than them.
func (j *job) unstash() error {
	last := j.run.Frames[len(j.run.Frames)-1].N
	for _, h := range j.w.stash {
		if i, ok := j.find(h.Frame.Packet); ok && !j.done[i] {
			j.done[i] = true
			j.left--
			if err := j.sink(h.Frame, h); err != nil {
				return err
			}
		}
	}
	j.w.stash = slices.DeleteFunc(j.w.stash, func(h *held) bool { return h.N <= last })
	return nil
}

// spare takes a picture that came out after the last wanted one.
func (j *job) spare(v codec.VideoFrame) error {
	if !j.stay || v.Damaged() {
		j.extra = true
		return nil
	}
	from := j.run.Frames[len(j.run.Frames)-1].N + 1
	f, ok, err := j.d.frameOf(v.Packet(), from, from+maxWaiting)
	if err != nil || !ok {
		return err // no frame: nobody can ask for it
	}
	h := &held{Frame: f, depth: v.Depth()}
	h.format = v.PixelFormat()
	h.width, h.height = v.Size()
	if h.pixels, err = j.d.newPixels(v); err != nil {
		return j.d.frameError(f, err)
	}
	j.w.stash = append(j.w.stash, h)
	return nil
}

// frameOf finds the frame of a packet among those numbered from a to b, exclusive.
func (d *VideoDecoder) frameOf(packet int64, a, b int) (seek.Frame, bool, error) {
	for n := a; n < min(d.Len(), b); n++ {
		f, err := d.index.Frame(n)
		if err != nil || f.Packet == packet {
			return f, err == nil, err
		}
	}
	return seek.Frame{}, false, nil
}
