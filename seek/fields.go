package seek

import (
	"context"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
)

// Field-coded H.264: some writers put the two fields of a frame into two packets. The second one then is no frame: its picture comes out with the first.

// probeFields is how many packets of an interlaced track are looked at to see whether fields come in packets of their own.
const probeFields = 16

// sliceBytes is about how much of a packet there must be to tell its field.
const sliceBytes = 64

// findFields returns the packets that hold the second field of a frame, in order. It reads nothing unless the parameter sets allow fields; then the
// heads of the first packets and, where two of them are fields of one frame, those of all.
func (t *Table) findFields(ctx context.Context, b *builder) ([]uint32, error) {
	tr := &t.demuxer.Tracks()[t.track]
	if tr.Codec != "h264" || tr.Encryption.Scheme != "" {
		return nil, nil
	}
	r, ok := bitstream.NewFieldReader(tr.Config)
	if !ok {
		return nil, nil
	}
	var seconds []uint32
	sure := false
	var before bitstream.Field
	last := int64(-2) // the packet that before is of
	looked := 0
	for info, err := range fetched(ctx, t.demuxer, t.track, t.these(ctx, b.order), true, every(t.demuxer, t.track)) {
		if err != nil {
			return nil, err
		}
		f, known, err := t.field(ctx, r, info)
		if err != nil {
			return nil, err
		}
		if known && last == info.N-1 && f.Completes(before) {
			if !sure {
				first, err := t.packet(ctx, info.N-1)
				if err != nil {
					return nil, err
				}
				if sure, err = t.single(ctx, r, first); err != nil {
					return nil, err
				}
			}
			if sure {
				seconds = append(seconds, uint32(info.N))
				known = false
			}
		}
		before, last = f, info.N
		if !known {
			last = -2 // what begins a frame comes after it
		}
		if looked++; looked >= probeFields && !sure {
			break
		}
	}
	return seconds, nil
}

// field reads what field a packet begins with. What is not there, or no slice, is not known.
func (t *Table) field(ctx context.Context, r bitstream.FieldReader, info container.PacketInfo) (f bitstream.Field, known bool, err error) {
	var p container.Packet
	head := info
	head.Size = min(head.Size, headBytes)
	for {
		if err := t.demuxer.Read(ctx, t.track, head, &p); err != nil {
			switch {
			case !missing(err):
				return f, false, err
			case head.Size <= sliceBytes:
				return f, false, nil
			}
			head.Size = sliceBytes // the source ends in the packet: its beginning may be there
			continue
		}
		if f, known = r.Read(p.Data); known || head.Size == info.Size {
			return f, known, nil
		}
		head.Size = info.Size
	}
}

// single says whether a packet has one field only.
func (t *Table) single(ctx context.Context, r bitstream.FieldReader, info container.PacketInfo) (bool, error) {
	var p container.Packet
	if err := t.demuxer.Read(ctx, t.track, info, &p); err != nil {
		if missing(err) {
			err = nil
		}
		return false, err
	}
	return r.Single(p.Data), nil
}

// fielded says whether fields come in packets of their own among those from one on, as findFields would find among the first.
func (e *Estimate) fielded(ctx context.Context, from container.PacketInfo) (bool, error) {
	tr := &e.demuxer.Tracks()[e.track]
	if tr.Codec != "h264" || tr.Encryption.Scheme != "" {
		return false, nil
	}
	r, ok := bitstream.NewFieldReader(tr.Config)
	if !ok {
		return false, nil
	}
	t := Table{demuxer: e.demuxer, track: e.track}
	var before bitstream.Field
	var last container.PacketInfo // the packet that before is of
	begun, n := false, 0
	shown := func(p *container.PacketInfo) bool { return !p.Discard }
	for info, err := range fetched(ctx, e.demuxer, e.track, e.guide.Follow(ctx, e.track, from), true, shown) {
		if err != nil {
			return false, err
		}
		if info.Discard {
			begun = false
			continue
		}
		f, known, err := t.field(ctx, r, info)
		if err != nil {
			return false, err
		}
		if known && begun && f.Completes(before) {
			if single, err := t.single(ctx, r, last); single || err != nil {
				return single, err
			}
		}
		before, last, begun = f, info, known
		if n++; n == probeFields {
			break
		}
	}
	return false, nil
}

// dropFields takes the second fields out of the frames.
func (t *Table) dropFields(ctx context.Context, b *builder) error {
	var err error
	if k, ok := t.demuxer.(*storedDemuxer); ok {
		for _, n := range b.order {
			if k.s.flags[n]&flagSecond != 0 {
				t.fields = append(t.fields, n)
			}
		}
	} else if t.fields, err = t.findFields(ctx, b); err != nil {
		return err
	}
	if len(t.fields) == 0 {
		return nil
	}
	keep, latest := 0, container.NoTicks
	for i, n := range b.order {
		if t.second(int64(n)) {
			continue
		}
		latest = max(latest, container.Ticks(b.pts[i]))
		b.pts[keep], b.order[keep] = b.pts[i], n
		keep++
	}
	b.pts, b.order = b.pts[:keep], b.order[:keep]
	if b.lastPTS > latest { // the last packet was a second field: its frame lasts until that ends
		b.duration += b.lastPTS - latest
	}
	return nil
}

// second says whether packet n holds the second field of the frame that the packet before it begins.
func (t *Table) second(n int64) bool {
	_, found := slices.BinarySearch(t.fields, uint32(n))
	return found
}

// NoFrame says that no frame comes out of packet n by itself: it is the second field of the frame before, or cannot be decoded.
// Packets outside the edit list are not told of.
func (t *Table) NoFrame(n int64) bool {
	_, hidden := t.hidden[uint32(n)]
	return hidden || t.second(n)
}
