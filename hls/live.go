package hls

import (
	"context"
	"errors"
	"fmt"
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
	changed time.Time // the last load that brought something new
	fresh   bool      // it was the last one
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

// patience is for how long what a live playlist names is asked for again.
func (s *stream) patience() time.Duration { return s.target() }

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
	if old != nil && len(s.segs) > 0 && m.Sequence < s.segs[s.first].Sequence && !over(m) {
		// 6.2.1 forbids it. A server behind the others may do it for a moment; that it has nothing new is what counts.
		s.slides.fresh = false
		return s.quiet(now, fmt.Errorf("media sequence number %d after %d: %w", m.Sequence, s.segs[s.first].Sequence, container.ErrCorrupt))
	}
	for i := range m.Segments {
		g := &segment{Segment: m.Segments[i], index: len(s.segs), turn: make(chan struct{}, 1)}
		if n := len(s.segs); n > 0 {
			last := s.segs[n-1]
			if g.Sequence <= last.Sequence {
				continue
			}
			// Segments that came and went between two loads lasted about a target duration each.
			g.start = last.start + last.Duration + time.Duration(g.Sequence-last.Sequence-1)*m.TargetDuration
		}
		if len(s.segs) >= 2*s.d.opts.MaxSegments {
			return s.name("open", fmt.Errorf("%w: more than %d segments", container.ErrLimit, len(s.segs)))
		}
		s.segs = append(s.segs, g)
		news = true
	}
	// A playlist without segments has none that could be the first: where the window is shows the next one that has some.
	for len(m.Segments) > 0 && s.segs[s.first].Sequence < m.Sequence {
		s.first++
	}
	s.playlist = p
	s.slides.fresh = news
	if news {
		s.slides.changed = now
	}
	if over(m) {
		return nil
	}
	return s.quiet(now, nil)
}

// quiet returns an error when there was nothing new for too long. The mutex is held.
func (s *stream) quiet(now time.Time, why error) error {
	target := max(s.playlist.Media.TargetDuration, 500*time.Millisecond)
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
		s.slides.fresh = false
		if quiet := s.quiet(s.d.opts.clock.now(), err); quiet != nil {
			return quiet
		}
		if ctx.Err() != nil || !passing(err) {
			return err
		}
		logDebug(ctx, s.d.opts.Logger, "hls: reload", "playlist", s.ref, "error", err)
		return nil // it is tried again when it is due
	}
	_ = source.CloseRef(src) // the place is the same; it was only read
	return s.update(p)
}

// passing says whether an error may be gone at the next attempt.
func passing(err error) bool {
	var h *source.HTTPError
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
	until := c.now().Add(s.patience())
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
	return min(s.first, len(s.segs)-1)
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
	if o := s.playlist.Start; o != nil && len(s.segs) > s.first {
		if at = s.segs[s.first].start + o.Offset; o.Offset < 0 {
			at = s.length() + o.Offset
		}
	}
	i := len(s.segs) - 1
	for i > s.first && s.segs[i].start > at {
		i--
	}
	return max(i, s.first)
}
