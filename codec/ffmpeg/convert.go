package ffmpeg

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

// sliceBytes is about how much of a packed picture is made before it is spread over dst: little enough to stay in the cache.
const sliceBytes = 128 << 10

// maxKept is how many scalers, and how many images, a decoder keeps: for two forms of the picture, with scaling, and some.
const maxKept = 6

// converter keeps what conversions need again: scalers and images in C memory, the last used ones first.
type converter struct {
	scalers []keptScaler
	images  []keptImage
	store   store
	scaling scaling
}

type keptScaler struct {
	scaling
	*scaler
}

type keptImage struct {
	use int
	*image
}

// target is dst as the kernels see it: steps in elements along the axes of the displayed picture.
type target struct {
	data                 []byte
	size                 int // bytes of an element
	width, height        int
	row, column, channel int
	padded               bool // rows of data are an image's: whoever writes them may write past their end
}

func (c *converter) close() {
	for _, s := range c.scalers {
		s.close()
	}
	for _, m := range c.images {
		m.close()
	}
	*c = converter{}
}

func (c *converter) convert(f *Frame, dst *tensor.Tensor, px *codec.Pixels) error {
	w, h := f.Size()
	if w <= 0 || h <= 0 {
		return fmt.Errorf("picture of %dx%d pixels: %w", w, h, container.ErrUnsupported)
	}
	to, err := targetOf(dst, px, w, h)
	if err != nil {
		return err
	}
	wide := px.DType == tensor.Uint16 || px.DType == tensor.Float32 && f.Depth() > 8
	format := packedFormat(px.Channels, wide)
	c.scaling = scaling{
		srcWidth: int32(w), srcHeight: int32(h), srcFormat: f.pic.format,
		dstWidth: int32(w), dstHeight: int32(h), dstFormat: format,
		matrix: matrixOf(f.pic.matrix), rng: f.pic.rng - 1, chromaPos: chromaPosOf(f.PixelFormat()),
	}
	turned := orient(px.Orientation, w, h)
	if to.width == turned.width && to.height == turned.height {
		return c.spread(f.d.coder.picture(), to, px, &turned, wide)
	}
	return c.scale(f, to, px, &turned, format, wide)
}

// scale converts, turns and scales: each into a picture of its own but the last.
func (c *converter) scale(f *Frame, to target, px *codec.Pixels, turned *placement, format int32, wide bool) error {
	packed := codec.Pixels{Layout: tensor.NHWC, DType: tensor.Uint8, Channels: px.Channels}
	if wide {
		packed.DType = tensor.Uint16
	}
	if packed.Channels == codec.BGR {
		packed.Channels = codec.RGB
	}
	use := forWhole
	if !turned.straight {
		use = forTurned
	}
	m, err := c.image(use, turned.width, turned.height, format)
	if err != nil {
		return err
	}
	n := packed.Channels.Count()
	whole := target{
		data: unsafe.Slice((*byte)(m.pixels()), m.stride()*turned.height), size: packed.DType.Size(),
		width: turned.width, height: turned.height, row: m.stride() / packed.DType.Size(), column: n, channel: 1, padded: true,
	}
	if err := c.spread(f.d.coder.picture(), whole, &packed, turned, wide); err != nil {
		return err
	}
	c.scaling = scaling{
		srcWidth: int32(turned.width), srcHeight: int32(turned.height), srcFormat: format,
		dstWidth: int32(to.width), dstHeight: int32(to.height), dstFormat: format,
		flags: flagBilinear, matrix: matrixOf(0), rng: c.scaling.rng, chromaPos: -513,
	}
	straight := orient(container.Orientation{}, to.width, to.height)
	return c.spread(m.picture(), to, px, &straight, wide)
}

// spread converts the frame src, as c.scaling says, and places the pixels in to.
func (c *converter) spread(src unsafe.Pointer, to target, px *codec.Pixels, at *placement, wide bool) error {
	s, err := c.scaler()
	if err != nil {
		return err
	}
	w, h := int(c.scaling.dstWidth), int(c.scaling.dstHeight)
	channels := px.Channels.Count()
	floats := px.DType == tensor.Float32
	packed := to.column == channels && (channels == 1 || to.channel == 1)
	// libswscale writes blocks of pixels, past the end of a row if it must, and looks at the alignment of rows.
	aligned := to.padded || w%32 == 0 && to.row*to.size%32 == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(to.data)))%32 == 0
	if packed && aligned && at.straight && !floats && px.Channels != codec.BGR {
		return check(s.rows(src, 0, h, unsafe.Pointer(unsafe.SliceData(to.data)), to.row*to.size))
	}

	sample := 1
	if wide {
		sample = 2
	}
	slice := min(h, max(16, sliceBytes/(w*channels*sample)&^15))
	if h%s.align() != 0 {
		slice = h
	}
	m, err := c.image(forSlices, w, slice, c.scaling.dstFormat)
	if err != nil {
		return err
	}
	first, dx, dy := at.steps(to.row, to.column)
	dc := to.channel
	if px.Channels == codec.BGR {
		first, dc = first+2*dc, -dc
	}
	c.store = store{srcStride: int64(m.stride()), dx: int64(dx), dy: int64(dy), dc: int64(dc), width: int32(w), channels: int32(channels)}
	if wide {
		c.store.wide = 1
	}
	if floats {
		c.store.floats = 1
	}
	for y := 0; y < h; y += slice {
		n := min(slice, h-y)
		if err := check(s.rows(src, y, n, m.pixels(), m.stride())); err != nil {
			return err
		}
		c.store.rows = int32(n)
		c.store.run(m.pixels(), unsafe.Pointer(&to.data[(first+y*dy)*to.size]))
	}
	return nil
}

// scaler returns the scaler for c.scaling.
func (c *converter) scaler() (*scaler, error) {
	for i, s := range c.scalers {
		if s.scaling == c.scaling {
			copy(c.scalers[1:], c.scalers[:i])
			c.scalers[0] = s
			return s.scaler, nil
		}
	}
	s, err := newScaler(&c.scaling)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, container.ErrUnsupported)
	}
	if len(c.scalers) == maxKept {
		c.scalers[maxKept-1].close()
		c.scalers = c.scalers[:maxKept-1]
	}
	c.scalers = slices.Insert(c.scalers, 0, keptScaler{c.scaling, s})
	return s, nil
}

// Uses of images.
const (
	forSlices = iota
	forWhole  // libswscale wrote into the padding of its rows
	forTurned // the padding is zero
)

// image returns an image for a use. It is valid until maxKept-1 others have been asked for.
func (c *converter) image(use, width, height int, format int32) (*image, error) {
	for i, m := range c.images {
		if m.use == use && m.width == width && m.height == height && m.format == format {
			copy(c.images[1:], c.images[:i])
			c.images[0] = m
			return m.image, nil
		}
	}
	m, err := newImage(width, height, format)
	if err != nil {
		return nil, err
	}
	if len(c.images) == maxKept {
		c.images[maxKept-1].close()
		c.images = c.images[:maxKept-1]
	}
	c.images = slices.Insert(c.images, 0, keptImage{use, m})
	return m, nil
}

// targetOf checks dst against the form for pictures of w×h pixels.
func targetOf(dst *tensor.Tensor, px *codec.Pixels, w, h int) (target, error) {
	if px.DType != tensor.Uint8 && px.DType != tensor.Uint16 && px.DType != tensor.Float32 {
		return target{}, fmt.Errorf("pixels of %v: %w", px.DType, container.ErrUnsupported)
	}
	if px.Width < 0 || px.Height < 0 || px.Orientation.Degrees%90 != 0 {
		return target{}, fmt.Errorf("size %dx%d, turned by %d degrees: %w", px.Width, px.Height, px.Orientation.Degrees, container.ErrUnsupported)
	}
	width, height := px.Scaled(w, h)
	channels := px.Channels.Count()
	to := target{size: px.DType.Size(), width: width, height: height}
	want := [3]int{channels, height, width}
	if px.Layout == tensor.NHWC {
		want = [3]int{height, width, channels}
	}
	shape, strides := dst.Shape(), dst.Strides()
	if dst.DType() != px.DType || len(shape) != 3 || [3]int(shape) != want {
		return target{}, fmt.Errorf("destination is %v, want %v%v", dst, px.DType, want)
	}
	if dst.Device().Kind != tensor.CPU {
		return target{}, fmt.Errorf("destination on %v: %w", dst.Device(), container.ErrUnsupported)
	}
	if px.Layout == tensor.NHWC {
		to.row, to.column, to.channel = strides[0], strides[1], strides[2]
	} else {
		to.channel, to.row, to.column = strides[0], strides[1], strides[2]
	}
	// The stride of an axis of one element says nothing.
	if channels == 1 {
		to.channel = 1
	}
	step := 1
	if px.Layout == tensor.NHWC {
		step = channels
	}
	if width == 1 {
		to.column = step
	}
	if height == 1 && to.row < width*step {
		to.row = width * step
	}
	if to.column != step || px.Layout == tensor.NHWC && to.channel != 1 || to.row < 0 || to.channel < 0 {
		return target{}, errors.New("rows of the destination are not contiguous")
	}
	to.data = memoryOf(dst)
	if last := (height-1)*to.row + (width-1)*to.column + (channels-1)*to.channel; (last+1)*to.size > len(to.data) {
		return target{}, fmt.Errorf("destination of %d bytes ends before its last element", len(to.data))
	}
	return to, nil
}

// memoryOf returns the memory of a tensor from its first element to its last one.
func memoryOf(t *tensor.Tensor) []byte {
	if t.Contiguous() {
		return t.Bytes()
	}
	first, n := t, t.DType().Size()
	for i, d := range t.Shape() {
		n += (d - 1) * t.Strides()[i] * t.DType().Size()
		first = first.Index(0)
	}
	return unsafe.Slice(unsafe.SliceData(first.Bytes()), n)
}

func packedFormat(c codec.Channels, wide bool) int32 {
	switch {
	case c == codec.Gray && wide:
		return formatGray16
	case c == codec.Gray:
		return formatGray8
	case wide:
		return formatRGB48
	}
	return formatRGB24
}

// matrixOf returns the AVColorSpace whose coefficients are used: those that libswscale has, else BT.601.
func matrixOf(space int32) int32 {
	const bt470bg = 5
	if space < 1 || space > 10 || space == 8 {
		return bt470bg
	}
	return space
}

// chromaPosOf returns where chroma samples lie between rows, in 1/256 of a row: FFmpeg's scale filter has them half-way for yuv420p
// and leaves the choice, -513, to libswscale for all other formats, yuvj420p and yuv420p10 among them.
func chromaPosOf(format string) int32 {
	if format == "yuv420p" {
		return 128
	}
	return -513
}

func check(code int) error {
	if code < 0 {
		return errors.New(codeText(code))
	}
	return nil
}
