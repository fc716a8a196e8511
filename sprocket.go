// Package sprocket gives frames of media as tensors: exact random access to any frame of any file.
//
// The container's own tables say where every frame is. They are read once, at Open; every request is planned from them, so that
// only the packets that are needed are read and decoded, and no answer depends on what was asked before.
//
// The package links no decoder. A program imports the backends it wants, as with image and database/sql:
//
//	import _ "github.com/sprocket-video/sprocket/codec/ffmpeg"
package sprocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// ErrClosed is returned by every call on a closed decoder.
var ErrClosed = errors.New("sprocket: decoder is closed")

// ErrDamaged: the frame was decoded from damaged packets and parts of it are invented.
// VideoOptions.KeepDamaged returns such frames instead.
var ErrDamaged = errors.New("damaged")

// VideoOptions say which track is decoded and what its frames become. The zero value, and nil, is: the default video track,
// uint8 RGB, NCHW, at its own size.
type VideoOptions struct {
	// Track is the container's ID of the track. Zero takes the default video track: of a playlist's variants the one with the most bits a second that a
	// backend decodes.
	Track int

	// Layout, DType and Channels are the form of the frames: see codec.Pixels.
	Layout   tensor.Layout
	DType    tensor.DType
	Channels codec.Channels
	// Crop is the part of a frame that is kept, in pixels of the frame as it is shown, before scaling. It must lie in every frame.
	// The zero rectangle keeps all.
	Crop image.Rectangle
	// Width and Height scale the frames, bilinearly. Zero keeps the size, or the aspect when only one is zero.
	Width, Height int
	// Native returns the decoder's own planes instead, packed without padding into a one-dimensional uint8 tensor, not turned.
	// Layout, DType, Channels, Crop, Width and Height must be zero.
	Native bool

	// KeepDamaged returns frames whose damage the decoder concealed. Otherwise they are errors.
	KeepDamaged bool

	// Workers is how many decoders one call may use at once. Zero means GOMAXPROCS.
	Workers int
	// Threads is how many threads each decoder may use itself. Zero means 1, or more where a call has fewer long runs than
	// workers that cannot be cut, or plays all frames, and the codec is one whose threads tell of damage as one thread does: VP9 and
	// AV1. A number is what each decoder gets: frames of clean streams are the same, but libavcodec then tells nothing of some
	// damage in other codecs, and gives frames that it concealed.
	Threads int
	// Budget bounds how many threads decode at once, together with other decoders. Nil takes the one of the process, which has
	// GOMAXPROCS threads.
	Budget *Budget
	// CacheBytes is how much memory decoded frames may take that are kept for further calls. Zero keeps none.
	// Frames made from damaged packets are never kept, and Frames neither looks for them nor keeps any.
	CacheBytes int64

	// Spool lets Open put a file of more than 16 MiB, whose server sends whole files only, into a temporary file. Otherwise that is
	// container.ErrNotSeekable: see source.HTTPOptions.Spool.
	Spool bool
	// Index is a stored index of the source, made by seek.Table.AppendIndex. With it nothing of the container is read, and Track,
	// when not zero, must be the one that was indexed. A source that has changed since gives seek.ErrMismatch.
	Index *seek.StoredIndex

	// FrameMappings are custom_frame_mappings of TorchCodec, JSON: the frames are those that they name, and no others. See seek.BuildMapped.
	FrameMappings []byte
	// Approximate opens by an approximate index, see seek.Estimate, where the container does not list all packets at once: of a
	// fragmented file only what leads through it is read, then what is near the frames that are asked for. The frame of a time is the
	// right one; the numbers of frames, and Len, are estimates, and FrameInfo.Estimated says so. A frame asked for by number is
	// the one played when that number should be. CacheBytes is not used. Where all is listed at once, it changes nothing.
	Approximate bool
	// Near is a time of which a frame will be asked for first. It changes no answer, but with Approximate it may save a request: a playlist may not tell what its
	// segments hold, and the segment of this time shows it as well as the first one.
	Near time.Duration
	// VerifyKeys takes from the packets themselves at which of them decoding can start, and which are needed by others, whatever the container says.
	// Opening then reads the head of every packet. It is for files whose key flags lie (see seek.Verify), and needs no Index: one that was stored so has what was found.
	VerifyKeys bool

	// Backend decodes. Nil takes the first registered one that supports the track.
	Backend codec.Backend
	// Formats are tried in order. Nil means Formats().
	Formats []container.Format
	// Limits bound what hostile input can cost.
	Limits container.Limits
	// Logger receives debug messages. Nil discards them.
	Logger *slog.Logger
	// Progress, when not nil, is told while the index is built how far it is, where that means going through the whole source:
	// see container.Options.
	Progress func(done, total int64)
}

// Formats returns the container formats this module reads.
func Formats() []container.Format { return []container.Format{mp4.Format, mpegts.Format, hls.Format} }

// Open opens the video of a file, given its path or its http or https URL, or that of a scheme that an imported package has registered, as
// source/s3 does s3. Close closes the file too.
//
// Over HTTP what a call needs is fetched ahead of it, up to 4 MiB in a request and 8 requests at once, and kept in a cache of 32 MiB. With
// VideoOptions.Index, of a file that had a strong ETag, opening makes no request at all. A server without byte ranges sends the whole file: see
// VideoOptions.Spool. For other options open the source with source.OpenRemote and call OpenVideo.
func Open(ctx context.Context, name string, o *VideoOptions) (*VideoDecoder, error) {
	if scheme := source.SchemeOf(name); scheme != "" {
		return openURL(ctx, name, o)
	}
	f, err := source.OpenFile(name)
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

func openURL(ctx context.Context, url string, o *VideoOptions) (*VideoDecoder, error) {
	var opts source.RemoteOptions
	if o != nil {
		opts.HTTP.Expect, opts.HTTP.Spool = o.Index.Expect(), o.Spool
	}
	r, err := source.OpenURL(ctx, url, &opts)
	if errors.Is(err, source.ErrScheme) {
		return nil, fmt.Errorf("sprocket: open %s: %w: %w", source.RedactURL(url), err, container.ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	d, err := OpenVideo(ctx, r, o)
	if err != nil {
		_ = r.Close() // the first error is the one to report
		return nil, err
	}
	d.owned, d.remote = r, r
	return d, nil
}

// OpenVideo opens the video of src, which must stay open until Close.
// It reads the container's tables and builds the exact index; it reads no media data but, where a stream may begin with
// pictures that cannot be decoded, the heads of its first packets.
func OpenVideo(ctx context.Context, src source.Source, o *VideoOptions) (*VideoDecoder, error) {
	if o == nil {
		o = &VideoOptions{}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	start := time.Now()
	d := &VideoDecoder{opts: *o, stats: new(counters), src: source.Count(src), ahead: source.PrefetcherOf(src)}
	if d.budget = o.Budget; d.budget == nil {
		d.budget = &processBudget
	}
	if o.CacheBytes > 0 {
		d.cache = newFrameCache(o.CacheBytes)
	}
	if err := d.open(ctx); err != nil {
		if d.demuxer != nil {
			_ = d.demuxer.Close() // the first error is the one to report
		}
		return nil, err
	}
	if d.ahead != nil {
		d.account = source.AccountOf(d.ahead)
	}
	d.pixels = codec.Pixels{
		Layout: o.Layout, DType: o.DType, Channels: o.Channels,
		Orientation: d.info.Orientation, Crop: o.Crop, Width: o.Width, Height: o.Height,
	}
	d.stats.openTime = time.Since(start)
	d.stats.open = d.src.Counts()
	return d, nil
}

// open finds the track, what decodes it, and its index.
func (d *VideoDecoder) open(ctx context.Context) error {
	var err error
	if d.opts.Index != nil {
		if d.index, d.demuxer, err = d.opts.Index.Table(ctx, d.src, d.opts.Limits); err != nil {
			return err
		}
		if chooseVideo(d.demuxer.Tracks(), d.opts.Track, nil) != 0 {
			return noVideo(d.demuxer.Tracks(), d.opts.Track)
		}
	} else if err := d.openContainer(ctx); err != nil {
		return err
	}
	d.info = &d.demuxer.Tracks()[d.track]
	if d.backend = d.opts.Backend; d.backend == nil {
		if d.backend, err = codec.For(d.info); err != nil {
			return withFault(d.demuxer, err)
		}
	}
	if d.index == nil {
		switch {
		case d.opts.FrameMappings != nil:
			d.index, err = seek.BuildMapped(ctx, d.demuxer, d.track, d.opts.FrameMappings)
		case d.opts.Approximate:
			if d.guess, err = seek.Guess(ctx, d.demuxer, d.track); err == nil && d.guess.Kind() == seek.Exact {
				d.index, d.guess = d.guess.Table(), nil
			}
		case d.opts.VerifyKeys:
			d.index, _, err = seek.BuildVerified(ctx, d.demuxer, d.track, nil)
		default:
			d.index, err = seek.Build(ctx, d.demuxer, d.track)
		}
		if err != nil {
			return err
		}
		d.info = &d.demuxer.Tracks()[d.track] // a demuxer may know more once it has listed
	}
	return nil
}

// openContainer opens the source and chooses the track, whose tables alone are kept.
func (d *VideoDecoder) openContainer(ctx context.Context) error {
	formats := d.opts.Formats
	if formats == nil {
		formats = Formats()
	}
	chosen := -1
	demuxer, err := container.Open(ctx, d.src, formats, &container.Options{
		Near:     d.opts.Near,
		Limits:   d.opts.Limits,
		Logger:   d.opts.Logger,
		Progress: d.opts.Progress,
		Select: func(tracks []container.Track) []int {
			if chosen = chooseVideo(tracks, d.opts.Track, d.opts.decodes); chosen < 0 {
				return []int{}
			}
			return []int{chosen}
		},
	})
	if err != nil {
		return err
	}
	seekable, ok := demuxer.(container.SeekableDemuxer)
	switch {
	case chosen < 0:
		err = withFault(demuxer, noVideo(demuxer.Tracks(), d.opts.Track))
	case !ok:
		err = fmt.Errorf("sprocket: %w", container.ErrNotSeekable)
	}
	if err != nil {
		_ = demuxer.Close() // the first error is the one to report
		return err
	}
	d.demuxer, d.track = seekable, chosen
	if s, ok := demuxer.(container.Scattered); ok {
		d.ahead = s.Prefetcher(chosen)
	}
	return nil
}

// chooseVideo returns the index of the video track to decode: the one with the ID, or the default one. That is, of those that have packets, the first
// that the container calls default, or else the largest picture. Of the variants of a playlist it is the one with the most bits a second among those that
// decodes takes; where it takes none, or is nil, among all. It returns -1 when there is none.
func chooseVideo(tracks []container.Track, id int, decodes func(*container.Track) bool) int {
	type rank struct {
		decodes, packets bool
		bandwidth        int64
		isDefault        bool
		pixels           int
	}
	less := func(a, b rank) bool {
		for _, c := range []int{
			compareBools(a.decodes, b.decodes), compareBools(a.packets, b.packets), cmp.Compare(a.bandwidth, b.bandwidth),
			compareBools(a.isDefault, b.isDefault), cmp.Compare(a.pixels, b.pixels),
		} {
			if c != 0 {
				return c < 0
			}
		}
		return false
	}
	best, top := -1, rank{}
	for i := range tracks {
		t := &tracks[i]
		if t.Kind != container.Video {
			continue
		}
		if id != 0 {
			if t.ID == id {
				return i
			}
			continue
		}
		r := rank{packets: t.Packets != 0, bandwidth: t.Variant.Bandwidth, isDefault: t.Default, pixels: t.Video.Width * t.Video.Height}
		r.decodes = t.Variant.Bandwidth > 0 && (t.Codec == "" && t.Variant.Codecs == "" || decodes != nil && decodes(t))
		if best < 0 || less(top, r) {
			best, top = i, r
		}
	}
	return best
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// decodes says whether a track can be decoded.
func (o *VideoOptions) decodes(t *container.Track) bool {
	if o.Backend != nil {
		return o.Backend.Supports(t) == nil
	}
	_, err := codec.For(t)
	return err == nil
}

func noVideo(tracks []container.Track, id int) error {
	var have []string
	for i := range tracks {
		have = append(have, fmt.Sprintf("%d (%v %s)", tracks[i].ID, tracks[i].Kind, tracks[i].Codec))
	}
	what := "no video track"
	if id != 0 {
		what = fmt.Sprintf("no video track with ID %d", id)
	}
	return fmt.Errorf("sprocket: %s; tracks: %s: %w", what, strings.Join(have, ", "), container.ErrUnsupported)
}

// withFault adds the first fault of a container to an error that may come of it: of a file whose headers are cut.
func withFault(d container.Demuxer, err error) error {
	if w, ok := d.(container.Warner); ok {
		if faults := w.Warnings(); len(faults) > 0 {
			return fmt.Errorf("%w; first fault of the container: %w", err, faults[0])
		}
	}
	return err
}

// Close frees the decoder, and closes the file if Open opened it. Calls still running end with an error or their result, and what
// they use is freed as the last of them ends; later ones return ErrClosed. Metadata, Index and Stats still answer.
func (d *VideoDecoder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.release()
}

// release frees everything once the decoder is closed and no call runs. The mutex is held.
func (d *VideoDecoder) release() error {
	if !d.closed || d.calls > 0 {
		return nil
	}
	var errs []error
	for _, w := range d.idle {
		errs = append(errs, w.dec.Close())
	}
	d.idle = nil
	errs = append(errs, d.demuxer.Close())
	if d.owned != nil {
		errs = append(errs, d.owned.Close())
	}
	return errors.Join(errs...)
}

var _ io.Closer = (*VideoDecoder)(nil)
