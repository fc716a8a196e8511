package sprocket

import (
	"context"
	"errors"
	"fmt"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

// openVideo opens a decoder for a sample description. One of several that cannot be decoded, as the encrypted part of a track that is
// in the clear elsewhere, costs its own frames.
func openVideo(ctx context.Context, b codec.Backend, t *container.Track, o *codec.VideoOptions) (codec.VideoDecoder, error) {
	dec, err := b.OpenVideo(ctx, t, o)
	if len(t.Descriptions) < 2 || !errors.Is(err, container.ErrUnsupported) {
		return dec, err
	}
	if e, ok := errors.AsType[*codec.Error](err); ok {
		err = e.Err
	}
	return &refuser{b.Name(), fmt.Errorf("sample description %d: %w", o.Description+1, err)}, nil
}

// refuser decodes nothing: each packet is an error.
type refuser struct {
	backend string
	err     error
}

// Decode says why.
func (r *refuser) Decode(ctx context.Context, p *container.Packet, _ func(codec.VideoFrame) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return &codec.Error{Backend: r.backend, Op: "decode", Packet: p.N, PTS: p.PTS, Err: fmt.Errorf("%w: %w", codec.ErrDecode, r.err)}
}

func (r *refuser) Flush(ctx context.Context, _ func(codec.VideoFrame) error) error { return ctx.Err() }
func (r *refuser) Reset() error                                                    { return nil }
func (r *refuser) Close() error                                                    { return nil }
