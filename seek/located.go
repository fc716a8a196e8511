package seek

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// Located is a frame of an Estimate, and where it was found. Its Packet is -1, unless everything was listed: see [Estimate.Excerpt].
type Located struct {
	Frame
	stretch *stretch // nil when everything was listed
	at      int32    // packet of the stretch
}

// At returns the frame played at pts: the last one whose PTS is not after pts, held until the next one starts. It returns a
// *RangeError before the first frame and after the end of the last.
func (e *Estimate) At(ctx context.Context, pts container.Ticks) (l Located, err error) {
	t, err := e.orList(ctx, func() error {
		l, err = e.find(ctx, pts)
		return err
	})
	if t != nil {
		return t.located(t.Search(pts))
	}
	return l, err
}

func (t *Table) located(n int, err error) (Located, error) {
	if err != nil {
		return Located{}, err
	}
	f, err := t.Frame(n)
	return Located{Frame: f}, err
}

// find is At. It holds the turn.
func (e *Estimate) find(ctx context.Context, pts container.Ticks) (Located, error) {
	s, err := e.reach(ctx, pts)
	for back := 0; err == nil; back++ {
		if i := s.last(pts); i >= 0 {
			for i+1 >= s.final() && !s.complete() { // what comes next is hidden
				if s, err = e.extend(ctx, s, longer(s, 16)); err != nil {
					return Located{}, err
				}
			}
			l := e.located(s, i)
			if i+1 == len(s.frames) && s.next == 0 && pts >= l.PTS+max(l.Duration, 1) {
				return Located{}, e.outside(pts)
			}
			return l, nil
		}
		if s.from == container.NoTicks {
			return Located{}, e.outside(pts)
		}
		if back == maxLies {
			return Located{}, errUnfit
		}
		if s, err = e.reach(ctx, s.from-1); err == nil {
			s, err = e.extend(ctx, s, until(pts))
		}
	}
	return Located{}, err
}

func (e *Estimate) outside(pts container.Ticks) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.noTime(pts)
}

// located describes frame i of a stretch, of which the next one is known too.
func (e *Estimate) located(s *stretch, i int) Located {
	p := &s.packets[s.frames[i]]
	l := Located{stretch: s, at: s.frames[i], Frame: Frame{Packet: -1, PTS: shownAt(p), Key: p.Key, Duration: p.Duration}}
	if i+1 < len(s.frames) {
		l.Duration = s.pts(s.frames[i+1]) - l.PTS
	} else if s.next > 0 {
		l.Duration = s.to - l.PTS
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var counted bool
	if l.N, counted = e.count.of(s, i); !counted {
		l.N, l.Estimated = e.pin(l.N, l.PTS), true
	}
	return l
}

// Number returns the frame that number n gives: frame n where it was counted, else the one that n was told of, or that is played when
// frame n should be, whose N is then n and Estimated. Negative numbers count from the last frame. A number below what Len told before the end was seen gives the last
// frame where there are fewer. Others give a *RangeError.
func (e *Estimate) Number(ctx context.Context, n int) (l Located, err error) {
	t, err := e.orList(ctx, func() error {
		if err = e.begin(ctx); err != nil {
			return err
		}
		if n < 0 {
			l, err = e.fromEnd(ctx, n)
		} else {
			l, err = e.numbered(ctx, n)
		}
		return err
	})
	if t != nil {
		return t.located(Resolve(t, n))
	}
	return l, err
}

// fromEnd returns the frame n, which is negative, counted from the end.
func (e *Estimate) fromEnd(ctx context.Context, n int) (Located, error) {
	s, err := e.end(ctx)
	if err != nil {
		return Located{}, err
	}
	total := e.Len()
	if k := len(s.frames) + n; k >= 0 {
		l := e.located(s, k)
		if l.Estimated {
			l.N = total + n
		}
		return l, nil
	}
	if total+n < 0 {
		e.mu.Lock()
		defer e.mu.Unlock()
		return Located{}, e.noFrame(n)
	}
	return e.numbered(ctx, total+n)
}

// end returns the last stretch.
func (e *Estimate) end(ctx context.Context) (*stretch, error) {
	s, err := e.at(ctx, math.MaxInt64-1)
	for err == nil {
		if s, err = e.extend(ctx, s, (*stretch).complete); err != nil {
			break
		}
		if s.next == 0 && len(s.frames) > 0 {
			return s, nil
		}
		if s.next > 0 {
			s, err = e.after(s)
		} else if s.from == container.NoTicks {
			return nil, errUnfit // nothing is shown
		} else {
			s, err = e.at(ctx, s.from-1)
		}
	}
	return nil, err
}

// numbered returns the frame that number n gives.
func (e *Estimate) numbered(ctx context.Context, n int) (Located, error) {
	pts, first, counted, known := e.whereabouts(n)
	if counted {
		s, err := e.reach(ctx, pts)
		if err == nil {
			s, err = e.extend(ctx, s, (*stretch).complete)
		}
		if err == nil && (s.from != pts || n-first >= len(s.frames)) {
			err = errUnfit // it was counted, and is not there
		}
		if err != nil {
			return Located{}, err
		}
		return e.located(s, n-first), nil
	}
	l, err := e.find(ctx, pts)
	if errors.Is(err, ErrRange) && known {
		s, err := e.end(ctx)
		if err != nil {
			return Located{}, err
		}
		if l = e.located(s, len(s.frames)-1); l.Estimated {
			l.N = n
		}
		return l, nil
	}
	// Where it is near the frames that were counted, it can be counted too.
	for err == nil && !l.Estimated && l.N != n {
		s := l.stretch
		if s, err = e.extend(ctx, s, (*stretch).complete); err != nil {
			break
		}
		i := slices.Index(s.frames, l.at) + n - l.N
		switch {
		case i < 0:
			return e.numbered(ctx, n) // it has been counted by now
		case i < len(s.frames):
			return e.located(s, i), nil
		case s.next == 0:
			e.mu.Lock()
			defer e.mu.Unlock()
			return Located{}, e.noFrame(n)
		}
		if s, err = e.after(s); err == nil {
			if s, err = e.extend(ctx, s, (*stretch).complete); err == nil {
				l = e.located(s, 0)
			}
		}
	}
	if err != nil {
		if errors.Is(err, ErrRange) {
			e.mu.Lock()
			defer e.mu.Unlock()
			err = e.noFrame(n)
		}
		return Located{}, err
	}
	if l.Estimated {
		l.N = n
	}
	return l, nil
}

// whereabouts returns a time at which frame n should be on show. When it was counted, that is when its stretch begins, whose first frame
// has number first. Known says that there should be a frame n, by what Len told once.
func (e *Estimate) whereabouts(n int) (pts container.Ticks, first int, counted, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := &e.count
	k := sort.Search(len(c.points), func(i int) bool { return c.points[i].n > n }) - 1
	if k+1 < len(c.points) {
		return c.points[k].pts, c.points[k].n, true, true
	}
	if c.whole >= 0 && n < c.whole {
		return c.last().pts, c.last().n, true, true
	}
	if at, told := e.pins[n]; told {
		return at, 0, false, true
	}
	// Half a frame later: what is rounded does not matter.
	from, at := c.anchor()
	later := min((float64(n-from)+0.5)/c.rate, float64(math.MaxInt64/4))
	return at + container.Ticks(later), 0, false, n < max(e.asked, c.len())
}

// From yields the frames from the one played at pts on, in presentation order; NoTicks is the first.
func (e *Estimate) From(ctx context.Context, pts container.Ticks) iter.Seq2[Located, error] {
	return func(yield func(Located, error) bool) {
		w := &walk{e: e}
		t, err := e.orList(ctx, func() error { return w.begin(ctx, pts) })
		last, some := pts, false
		for t == nil && err == nil {
			var l Located
			var more bool
			t, err = e.orList(ctx, func() (err error) {
				l, more, err = w.next(ctx)
				return err
			})
			if t == nil && err == nil {
				if !more || !yield(l, nil) {
					return
				}
				last, some = l.PTS, true
			}
		}
		n := 0
		if err == nil && last != container.NoTicks {
			if n, err = t.Search(last); some {
				n++
			}
		}
		if err != nil {
			yield(Located{}, err)
			return
		}
		for ; n < t.Len(); n++ {
			if l, err := t.located(n, nil); !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// walk goes from frame to frame.
type walk struct {
	e    *Estimate
	s    *stretch
	i    int // the next frame of it
	step int // packets to list together
}

func (w *walk) begin(ctx context.Context, pts container.Ticks) error {
	w.step = 16
	if pts == container.NoTicks {
		var err error
		w.s, err = w.e.firstStretch(ctx)
		return err
	}
	l, err := w.e.find(ctx, pts)
	if err == nil {
		w.s = l.stretch
		w.i = slices.Index(w.s.frames, l.at)
	}
	return err
}

func (w *walk) next(ctx context.Context) (l Located, more bool, err error) {
	for err == nil {
		switch final := w.s.final(); {
		case w.i+1 < final || w.i < final && w.s.complete():
			w.i++
			return w.e.located(w.s, w.i-1), true, nil
		case !w.s.complete():
			w.s, err = w.e.extend(ctx, w.s, longer(w.s, w.step))
			w.step = min(2*w.step, 256)
		case w.s.next == 0:
			return l, false, nil
		default:
			w.i = 0
			w.s, err = w.e.after(w.s)
		}
	}
	return l, false, err
}
