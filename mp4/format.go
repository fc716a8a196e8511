// Package mp4 takes MP4 and QuickTime files apart.
//
// A movie's sample tables say where every packet lies and when it is shown. [Open] reads them once, in a handful of
// reads, and keeps them as columns of a few bytes a packet; from then on listing packets needs no input at all.
// The headers of movie fragments are read when packets are first listed, or, to find one time, only those near it.
// Times are those of ISO/IEC 14496-12: the edit list is applied, packets outside it are marked Discard.
package mp4

import (
	"context"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// Format is MP4 and QuickTime.
var Format container.Format = format{}

type format struct{}

// Name returns "mp4".
func (format) Name() string { return "mp4" }

// Sniff says whether head begins with a box that files of this family begin with.
func (format) Sniff(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	size := be32(head)
	fits := size == 0 || size == 1 || size >= 8
	switch string(head[4:8]) {
	case "ftyp", "styp":
		return true // whatever the size says: that is a fault to report, not another format
	case "moov", "moof", "mdat", "free", "skip", "wide", "pnot", "sidx", "emsg", "uuid", "prft", "meta":
		return fits
	}
	return false
}

// Open opens a movie; see [Open].
func (format) Open(ctx context.Context, src source.Source, o *container.Options) (container.Demuxer, error) {
	d, err := Open(ctx, src, o)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// OpenStream opens a movie that comes from front to back; see [OpenStream].
func (format) OpenStream(ctx context.Context, s *source.Stream, o *container.Options) (container.Demuxer, error) {
	d, err := OpenStream(ctx, s, o)
	if err != nil {
		return nil, err
	}
	return d, nil
}
