package hls

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

var (
	_ container.EstimatingDemuxer = (*Demuxer)(nil)
	_ container.Warner            = (*Demuxer)(nil)
	_ container.Scattered         = (*Demuxer)(nil)
)

// Demuxer is an open playlist. List, Read, Estimate, Locate, Follow, Date and the rest are safe for concurrent use; Next is for one goroutine at a
// time. It starts no goroutine that outlives a call.
//
// # Tracks
//
// Of a multivariant playlist every variant is a track, or two where its segments hold sound too, and every rendition of sound, pictures or text that
// has a playlist of its own. Track.Variant says what the playlist tells of it. IDs count from 1, in the playlist's order. A track's playlist
// is loaded when the track is first used. I-frame playlists and closed captions are no tracks.
//
// Of a media playlist the tracks are those of its segments, with their IDs.
//
// # Positions
//
// PacketInfo.Pos is the number of the segment, counted from the first one the playlist had at opening, times 2^32, and the offset in the segment as it
// is in the clear, without what EXT-X-MAP puts before it. So it means the same as long as the demuxer lives and, of a playlist that has ended,
// beyond. Origin tells the segment of a packet. No bytes of the playlist itself are at Pos.
//
// # Times
//
// Times are those of the segments. After a discontinuity, and wherever times jump without one, they are moved so that the segment begins where the
// playlist puts it: at the time of the first segment plus all EXTINF between. Tracks in use with playlists of their own are moved alike: the default one of
// pictures, else of sound, decides. Origin tells by how much. Times of 33 bits are unrolled.
// A jump without a discontinuity, which 4.4.4.3 forbids, shows only once the segments before and behind it were listed: Locate alone does not look for one.
type Demuxer struct {
	src      source.Source
	opts     Options
	streams  []*stream
	refs     []trackRef // by track
	inUse    []bool
	leads    *stream // of the tracks in use: it says where the periods of all begin
	playlist *Playlist
	blobs    blobs
	parts    parts
	rows     atomic.Int64 // bytes of packets that were listed
	closed   atomic.Bool

	mu       sync.Mutex
	tracks   []container.Track // replaced, never changed
	warnings []error
	dropped  bool

	player player // of Next
}

// trackRef says where a track's packets are.
type trackRef struct {
	s    *stream
	slot int
}

// Open opens a playlist. Of a media playlist it loads the map, or where there is none the first segment, or that of o.Near, to see what the tracks are. Of a
// multivariant one it loads the playlists, and maps, of those tracks that o.Select asks for; without Select of none, until they are used.
func Open(ctx context.Context, src source.Source, o *Options) (*Demuxer, error) {
	d := &Demuxer{src: src}
	if o != nil {
		d.opts = *o
	}
	d.opts.fill()
	d.parts.budget, d.parts.least, d.parts.most = d.opts.Cache, minOpen, maxOpen
	d.parts.size = func(p *part) int64 { return p.bytes }
	d.parts.free = func(p *part) { _ = p.close() } // it was only read
	d.blobs.budget, d.blobs.least, d.blobs.most = blobBytes, 1, maxBlobs
	d.blobs.size = func(b []byte) int64 { return int64(len(b)) }
	d.blobs.free = func([]byte) {}
	p, err := d.parse(ctx, src, nil)
	if err != nil {
		return nil, fail("open", "", err)
	}
	d.playlist = p
	if p.Multivariant != nil {
		err = d.openMultivariant(ctx, p)
	} else {
		err = d.openMedia(ctx, p)
	}
	if err != nil {
		_ = d.Close() // the first error is the one to report
		return nil, err
	}
	return d, nil
}

// parse reads and parses a playlist.
func (d *Demuxer) parse(ctx context.Context, src source.Source, o *ParseOptions) (*Playlist, error) {
	if src.Size() > d.opts.MaxPlaylist {
		return nil, fmt.Errorf("%w: playlist of %d bytes", container.ErrLimit, src.Size())
	}
	data, err := readAll(ctx, src)
	if err != nil {
		return nil, err
	}
	opts := ParseOptions{}
	if o != nil {
		opts = *o
	}
	opts.MaxBytes, opts.MaxSegments = int(d.opts.MaxPlaylist), d.opts.MaxSegments
	opts.Query = func(name string) (string, bool) { return source.QueryParam(src, name) }
	p, err := Parse(data, &opts)
	if err != nil {
		return nil, err
	}
	d.warn(p.Warnings...)
	return p, nil
}

const maxDemuxerWarnings = 64

// warn notes faults that were passed over.
func (d *Demuxer) warn(errs ...error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, err := range errs {
		if len(d.warnings) < maxDemuxerWarnings {
			d.warnings = append(slices.Clip(d.warnings), err)
		} else if !d.dropped {
			d.dropped = true
			d.warnings = append(slices.Clip(d.warnings), fail("open", "", fmt.Errorf("further faults are not listed: %w", container.ErrCorrupt)))
		}
	}
}

// Warnings returns the faults that were passed over so far, at most 65: of playlists, and segments that are missing or damaged.
func (d *Demuxer) Warnings() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.warnings
}

// openMedia opens a media playlist that is the source itself.
func (d *Demuxer) openMedia(ctx context.Context, p *Playlist) error {
	s := d.newStream("", nil)
	s.src = d.src
	if err := s.update(p); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	for i := range s.slots {
		d.refs = append(d.refs, trackRef{s, i})
		d.tracks = append(d.tracks, s.slots[i].track)
	}
	if len(d.tracks) > d.opts.Limits.Tracks {
		return fail("open", "", fmt.Errorf("%w: %d tracks", container.ErrLimit, len(d.tracks)))
	}
	d.describe(s)
	d.choose()
	return nil
}

func (d *Demuxer) newStream(ref string, variables map[string]string) *stream {
	s := &stream{d: d, ref: ref, variables: variables, turn: make(chan struct{}, 1)}
	d.streams = append(d.streams, s)
	return s
}

// choose asks which tracks are wanted.
func (d *Demuxer) choose() {
	d.inUse = make([]bool, len(d.tracks))
	if d.opts.Select == nil {
		for i := range d.inUse {
			d.inUse[i] = true
		}
	} else {
		for _, i := range d.opts.Select(d.tracks) {
			if i >= 0 && i < len(d.inUse) {
				d.inUse[i] = true
			}
		}
	}
	best := -1
	for i, ref := range d.refs {
		if !d.inUse[i] {
			continue
		}
		if ref.slot < len(ref.s.slots) {
			ref.s.slots[ref.slot].used = true
		}
		if best < 0 || leads(&d.tracks[i], &d.tracks[best]) {
			best, d.leads = i, ref.s
		}
	}
}

// leads says whether a track rather than another one says where periods begin: pictures do, and of those what is taken when nothing is said.
func leads(a, b *container.Track) bool {
	if video := a.Kind == container.Video; video != (b.Kind == container.Video) {
		return video
	}
	return a.Default && !b.Default
}

// Tracks returns the tracks. The slice is shared and read-only; a new one, which tells more, is returned once more is known.
func (d *Demuxer) Tracks() []container.Track {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tracks
}

// describe tells of the tracks of a stream what is known by now.
func (d *Demuxer) describe(s *stream) {
	s.mu.Lock()
	duration := container.NoTicks
	ended := s.playlist != nil && s.playlist.Media.Ended
	var slots []slot
	for _, t := range s.slots {
		slots = append(slots, *t)
	}
	length := s.length()
	s.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	tracks := slices.Clone(d.tracks)
	for i, ref := range d.refs {
		if ref.s != s || ref.slot >= len(slots) || !slots[ref.slot].known {
			continue
		}
		old, now := &tracks[i], slots[ref.slot].track
		if ended {
			duration = ticks(now.Timebase, length)
		}
		now.Start, now.Duration, now.Packets, now.Bytes = container.NoTicks, duration, -1, -1
		if old.Variant != (container.Variant{}) || s.ref != "" {
			now.ID, now.Variant, now.Default, now.Enabled = old.ID, old.Variant, old.Default, old.Enabled
			if old.Language != "" {
				now.Language = old.Language
			}
			if now.BitRate == 0 && old.BitRate > 0 {
				now.BitRate = old.BitRate
				now.Descriptions = slices.Clone(now.Descriptions)
				now.Descriptions[0] = now.Description
			}
		}
		tracks[i] = now
	}
	d.tracks = tracks
}

// check returns the stream and slot of a track in use.
func (d *Demuxer) check(ctx context.Context, op string, track int) (trackRef, error) {
	if track < 0 || track >= len(d.refs) {
		return trackRef{}, fail(op, "", unsupported("no track %d", track))
	}
	ref := d.refs[track]
	if !d.inUse[track] || d.closed.Load() {
		return ref, fail(op, fmt.Sprintf("track %d", d.Tracks()[track].ID), unsupported("the track is not in use"))
	}
	if err := ref.s.ready(ctx); err != nil {
		return ref, err
	}
	ref.s.mu.Lock()
	t := ref.s.slots[ref.slot]
	here := t.known || t.fixed
	ref.s.mu.Unlock()
	if !here {
		return ref, fail(op, fmt.Sprintf("track %d", d.Tracks()[track].ID), unsupported("the segments have no %v", d.Tracks()[track].Kind))
	}
	d.once(ref.s)
	return ref, nil
}

// once tells of a stream's tracks what was learned since.
func (d *Demuxer) once(s *stream) {
	s.mu.Lock()
	news := s.news
	s.news = false
	s.mu.Unlock()
	if news {
		d.describe(s)
	}
}

// Close closes the segments that are open and forgets what was fetched. Tracks and Warnings still answer after it; listing and reading fail. It must not be
// called while another call is under way.
func (d *Demuxer) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	d.parts.close()
	for _, s := range d.streams {
		s.close()
	}
	return nil
}

// close closes the playlist's place.
func (s *stream) close() {
	if s.owned {
		_ = source.CloseRef(s.src) // it was only read
	}
}

// List yields the packets of a track in decode order, beginning with number from.N. What was not listed before is fetched, a few segments at a
// time. Of a playlist that goes on it yields what there is now.
//
// A segment that is missing, or is not what it should be, is a warning, and one packet as long as the segment: it is Corrupt, has no bytes, and reading it
// gives the error. So what is asked for at that time fails, and nothing else.
func (d *Demuxer) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		ref, err := d.check(ctx, "list", track)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = ref.s.refresh(ctx)
		}
		if err != nil {
			yield(container.PacketInfo{}, err)
			return
		}
		ref.s.list(ctx, track, ref.slot, max(from.N, 0), yield)
	}
}

// Read reads the packet that info describes into p, whose Data it reuses. It fetches the packet's segment unless that is kept, and nothing else but,
// once, its map and its key.
func (d *Demuxer) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	ref, err := d.check(ctx, "read", track)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return ref.s.read(ctx, track, ref.slot, info, p)
}

// Prefetcher returns what fetches the segments of a track that are on a server: see [container.Scattered].
func (d *Demuxer) Prefetcher(track int) source.Prefetcher {
	if track < 0 || track >= len(d.refs) {
		return nil
	}
	s := d.refs[track].s
	if src := s.place(); src == nil || source.Held(src) == 0 {
		return nil
	}
	return prefetcher{s}
}

type prefetcher struct{ s *stream }

// Ahead says how many segments to fetch at once.
func (p prefetcher) Ahead() source.Ahead {
	return source.Ahead{Requests: p.s.d.opts.Parallel, Bytes: p.s.d.opts.Cache / 4, Hole: 1 << (segmentBits - 1)}
}

// Prefetch fetches the segment that has the bytes at off.
func (p prefetcher) Prefetch(ctx context.Context, off, n int64) error {
	g := p.s.at(int(off >> segmentBits))
	if g == nil {
		return nil
	}
	if l := g.listed.Load(); l != nil && l.err != nil {
		return nil // who reads it is told
	}
	_, done, err := p.s.open(ctx, g)
	if err != nil {
		return ctx.Err() // who reads a packet of it sees the error
	}
	done()
	return nil
}

func (s *stream) read(ctx context.Context, track, number int, info container.PacketInfo, p *container.Packet) error {
	g := s.at(int(info.Pos >> segmentBits))
	if g == nil {
		return s.absent("read", int(info.Pos>>segmentBits))
	}
	if l := g.listed.Load(); l != nil && l.err != nil {
		return l.gone()
	}
	part, done, err := s.open(ctx, g)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	inner := s.slots[number].inner(part.d.Tracks())
	s.mu.Unlock()
	if inner < 0 {
		return s.located("read", g, fmt.Errorf("the segment has no such track: %w", container.ErrCorrupt))
	}
	in := info
	in.Track, in.Pos = inner, info.Pos&(1<<segmentBits-1)+part.head
	if err := part.d.Read(ctx, inner, in, p); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return s.located("read", g, err)
	}
	p.PacketInfo = info
	p.Track = track
	return nil
}

// Next reads the next packet of the tracks in use, the one with the earliest decode time. A live playlist is followed: it begins three target
// durations before the end, or where EXT-X-START says, waits for what comes, and returns io.EOF when the playlist has ended. A segment that cannot be
// had is an error; the call after it goes on behind it.
func (d *Demuxer) Next(ctx context.Context, p *container.Packet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.closed.Load() {
		return io.EOF
	}
	return d.player.next(ctx, d, p)
}
