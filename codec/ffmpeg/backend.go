package ffmpeg

import (
	"context"
	"fmt"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

const backendName = "ffmpeg"

// maxThreads is more than libavcodec can put to use.
const maxThreads = 64

// Backend is the codec.Backend of this package. The zero value is ready for use.
type Backend struct{}

var (
	_ codec.Backend  = Backend{}
	_ codec.Threader = Backend{}
)

// Name returns "ffmpeg".
func (Backend) Name() string { return backendName }

// Supports says whether libavcodec, as it is installed, has a software decoder for the track, or for a part of it: one of its sample descriptions.
func (Backend) Supports(t *container.Track) error {
	if err := available(); err != nil {
		return err
	}
	if len(t.Descriptions) == 0 {
		return supports(t, &t.Description)
	}
	var first error
	for i := range t.Descriptions {
		err := supports(t, &t.Descriptions[i])
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func supports(t *container.Track, d *container.Description) error {
	if t.Kind != container.Video {
		return fmt.Errorf("%v track: %w", t.Kind, container.ErrUnsupported)
	}
	if d.Encryption.Scheme != "" {
		return fmt.Errorf("encrypted with scheme %q: %w", d.Encryption.Scheme, container.ErrUnsupported)
	}
	if d.Codec == "" {
		return fmt.Errorf("unknown codec %q: %w", d.FourCC, container.ErrUnsupported)
	}
	if !hasDecoder(d.Codec) {
		return fmt.Errorf("no software decoder for %q: %w", d.Codec, container.ErrUnsupported)
	}
	return nil
}

// TellsWithThreads says whether frame threads lose no word of damage. libavcodec's native decoders do: up to 5.1 at least, a picture that
// another thread hands out, as it is where pictures are reordered, lacks the flags that its own thread set at its end. In H.264 that
// was half of the damaged pictures; VP9 has no such flags, and dav1d drops what is damaged.
func (Backend) TellsWithThreads(t *container.Track) bool {
	for i := range t.Descriptions {
		if c := t.Descriptions[i].Codec; c != "vp9" && c != "av1" {
			return false
		}
	}
	return len(t.Descriptions) > 0 || t.Codec == "vp9" || t.Codec == "av1"
}

// OpenVideo opens a decoder. The description that the options name must exist, unless the track has none listed.
func (Backend) OpenVideo(ctx context.Context, t *container.Track, o *codec.VideoOptions) (codec.VideoDecoder, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := open(t, o)
	if err != nil {
		return nil, &codec.Error{Backend: backendName, Op: "open", Packet: -1, PTS: container.NoTicks, Err: err}
	}
	return d, nil
}

func open(t *container.Track, o *codec.VideoOptions) (*Decoder, error) {
	if err := available(); err != nil {
		return nil, err
	}
	var opts codec.VideoOptions
	if o != nil {
		opts = *o
	}
	desc := &t.Description
	if len(t.Descriptions) > 0 {
		if opts.Description < 0 || opts.Description >= len(t.Descriptions) {
			return nil, fmt.Errorf("description %d of %d: %w", opts.Description, len(t.Descriptions), container.ErrCorrupt)
		}
		desc = &t.Descriptions[opts.Description]
	}
	if err := supports(t, desc); err != nil {
		return nil, err
	}
	n, err := openCoder(desc, min(max(opts.Threads, 1), maxThreads), opts.ReorderDepth)
	if err != nil {
		return nil, err
	}
	live.decoders.Add(1)
	dec := &Decoder{coder: n, halves: desc.Codec == "h264", config: desc.Config}
	dec.frame.d = dec
	return dec, nil
}
