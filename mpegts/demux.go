package mpegts

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
	"github.com/sprocket-video/sprocket/source"
)

var (
	_ container.SeekableDemuxer = (*Demuxer)(nil)
	_ container.Warner          = (*Demuxer)(nil)
	_ container.Prefetching     = (*Demuxer)(nil)
)

// Demuxer is an open transport stream. List and Read are safe for concurrent use; Next is for one goroutine at a time.
type Demuxer struct {
	src      source.Source
	size     int64
	ahead    source.Prefetcher // nil where the source does not care
	limits   container.Limits
	logger   *slog.Logger
	progress func(done, total int64)
	first    int64 // the first transport packet
	stride   int
	plan     []*planned
	all      bool   // tracks that are found later are in use
	inUse    []bool // tracks that Open found
	state    atomic.Pointer[state]
	turn     chan struct{} // holds a token while someone scans; guards walk
	walk     *walk
	ended    *walk   // the walk when the stream was listed: see Extend
	opened   []error // warnings of opening
	listed   atomic.Bool
	closed   atomic.Bool

	gridLock sync.Mutex
	grid     []int64 // where transport packets lie, as far as excerpts told

	spanTurn chan struct{} // holds a token while someone reads the ends; guards spans
	spans    map[int]span

	begun bool   // Next has been called
	heads []head // of Next
}

// state is what is known; it never changes. Listing makes another one.
type state struct {
	tracks   []container.Track
	lists    []*list // nil for tracks that are not in use, and before all were listed
	warnings []error
}

// head is the next packet of one track.
type head struct {
	info container.PacketInfo
	l    *list
}

// Tracks returns the tracks in the order in which program maps list them. The slice is shared and read-only. A new slice, which tells more, is
// returned once the packets have been listed.
//
// Default is the first track of a kind that carries something.
func (d *Demuxer) Tracks() []container.Track { return d.state.Load().tracks }

// Warnings returns the faults that did not stop the opening, at most 65 of them, and as many of the listing.
func (d *Demuxer) Warnings() []error { return d.state.Load().warnings }

// Close releases the lists. Tracks and Warnings still answer after it; listing and reading fail.
// It must not be called while a List, Read or Next is under way.
func (d *Demuxer) Close() error {
	s := *d.state.Load()
	s.lists = nil
	d.state.Store(&s)
	d.closed.Store(true)
	d.heads, d.walk, d.ended = nil, nil, nil
	return nil
}

func (d *Demuxer) log(ctx context.Context, warnings []error) {
	if d.logger == nil {
		return
	}
	for _, w := range warnings {
		d.logger.DebugContext(ctx, "mpegts", "warning", w)
	}
}

// check returns an error unless the track is in use.
func (d *Demuxer) check(op string, track int) error {
	tracks := d.Tracks()
	if track < 0 || track >= len(tracks) {
		return fail(op, "", -1, fmt.Errorf("no track %d: %w", track, container.ErrUnsupported))
	}
	if !(track < len(d.inUse) && d.inUse[track] || track >= len(d.inUse) && d.all) || d.closed.Load() {
		return fail(op, pidName(tracks[track].ID), -1, fmt.Errorf("the track is not in use: %w", container.ErrUnsupported))
	}
	return nil
}

// list returns the packets of a track in use.
func (d *Demuxer) list(ctx context.Context, track int) (*list, error) {
	if err := d.check("list", track); err != nil {
		return nil, err
	}
	if err := d.complete(ctx); err != nil {
		return nil, err
	}
	return d.state.Load().lists[track], nil
}

// List yields the packets of a track in decode order, beginning with number from.N. The first time it goes through the whole stream;
// then it reads nothing.
func (d *Demuxer) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		l, err := d.list(ctx, track)
		if err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		for n := max(from.N, 0); n < l.n; n++ {
			if n%64 == 0 || n == from.N {
				if err := ctx.Err(); err != nil {
					yield(container.PacketInfo{}, err)
					return
				}
			}
			if !yield(l.info(track, n), nil) {
				return
			}
		}
	}
}

// Read reads the packet that info describes into p, whose Data it reuses: one read, from the beginning of the transport packet in which
// it begins to its end.
func (d *Demuxer) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	if err := d.check("read", track); err != nil {
		return err
	}
	return d.read(ctx, track, info, p)
}

func (d *Demuxer) read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	tr := &d.Tracks()[track]
	located := func(err error) error {
		return fail("read", fmt.Sprintf("%s packet %d", pidName(tr.ID), info.N), info.Pos, err)
	}
	switch {
	case info.Pos < 0 || info.Size < 0 || info.Span < 0:
		return located(fmt.Errorf("%d bytes: %w", info.Size, container.ErrCorrupt))
	case int64(info.Size) > d.limits.PacketBytes:
		return located(fmt.Errorf("%w: %d bytes", container.ErrLimit, info.Size))
	case info.Pos > d.size || int64(info.Size) > d.size-info.Pos:
		return located(fmt.Errorf("the source ends at %d: %w", d.size, io.ErrUnexpectedEOF))
	}
	p.PacketInfo = info
	p.Track = track
	p.Resize(info.Size)
	if err := transport.Read(ctx, d.src, d.transportOf(tr), &info, p.Data); err != nil {
		p.Data = p.Data[:0]
		return located(err)
	}
	return nil
}

// Ahead returns what can be told what will be read of the source.
func (d *Demuxer) Ahead() source.Prefetcher { return d.ahead }

// Next reads the next packet of the tracks in use: of the next packets of all of them the one that begins first.
// A packet that cannot be read is an error; the call after it goes on behind it.
func (d *Demuxer) Next(ctx context.Context, p *container.Packet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !d.begun && !d.closed.Load() {
		if err := d.complete(ctx); err != nil {
			return err
		}
		d.begun = true
		for i, l := range d.state.Load().lists {
			if l != nil && l.n > 0 {
				d.heads = append(d.heads, head{l.info(i, 0), l})
			}
		}
	}
	if len(d.heads) == 0 {
		return io.EOF
	}
	first := 0
	for i := range d.heads {
		if d.heads[i].info.Pos < d.heads[first].info.Pos {
			first = i
		}
	}
	h := &d.heads[first]
	info := h.info
	if info.N+1 < h.l.n {
		h.info = h.l.info(info.Track, info.N+1)
	} else {
		d.heads = slices.Delete(d.heads, first, first+1)
	}
	return d.read(ctx, info.Track, info, p)
}
