package sprocket

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// VideoDecoder gives the frames of one video track. It is safe for concurrent use.
//
// It keeps no position: every call is planned from the index alone, so calls can be mixed in any order.
// Frame numbers count from 0 in presentation order; negative ones count from the end.
type VideoDecoder struct {
	opts    VideoOptions
	src     *source.Counter
	owned   io.Closer
	remote  *source.Remote    // what Open opened for a URL, or nil
	account *source.Account   // of what all calls fetch from ahead
	ahead   source.Prefetcher // below src; nil where the source gains nothing from it
	demuxer container.SeekableDemuxer
	track   int
	info    *container.Track
	index   *seek.Table
	guess   *seek.Estimate // instead of index, where that is approximate
	backend codec.Backend
	pixels  codec.Pixels
	stats   *counters
	views   sync.Pool // *tensor.Tensor, for slots of batches
	budget  *Budget
	cache   *frameCache // nil when nothing is kept

	mu       sync.Mutex
	idle     []*worker // decoders at rest, the one that was used last at the end
	decoders int       // at rest and at work
	calls    int       // running now
	closed   bool
}

// FrameInfo is what is known about a frame beside its pixels.
type FrameInfo struct {
	N             int             // frame number
	Estimated     bool            // N was not counted, but follows from the time (only with VideoOptions.Approximate)
	Ticks         container.Ticks // presentation time in the track's timebase
	DurationTicks container.Ticks // until the next frame, in the track's timebase
	PTS           time.Duration   // presentation time, rounded up: asked for at this time, the frame is found again
	Duration      time.Duration   // until the next frame
	Key           bool            // its packet is a key packet
	Damaged       bool            // parts of the picture are invented (only with VideoOptions.KeepDamaged)
}

// Frame is one decoded frame. The tensor is the caller's: shape (C, H, W) or (H, W, C), or (bytes) for native planes.
type Frame struct {
	FrameInfo
	*tensor.Tensor
	// PixelFormat is the decoder's native format, by FFmpeg's name.
	PixelFormat string
	// NativeWidth and NativeHeight are the size of the decoded picture, before turning and scaling.
	NativeWidth, NativeHeight int
}

// FrameBatch is several decoded frames of one size: Tensor has shape (N, C, H, W) or (N, H, W, C).
// Slot i holds the i-th frame that was asked for, described by Frames[i].
type FrameBatch struct {
	*tensor.Tensor
	Frames []FrameInfo
	// Errs is nil when every slot is good. Otherwise Errs[i], a *FrameError, says why slot i, then undefined, has no frame.
	Errs []error
}

// Len returns the number of frames: about how many, with VideoOptions.Approximate, until all were counted.
func (d *VideoDecoder) Len() int { return d.Index().Len() }

// Index returns the index that requests are planned from.
func (d *VideoDecoder) Index() seek.Index {
	if d.guess != nil {
		return d.guess
	}
	return d.index
}

// Track describes the track that is decoded.
func (d *VideoDecoder) Track() container.Track { return *d.described() }

// described returns the track as it is known by now.
func (d *VideoDecoder) described() *container.Track {
	if d.guess == nil {
		return d.info
	}
	return &d.demuxer.Tracks()[d.track]
}

// Warnings returns the faults that the container's tables have, as located errors.
func (d *VideoDecoder) Warnings() []error {
	if w, ok := d.demuxer.(container.Warner); ok {
		return w.Warnings()
	}
	return nil
}

func (d *VideoDecoder) frameInfo(f seek.Frame) FrameInfo {
	tb := d.info.Timebase
	pts := tb.Duration(f.PTS)
	return FrameInfo{
		N: f.N, Estimated: f.Estimated, Key: f.Key,
		Ticks: f.PTS, DurationTicks: f.Duration,
		PTS: pts, Duration: tb.Duration(f.PTS+f.Duration) - pts,
	}
}

func (d *VideoDecoder) workers() int {
	if d.opts.Workers > 0 {
		return d.opts.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// enter counts a call in; leave must follow when there is no error.
func (d *VideoDecoder) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.calls++
	return nil
}

func (d *VideoDecoder) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls--
	_ = d.release() // Close has returned; there is nobody to tell
}

// FrameError says which frame there is not, and why. It is the error of that frame alone: an iteration that yields one goes on, and any other error
// ends it.
type FrameError struct {
	// FrameInfo tells of the frame. N is -1 where its number is not known, and for a packet of a stream that comes too late to be a frame.
	FrameInfo
	Err error
}

// Error returns "sprocket: frame 12: damaged".
func (e *FrameError) Error() string {
	switch {
	case e.Estimated:
		return fmt.Sprintf("sprocket: frame at tick %d: %v", e.Ticks, e.Err)
	case e.N < 0:
		return fmt.Sprintf("sprocket: %v", e.Err)
	}
	return fmt.Sprintf("sprocket: frame %d: %v", e.N, e.Err)
}

// Unwrap returns why.
func (e *FrameError) Unwrap() error { return e.Err }

// frameError says which frame failed.
func (d *VideoDecoder) frameError(f seek.Frame, err error) error {
	info := d.frameInfo(f)
	if f.Estimated {
		info.N = -1 // numbers of an excerpt are its own
	}
	return &FrameError{info, err}
}

// first is where listing begins.
func (d *VideoDecoder) first() container.PacketInfo { return container.PacketInfo{Track: d.track} }
