package mp4

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

var (
	_ container.SeekableDemuxer = (*Demuxer)(nil)
	_ container.Warner          = (*Demuxer)(nil)
	_ container.Prefetching     = (*Demuxer)(nil)
)

// Demuxer is an open movie. List and Read are safe for concurrent use; Next is for one goroutine at a time.
type Demuxer struct {
	src    io.ReaderAt
	size   int64 // of src
	limits container.Limits
	inUse  []bool // tracks
	state  atomic.Pointer[state]
	walk   *walk // through the movie fragments; nil where there are none
	closed atomic.Bool

	begun bool   // Next has been called
	heads []head // of Next
}

// state is what is known; it never changes. Going through the movie fragments makes another one.
type state struct {
	tracks   []container.Track
	lists    []*list // nil for tracks that are not in use
	warnings []error
}

// head is the next packet of one track.
type head struct {
	c    *listCursor
	info *container.PacketInfo
}

// Tracks returns the tracks in the order of the movie box. The slice is shared and read-only. Of a fragmented movie, a new
// slice that tells more is returned once the fragments have been listed.
//
// Default is the first enabled track of a kind that has packets, else the first that has packets, else the first.
func (d *Demuxer) Tracks() []container.Track { return d.state.Load().tracks }

// Warnings returns the faults that did not stop the opening, at most 65 of them, and as many of the listing of movie fragments.
func (d *Demuxer) Warnings() []error { return d.state.Load().warnings }

// Close releases the tables. Tracks and Warnings still answer after it; listing and reading fail.
// It must not be called while a List, Read or Next is under way.
func (d *Demuxer) Close() error {
	s := *d.state.Load()
	s.lists = nil
	d.state.Store(&s)
	d.closed.Store(true)
	d.heads, d.walk = nil, nil
	return nil
}

// check returns an error unless the track is in use.
func (d *Demuxer) check(op string, track int) error {
	if track < 0 || track >= len(d.inUse) {
		return &container.Error{Format: "mp4", Op: op, Offset: -1, Err: fmt.Errorf("no track %d: %w", track, container.ErrUnsupported)}
	}
	if !d.inUse[track] || d.closed.Load() {
		return &container.Error{Format: "mp4", Op: op, Path: trackPath(track), Offset: -1, Err: fmt.Errorf("the track is not in use: %w", container.ErrUnsupported)}
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

func trackPath(track int) string { return fmt.Sprintf("moov/trak[%d]", track) }

// List yields the packets of a track in decode order, beginning with number from.N. It reads nothing,
// but for the movie fragments, the first time.
//
// Where the edit list has several edits the packets of one follow those of the other, each beginning at the key packet
// that its first picture needs; a packet can so be listed more than once, with different times.
func (d *Demuxer) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		l, err := d.list(ctx, track)
		if err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		for c := l.at(from.N); c.more(); c.block = nil {
			if err := ctx.Err(); err != nil {
				yield(container.PacketInfo{}, err)
				return
			}
			for i := range c.block {
				if !yield(c.block[i], nil) {
					return
				}
			}
		}
	}
}

// Read reads the packet that info describes into p, whose Data it reuses.
func (d *Demuxer) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	if err := d.check("read", track); err != nil {
		return err
	}
	return d.read(ctx, track, info, p)
}

func (d *Demuxer) read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	fail := func(err error) error {
		return &container.Error{Format: "mp4", Op: "read", Path: fmt.Sprintf("%s packet %d", trackPath(track), info.N), Offset: info.Pos, Err: err}
	}
	p.PacketInfo = info
	p.Track = track
	switch {
	case info.Pos < 0 || info.Size < 0:
		return fail(corrupt("%d bytes", info.Size))
	case int64(info.Size) > d.limits.PacketBytes:
		return fail(fmt.Errorf("%w: %d bytes", container.ErrLimit, info.Size))
	case info.Pos > d.size || int64(info.Size) > d.size-info.Pos:
		return fail(fmt.Errorf("the source ends at %d: %w", d.size, io.ErrUnexpectedEOF))
	}
	room := info.Size
	if d.size == noEnd {
		room = min(room, unproven)
	}
	p.Resize(room)
	for have := 0; have < info.Size; have = len(p.Data) {
		if have > 0 {
			n := min(info.Size-have, have)
			p.Data = slices.Grow(p.Data, n)[:have+n]
		}
		if err := source.ReadFull(ctx, d.src, p.Data[have:], info.Pos+int64(have)); err != nil {
			p.Data = p.Data[:0]
			return fail(err)
		}
	}
	return nil
}

// Ahead returns what can be told what will be read of the source.
func (d *Demuxer) Ahead() source.Prefetcher { return source.PrefetcherOf(d.src) }

// unproven is how many bytes of a packet of a stream are made room for before it has given some; then, as many again as it gave.
const unproven = 1 << 20

// rewind sets Next to the beginning.
func (d *Demuxer) rewind() {
	for _, l := range d.state.Load().lists {
		if l == nil {
			continue
		}
		c := l.at(0)
		if p := c.next(); p != nil {
			d.heads = append(d.heads, head{c, p})
		}
	}
}

// Next reads the next packet of the tracks in use: of the next packets of all of them the one that is stored first, so that
// a file is read from front to back. A packet that cannot be read is an error, and p tells which it is; the call after it goes on behind it.
func (d *Demuxer) Next(ctx context.Context, p *container.Packet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !d.begun && !d.closed.Load() {
		if err := d.complete(ctx); err != nil {
			return err
		}
		d.begun = true
		d.rewind()
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
	info := *h.info
	if h.info = h.c.next(); h.info == nil {
		d.heads = append(d.heads[:first], d.heads[first+1:]...)
	}
	return d.read(ctx, info.Track, info, p)
}
