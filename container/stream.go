package container

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sprocket-video/sprocket/source"
)

// StreamFormat is a Format that can also be read once, from front to back.
type StreamFormat interface {
	Format
	// OpenStream reads s up to where the packets begin. The caller keeps s open as long as the demuxer is used.
	OpenStream(ctx context.Context, s *source.Stream, o *Options) (Demuxer, error)
}

// Reorderer is implemented by demuxers that know how far a track is reordered before its packets were read.
type Reorderer interface {
	// ReorderDepth returns how many packets come, at most, before a packet whose picture is shown before theirs. It holds for all
	// packets if whole, else for those that the headers read so far tell of.
	ReorderDepth(track int) (depth int, whole bool)
}

// streamHead is how many bytes OpenStream waits for before it chooses a format.
const streamHead = 2 << 10

// OpenStream opens s with the first of formats that recognises its first 2 KiB. A format that needs to go back gives ErrNotSeekable.
// Head of the options is not used.
func OpenStream(ctx context.Context, s *source.Stream, formats []Format, o *Options) (Demuxer, error) {
	head := make([]byte, streamHead)
	n, err := source.ReadSome(ctx, s, head, 0)
	if err != nil {
		return nil, fmt.Errorf("container: open: %w", err)
	}
	if head = head[:n]; n == 0 {
		return nil, &Error{Format: "container", Op: "open", Offset: 0, Err: io.ErrUnexpectedEOF}
	}
	var refused error
	for _, f := range formats {
		if !f.Sniff(head) {
			continue
		}
		d, err := openStream(ctx, f, s, o)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, ErrFormat) {
			return nil, err
		}
		refused = errors.Join(refused, err)
	}
	if refused != nil {
		return nil, refused
	}
	return nil, &Error{Format: "container", Op: "open", Offset: 0, Err: fmt.Errorf("%w: begins with %q", ErrFormat, head[:min(16, n)])}
}

func openStream(ctx context.Context, f Format, s *source.Stream, o *Options) (Demuxer, error) {
	if sf, ok := f.(StreamFormat); ok {
		return sf.OpenStream(ctx, s, o)
	}
	return nil, &Error{Format: f.Name(), Op: "open", Offset: 0, Err: fmt.Errorf("the format is not read as it comes; spool it: %w", ErrNotSeekable)}
}

func (f notingFormat) OpenStream(ctx context.Context, s *source.Stream, o *Options) (Demuxer, error) {
	d, err := openStream(ctx, f.Format, s, o)
	if err == nil {
		*f.name = f.Name()
	}
	return d, err
}
