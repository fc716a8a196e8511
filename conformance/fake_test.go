package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

// clip is a made-up H.264 stream of two GOPs, I P B B P B B each.
type clip struct {
	track   container.Track
	infos   []container.PacketInfo
	packets [][]byte
}

const (
	nalIDR = 0x65
	nalP   = 0x41
	nalB   = 0x01
)

func newClip() *clip {
	d := container.Description{Codec: "h264", Config: []byte{1, 100, 0, 31, 0xff, 0xe1, 0, 0}, Video: container.Picture{Width: 6, Height: 4}}
	c := &clip{track: container.Track{Kind: container.Video, Timebase: container.Timebase{Num: 1, Den: 25}, Description: d, Descriptions: []container.Description{d}}}
	for g := range container.Ticks(2) {
		for i, pts := range []container.Ticks{0, 3, 1, 2, 6, 4, 5} {
			nal := []byte{nalIDR, nalP, nalB, nalB, nalP, nalB, nalB}[i]
			n := len(c.infos)
			data := []byte{0, 0, 0, 3, nal, 0x88, byte(n), 0}
			data[7] = check(data)
			c.infos = append(c.infos, container.PacketInfo{N: int64(n), PTS: 7*g + pts, DTS: container.Ticks(n) - 2, Duration: 1, Size: len(data), Key: i == 0})
			c.packets = append(c.packets, data)
		}
	}
	return c
}

// check is the last byte of a good packet.
func check(b []byte) byte {
	x := byte(7)
	for _, v := range b[:len(b)-1] {
		x = x*31 + v
	}
	return x
}

func (c *clip) Tracks() []container.Track                     { return []container.Track{c.track} }
func (c *clip) Next(context.Context, *container.Packet) error { return io.EOF }
func (c *clip) Close() error                                  { return nil }
func (c *clip) List(_ context.Context, _ int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		for _, p := range c.infos[from.N:] {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (c *clip) Read(_ context.Context, _ int, info container.PacketInfo, p *container.Packet) error {
	p.PacketInfo = info
	p.Data = append(p.Data[:0], c.packets[info.N][:info.Size]...)
	return nil
}

// fakeBackend decodes clips as it should, but for its faults.
type fakeBackend struct {
	fault  string
	shared atomic.Uint32 // the reference of all decoders, with the fault "shared"
}

func (b *fakeBackend) Name() string { return "fake" }

func (b *fakeBackend) Supports(t *container.Track) error {
	if t.Codec != "h264" && b.fault != "supports all" {
		return container.ErrUnsupported
	}
	return nil
}

func (b *fakeBackend) OpenVideo(_ context.Context, t *container.Track, _ *codec.VideoOptions) (codec.VideoDecoder, error) {
	if t.Codec != "h264" {
		return nil, b.fail(-1, container.ErrUnsupported)
	}
	return &fakeDecoder{b: b}, nil
}

func (b *fakeBackend) fail(n int64, err error) error {
	if b.fault == "plain errors" {
		return err
	}
	return &codec.Error{Backend: "fake", Op: "decode", Packet: n, PTS: container.NoTicks, Err: err}
}

// fakeDecoder reorders two deep. A picture is a number made of all the packets it depends on.
type fakeDecoder struct {
	b       *fakeBackend
	ref     uint32
	held    []*fakePicture
	flushed bool
	stuck   bool
}

var errFlushed = errors.New("flushed")

func (d *fakeDecoder) Decode(ctx context.Context, p *container.Packet, emit func(codec.VideoFrame) error) error {
	if err := ctx.Err(); err != nil && d.b.fault != "deaf" {
		return err
	}
	if d.flushed && d.b.fault != "decodes when flushed" {
		return d.b.fail(p.N, errFlushed)
	}
	if d.b.fault == "panics" {
		panic("decoder")
	}
	if d.b.fault == "tires" && d.b.shared.Add(1) > 20 {
		return d.b.fail(p.N, codec.ErrDecode)
	}
	if len(p.Data) != 8 || check(p.Data) != p.Data[7] || d.stuck {
		d.stuck = d.b.fault == "gets stuck"
		if d.b.fault == "other errors" {
			return d.b.fail(p.N, io.ErrUnexpectedEOF)
		}
		return d.b.fail(p.N, fmt.Errorf("checksum: %w", codec.ErrDecode))
	}
	if d.b.fault == "shared" {
		time.Sleep(100 * time.Microsecond)
		d.ref = d.b.shared.Load()
		defer func() { d.b.shared.Store(d.ref) }()
	}
	ref := &d.ref
	pic := &fakePicture{b: d.b, n: p.N, pts: p.PTS, value: *ref*31 + uint32(p.N) + 1}
	switch p.Data[4] {
	case nalIDR:
		if pic.value = uint32(p.N) + 1; d.b.fault == "forgets nothing" {
			pic.value += *ref
		}
		*ref = pic.value
	case nalP:
		*ref = pic.value
	}
	if d.b.fault == "keeps memory" {
		pic.kept = p.Data
	}
	if d.b.fault == "unsteady" {
		pic.value += d.b.shared.Add(1) >> 4 // the first time through the clip, nothing
	}
	d.held = append(d.held, pic)
	return d.release(2, emit)
}

func (d *fakeDecoder) release(keep int, emit func(codec.VideoFrame) error) error {
	for len(d.held) > keep {
		first := 0
		for i, p := range d.held {
			if p.pts < d.held[first].pts && d.b.fault != "decode order" {
				first = i
			}
		}
		p := d.held[first]
		if d.b.fault != "repeats what was refused" {
			d.held = slices.Delete(d.held, first, first+1)
		}
		err := emit(p)
		if err == nil && d.b.fault == "twice" && p.n == 4 {
			err = emit(p)
		}
		if err != nil {
			if d.b.fault == "wraps" {
				err = fmt.Errorf("emit: %w", err)
			}
			return err
		}
		if d.b.fault == "repeats what was refused" {
			d.held = slices.Delete(d.held, first, first+1)
		}
	}
	return nil
}

func (d *fakeDecoder) Flush(ctx context.Context, emit func(codec.VideoFrame) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.flushed = true
	if d.b.fault == "holds back" {
		return d.release(1, emit)
	}
	return d.release(0, emit)
}

func (d *fakeDecoder) Reset() error {
	if d.flushed = false; d.b.fault != "keeps pictures" {
		d.held = nil
	}
	if d.b.fault != "forgets nothing" {
		d.ref = 0
	}
	return nil
}

func (d *fakeDecoder) Close() error {
	if d.b.fault == "close fails" {
		return io.ErrClosedPipe
	}
	return nil
}

type fakePicture struct {
	b     *fakeBackend
	n     int64
	pts   container.Ticks
	value uint32
	kept  []byte
}

func (p *fakePicture) Packet() int64       { return p.n }
func (p *fakePicture) Size() (int, int)    { return 6, 4 }
func (p *fakePicture) PixelFormat() string { return "rgb24" }
func (p *fakePicture) Depth() int          { return 8 }
func (p *fakePicture) Damaged() bool       { return false }

// pixel is the colour at a place of the picture as it is stored.
func (p *fakePicture) pixel(x, y, ch int) byte {
	return byte(p.value>>(ch%3*4)) + byte(x*7+y*29+ch*61)
}

func (p *fakePicture) AppendRaw(b []byte) ([]byte, error) {
	for i := range 6 * 4 * 3 {
		b = append(b, p.pixel(i/3%6, i/18, i%3))
	}
	return append(b, p.kept...), nil
}

func (p *fakePicture) Convert(dst *tensor.Tensor, px *codec.Pixels) error {
	shape := px.Shape(6, 4)
	if (!slices.Equal(dst.Shape(), shape) || dst.DType() != px.DType) && p.b.fault != "takes any shape" {
		return p.b.fail(p.n, fmt.Errorf("shape %v", dst.Shape()))
	}
	h, w, channels := shape[1], shape[2], shape[0]
	if px.Layout == tensor.NHWC {
		h, w, channels = shape[0], shape[1], shape[2]
	}
	put := func(int, byte) {}
	switch {
	case dst.Len() != h*w*channels:
	case dst.DType() == tensor.Uint8:
		put = func(i int, v byte) { tensor.Values[uint8](dst)[i] = v }
	case dst.DType() == tensor.Float32:
		scale := float32(255)
		if p.b.fault == "256" {
			scale = 256
		}
		put = func(i int, v byte) { tensor.Values[float32](dst)[i] = float32(v) / scale }
	}
	for y := range h {
		for x := range w {
			for ch := range channels {
				i := (ch*h+y)*w + x
				if px.Layout == tensor.NHWC && p.b.fault != "one layout" {
					i = (y*w+x)*channels + ch
				}
				put(i, p.turned(x, y, ch, w, h, px))
			}
		}
	}
	return nil
}

// turned is the colour at a place of the picture as it is wanted, w×h pixels.
func (p *fakePicture) turned(x, y, ch, w, h int, px *codec.Pixels) byte {
	if px.Channels == codec.BGR && p.b.fault != "always RGB" {
		ch = 2 - ch
	}
	switch px.Orientation.Degrees {
	case 90:
		x, y = y, w-1-x
	case 180:
		x, y = w-1-x, h-1-y
	case 270:
		x, y = h-1-y, x
	}
	if px.Orientation.Mirror && p.b.fault != "no mirror" {
		x = 5 - x
	}
	return p.pixel(x, y, ch)
}
