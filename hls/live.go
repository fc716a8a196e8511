package hls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

var (
	// ErrGone: the segment slid out of the window of a live playlist, which may have ended since.
	ErrGone = errors.New("it slid out of the live window")
	// ErrStalled: a live playlist has not told of anything new for three target durations.
	ErrStalled = errors.New("the live playlist has stalled")
)

// live is when a playlist was loaded. The stream's mutex guards it.
type live struct {
	began   time.Time // the last load
	changed time.Time // since when nothing new was there to be seen
	fresh   bool      // the last load brought something new
}

// stalls is how many target durations a live playlist may go without news.
const stalls = 3

// ended says whether nothing will be added to the playlist.
func (s *stream) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.playlist != nil && over(s.playlist.Media)
}

// over says whether a playlist will not change, 4.4.3.4 and 4.4.3.5.
func over(m *Media) bool { return m.Ended || m.Type == "VOD" }

// target returns the target duration, in which live playlists are reloaded.
func (s *stream) target() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := time.Second
	if s.playlist != nil {
		d = s.playlist.Media.TargetDuration
	}
	return max(d, 500*time.Millisecond)
}

// patience is for how long what a live playlist names is asked for again. ok is false when the playlist is none, or not loaded yet.
func (s *stream) patience() (d time.Duration, ok bool) {
	s.mu.Lock()
	ok = s.playlist != nil && !over(s.playlist.Media)
	s.mu.Unlock()
	return s.target(), ok
}

// length returns how long all segments last. The mutex is held.
func (s *stream) length() time.Duration {
	if len(s.segs) == 0 {
		return 0
	}
	last := s.segs[len(s.segs)-1]
	return last.start + last.Duration
}

// slid says whether a segment has left the playlist.
func (s *stream) slid(g *segment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.index < s.first
}

// update takes in a playlist that was loaded.
func (s *stream) update(p *Playlist) error {
	now := s.d.opts.clock.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := p.Media
	if s.slides.began.IsZero() {
		s.slides.began = now
	}
	old := s.playlist
	news := old == nil || m.Ended && !old.Media.Ended
	if g := s.get(s.first); old != nil && g != nil && m.Sequence < g.Sequence && !over(m) {
		// 6.2.1 forbids it. A server behind the others may do it for a moment; that it has nothing new is what counts.
		return s.quiet(now, fmt.Errorf("media sequence number %d after %d: %w", m.Sequence, g.Sequence, container.ErrCorrupt))
	}
	for i := range m.Segments {
		g := &segment{Segment: m.Segments[i], index: s.end(), turn: make(chan struct{}, 1)}
		if n := len(s.segs); n > 0 {
			last := s.segs[n-1]
			if g.Sequence <= last.Sequence {
				continue
			}
			// Segments that came and went between two loads lasted about a target duration each.
			g.start = later(min(last.start+last.Duration, maxLength), g.Sequence-last.Sequence-1, m.TargetDuration)
		} else {
			s.starts = g.Period
		}
		s.segs = append(s.segs, g)
		news = true
	}
	// A playlist without segments has none that could be the first: where the window is shows the next one that has some.
	for len(m.Segments) > 0 && s.get(s.first).Sequence < m.Sequence {
		s.first++
	}
	s.trim()
	s.playlist = p
	if news {
		s.slides.changed, s.slides.fresh = now, true
	}
	if news || over(m) {
		return nil
	}
	return s.quiet(now, nil)
}

// later returns the time n times some duration after t, or the latest there is.
func later(t time.Duration, n int64, each time.Duration) time.Duration {
	if each > 0 && n > int64((maxLength-t)/each) {
		return maxLength
	}
	return t + time.Duration(n)*each
}

const (
	keptListings = 64   // segments that slid out whose packets are kept, for whoever is reading them
	keptSegments = 1024 // and of which it is known where they lie, and what they were
)

// trim forgets segments that slid out of a live playlist long ago. The mutex is held.
func (s *stream) trim() {
	for ; s.cleared < s.first-keptListings; s.cleared++ {
		if g := s.get(s.cleared); g != nil {
			s.d.rows.Add(-g.listed.Swap(nil).bytes())
		}
	}
	if n := s.first - keptSegments - s.gone; n >= keptSegments/4 {
		s.segs = slices.Delete(s.segs, 0, n)
		s.gone += n
		s.counted = max(s.counted, s.gone)
	}
}

// quiet notes that a load brought nothing new, and returns an error when that is so for too long. Time in which nobody looked does not count, but for the
// target duration that the first load with nothing new came too late by. The mutex is held.
func (s *stream) quiet(now time.Time, why error) error {
	target := max(s.playlist.Media.TargetDuration, 500*time.Millisecond)
	if s.slides.fresh {
		s.slides.fresh = false
		if due := now.Add(-target); due.After(s.slides.changed) {
			s.slides.changed = due
		}
	}
	if silent := now.Sub(s.slides.changed); silent >= stalls*target {
		err := fmt.Errorf("nothing new for %v: %w", silent.Round(time.Millisecond), ErrStalled)
		if why != nil {
			err = fmt.Errorf("%w: %w", err, why)
		}
		return s.name("reload", err)
	}
	return nil
}

// due returns how long to wait before the playlist may be loaded again, 6.3.4: a target duration after the last load began, or half of one when
// that brought nothing new.
func (s *stream) due() time.Duration {
	wait := s.target()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.slides.fresh {
		wait /= 2
	}
	return wait - s.d.opts.clock.now().Sub(s.slides.began)
}

// refresh loads a live playlist again when that is due.
func (s *stream) refresh(ctx context.Context) error {
	if s.ended() || s.due() > 0 {
		return nil
	}
	return s.reload(ctx)
}

// reload loads a live playlist again.
func (s *stream) reload(ctx context.Context) error {
	if err := take(ctx, s.turn); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	if s.ended() || s.due() > 0 {
		return nil // someone else was faster
	}
	s.mu.Lock()
	s.slides.began = s.d.opts.clock.now()
	previous := s.playlist
	s.mu.Unlock()
	src, p, err := s.fetch(ctx, previous)
	if err == nil && p.Media == nil {
		err = s.name("reload", errors.Join(fmt.Errorf("a multivariant playlist where a media playlist was: %w", container.ErrCorrupt), source.CloseRef(src)))
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if quiet := s.quiet(s.d.opts.clock.now(), err); quiet != nil {
			return quiet
		}
		if ctx.Err() != nil || !passing(err) {
			return err
		}
		logDebug(ctx, s.d.opts.Logger, "hls: reload", "playlist", s.ref, "error", err)
		return nil // it is tried again when it is due
	}
	s.settle(src)
	return s.update(p)
}

// passing says whether an error may be gone at the next attempt.
func passing(err error) bool {
	var h *source.HTTPError
	if errors.Is(err, errSilent) {
		return true
	}
	if errors.As(err, &h) {
		return h.Status == 0 && !errors.Is(err, source.ErrRefused) || h.Status == 404 || h.Status >= 500
	}
	return missing(err)
}

// wait waits until segment i of a live playlist is there. ok is false when the playlist has ended before it.
func (s *stream) wait(ctx context.Context, i int) (ok bool, err error) {
	for {
		if _, to := s.window(); i < to {
			return true, nil
		}
		if s.ended() {
			return false, nil
		}
		if d := s.due(); d > 0 {
			if err := s.d.opts.clock.sleep(ctx, d); err != nil {
				return false, err
			}
		}
		if err := s.reload(ctx); err != nil {
			return false, err
		}
	}
}

// loadLive fetches a segment. One of a live playlist that is not there yet is asked for again for a target duration.
func (s *stream) loadLive(ctx context.Context, g *segment) (source.Source, error) {
	most := s.d.opts.MaxSegment
	c := s.d.opts.clock
	until := c.now().Add(s.target())
	for pause := s.target() / 8; ; pause *= 2 {
		if s.slid(g) {
			return nil, fmt.Errorf("%w: the first is number %d", ErrGone, s.at(s.firstIndex()).Sequence)
		}
		src, err := s.load(ctx, g.URI, g.Range, g.Keys, g.Sequence, most)
		if err == nil || s.ended() || ctx.Err() != nil || !passing(err) {
			return src, err
		}
		if c.now().Add(pause).After(until) {
			return nil, err
		}
		if err := c.sleep(ctx, pause); err != nil {
			return nil, err
		}
		if e := s.refresh(ctx); e != nil { // it may have slid out meanwhile
			return nil, errors.Join(err, e)
		}
	}
}

func (s *stream) firstIndex() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(s.first, s.end()-1)
}

// edge returns the segment at which playing begins: EXT-X-START says it, 4.4.2.2, or of a live playlist three target durations before the end, 6.3.3.
func (s *stream) edge() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.playlist.Media
	if over(m) {
		return s.first
	}
	at := s.length() - max(3*m.TargetDuration, m.Control.HoldBack)
	if o, first := s.playlist.Start, s.get(s.first); o != nil && first != nil {
		if at = first.start + o.Offset; o.Offset < 0 {
			at = s.length() + o.Offset
		}
	}
	i := s.end() - 1
	for i > s.first && s.get(i).start > at {
		i--
	}
	return max(i, s.first)
}
