package seek

import (
	"context"
	"io"
	"iter"
	"slices"
	"sort"

	"github.com/sprocket-video/sprocket/container"
)

// Excerpt is an exact index of a part of a track: of the packets around some frames. Its frames and packets have numbers of their own, which
// are Estimated.
type Excerpt struct {
	Table   *Table
	Demuxer container.SeekableDemuxer // lists those packets, of the same tracks
	Numbers []int                     // of the frames it was made for, in the order given
}

// Excerpt returns the exact index of the packets that it takes to decode frames. Where everything was listed it is that of the track.
//
// It reads the heads of the key packets at which decoding may start that were not read before. Packet numbers leave a gap where the
// excerpt does.
func (e *Estimate) Excerpt(ctx context.Context, frames []Located) (x *Excerpt, err error) {
	t, err := e.orList(ctx, func() error {
		x, err = e.excerpt(ctx, frames)
		return err
	})
	if t == nil {
		return x, err
	}
	x = &Excerpt{Table: t, Demuxer: e.demuxer, Numbers: make([]int, len(frames))}
	for i := range frames {
		x.Numbers[i] = frames[i].N
		if frames[i].stretch != nil { // located before everything was listed
			if x.Numbers[i], err = t.Search(frames[i].PTS); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}

func (e *Estimate) excerpt(ctx context.Context, frames []Located) (*Excerpt, error) {
	order := make([]int, len(frames))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(frames[a].PTS, frames[b].PTS) })
	d := &excerptDemuxer{SeekableDemuxer: e.demuxer, track: e.track}
	x := &Excerpt{Demuxer: d, Numbers: make([]int, len(frames))}
	packets := make([]int64, len(frames)) // of the frames
	var whole *stretch
	for _, k := range order {
		f := &frames[k]
		s, err := e.startable(ctx, f.stretch)
		if err == nil && s.from != f.stretch.from {
			s, err = e.extend(ctx, s, until(f.PTS))
		}
		if err != nil {
			return nil, err
		}
		if f.stretch.from == s.from && len(f.stretch.packets) > len(s.packets) {
			s = f.stretch // what was remembered is forgotten by now
		}
		if whole == nil || whole.from != s.from || len(s.packets) > len(whole.packets) {
			d.add(s)
			whole = s
		}
		if packets[k] = d.number(&f.stretch.packets[f.at]); packets[k] < 0 {
			return nil, errUnfit
		}
	}
	t := &Table{demuxer: d, track: e.track, tb: e.tb, starts: map[uint32]bool{}, excerpt: true}
	var b builder
	for i := range d.packets {
		p := &d.packets[i]
		b.add(p)
		if ok, known := e.starts[placeOf(p)]; known {
			t.starts[uint32(p.N)] = ok
		}
	}
	t.finish(&b)
	// How far an excerpt reorders says nothing of the track.
	t.reorder = 0
	x.Table = t
	for k, packet := range packets {
		n, err := t.frameOf(packet, frames[k].PTS)
		if err != nil {
			return nil, err
		}
		x.Numbers[k] = n
	}
	return x, nil
}

// frameOf returns the number of the frame of a packet, which is shown at pts.
func (t *Table) frameOf(packet int64, pts container.Ticks) (int, error) {
	for n := t.after(pts) - 1; n >= 0; n-- {
		f, err := t.Frame(n)
		if err != nil || f.PTS != pts {
			break
		}
		if f.Packet == packet {
			return n, nil
		}
	}
	return 0, errUnfit
}

// excerptDemuxer lists some packets of a track. Those that are not shown are discarded ones.
type excerptDemuxer struct {
	container.SeekableDemuxer
	track   int
	packets []container.PacketInfo
	prev    *stretch       // the stretch added last
	last    int            // where its packets begin
	leads   map[place]bool // those among them that the stretch before it shows
}

// gap is how many numbers lie between packets that do not follow each other.
const gap = 2

// add adds a stretch, which begins not before the one that was added last.
func (d *excerptDemuxer) add(s *stretch) {
	n, all := int64(0), s.packets
	at := -1
	if d.prev != nil {
		at = d.prev.index(placeOf(&s.packets[0]))
		n = d.packets[len(d.packets)-1].N + gap
	}
	if at >= 0 {
		n = d.packets[d.last].N + int64(at)
		if tail := d.prev.packets[at:]; len(tail) > len(all) {
			all = tail
		}
		d.packets = d.packets[:d.last+at]
	}
	if at != 0 { // not the same stretch, longer by now
		d.leads = map[place]bool{}
		for _, i := range framesFrom(d.prev, at) {
			d.leads[placeOf(&d.prev.packets[i])] = true
		}
	}
	d.prev, d.last = s, len(d.packets)
	shown := make(map[int]bool, len(s.frames))
	for _, i := range s.frames {
		shown[int(i)] = true
	}
	for i, p := range all {
		p.N = n + int64(i)
		p.Discard = !shown[i] && !d.leads[placeOf(&p)]
		d.packets = append(d.packets, p)
	}
}

// framesFrom returns the frames of a stretch whose packets come not before packet at; none when at is negative.
func framesFrom(s *stretch, at int) (frames []int32) {
	for i := 0; at >= 0 && i < len(s.frames); i++ {
		if int(s.frames[i]) >= at {
			frames = append(frames, s.frames[i])
		}
	}
	return frames
}

// number returns the number of a packet, or -1.
func (d *excerptDemuxer) number(p *container.PacketInfo) int64 {
	at := placeOf(p)
	for i := range d.packets[d.last:] {
		if q := &d.packets[d.last+i]; placeOf(q) == at {
			return q.N
		}
	}
	return -1
}

func (d *excerptDemuxer) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		i := sort.Search(len(d.packets), func(i int) bool { return d.packets[i].N >= from.N })
		for ; track == d.track && i < len(d.packets); i++ {
			if !yield(d.packets[i], nil) {
				return
			}
		}
	}
}

// Next has nothing to read: an excerpt is for asking.
func (d *excerptDemuxer) Next(context.Context, *container.Packet) error { return io.EOF }

// Close does nothing: the demuxer belongs to the index.
func (d *excerptDemuxer) Close() error { return nil }
