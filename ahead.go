package sprocket

import (
	"context"

	"github.com/sprocket-video/sprocket/container"
)

const (
	firstAhead = 1 << 20  // bytes of packets that are fetched together at first: whoever iterates may stop soon
	maxAhead   = 4 << 20  // and, twice as many each time, at last
	maxHole    = 64 << 10 // bytes of other tracks between two packets that are fetched with them
)

// fetch has the source fetch the packets from first on that lie near each other, in one read of about most bytes, and returns the
// number of the last of them, which is at most last.
func (d *VideoDecoder) fetch(ctx context.Context, first container.PacketInfo, last, most int64) (int64, error) {
	begin, end := first.Pos, first.Pos+first.Extent()
	if t := d.info.Transport; t != nil {
		begin = max(0, begin-int64(t.PacketSize)) // the header of the transport packet that it begins in
	}
	until := first.N
	for p, err := range d.demuxer.List(ctx, d.track, first) {
		if err != nil {
			return until, err
		}
		from, to := p.Pos, p.Pos+p.Extent()
		if p.N > last || from > end+maxHole || to < begin-maxHole {
			break
		}
		from, to = min(from, begin), max(to, end)
		if p.N > first.N && to-from > most {
			break
		}
		begin, end, until = from, to, p.N
	}
	return until, d.ahead.Prefetch(ctx, begin, end-begin)
}
