package sprocket

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// VideoStream gives the frames of one video track, once, from first to last, of media that cannot be gone back in: a pipe, a response, a live
// stream. Its frames are those that a VideoDecoder of the same bytes has: the same numbers, times and pictures.
//
// Frames is for one goroutine at a time; Close and Stats may be called by others.
type VideoStream struct {
	opts    VideoOptions
	src     *source.Stream // that OpenStream reads; else nil
	own     bool           // and made
	demuxer container.Demuxer
	track   int
	info    container.Track
	backend codec.Backend
	pixels  codec.Pixels
	stats   counters

	mu      sync.Mutex
	running bool
	closed  bool

	order  order // of the frames
	stage  *stage
	packet container.Packet
	have   bool  // packet, or read, is still to be looked at
	read   error // that there was instead of packet
	last   int64 // the number of the last packet
	ready  []streamed
	done   bool
}

// stage is the decoder of a stream.
type stage struct {
	dec         codec.VideoDecoder
	description int
	emit        func(codec.VideoFrame) error
}

// streamed is a frame or why there is none.
type streamed struct {
	frame *Frame
	err   error
}

// OpenStream opens the video of what r gives from now on. Nothing is read beyond the headers before Frames. r may be a *source.Stream, which says
// how much is kept and where; otherwise 16 MiB are, in memory, and media whose headers come last are container.ErrNotSeekable
// when they are longer. See mp4.OpenStream for what else cannot be read so. Close does not close r.
//
// VideoOptions.Index, VerifyKeys, FrameMappings and Approximate are for media that can be gone back in: with them the error is
// container.ErrNotSeekable. There is one worker, and nothing is cached.
func OpenStream(ctx context.Context, r io.Reader, o *VideoOptions) (*VideoStream, error) {
	s := &VideoStream{}
	if err := s.set(o); err != nil {
		return nil, err
	}
	start := time.Now()
	var own bool
	src, ok := r.(*source.Stream)
	if !ok {
		var err error
		if src, err = source.NewStream(r, nil); err != nil {
			return nil, err
		}
		own = true
	}
	s.src, s.own = src, own
	if err := s.open(ctx); err != nil {
		if own {
			_ = src.Close() // the first error is the one to report
		}
		return nil, err
	}
	s.stats.openTime = time.Since(start)
	s.stats.open = src.Counts()
	return s, nil
}

// NewVideoStream makes a stream of the packets that d.Next gives. Close closes d. A packet that d cannot read costs its frames when
// the error is a *container.Error, Next has set the packet's Track and N, and N goes on; any other error ends the stream.
func NewVideoStream(d container.Demuxer, o *VideoOptions) (*VideoStream, error) {
	s := &VideoStream{}
	if err := s.set(o); err != nil {
		return nil, err
	}
	tracks := d.Tracks()
	chosen := chooseVideo(tracks, s.opts.Track, s.opts.decodes)
	if chosen < 0 {
		return nil, noVideo(tracks, s.opts.Track)
	}
	if err := s.use(d, chosen); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenFS opens the video of a file of fsys. Close closes the file too. The file must have ReadAt or Seek: else the error is
// container.ErrNotSeekable, and OpenStream can read what fsys.Open returns.
func OpenFS(ctx context.Context, fsys fs.FS, name string, o *VideoOptions) (*VideoDecoder, error) {
	f, err := source.OpenFS(fsys, name)
	if err != nil {
		return nil, err
	}
	d, err := OpenVideo(ctx, f, o)
	if err != nil {
		_ = f.Close() // the first error is the one to report
		return nil, err
	}
	d.owned = f
	return d, nil
}

// check returns an error where options contradict each other.
func (o *VideoOptions) check() error {
	if o.Native && (o.Layout != 0 || o.DType != 0 || o.Channels != 0 || o.Crop != (image.Rectangle{}) || o.Width != 0 || o.Height != 0) {
		return errors.New("sprocket: Native with a layout, dtype, channels, part or size")
	}
	if o.Index != nil && o.VerifyKeys {
		return errors.New("sprocket: VerifyKeys with an Index, which says itself where decoding can start")
	}
	if o.FrameMappings != nil && (o.Index != nil || o.Approximate || o.VerifyKeys) {
		return errors.New("sprocket: FrameMappings with an Index, Approximate or VerifyKeys")
	}
	if o.Approximate && o.VerifyKeys {
		return errors.New("sprocket: VerifyKeys with Approximate: it takes all packets")
	}
	if o.Width < 0 || o.Height < 0 || o.Workers < 0 || o.Threads < 0 || o.CacheBytes < 0 {
		return errors.New("sprocket: negative size, workers, threads or cache")
	}
	if o.Crop != (image.Rectangle{}) && (o.Crop.Empty() || o.Crop.Min.X < 0 || o.Crop.Min.Y < 0) {
		return fmt.Errorf("sprocket: Crop %v is no part of a picture", o.Crop)
	}
	return nil
}

func (s *VideoStream) set(o *VideoOptions) error {
	if o != nil {
		s.opts = *o
	}
	s.last = -1
	if s.opts.Budget == nil {
		s.opts.Budget = &processBudget
	}
	if s.opts.Index != nil || s.opts.VerifyKeys || s.opts.FrameMappings != nil || s.opts.Approximate {
		return fmt.Errorf("sprocket: Index, VerifyKeys, FrameMappings or Approximate for a stream: %w", container.ErrNotSeekable)
	}
	return s.opts.check()
}

// open opens the container of s.src.
func (s *VideoStream) open(ctx context.Context) error {
	formats := s.opts.Formats
	if formats == nil {
		formats = Formats()
	}
	chosen := -1
	d, err := container.OpenStream(ctx, s.src, formats, &container.Options{
		Limits: s.opts.Limits,
		Logger: s.opts.Logger,
		Select: func(tracks []container.Track) []int {
			if chosen = chooseVideo(tracks, s.opts.Track, s.opts.decodes); chosen < 0 {
				return []int{}
			}
			return []int{chosen}
		},
	})
	if err != nil {
		return err
	}
	if chosen < 0 {
		err = withFault(d, noVideo(d.Tracks(), s.opts.Track))
	} else {
		err = s.use(d, chosen)
	}
	if err != nil {
		_ = d.Close() // the first error is the one to report
	}
	return err
}

// use sets what is decoded, and with what.
func (s *VideoStream) use(d container.Demuxer, track int) (err error) {
	s.demuxer, s.track, s.info = d, track, d.Tracks()[track]
	if s.backend = s.opts.Backend; s.backend == nil {
		if s.backend, err = codec.For(&s.info); err != nil {
			return withFault(d, err)
		}
	}
	o := &s.opts
	s.pixels = codec.Pixels{
		Layout: o.Layout, DType: o.DType, Channels: o.Channels,
		Orientation: s.info.Orientation, Crop: s.opts.Crop, Width: o.Width, Height: o.Height,
	}
	s.order = newOrder(&s.info, o.KeepDamaged)
	return nil
}

// Track describes the track that is decoded, as the headers tell it.
func (s *VideoStream) Track() container.Track { return s.info }

// Warnings returns the faults of the container so far. It is not for use while Frames runs.
func (s *VideoStream) Warnings() []error {
	if w, ok := s.demuxer.(container.Warner); ok {
		return w.Warnings()
	}
	return nil
}

// Stats returns the counts so far. Source counts the reader's own reads.
func (s *VideoStream) Stats() Stats {
	c := &s.stats
	out := Stats{
		Open: c.open, OpenTime: c.openTime, Runs: c.runs.Load(), Packets: c.packets.Load(), Bytes: c.bytes.Load(),
		Decoded: c.decoded.Load(), Frames: c.frames.Load(), Decoders: c.opened.Load(),
	}
	if s.src != nil {
		out.Source = s.src.Counts()
	}
	return out
}

// Close frees the decoder, and the window. An iteration that runs ends with ErrClosed at its next frame, and frees them then. Track and Stats
// still answer.
func (s *VideoStream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.running {
		return nil
	}
	return s.release()
}

// release frees everything. The mutex is held, and nobody iterates.
func (s *VideoStream) release() error {
	var errs []error
	if s.stage != nil && s.stage.dec != nil {
		errs = append(errs, s.stage.dec.Close())
	}
	s.stage, s.ready, s.order = nil, nil, order{}
	errs = append(errs, s.demuxer.Close())
	if s.own {
		errs = append(errs, s.src.Close())
	}
	return errors.Join(errs...)
}

func (s *VideoStream) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.running {
		return errors.New("sprocket: two iterations over one stream at once")
	}
	s.running = true
	return nil
}

func (s *VideoStream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running = false; s.closed {
		_ = s.release() // Close has returned; there is nobody to tell
	}
}

func (s *VideoStream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// newPicture makes a frame of a picture; what else is known of it is not set.
func newPicture(v codec.VideoFrame, native bool, px *codec.Pixels) (out *Frame, err error) {
	out = &Frame{PixelFormat: v.PixelFormat()}
	out.Damaged = v.Damaged()
	out.NativeWidth, out.NativeHeight = v.Size()
	out.Tensor, err = newPixels(v, native, px)
	return out, err
}

// newPixels converts a picture into a tensor of its own.
func newPixels(v codec.VideoFrame, native bool, px *codec.Pixels) (*tensor.Tensor, error) {
	if native {
		raw, err := v.AppendRaw(nil)
		if err != nil {
			return nil, err
		}
		return tensor.FromBytes(raw, tensor.Uint8, len(raw))
	}
	t := tensor.New(px.DType, px.Shape(v.Size())...)
	return t, v.Convert(t, px)
}
