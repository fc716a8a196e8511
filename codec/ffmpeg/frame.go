package ffmpeg

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

var errReleased = errors.New("frame used after emit returned")

// Frame is a decoded picture. It is the decoder's: after emit has returned, only Packet, Size and Damaged still answer.
type Frame struct {
	d         *Decoder
	pic       picture
	valid     bool
	concealed bool

	format int32 // the format that name and depth are of, plus one
	name   string
	depth  int
}

var _ codec.VideoFrame = (*Frame)(nil)

// Packet returns the number of the packet that the picture came from.
func (f *Frame) Packet() int64 { return f.pic.token }

// Size returns the width and height in pixels, cropped.
func (f *Frame) Size() (width, height int) { return int(f.pic.width), int(f.pic.height) }

// PixelFormat returns FFmpeg's name of the native format.
func (f *Frame) PixelFormat() string {
	f.describe()
	return f.name
}

// Depth returns the bits of a sample, of the widest component.
func (f *Frame) Depth() int {
	f.describe()
	return f.depth
}

// Damaged says that the decoder reported errors in the picture, or an error for its packet.
func (f *Frame) Damaged() bool { return f.pic.errors != 0 || f.concealed }

// AppendRaw appends the native planes, packed, as FFmpeg's rawvideo has them.
func (f *Frame) AppendRaw(b []byte) ([]byte, error) {
	if !f.valid {
		return b, f.fail("raw", errReleased)
	}
	n := f.d.coder.rawSize()
	if n <= 0 {
		return b, f.fail("raw", fmt.Errorf("%s: %w", f.PixelFormat(), container.ErrUnsupported))
	}
	old := len(b)
	b = slices.Grow(b, n)[:old+n]
	if code := f.d.coder.rawCopy(b[old:]); code < 0 {
		return b[:old], f.fail("raw", errors.New(codeText(code)))
	}
	return b, nil
}

// Convert writes the picture into dst in the form that px asks for; nil is the zero form.
// It writes no byte outside the elements of dst.
func (f *Frame) Convert(dst *tensor.Tensor, px *codec.Pixels) error {
	if !f.valid {
		return f.fail("convert", errReleased)
	}
	if px == nil {
		px = &codec.Pixels{}
	}
	if err := f.d.converter.convert(f, dst, px); err != nil {
		return f.fail("convert", err)
	}
	return nil
}

func (f *Frame) describe() {
	if f.format != f.pic.format+1 {
		f.format = f.pic.format + 1
		f.name, f.depth = formatInfo(f.pic.format)
	}
}

func (f *Frame) fail(op string, err error) error {
	return &codec.Error{Backend: backendName, Op: op, Packet: f.pic.token, PTS: container.NoTicks, Err: err}
}
