package hls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// stream is one media playlist and the segments it has told of. It serves the tracks of all variants and renditions that name it.
type stream struct {
	d         *Demuxer
	ref       string // as the multivariant playlist names it; "" is the playlist that was opened
	variables map[string]string
	kinds     []container.Kind // of the tracks that a multivariant playlist says it has; nil when it must be looked at

	turn chan struct{} // holds a token while someone loads the playlist, or finds out what its segments hold

	mu       sync.Mutex
	src      source.Source  // the playlist's place, where it was loaded last; nil before it was loaded
	owned    bool           // src is to be closed
	playlist *Playlist      // as it was loaded last
	segs     []*segment     // those that the playlist has, and of a live one some that slid out: see trim
	gone     int            // how many were before them
	cleared  int            // up to which one packets were forgotten
	first    int            // the first that the playlist still has
	starts   int64          // the period of the first of all
	origin   *time.Duration // when the first of all begins on the timeline; nil before it is known
	slots    []*slot        // nil before it is known, or told, what the segments hold
	slides   live
	counted  int           // segments whose packets have numbers
	news     bool          // the slots tell more than the tracks
	begins   time.Duration // about when the first segment does; 0 when no segment was seen
	seen     bool          // one was
}

// slot is one elementary stream of the segments.
type slot struct {
	kind  container.Kind
	nth   int // among its kind
	id    int // the container's; -1 when it is not known yet
	used  bool
	track container.Track // as the first segment has it, with all descriptions met so far
	known bool            // track is
	fixed bool            // track.Timebase was told before anything was known
	total int64           // packets counted
	last  container.Ticks // the DTS of the last packet counted
}

// segment is what is known of a segment.
type segment struct {
	Segment
	index int           // in the stream, from the first that was told of
	start time.Duration // of the segments before it, by EXTINF
	turn  chan struct{} // holds a token while someone lists it

	listed atomic.Pointer[listing]

	// What follows is guarded by the stream's mutex.
	placed *placement
	base   []int64           // number of the first packet, by slot; nil when it was not counted
	floor  []container.Ticks // the DTS before the first packet, by slot
}

// listing is the packets of a segment. It does not change.
type listing struct {
	rows  [][]row       // by slot; nil for those that are in no use
	first time.Duration // PTS of the first picture, or sound, as the segment tells it
	timed bool          // first is known
	wraps bool
	bare  bool  // it tells no time: first is 0
	err   error // why it cannot be had: rows then has a packet for each slot that stands for all it would hold, and cannot be read
}

// bytes returns what the packets take; nothing when there is no listing.
func (l *listing) bytes() (n int64) {
	if l != nil {
		for i := range l.rows {
			n += int64(len(l.rows[i])) * rowBytes
		}
	}
	return n
}

// of returns the packets of a slot.
func (l *listing) of(number int) []row {
	if number >= len(l.rows) {
		return nil
	}
	return l.rows[number]
}

// row is a packet. Times are as the segment tells them, in the slot's timebase.
type row struct {
	dts             int64
	offset          int32 // PTS less DTS
	duration        int32
	pos, size, span uint32 // span is 0 where it is the size
	desc            uint16
	roll            int16
	flags           uint8
}

const (
	flagKey = 1 << iota
	flagDiscard
	flagCorrupt
	flagNeeded
	flagUnneeded
	flagNoPTS
	flagNoDTS
)

// place returns the source from which the names in the playlist are seen.
func (s *stream) place() source.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.src
}

// at returns segment i; nil when there is none.
func (s *stream) at(i int) *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(i)
}

// get returns segment i; nil when there is none, or no longer. The mutex is held.
func (s *stream) get(i int) *segment {
	if i < s.gone || i >= s.end() {
		return nil
	}
	return s.segs[i-s.gone]
}

// end returns how many segments there were so far. The mutex is held.
func (s *stream) end() int { return s.gone + len(s.segs) }

// absent says why there is no segment i.
func (s *stream) absent(op string, i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= 0 && i < s.gone {
		return fail(op, fmt.Sprintf("segment %d from where it began", i), ErrGone)
	}
	return fail(op, fmt.Sprintf("segment %d from where it began", i), fmt.Errorf("the playlist does not have it: %w", container.ErrCorrupt))
}

// window returns the segments that the playlist has.
func (s *stream) window() (from, to int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first, s.end()
}

// take waits for the turn.
func take(ctx context.Context, turn chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready makes sure that the playlist was loaded and that it is known what the segments hold.
func (s *stream) ready(ctx context.Context) error {
	s.mu.Lock()
	done := s.playlist != nil && s.slots != nil // explored, or told
	s.mu.Unlock()
	if done {
		return nil
	}
	if err := take(ctx, s.turn); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	done = s.slots != nil
	s.mu.Unlock()
	if done {
		return nil
	}
	return s.explore(ctx)
}

// begin loads the playlist for the first time. The turn is the caller's.
func (s *stream) begin(ctx context.Context) error {
	if s.place() != nil {
		return nil
	}
	src, p, err := s.fetch(ctx, nil)
	if err != nil {
		return err
	}
	if p.Media == nil {
		return s.name("open", errors.Join(fmt.Errorf("a multivariant playlist where a media playlist should be: %w", container.ErrCorrupt), source.CloseRef(src)))
	}
	s.settle(src)
	return s.update(p)
}

// settle takes the place from which the playlist was loaded for the one from which its names are seen: a server may send it elsewhere each time.
func (s *stream) settle(src source.Source) {
	s.mu.Lock()
	old, owned := s.src, s.owned
	s.src, s.owned = src, true
	s.mu.Unlock()
	if owned && source.Held(old) == 0 { // what is in memory may be in use, and holds nothing else
		_ = source.CloseRef(old) // it was only read; a file opens names when it is closed, too
	}
}

// name says which playlist an error is about.
func (s *stream) name(op string, err error) error {
	path := "playlist"
	if s.ref != "" {
		path += " " + clip(shown(s.ref))
	}
	return fail(op, path, err)
}

// fetch loads the playlist.
func (s *stream) fetch(ctx context.Context, previous *Playlist) (source.Source, *Playlist, error) {
	src, err := s.small(ctx, s.d.src, s.ref, s.d.opts.MaxPlaylist)
	if err != nil {
		return nil, nil, s.name("open", err)
	}
	p, err := s.d.parse(ctx, src, &ParseOptions{Import: s.variables, Previous: previous})
	if err != nil {
		return nil, nil, s.name("open", errors.Join(err, source.CloseRef(src)))
	}
	return src, p, nil
}

// explore finds out what the segments hold, by the map or the first segment that can be read, of those from the time on that will be asked for first. The turn
// is the caller's.
func (s *stream) explore(ctx context.Context) error {
	from, to := s.window()
	near := max(s.guess(s.d.opts.Near), from)
	var wrong error
	for k := range min(to-from, maxExplored) {
		g := s.at(from + (near-from+k)%(to-from))
		if g == nil || g.Gap {
			continue
		}
		err := s.exploreOne(ctx, g)
		if err == nil || !missing(err) {
			return err
		}
		if wrong == nil {
			wrong = err
		}
	}
	if wrong == nil {
		wrong = s.name("open", unsupported("there are no segments"))
	}
	return wrong
}

// maxExplored is how many segments are tried before a stream is given up.
const maxExplored = 4

// exploreOne learns from one segment, or from its map alone.
func (s *stream) exploreOne(ctx context.Context, g *segment) error {
	if g.Map != nil {
		head, err := s.initBytes(ctx, g.Map, g.Sequence)
		if err != nil {
			return err
		}
		p := &part{}
		if err := p.openContainer(ctx, &behind{head, nothing{}}, s.d.opts.Limits); err == nil && len(p.d.Tracks()) > 0 {
			s.learn(p, g)
			return p.d.Close()
		}
	}
	p, done, err := s.open(ctx, g)
	if err != nil {
		return err
	}
	defer done()
	s.learn(p, g)
	first, timed, err := firstTime(ctx, p.d)
	if timed {
		s.mu.Lock()
		s.begins, s.seen = first-g.start, true
		s.mu.Unlock()
	}
	return err
}

// learn sets the slots.
func (s *stream) learn(p *part, g *segment) {
	tracks := p.d.Tracks()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots == nil {
		kinds := s.kinds
		if kinds == nil {
			for i := range tracks {
				kinds = append(kinds, tracks[i].Kind)
			}
		}
		s.makeSlots(kinds)
	}
	for _, t := range s.slots {
		if i := t.inner(tracks); i >= 0 {
			t.meet(&tracks[i], g)
			s.news = true
		}
	}
}

// makeSlots makes a slot for each kind. The mutex is held.
func (s *stream) makeSlots(kinds []container.Kind) {
	count := map[container.Kind]int{}
	for _, kind := range kinds {
		t := &slot{kind: kind, nth: count[kind], id: -1, last: container.NoTicks}
		t.track.Timebase = ninety
		s.slots = append(s.slots, t)
		count[kind]++
	}
	for i, ref := range s.d.refs {
		if ref.s == s && s.d.inUse[i] {
			s.slots[ref.slot].used = true
		}
	}
}

// inner returns the index of the slot's track in a segment; -1 when there is none.
func (t *slot) inner(tracks []container.Track) int {
	nth, best := 0, -1
	for i := range tracks {
		if tracks[i].Kind != t.kind {
			continue
		}
		if t.id >= 0 && tracks[i].ID == t.id {
			return i
		}
		if nth == t.nth {
			best = i
		}
		nth++
	}
	return best
}

// maxDescriptions bounds the sample descriptions of a track, and how many of them are looked through.
const maxDescriptions = 1024

// meet takes in what a segment says of the slot's track, and returns where its descriptions are among the slot's. The mutex is held.
func (t *slot) meet(tr *container.Track, g *segment) []uint16 {
	descriptions := slices.Clone(tr.Descriptions)
	if len(descriptions) == 0 {
		descriptions = []container.Description{tr.Description}
	}
	if _, scheme := protection(g.Keys); scheme != "" {
		for i := range descriptions {
			if descriptions[i].Encryption.Scheme == "" {
				descriptions[i].Encryption.Scheme = scheme
			}
		}
	}
	if !t.known {
		t.known, t.id = true, tr.ID
		tb := tr.Timebase
		if t.fixed {
			tb = t.track.Timebase // callers know it already
		}
		t.track = *tr
		t.track.Timebase = tb
		t.track.Transport = nil
		t.track.Descriptions = nil
	}
	where := make([]uint16, len(descriptions))
	for i := range descriptions {
		k := slices.IndexFunc(t.track.Descriptions, func(d container.Description) bool { return same(&d, &descriptions[i]) })
		if k < 0 && len(t.track.Descriptions) < maxDescriptions {
			k = len(t.track.Descriptions)
			t.track.Descriptions = append(slices.Clip(t.track.Descriptions), descriptions[i])
		}
		where[i] = uint16(max(k, 0))
	}
	t.track.Description = t.track.Descriptions[0]
	return where
}

// same says whether a decoder need not be told of the difference. A transport stream's parameters are in the packets; what was not seen is
// not different.
func same(a, b *container.Description) bool {
	known := func(x, y int) bool { return x == y || x == 0 || y == 0 }
	return a.Codec == b.Codec && string(a.Config) == string(b.Config) && a.Encryption == b.Encryption &&
		known(a.Video.Width, b.Video.Width) && known(a.Video.Height, b.Video.Height) &&
		known(a.Audio.SampleRate, b.Audio.SampleRate) && known(a.Audio.Channels, b.Audio.Channels) &&
		(a.Config == nil || a.FourCC == b.FourCC)
}

// nothing is an empty source.
type nothing struct{}

func (nothing) Size() int64                       { return 0 }
func (nothing) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
