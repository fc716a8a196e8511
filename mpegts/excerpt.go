package mpegts

import (
	"context"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/transport"
	"github.com/sprocket-video/sprocket/source"
)

// excerpt reads a part of the stream, for one track.
type excerpt struct {
	d     *Demuxer
	track int
	s     *scanner
	st    *stream
	units []unit // those found and not taken yet
	rest  []byte
	off   int64 // of what is read next
	ended bool
	blind bool  // no table has told yet what the PID carries
	told  int   // places of the scanner's grid that the demuxer knows
	last  int64 // DTS before
	step  int64
}

// excerptOf begins with the transport packet that the byte at off lies in, as far as is known where they lie: the first one is searched.
func (d *Demuxer) excerptOf(track int, off int64) *excerpt {
	if at, err := transport.Start(&container.Transport{PacketSize: d.stride, Grid: d.places()}, off); err == nil {
		off = at
	}
	x := d.excerptAt(track, off)
	if off != d.first {
		x.s.search, x.s.grid, x.told, x.blind = true, nil, 0, true
		if v, ok := x.st.framer.(*video); ok {
			v.partial = true
		}
	}
	return x
}

// excerptAt begins at off, where a transport packet begins.
func (d *Demuxer) excerptAt(track int, off int64) *excerpt {
	t := d.plan[track]
	x := &excerpt{d: d, track: track, off: off, told: 1, last: noTime}
	x.s = newScanner(off, d.stride, d.limits)
	line := &timeline{pcr: noTime, known: true, forward: true, bases: []base{{start: t.start}}}
	x.st = newStream(t.pid, track, t.meaning, line)
	x.st.clock.loose = true // time bases cannot be known from here
	x.st.descs, x.st.frame = slices.Clone(t.descs), t.frame
	x.st.out = x
	if v, ok := x.st.framer.(*video); ok {
		v.distrust = true
		v.syntax.seed(x.st.descs)
	}
	x.s.pids[t.pid] = x.st
	x.s.found = func(e *elementary, _ *timeline) {
		if e.pid != t.pid {
			return
		}
		if x.st.becomes(t, meaningOf(e)) && x.blind {
			x.units = nil
		}
		x.blind = false
	}
	if t.line >= 0 {
		x.s.addTable(t.line, func(b []byte) { x.s.readPMT(t.line, &timeline{pcr: noTime}, b) })
	}
	return x
}

func (x *excerpt) add(u *unit) { x.units = append(x.units, *u) }

// read goes through the next n bytes.
func (x *excerpt) read(ctx context.Context, n int) error {
	d := x.d
	n = int(max(0, min(int64(n), d.size-x.off)))
	b := append(make([]byte, 0, len(x.rest)+n), x.rest...)[:len(x.rest)+n]
	k, err := source.ReadSome(ctx, d.src, b[len(x.rest):], x.off)
	if err != nil {
		return fail("locate", pidName(x.st.pid), x.off, err)
	}
	at := x.off - int64(len(x.rest))
	b = b[:len(x.rest)+k]
	if x.off += int64(k); k < n {
		x.off = d.size
	}
	x.ended = x.off >= d.size
	used := x.s.feed(b, at, x.ended)
	x.rest = append([]byte(nil), b[used:]...)
	if x.ended {
		x.s.end()
	}
	d.learnGrid(x.s.grid[x.told:])
	x.told = len(x.s.grid)
	return nil
}

// info turns a unit into what List says of it, but for the number.
func (x *excerpt) info(u *unit) container.PacketInfo {
	v := *u
	v.times(x.last, x.step)
	if x.last != noTime && v.dts > x.last {
		x.step = v.dts - x.last
	}
	x.last = v.dts
	p := container.PacketInfo{
		Track: x.track, N: -1, PTS: container.Ticks(v.pts), DTS: container.Ticks(min(v.dts, v.pts)), Duration: container.Ticks(v.duration),
		Pos: v.pos, Size: int(v.size), Key: v.key, Corrupt: v.corrupt,
	}
	if s := v.end - v.pos; s != v.size {
		p.Span = s
	}
	if have := x.d.Tracks()[x.track].Descriptions; v.desc < len(x.st.descs) {
		for i := range have {
			if slices.Equal(have[i].Config, x.st.descs[v.desc].Config) && have[i].Audio == x.st.descs[v.desc].Audio {
				p.Description = i
				break
			}
		}
	}
	return p
}

// learnGrid notes where transport packets lie otherwise than was known.
func (d *Demuxer) learnGrid(places []int64) {
	if len(places) == 0 {
		return
	}
	d.gridLock.Lock()
	defer d.gridLock.Unlock()
	t := container.Transport{PacketSize: d.stride, Grid: d.grid}
	for _, p := range places {
		if p < d.first || len(t.Grid) >= maxBases {
			continue
		}
		if at, err := transport.Start(&t, p); err == nil && at == p {
			continue
		}
		i, found := slices.BinarySearch(t.Grid, p)
		if !found {
			t.Grid = slices.Insert(slices.Clone(t.Grid), i, p)
		}
	}
	d.grid = t.Grid
}

// places returns where transport packets lie, as far as is known. The slice is shared and read-only.
func (d *Demuxer) places() []int64 {
	d.gridLock.Lock()
	defer d.gridLock.Unlock()
	return d.grid
}

// transportOf returns how to read packets of a track: with all that is known of where transport packets lie.
func (d *Demuxer) transportOf(tr *container.Track) *container.Transport {
	if d.listed.Load() {
		return tr.Transport
	}
	t := *tr.Transport
	t.Grid = d.places()
	return &t
}
