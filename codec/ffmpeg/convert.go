package ffmpeg

import (
	"errors"
	"fmt"
	"image"
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
	slice   int // for tests: instead of sliceBytes
}

type keptScaler struct {
	scaling
	*scaler
}

type keptImage struct {
	use int
	*canvas
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
	turned := orient(px.Orientation, w, h)
	part := image.Rect(0, 0, turned.width, turned.height)
	if px.Crop != (image.Rectangle{}) {
		if px.Crop.Empty() || !px.Crop.In(part) {
			return fmt.Errorf("%v of a picture of %dx%d pixels: %w", px.Crop, turned.width, turned.height, errCrop)
		}
		part = px.Crop
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
	if to.width == part.Dx() && to.height == part.Dy() {
		return c.spread(f.d.coder.picture(), to, px, &turned, part, wide)
	}
	return c.scale(f, to, px, &turned, part, format, wide)
}

var errCrop = errors.New("the part to keep does not lie in the picture")

// scale converts, turns and scales: each into a picture of its own but the last.
func (c *converter) scale(f *Frame, to target, px *codec.Pixels, turned *placement, part image.Rectangle, format int32, wide bool) error {
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
	n, size := packed.Channels.Count(), packed.DType.Size()
	// All of the rows, as FFmpeg's filters have them: libswscale looks at the pixel after the last one of a row.
	rows := image.Rect(0, part.Min.Y&^15, turned.width, min(turned.height, (part.Max.Y+15)&^15))
	whole := target{
		data: unsafe.Slice((*byte)(m.pixels()), m.stride()*turned.height)[rows.Min.Y*m.stride():], size: size,
		width: turned.width, height: rows.Dy(), row: m.stride() / size, column: n, channel: 1, padded: true,
	}
	if err := c.spread(f.d.coder.picture(), whole, &packed, turned, rows, wide); err != nil {
		return err
	}
	c.scaling = scaling{
		srcWidth: int32(part.Dx()), srcHeight: int32(part.Dy()), srcFormat: format,
		dstWidth: int32(to.width), dstHeight: int32(to.height), dstFormat: format,
		flags: flagBilinear, matrix: matrixOf(0), rng: c.scaling.rng, chromaPos: -513,
	}
	straight := orient(container.Orientation{}, to.width, to.height)
	src := m.picture()
	if part.Dx() != turned.width || part.Dy() != turned.height {
		if src, err = m.part(part.Min.X*n*size, part.Min.Y, part.Dx(), part.Dy()); err != nil {
			return err
		}
	}
	return c.spread(src, to, px, &straight, image.Rect(0, 0, to.width, to.height), wide)
}

// spread converts the frame src, as c.scaling says, and places that part of the pixels in to. The part is one of the picture as
// it is turned by at.
func (c *converter) spread(src unsafe.Pointer, to target, px *codec.Pixels, at *placement, part image.Rectangle, wide bool) error {
	s, err := c.scaler()
	if err != nil {
		return err
	}
	w, h := int(c.scaling.dstWidth), int(c.scaling.dstHeight)
	channels := px.Channels.Count()
	floats := px.DType == tensor.Float32
	packed := to.column == channels && (channels == 1 || to.channel == 1)
	align := s.align()
	// libswscale writes blocks of pixels, past the end of a row if it must, and looks at the alignment of rows.
	aligned := to.padded || w%32 == 0 && to.row*to.size%32 == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(to.data)))%32 == 0
	sliced := part.Dx() == w && (part.Dy() == h || h%align == 0 && part.Min.Y%align == 0 && part.Max.Y%align == 0)
	if packed && aligned && at.straight && sliced && !floats && px.Channels != codec.BGR {
		return check(s.rows(src, part.Min.Y, part.Dy(), unsafe.Pointer(unsafe.SliceData(to.data)), to.row*to.size))
	}

	sample := 1
	if wide {
		sample = 2
	}
	slice := min(h, max(16, c.sliceBytes()/(w*channels*sample)&^15))
	if h%align != 0 {
		slice = h
	}
	m, err := c.image(forSlices, w, slice, c.scaling.dstFormat)
	if err != nil {
		return err
	}
	first, dx, dy := at.steps(to.row, to.column)
	first -= part.Min.Y*to.row + part.Min.X*to.column
	dc := to.channel
	if px.Channels == codec.BGR {
		first, dc = first+2*dc, -dc
	}
	from := at.source(part)
	c.store = store{srcStride: int64(m.stride()), dx: int64(dx), dy: int64(dy), dc: int64(dc), width: int32(from.Dx()), channels: int32(channels)}
	if wide {
		c.store.wide = 1
	}
	if floats {
		c.store.floats = 1
	}
	for y := from.Min.Y / slice * slice; y < from.Max.Y; y += slice {
		if err := check(s.rows(src, y, min(slice, h-y), m.pixels(), m.stride())); err != nil {
			return err
		}
		a, b := max(y, from.Min.Y), min(y+slice, from.Max.Y)
		c.store.rows = int32(b - a)
		c.store.run(unsafe.Add(m.pixels(), (a-y)*m.stride()+from.Min.X*channels*sample), unsafe.Pointer(&to.data[(first+a*dy+from.Min.X*dx)*to.size]))
	}
	return nil
}

func (c *converter) sliceBytes() int {
	if c.slice > 0 {
		return c.slice
	}
	return sliceBytes
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
func (c *converter) image(use, width, height int, format int32) (*canvas, error) {
	for i, m := range c.images {
		if m.use == use && m.width == width && m.height == height && m.format == format {
			copy(c.images[1:], c.images[:i])
			c.images[0] = m
			return m.canvas, nil
		}
	}
	m, err := newCanvas(width, height, format)
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
	if px.Width < 0 || px.Height < 0 || px.MaxPixels < 0 || px.Orientation.Degrees%90 != 0 {
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
