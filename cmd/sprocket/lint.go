package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// lints are faults of a track's tables that show without reading its packets, and those of the key packets that were looked at.
func lints(t *container.Track, s *scan, x *seek.Table, keys *keyReport) []string {
	var all []string
	add := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(s.packets > 0 && s.keys == 0, "no packet is called a key packet")
	add(s.keys > 0 && s.gop.BeforeKey > 0, "%s before the first key packet", plural(s.gop.BeforeKey, "packet", "packets"))
	if keys != nil {
		every := ""
		if s.keys == s.packets {
			every = "every packet is called a key packet: "
		}
		add(keys.NotKey > 0, "%s%d of %d looked at are none", every, keys.NotKey, keys.Count)
		add(keys.Slow > 0, "%d of %d key packets looked at give right pictures only some packets later", keys.Slow, keys.Count)
	}
	if n := sameTimes(x); n > 0 {
		add(true, "%s the time of the frame before", plural(n, "frame has", "frames have"))
	}
	add(s.back > 0, "decode times go back %s, first at packet %d", plural(s.back, "time", "times"), s.firstBack)
	add(s.noTime > 0, "%s no time, first packet %d", plural(s.noTime, "packet lasts", "packets last"), s.firstNoTime)
	for _, d := range t.Descriptions {
		if d.Video.Width != t.Video.Width || d.Video.Height != t.Video.Height {
			add(true, "pictures of different sizes: %dx%d and %dx%d", t.Video.Width, t.Video.Height, d.Video.Width, d.Video.Height)
			break
		}
	}
	return all
}

// sameTimes counts the frames that are shown when another one is.
func sameTimes(x *seek.Table) int64 {
	var n int64
	last := container.NoTicks
	for i := range x.Len() {
		f, err := x.Frame(i)
		if err == nil && f.PTS == last { // i is in range
			n++
		}
		last = f.PTS
	}
	return n
}

// verifyReport is what the packets themselves say of what the container says of them.
type verifyReport struct {
	Packets int64            `json:"packets"`
	Told    int64            `json:"packets_that_tell"` // the others are encrypted, or of a codec that is not read
	Keys    int64            `json:"key_packets"`       // by their bytes
	Faults  map[string]int64 `json:"faults"`            // how many of each kind
	First   []faultReport    `json:"first_faults"`
	Cost    cost             `json:"cost"`
}

type faultReport struct {
	Packet int64  `json:"packet"`
	PTS    *int64 `json:"pts"`
	Kind   string `json:"kind"`
	Text   string `json:"text"`
}

// maxFaults is how many faults are told one by one.
const maxFaults = 20

// verify reads the heads of all packets of a track.
func (m *media) verify(ctx context.Context, track int) (*verifyReport, error) {
	r := &verifyReport{Faults: map[string]int64{}, First: []faultReport{}}
	before, start := m.Counts(), time.Now()
	v, err := seek.Verify(ctx, m.demuxer, track, func(f seek.Fault) {
		if len(r.First) < maxFaults {
			r.First = append(r.First, faultReport{f.Packet.N, ticks(f.Packet.PTS), f.Kind.String(), oneLine(fmt.Errorf("%v", f))})
		}
	})
	r.Packets, r.Told, r.Keys = v.Packets, v.Told, v.Keys
	for k, n := range v.Faults {
		if n > 0 {
			r.Faults[seek.FaultKind(k).String()] = n
		}
	}
	r.Cost = since(m.Counter, before, start)
	return r, err
}

func (r *verifyReport) sum() (n int64) {
	for _, k := range r.Faults {
		n += k
	}
	return n
}

func (r *verifyReport) addText(f *fields) {
	untold := ""
	if n := r.Packets - r.Told; n > 0 {
		untold = fmt.Sprintf("%d do not tell what they are", n)
	}
	f.add("verified", plural(r.Packets, "packet", "packets"), fmt.Sprintf("decoding can start at %d", r.Keys), untold,
		plural(r.sum(), "fault", "faults"), r.Cost.reads())
	for _, k := range r.First {
		f.add("fault", k.Text)
	}
	if more := r.sum() - int64(len(r.First)); more > 0 {
		f.add("fault", fmt.Sprintf("and %d more", more))
	}
}
