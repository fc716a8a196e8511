package conformance

import (
	"context"
	"math"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

// Bounds on what is converted in every form.
const (
	convertPictures = 2       // of a clip
	convertPixels   = 1 << 17 // of a picture that are looked at
)

// conversions checks that all forms of a picture agree.
func (c *backendCheck) conversions(ctx context.Context) {
	dec, ok := c.open(ctx)
	if !ok {
		return
	}
	defer c.close(dec)
	left := convertPictures
	emit := func(v codec.VideoFrame) error {
		if left > 0 {
			left--
			c.forms(v)
		}
		return nil
	}
	for i := range c.packets {
		if left == 0 {
			return
		}
		if err := dec.Decode(ctx, &c.packets[i], emit); err != nil {
			return // linear has told
		}
	}
	_ = dec.Flush(ctx, emit) // linear has told
}

// to converts a picture.
func (c *backendCheck) to(v codec.VideoFrame, px codec.Pixels) *tensor.Tensor {
	t := tensor.New(px.DType, px.Shape(v.Size())...)
	if err := v.Convert(t, &px); err != nil {
		c.because(err, "Convert gives every layout, dtype and channel order", "%s: %v %v", c.clip.Name, px.Layout, px.DType)
		return nil
	}
	return t
}

func (c *backendCheck) forms(v codec.VideoFrame) {
	base := c.to(v, codec.Pixels{Layout: tensor.NHWC})
	if base == nil {
		return
	}
	rgb := tensor.Values[uint8](base)
	w, h := v.Size()
	step := max(1, w*h/convertPixels)
	same := func(law string, px codec.Pixels, want func(x, y, ch int) float64, tolerance float64) {
		t := c.to(v, px)
		if t == nil {
			return
		}
		at := reader(t)
		shape := px.Shape(w, h)
		height, width, channels := shape[1], shape[2], shape[0]
		if px.Layout == tensor.NHWC {
			height, width, channels = shape[0], shape[1], shape[2]
		}
		for y := range height {
			for x := y % step; x < width; x += step {
				for ch := range channels {
					i := (ch*height+y)*width + x
					if px.Layout == tensor.NHWC {
						i = (y*width+x)*channels + ch
					}
					if got, want := at(i), want(x, y, ch); math.Abs(got-want) > tolerance {
						c.broke(law, "%s, packet %d, %v %v: channel %d at (%d, %d) is %v, not %v", c.clip.Name, v.Packet(), px.Layout, px.DType, ch, x, y, got, want)
						return
					}
				}
			}
		}
	}
	pixel := func(x, y, ch int) float64 { return float64(rgb[(y*w+x)*3+ch]) }
	same("Convert gives the same every time", codec.Pixels{Layout: tensor.NHWC}, pixel, 0)
	same("NCHW is NHWC with its axes moved", codec.Pixels{}, pixel, 0)
	bgr := func(x, y, ch int) float64 { return pixel(x, y, 2-ch) }
	for _, layout := range []tensor.Layout{tensor.NCHW, tensor.NHWC} {
		same("BGR is RGB with its channels swapped", codec.Pixels{Layout: layout, Channels: codec.BGR}, bgr, 0)
		turned := codec.Pixels{Layout: layout, Orientation: container.Orientation{Degrees: 180}}
		same("a turn by 180 degrees moves the pixels and nothing else", turned, func(x, y, ch int) float64 { return pixel(w-1-x, h-1-y, ch) }, 0)
		turned.Orientation = container.Orientation{Degrees: 90}
		same("a turn by 90 degrees moves the pixels and nothing else", turned, func(x, y, ch int) float64 { return pixel(y, h-1-x, ch) }, 0)
		turned.Orientation = container.Orientation{Degrees: 270}
		same("a turn by 270 degrees moves the pixels and nothing else", turned, func(x, y, ch int) float64 { return pixel(w-1-y, x, ch) }, 0)
		turned.Orientation = container.Orientation{Mirror: true}
		same("a mirror moves the pixels and nothing else", turned, func(x, y, ch int) float64 { return pixel(w-1-x, y, ch) }, 0)
		c.float(v, layout, same, pixel)
	}
	gray := c.to(v, codec.Pixels{Layout: tensor.NHWC, Channels: codec.Gray})
	if gray != nil {
		values := tensor.Values[uint8](gray)
		same("NCHW is NHWC with its axes moved", codec.Pixels{Channels: codec.Gray}, func(x, y, _ int) float64 { return float64(values[y*w+x]) }, 0)
	}
	c.misfits(v, w, h)
}

// float compares the floats of a picture with the integers they are made of.
func (c *backendCheck) float(v codec.VideoFrame, layout tensor.Layout, same func(string, codec.Pixels, func(x, y, ch int) float64, float64), pixel func(x, y, ch int) float64) {
	const tolerance = 1e-7 // a rounding of float32 below 1
	px := codec.Pixels{Layout: layout, DType: tensor.Float32}
	if v.Depth() <= 8 {
		same("float32 is uint8/255 for pictures of 8 bits", px, func(x, y, ch int) float64 { return pixel(x, y, ch) / 255 }, tolerance)
		return
	}
	deep := c.to(v, codec.Pixels{Layout: tensor.NHWC, DType: tensor.Uint16})
	if deep == nil {
		return
	}
	values := tensor.Values[uint16](deep)
	w, _ := v.Size()
	same("float32 is uint16/65535 for pictures of more than 8 bits", px, func(x, y, ch int) float64 { return float64(values[(y*w+x)*3+ch]) / 65535 }, tolerance)
}

// misfits converts into tensors that do not fit.
func (c *backendCheck) misfits(v codec.VideoFrame, w, h int) {
	for _, m := range []struct {
		name string
		dst  *tensor.Tensor
	}{
		{"a row too few", tensor.New(tensor.Uint8, 3, max(h-1, 0), w)},
		{"a column too many", tensor.New(tensor.Uint8, 3, h, w+1)},
		{"an axis too many", tensor.New(tensor.Uint8, 1, 3, h, w)},
		{"another dtype", tensor.New(tensor.Float32, 3, h, w)},
	} {
		err := v.Convert(m.dst, &codec.Pixels{})
		if err == nil {
			c.broke("Convert refuses a tensor that does not fit", "%s: %s", c.clip.Name, m.name)
			continue
		}
		c.located(err, "Convert into "+m.name)
	}
}

// reader returns a function that reads element i of a contiguous tensor.
func reader(t *tensor.Tensor) func(i int) float64 {
	switch t.DType() {
	case tensor.Uint16:
		v := tensor.Values[uint16](t)
		return func(i int) float64 { return float64(v[i]) }
	case tensor.Float32:
		v := tensor.Values[float32](t)
		return func(i int) float64 { return float64(v[i]) }
	default:
		v := tensor.Values[uint8](t)
		return func(i int) float64 { return float64(v[i]) }
	}
}
