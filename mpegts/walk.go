package mpegts

import (
	"context"
	"fmt"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
	"github.com/sprocket-video/sprocket/source"
)

// The walk goes through the whole stream, once for all tracks: 256 KiB a read: as much as stays in a
// processor's cache. Whoever lists first walks; others wait for it or for the end of
// their own context. A walk that is cancelled, or whose source fails, goes on from the same place at the next call.

// walk is the state of going through the stream.
type walk struct {
	s        *scanner
	plan     []*planned // of all tracks, those found late too
	streams  []*stream  // of each; nil for those that are not in use
	builders []*builder
	rest     []byte // what the last read left
	off      int64  // of the first byte that was not read
	warnings faults
	slow     map[int]bool // PIDs of which every byte must be looked at
	fetched  int64        // up to where the source was told what will be read
	marks    []mark       // of the builders, when the stream ended
}

func (d *Demuxer) newWalk(slow map[int]bool) *walk {
	w := &walk{s: newScanner(d.first, d.stride, d.limits), slow: slow, off: d.first}
	w.warnings.op = "list"
	w.s.warn = w.warnings.add
	lines := map[int]*timeline{}
	line := func(pid int) *timeline {
		if pid < 0 {
			return w.s.free
		}
		if lines[pid] == nil {
			lines[pid] = &timeline{pcr: noTime}
		}
		return lines[pid]
	}
	// The tracks are there from the first byte on, even if their tables come later.
	for i, t := range d.plan {
		w.addTrack(d, t, line(t.line), i < len(d.inUse) && d.inUse[i])
	}
	for pid, l := range lines {
		if w.s.addTable(pid, func(b []byte) { w.s.readPMT(pid, l, b) }) {
			w.s.programs[pid] = l
		}
	}
	w.s.found = func(e *elementary, l *timeline) { w.found(d, e, l) }
	return w
}

// addTrack prepares a track.
func (w *walk) addTrack(d *Demuxer, t *planned, line *timeline, inUse bool) {
	i := len(w.plan)
	w.plan = append(w.plan, t)
	old := w.s.pids[t.pid]
	if !inUse || old != nil && (old.table != nil || old.track >= 0) {
		w.streams, w.builders = append(w.streams, nil), append(w.builders, nil)
		if inUse {
			w.builders[i] = newBuilder(d.limits)
		}
		return
	}
	st := newStream(t.pid, i, t.meaning, line)
	if old != nil {
		st.pcrOf = old.pcrOf
	}
	st.descs, st.frame = slices.Clone(t.descs), t.frame
	b := newBuilder(d.limits)
	st.out = b
	if v, ok := st.framer.(*video); ok {
		v.distrust = w.slow[t.pid]
		v.syntax.seed(st.descs)
	}
	w.s.pids[t.pid] = st
	w.streams, w.builders = append(w.streams, st), append(w.builders, b)
}

// found adds a track that Open did not find.
func (w *walk) found(d *Demuxer, e *elementary, l *timeline) {
	if e.pid <= 0 || e.pid >= transport.NullPID {
		return
	}
	for i, t := range w.plan {
		if t.pid != e.pid {
			continue
		}
		if st, m := w.streams[i], meaningOf(e); st != nil && st.becomes(t, m) {
			w.warnings.add(pidName(e.pid), w.s.next, fmt.Errorf("what is %q here is no part of the track, which is %q: %w", m.codec, t.meaning.codec, container.ErrUnsupported))
		}
		return
	}
	if len(w.plan) >= d.limits.Tracks {
		w.warnings.add(pidName(e.pid), w.s.next, fmt.Errorf("%w: more than %d tracks", container.ErrLimit, d.limits.Tracks))
		return
	}
	w.addTrack(d, plan(w.s, e, l), l, d.all)
}

// complete goes through the stream, if nobody has.
func (d *Demuxer) complete(ctx context.Context) error {
	if d.listed.Load() {
		return ctx.Err()
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.turn }()
	if d.listed.Load() {
		return nil
	}
	if d.walk == nil {
		d.walk = d.newWalk(map[int]bool{})
	}
	for done := false; !done; {
		if err := d.through(ctx); err != nil {
			return err
		}
		pids, err := d.several(ctx)
		if err != nil {
			return err
		}
		if done = len(pids) == 0; !done {
			d.restart(pids)
		}
	}
	s := d.walk.finish(d)
	d.state.Store(s)
	d.listed.Store(true)
	d.log(ctx, s.warnings[len(d.opened):])
	d.ended, d.walk = d.walk, nil
	return nil
}

// restart begins the walk anew, and looks at every byte of some PIDs; the second time at every byte of all pictures, so that there is no third.
func (d *Demuxer) restart(pids []int) {
	slow := d.walk.slow
	for _, st := range d.walk.streams {
		if st != nil && (len(slow) > 0 && st.video() != nil || slices.Contains(pids, st.pid)) {
			slow[st.pid] = true
		}
	}
	d.walk = d.newWalk(slow)
}

// through goes through the source to its end.
func (d *Demuxer) through(ctx context.Context) error {
	lent := windows.Get().(*[]byte)
	defer windows.Put(lent)
	for d.walk.off < d.size {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.walk.step(ctx, d, *lent); err != nil {
			return err
		}
		if d.progress != nil {
			d.progress(min(d.walk.off, d.size), d.size)
		}
		if pids := d.walk.s.broken(d.walk.streams); len(pids) > 0 {
			d.restart(pids)
		}
	}
	return nil
}

// several returns the PIDs of streams that were taken to have one access unit in each PES packet, and have several in one of those that
// time stamps are missing behind. It reads these.
func (d *Demuxer) several(ctx context.Context) (pids []int, err error) {
	for _, st := range d.walk.streams {
		if st == nil {
			continue
		}
		v := st.video()
		if v == nil {
			continue
		}
		for _, u := range v.suspects {
			if u.size > window || u.corrupt {
				continue
			}
			n, err := d.unitsIn(ctx, st, v, &u)
			if err != nil {
				return nil, fail("list", pidName(st.pid), u.pos, err)
			}
			if n > 1 {
				pids = append(pids, st.pid)
				break
			}
		}
		v.suspects = nil
	}
	return pids, nil
}

// unitsIn reads what was taken to be a unit, and returns how many it is.
func (d *Demuxer) unitsIn(ctx context.Context, st *stream, v *video, u *unit) (int, error) {
	info := container.PacketInfo{Pos: u.pos, Size: int(u.size)}
	if u.end-u.pos != u.size {
		info.Span = u.end - u.pos
	}
	b := make([]byte, u.size)
	t := container.Transport{PID: st.pid, PacketSize: d.stride, Grid: d.walk.s.grid}
	if err := transport.Read(ctx, d.src, &t, &info, b); err != nil {
		return 0, err
	}
	found := &counter{}
	one := newStream(st.pid, -1, st.meaning, &timeline{pcr: noTime})
	one.out = found
	again := one.framer.(*video)
	again.syntax = v.syntax.copy(one)
	one.carry(b, u.pos)
	again.end()
	return found.n, nil
}

// counter is a sink that counts.
type counter struct{ n int }

func (c *counter) add(*unit) { c.n++ }

// fetchAhead is how much is asked for at once of a source that gains from knowing: one on a server.
const fetchAhead = 4 << 20

// step takes one window.
func (w *walk) step(ctx context.Context, d *Demuxer, buf []byte) error {
	if d.ahead != nil && w.off >= w.fetched {
		if err := d.ahead.Prefetch(ctx, w.off, fetchAhead); err != nil {
			return fail("list", "", w.off, err)
		}
		w.fetched = w.off + fetchAhead
	}
	n := int(min(window, d.size-w.off))
	if cap(buf) < len(w.rest)+n {
		buf = make([]byte, 0, len(w.rest)+n)
	}
	b := append(buf[:0], w.rest...)[:len(w.rest)+n]
	k, err := source.ReadSome(ctx, d.src, b[len(w.rest):], w.off)
	if err != nil {
		return fail("list", "", w.off, err)
	}
	at := w.off - int64(len(w.rest))
	b = b[:len(w.rest)+k]
	w.off += int64(k)
	if k < n {
		w.off = d.size // the source has shrunk
	}
	used := w.s.feed(b, at, false) // where the source ends it may go on one day
	w.rest = append(w.rest[:0], b[used:]...)
	for i, bl := range w.builders {
		if bl != nil && bl.full {
			return fail("list", pidName(w.plan[i].pid), w.s.next, fmt.Errorf("%w: more than %d packets", container.ErrLimit, bl.most))
		}
	}
	return nil
}

// finish makes the lists of the tracks. What comes of the end of the source is done by copies, so that the walk can go on when there
// is more: see Extend.
func (w *walk) finish(d *Demuxer) *state {
	warnings := w.warnings
	warnings.errs = slices.Clip(warnings.errs)
	ending := w.s.copy()
	ending.warn = warnings.add
	streams := make([]*stream, len(w.streams))
	w.marks = nil
	for i, b := range w.builders {
		var m mark
		if b != nil {
			m = b.mark()
		}
		w.marks = append(w.marks, m)
		if st := w.streams[i]; st != nil {
			streams[i] = ending.pids[st.pid]
			streams[i].out = b
		}
	}
	ending.feed(w.rest, w.off-int64(len(w.rest)), true)
	ending.end()
	for _, st := range streams {
		if st != nil && st.lost > 0 {
			warnings.add(pidName(st.pid), st.lostAt, fmt.Errorf("transport packets are missing %d times, here first: %w", st.lost, container.ErrCorrupt))
		}
	}
	old := d.state.Load()
	s := &state{warnings: slices.Concat(d.opened, warnings.errs)}
	for i, t := range w.plan {
		var tr container.Track
		if i < len(old.tracks) {
			tr = old.tracks[i]
		} else {
			tr = t.track(d)
		}
		var l *list
		if b := w.builders[i]; b != nil {
			l = b.finish()
			tr.Packets, tr.Bytes = l.n, l.bytes
			if l.start != noTime {
				tr.Start, tr.Duration = container.Ticks(l.start), container.Ticks(l.end-l.start)
			}
			at := *tr.Transport
			at.Grid = ending.grid
			tr.Transport = &at
		}
		if st := streams[i]; st != nil {
			tr.Descriptions = t.descriptions(st.descs, st.scrambled || t.scrambled)
			tr.Description = tr.Descriptions[0]
		}
		s.tracks = append(s.tracks, tr)
		s.lists = append(s.lists, l)
	}
	chooseDefaults(s.tracks)
	for i := range w.builders {
		w.builders[i] = nil
		if st := w.streams[i]; st != nil {
			st.out = nil
		}
	}
	return s
}
