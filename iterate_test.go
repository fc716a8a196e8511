package sprocket

import (
	"errors"
	"testing"

	"github.com/sprocket-video/sprocket/tensor"
)

func TestFramesIntoGivesTheFrames(t *testing.T) {
	for _, native := range []bool{false, true} {
		c := gops(4, true)
		c.broken[21] = true // costs what is made from it
		d := openClip(t, c, &VideoOptions{Native: native})
		type got struct {
			hash uint64
			info FrameInfo
			err  string
		}
		var want []got
		note := func(f *Frame, err error) got {
			if err != nil {
				return got{err: err.Error()}
			}
			return got{hash(f.Tensor), f.FrameInfo, ""}
		}
		for f, err := range d.Frames(t.Context()) {
			want = append(want, note(f, err))
		}
		shape := []int{3, 2, 4}
		if native {
			shape = []int{8}
		}
		made := 0
		for name, get := range map[string]func() *tensor.Tensor{"lent": nil, "given": func() *tensor.Tensor {
			made++
			return tensor.New(tensor.Uint8, shape...)
		}} {
			n := 0
			kept := map[*tensor.Tensor]bool{}
			for f, err := range d.FramesInto(t.Context(), get) {
				if g := note(f, err); g != want[n] {
					t.Errorf("%s, native %v: frame %d is %+v, want %+v", name, native, n, g, want[n])
				}
				if f != nil {
					kept[f.Tensor] = true
				}
				n++
			}
			if n != d.Len() {
				t.Errorf("%s: %d frames, want %d", name, n, d.Len())
			}
			if name == "lent" && len(kept) > 8 {
				t.Errorf("%d tensors for a stream that reorders two frames", len(kept))
			}
			if name == "given" && (len(kept) < 30 || made < len(kept)) {
				t.Errorf("%d tensors were made, %d came with frames", made, len(kept))
			}
		}
	}
}

func TestFramesIntoChecksTheTensor(t *testing.T) {
	d := openClip(t, gops(1, false), nil)
	for name, get := range map[string]func() *tensor.Tensor{
		"nil":   func() *tensor.Tensor { return nil },
		"small": func() *tensor.Tensor { return tensor.New(tensor.Uint8, 1) },
	} {
		n := 0
		for f, err := range d.FramesInto(t.Context(), get) {
			if err == nil {
				t.Errorf("%s: %v", name, f)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%s: %d turns, want 1", name, n)
		}
	}
	for _, err := range openClip(t, gops(1, false), nil).FramesInto(t.Context(), nil) {
		if err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		break
	}
}
