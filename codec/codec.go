// Package codec is the narrow bridge between compressed packets and pictures: what a backend must do, and which there are.
package codec

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

var (
	// ErrDecode: the packet cannot be decoded. Other frames may still be good.
	ErrDecode = errors.New("cannot decode")
	// ErrUnavailable: no backend for this track is linked in or can be loaded on this machine.
	ErrUnavailable = errors.New("unavailable")
)

// Error says which packet a backend failed on.
type Error struct {
	Backend string          // "ffmpeg"
	Op      string          // "open", "decode", "convert"
	Packet  int64           // PacketInfo.N; -1 when the failure belongs to no packet
	PTS     container.Ticks // of the packet; NoTicks when there is none
	Err     error
}

// Error returns "ffmpeg: decode: packet 17: Invalid data found when processing input: cannot decode".
func (e *Error) Error() string {
	switch {
	case e.Packet >= 0 && e.PTS != container.NoTicks:
		return fmt.Sprintf("%s: %s: packet %d (pts %d): %v", e.Backend, e.Op, e.Packet, e.PTS, e.Err)
	case e.Packet >= 0:
		return fmt.Sprintf("%s: %s: packet %d: %v", e.Backend, e.Op, e.Packet, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Backend, e.Op, e.Err)
}

// Unwrap returns why.
func (e *Error) Unwrap() error { return e.Err }

// Decoder turns packets into frames of type F. It serves one goroutine at a time.
//
// Every packet in gives zero or more frames out, in presentation order, each lent to emit until emit returns.
// An error of emit stops the call and is returned as it is.
type Decoder[F any] interface {
	// Decode decodes one packet, whose memory may be reused when it returns.
	// A packet that cannot be decoded gives a *Error that wraps ErrDecode; the decoder goes on with the next packet.
	Decode(ctx context.Context, p *container.Packet, emit func(F) error) error
	// Flush emits the frames still held. After it only Reset and Close are allowed.
	Flush(ctx context.Context, emit func(F) error) error
	// Reset forgets every packet and frame: the next packet must be one at which decoding can start.
	Reset() error
	// Close frees the decoder. Nothing else may be called after it.
	Close() error
}

// VideoDecoder is a decoder of pictures.
type VideoDecoder = Decoder[VideoFrame]

// VideoFrame is a decoded picture, lent by its decoder until emit returns.
type VideoFrame interface {
	// Packet returns the N of the packet the picture came from.
	Packet() int64
	// Size returns the width and height in pixels, cropped, before Orientation.
	Size() (width, height int)
	// PixelFormat returns FFmpeg's name of the native format: "yuv420p10le".
	PixelFormat() string
	// Depth returns the bits of a sample.
	Depth() int
	// Damaged says that the decoder met errors in this picture and concealed them.
	Damaged() bool
	// AppendRaw appends the native planes, rows without padding, plane after plane, as FFmpeg's rawvideo has them.
	AppendRaw(b []byte) ([]byte, error)
	// Convert writes the picture into dst in the form that px asks for.
	// The shape of dst must be px.Shape of the picture's size; each row, of pixels or of one plane, must be contiguous.
	Convert(dst *tensor.Tensor, px *Pixels) error
}

// Channels are the colour channels of a converted picture.
type Channels uint8

// Channel orders.
const (
	RGB Channels = iota
	BGR
	Gray
)

// Count returns 3, or 1 for Gray.
func (c Channels) Count() int {
	if c == Gray {
		return 1
	}
	return 3
}

// Pixels is the form in which pictures are wanted.
//
// Conversion is libswscale's with flags 0 and the picture's own matrix and range (BT.601 where the stream does not say), no tone
// mapping. Uint8 is rgb24; Uint16 is rgb48; Float32 is in [0, 1]: rgb24/255 for pictures of 8 bits, rgb48/65535 for deeper ones.
type Pixels struct {
	Layout      tensor.Layout
	DType       tensor.DType // Uint8, Uint16 or Float32
	Channels    Channels
	Orientation container.Orientation
	// Crop is the part that is kept, in pixels of the oriented picture, before scaling. It must lie in the picture.
	// The zero rectangle keeps all.
	Crop image.Rectangle
	// Width and Height scale the picture, after orientation and Crop, bilinearly in RGB. Zero keeps the size there is;
	// if only one is zero it follows the other by the aspect in pixels.
	Width, Height int
	// MaxPixels bounds Width times Height: a larger picture is scaled down, its aspect kept. Zero is no bound.
	MaxPixels int
}

// Scaled returns the width and height that a decoded picture of w×h pixels has in this form.
func (px *Pixels) Scaled(w, h int) (width, height int) {
	if px.Orientation.Swaps() {
		w, h = h, w
	}
	if px.Crop != (image.Rectangle{}) {
		w, h = px.Crop.Dx(), px.Crop.Dy()
	}
	if w <= 0 || h <= 0 {
		return w, h
	}
	switch {
	case px.Width > 0 && px.Height > 0:
		w, h = px.Width, px.Height
	case px.Width > 0:
		w, h = px.Width, max(1, (h*px.Width+w/2)/w)
	case px.Height > 0:
		w, h = max(1, (w*px.Height+h/2)/h), px.Height
	}
	if px.MaxPixels > 0 && w > px.MaxPixels/h {
		by := math.Sqrt(float64(px.MaxPixels) / (float64(w) * float64(h)))
		w, h = max(1, int(float64(w)*by)), max(1, int(float64(h)*by))
		w, h = min(w, px.MaxPixels), min(h, max(1, px.MaxPixels/w)) // rounding one side up to 1 must not pass the bound
	}
	return w, h
}

// Shape returns the shape of a tensor for one decoded picture of w×h pixels.
func (px *Pixels) Shape(w, h int) []int {
	w, h = px.Scaled(w, h)
	if px.Layout == tensor.NHWC {
		return []int{h, w, px.Channels.Count()}
	}
	return []int{px.Channels.Count(), h, w}
}

// VideoOptions say how to open a video decoder. Nil is the default.
type VideoOptions struct {
	// Threads is how many threads the decoder itself may use. Zero means 1: parallel work is done by several decoders.
	Threads int
	// Description is the index of the sample description to open the decoder for.
	Description int
	// ReorderDepth is how many packets may come before a packet whose picture is shown before theirs.
	// Where the stream itself does not tell, a decoder that is told less may give pictures up.
	ReorderDepth int
}

// Backend opens decoders. It is safe for concurrent use.
type Backend interface {
	// Name returns the backend's short name, "ffmpeg".
	Name() string
	// Supports returns nil when the backend can decode the track here and now, or some of its sample descriptions: OpenVideo refuses the others.
	// The error wraps container.ErrUnsupported, or ErrUnavailable where the machine lacks what is needed.
	Supports(t *container.Track) error
	// OpenVideo opens a decoder for the packets of a video track.
	OpenVideo(ctx context.Context, t *container.Track, o *VideoOptions) (VideoDecoder, error)
}

// Threader is implemented by a Backend whose decoders may be given threads where nobody asked for them.
type Threader interface {
	// TellsWithThreads says whether a decoder of several threads tells of all the damage that one of one thread tells, be it later.
	TellsWithThreads(t *container.Track) bool
}
