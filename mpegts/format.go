// Package mpegts takes MPEG-2 transport streams apart (ISO/IEC 13818-1): .ts, .m2ts and what HLS segments are.
//
// A transport stream has no table of its packets. [Open] reads its beginning and learns which tracks there are. The first listing
// goes through the whole stream once, for all tracks, and looks at headers only; from then on listing needs no input.
// Without that, Locate finds a time by bisection, with a few reads of 512 KiB.
//
// # Times
//
// Times are those of the stream, in 1/90000 s. They are 33 bits long there, and are unrolled: each continues the one before it in its
// track, over the wrap. The first of a track is the one nearest to the first of all.
//
// A time stamp that is before the one before it in decode order by more than a second, or behind it by more than ten, which 2.7.4 does not
// allow, begins a new time base (2.4.3.4: a discontinuity of the system clock). It and what follows are moved so that the picture follows the one
// before it after a usual step; the other tracks of the program are moved as far when they come to the new time base. Where the clock
// reference ran on meanwhile, up to the later one, there was a still picture, which 2.7.4 exempts, or a pause: nothing is moved. Tracks of data
// begin no time base. Sections have the time of the clock.
//
// A packet without decode time has its presentation time for one (2.4.3.7). Where that does not go on, decode times are made from the
// order of all presentation times of the track. A packet without any time follows the one before it after a usual step.
package mpegts

import (
	"context"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
	"github.com/sprocket-video/sprocket/source"
)

// Format is the MPEG-2 transport stream.
var Format container.Format = format{}

type format struct{}

// Name returns "mpegts".
func (format) Name() string { return "mpegts" }

// Sniff says whether transport packets follow each other in head, behind at most 8 KiB of something else.
func (format) Sniff(head []byte) bool {
	_, _, ok := findGrid(head)
	return ok
}

// Open opens a transport stream; see [Open].
func (format) Open(ctx context.Context, src source.Source, o *container.Options) (container.Demuxer, error) {
	d, err := Open(ctx, src, o)
	if err != nil {
		return nil, err
	}
	return d, nil
}

const (
	maxJunk     = 8 << 10 // bytes before the first transport packet
	sureSyncs   = 5       // sync bytes in a row that are no accident
	shortestRun = 2       // as many do where nothing else is there
)

// strides are the distances of transport packets: by themselves, with a time stamp of four bytes before each (BDAV), with sixteen bytes of
// error correction behind (DVB).
var strides = [...]int{188, 192, 204}

// findGrid returns where the first transport packet begins, and their distance.
func findGrid(head []byte) (first, stride int, ok bool) {
	for at := 0; at < min(len(head), maxJunk); at++ {
		if head[at] != transport.Sync {
			continue
		}
		for _, s := range strides {
			n, i := 0, at
			for ; i < len(head) && head[i] == transport.Sync && n < sureSyncs; i += s {
				n++
			}
			whole := i >= len(head) && (at == 0 || s == 192 && at == 4) // all there is are transport packets
			if n == sureSyncs || whole && n >= shortestRun || whole && n == 1 && len(head) == transport.Size {
				return at, s, true
			}
		}
	}
	return 0, 0, false
}
