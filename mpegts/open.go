package mpegts

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
	"github.com/sprocket-video/sprocket/source"
)

const (
	maxWarnings = 64
	// What Open reads at most, beyond the head, to find the programs' tables, and then to find what the tracks carry.
	probeTables = 8 << 20
	probeCodecs = 2 << 20
	firstProbe  = 256 << 10 // bytes read at a time, at first
	maxProbe    = 1 << 20
)

// Open reads the beginning of a stream: the first 64 KiB, unless o.Head holds them, and more, as much again each time, up to 2 MiB, while they do not
// tell what every track of sound and pictures carries, or up to 8 MiB while a program has not told its tracks. A stream without
// program tables is opened by what its PES packets look like.
//
// The first List or Next of any track goes through the whole stream, once, and so it does when Locate finds no way. Until then Packets and
// Bytes of the tracks are -1. A program map that lists another track later adds it then, unless o.Select chose the tracks. One that has another
// codec for a PID ends its track there, with a warning, until one has the first codec again.
//
// The ID of a track is its PID.
func Open(ctx context.Context, src source.Source, o *container.Options) (*Demuxer, error) {
	var opts container.Options
	if o != nil {
		opts = *o
	}
	d := &Demuxer{src: src, size: src.Size(), ahead: source.PrefetcherOf(src), limits: opts.Limits.OrDefault(), progress: opts.Progress, turn: make(chan struct{}, 1), spanTurn: make(chan struct{}, 1), spans: map[int]span{}}
	p := &prober{d: d}
	if err := p.run(ctx, opts.Head); err != nil {
		return nil, err
	}
	d.opened = p.warnings.errs
	s := &state{warnings: d.opened}
	for _, t := range d.plan {
		s.tracks = append(s.tracks, t.track(d))
	}
	chooseDefaults(s.tracks)
	d.all = opts.Select == nil
	d.inUse = make([]bool, len(s.tracks))
	if d.all {
		for i := range d.inUse {
			d.inUse[i] = true
		}
	} else {
		for _, i := range opts.Select(slices.Clone(s.tracks)) {
			if i >= 0 && i < len(d.inUse) {
				d.inUse[i] = true
			}
		}
	}
	d.state.Store(s)
	d.logger = opts.Logger
	d.log(ctx, s.warnings)
	return d, nil
}

func fail(op, path string, off int64, err error) error {
	return &container.Error{Format: "mpegts", Op: op, Path: path, Offset: off, Err: err}
}

// faults collects warnings.
type faults struct {
	op   string
	errs []error
}

func (f *faults) add(path string, off int64, err error) {
	if len(f.errs) < maxWarnings {
		f.errs = append(f.errs, fail(f.op, path, off, err))
	} else if len(f.errs) == maxWarnings {
		f.errs = append(f.errs, fail(f.op, "", -1, fmt.Errorf("further faults are not listed: %w", container.ErrCorrupt)))
	}
}

// planned is a track as Open found it: what a scan begins with.
type planned struct {
	pid       int
	meaning   meaning
	language  string
	line      int // PID of the program's map; -1 without
	descs     []container.Description
	start     int64
	frame     int64
	scrambled bool
	guessed   bool
}

// prober finds the tracks.
type prober struct {
	d        *Demuxer
	s        *scanner
	streams  []*stream
	warnings faults
}

// firstTime is a sink that keeps the earliest time.
type firstTime struct{ pts int64 }

func (f *firstTime) add(u *unit) {
	if u.pts != noTime && (f.pts == noTime || u.pts < f.pts) {
		f.pts = u.pts
	}
}

func (p *prober) run(ctx context.Context, head []byte) error {
	d := p.d
	p.warnings.op = "open"
	b := head
	if b == nil {
		b = make([]byte, min(container.HeadSize, max(d.size, 0)))
		n, err := source.ReadSome(ctx, d.src, b, 0)
		if err != nil {
			return fail("open", "", 0, err)
		}
		b = b[:n]
	}
	first, stride, ok := findGrid(b)
	if !ok {
		return fail("open", "", 0, fmt.Errorf("%w: no transport packets follow each other", container.ErrFormat))
	}
	d.first, d.stride = int64(first), stride
	d.grid = []int64{d.first}
	p.s = newScanner(d.first, stride, d.limits)
	p.s.found = p.found
	used := p.s.feed(b, 0, int64(len(b)) >= d.size)
	total := int64(len(b))
	rest := slices.Clone(b[used:])
	seen := b // for guesses
	for step := int64(firstProbe); total < d.size && !p.enough(total); step = min(2*step, maxProbe) {
		n := min(step, d.size-total)
		buf := append(make([]byte, 0, int64(len(rest))+n), rest...)[:int64(len(rest))+n]
		k, err := source.ReadSome(ctx, d.src, buf[len(rest):], total)
		if err != nil {
			return fail("open", "", total, err)
		}
		buf = buf[:len(rest)+k]
		off := total - int64(len(rest))
		total += int64(k)
		used = p.s.feed(buf, off, int64(k) < n || total >= d.size)
		if len(p.streams) == 0 {
			seen = append(slices.Clone(seen), buf[len(rest):]...)
		}
		rest = buf[used:]
		if int64(k) < n {
			break
		}
	}
	if len(p.streams) == 0 {
		p.guess(seen)
	}
	if len(p.streams) == 0 {
		return fail("open", "", d.first, fmt.Errorf("no program table in %d bytes, and no PES packets: %w", total, container.ErrCorrupt))
	}
	p.s.end()
	for i, st := range p.streams {
		t := d.plan[i]
		t.descs, t.frame, t.scrambled = st.descs, st.frame, st.scrambled
		t.start = st.out.(*firstTime).pts
	}
	return nil
}

// enough says whether what was read tells what there is to know.
func (p *prober) enough(total int64) bool {
	if !p.s.ready() {
		return total >= probeTables
	}
	if total >= probeCodecs {
		return true
	}
	for _, st := range p.streams {
		m := &st.meaning
		if (m.framing == frameVideo || m.framing == frameAudio) && len(st.descs) == 0 && !st.scrambled && !st.pending() {
			return false
		}
	}
	return true
}

// found adds a track.
func (p *prober) found(e *elementary, line *timeline) {
	d := p.d
	if p.s.pids[e.pid] != nil && p.s.pids[e.pid].track >= 0 || e.pid >= transport.NullPID || e.pid == 0 {
		return
	}
	if len(d.plan) >= d.limits.Tracks {
		p.warnings.add(pidName(e.pid), p.s.next, fmt.Errorf("%w: more than %d tracks", container.ErrLimit, d.limits.Tracks))
		return
	}
	t := plan(p.s, e, line)
	d.plan = append(d.plan, t)
	p.add(t, line)
}

// plan makes a track of an entry of a program map.
func plan(s *scanner, e *elementary, line *timeline) *planned {
	t := &planned{pid: e.pid, meaning: meaningOf(e), language: language(e.descriptors), line: -1, start: noTime}
	for pid, l := range s.programs {
		if l == line {
			t.line = pid
		}
	}
	return t
}

func (p *prober) add(t *planned, line *timeline) {
	st := newStream(t.pid, len(p.streams), t.meaning, line)
	st.out = &firstTime{pts: noTime}
	if old := p.s.pids[t.pid]; old != nil {
		if old.table != nil {
			p.warnings.add(pidName(t.pid), p.s.next, fmt.Errorf("a track and a table: %w", container.ErrCorrupt))
			p.streams = append(p.streams, st)
			return
		}
		st.pcrOf = old.pcrOf
	}
	p.s.pids[t.pid] = st
	p.streams = append(p.streams, st)
}

// guess makes tracks of PES packets that no program map tells of.
func (p *prober) guess(b []byte) {
	d := p.d
	for at := int(d.first); at+transport.Size <= len(b); at += d.stride {
		pk := b[at : at+transport.Size]
		if pk[0] != transport.Sync {
			continue
		}
		h := transport.Parse(pk)
		if !h.Start || !h.HasPayload || h.PID == transport.NullPID || p.s.pids[h.PID] != nil || len(d.plan) >= d.limits.Tracks {
			continue
		}
		var pes transport.PES
		pes.Reset()
		n, done := pes.Feed(pk[h.Payload:])
		if !done || !pes.Good() {
			continue
		}
		m := guess(pes.Stream(), pk[h.Payload+n:])
		t := &planned{pid: h.PID, meaning: m, line: -1, start: noTime, guessed: true}
		d.plan = append(d.plan, t)
		p.add(t, p.s.free)
	}
	if len(d.plan) == 0 {
		return
	}
	p.warnings.add("", d.first, fmt.Errorf("no program tables; the tracks are guesses: %w", container.ErrCorrupt))
	p.s.next, p.s.search = d.first, false
	p.s.feed(b, 0, int64(len(b)) >= d.size)
}

// track returns what is known of a track before it was listed.
func (t *planned) track(d *Demuxer) container.Track {
	tr := container.Track{
		ID: t.pid, Kind: t.meaning.kind, Timebase: timebase, Start: container.NoTicks, Duration: container.NoTicks,
		Packets: -1, Bytes: -1, Language: t.language, Enabled: true,
		Transport: &container.Transport{PID: t.pid, PacketSize: d.stride, Sections: t.meaning.framing == frameSections, Grid: []int64{d.first}},
	}
	if t.start != noTime {
		tr.Start = container.Ticks(t.start)
	}
	tr.Descriptions = t.descriptions(t.descs, t.scrambled)
	tr.Description = tr.Descriptions[0]
	return tr
}

// descriptions returns at least one description, with what the tables tell.
func (t *planned) descriptions(found []container.Description, scrambled bool) []container.Description {
	out := slices.Clone(found)
	if len(out) == 0 {
		d := container.Description{Codec: t.meaning.codec}
		if t.meaning.kind == container.Video {
			d.Video.Profile, d.Video.Level = -1, -1
		} else if t.meaning.kind == container.Audio {
			d.Audio.Profile = -1
		}
		out = append(out, d)
	}
	scheme := t.meaning.scheme
	if scheme == "" && scrambled {
		scheme = "dvb"
	}
	for i := range out {
		out[i].Encryption.Scheme = scheme
	}
	return out
}

// chooseDefaults marks the first track of each kind that is known to carry something, or else the first.
func chooseDefaults(tracks []container.Track) {
	for kind := container.Data; kind <= container.Subtitle; kind++ {
		best, score := -1, -1
		for i := range tracks {
			t := &tracks[i]
			t.Default = t.Default && t.Kind != kind
			if t.Kind != kind {
				continue
			}
			s := 0
			if t.Packets > 0 {
				s += 2
			}
			if t.Video.Width > 0 || t.Audio.SampleRate > 0 {
				s++
			}
			if s > score {
				best, score = i, s
			}
		}
		if best >= 0 {
			tracks[best].Default = true
		}
	}
}

var windows = sync.Pool{New: func() any { b := make([]byte, 0, window+4*204); return &b }}

// window is how much is read at a time.
const window = 256 << 10
