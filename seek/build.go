package seek

import (
	"context"
	"math"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
	"github.com/sprocket-video/sprocket/internal/column"
)

// Build lists every packet of a track and returns its exact index.
//
// Frames are ordered by PTS, equal ones by decode order. Discarded packets are no frames. Neither are the leading pictures of a
// stream that begins with an open key packet: no decoder can decode them; nor is the second field of a frame of H.264 whose fields have packets of
// their own. To tell those, and only where there are candidates, Build reads the first bytes of a few packets, and of such a stream of fields of all.
func Build(ctx context.Context, d container.SeekableDemuxer, track int) (*Table, error) {
	return buildCorrected(ctx, d, track, nil)
}

// buildCorrected is Build, where correct, unless it is nil, has the last word on whether a packet is a key packet.
func buildCorrected(ctx context.Context, d container.SeekableDemuxer, track int, correct func(*Table, *container.PacketInfo) error) (*Table, error) {
	t, b, err := list(ctx, d, track, correct)
	if err != nil {
		return nil, err
	}
	t.finish(b)
	return t, nil
}

// list lists the packets, and takes those out that are no frames.
func list(ctx context.Context, d container.SeekableDemuxer, track int, correct func(*Table, *container.PacketInfo) error) (*Table, *builder, error) {
	t := &Table{demuxer: d, track: track}
	var b builder
	packets := d.List(ctx, track, container.PacketInfo{})
	if correct != nil {
		packets = fetched(ctx, d, track, packets, false, every(d, track))
	}
	for info, err := range packets {
		if err != nil {
			return nil, nil, err
		}
		if info.N > math.MaxUint32 {
			return nil, nil, &container.Error{Format: "seek", Op: "build", Offset: -1, Err: container.ErrLimit}
		}
		if b.packets == 0 { // a demuxer may know how many there are only now; it is a hint
			n := max(0, min(d.Tracks()[track].Packets, 1<<22))
			b.pts, b.order = make([]int64, 0, n), make([]uint32, 0, n)
		}
		if correct != nil {
			if err := correct(t, &info); err != nil {
				return nil, nil, err
			}
		}
		b.add(&info)
	}
	t.tb = d.Tracks()[track].Timebase // a demuxer may know it only now
	if err := t.dropUndecodable(ctx, &b); err != nil {
		return nil, nil, err
	}
	if err := t.dropFields(ctx, &b); err != nil {
		return nil, nil, err
	}
	return t, &b, nil
}

// builder holds the packets in decode order until they are sorted.
type builder struct {
	pts      []int64
	order    []uint32
	duration container.Ticks // of the packet with the last PTS
	lastPTS  container.Ticks
	keys     []uint32
	keyPTS   column.Builder // of keys
	firstKey int64          // PTS of keys[0]
	packets  int64
	lead     bool // a packet after the first key packet is presented before it
}

func (b *builder) add(info *container.PacketInfo) {
	pts := info.PTS
	if pts == container.NoTicks {
		pts = info.DTS
	}
	b.packets++
	if info.Key {
		if len(b.keys) == 0 {
			b.firstKey = int64(pts)
		}
		b.keys = append(b.keys, uint32(info.N))
		b.keyPTS.Append(int64(pts))
	}
	if info.Discard {
		return
	}
	if len(b.pts) == 0 || pts >= b.lastPTS {
		b.lastPTS, b.duration = pts, info.Duration
	}
	if len(b.keys) == 1 && int64(pts) < b.firstKey {
		b.lead = true
	}
	b.pts = append(b.pts, int64(pts))
	b.order = append(b.order, uint32(info.N))
}

// dropUndecodable removes the leading pictures of the first key packet when that packet is an open one.
func (t *Table) dropUndecodable(ctx context.Context, b *builder) error {
	if k, ok := t.demuxer.(*storedDemuxer); ok {
		return b.drop(t, func(_ int, n uint32) (bool, error) {
			hidden, _, _ := k.known(int64(n))
			return hidden, nil
		})
	}
	if !b.lead {
		return nil
	}
	first, end := b.keys[0], uint32(math.MaxUint32)
	if len(b.keys) > 1 {
		end = b.keys[1]
	}
	var leading []uint32
	for i, n := range b.order {
		if n > first && n < end && b.pts[i] < b.firstKey {
			leading = append(leading, n)
		}
	}
	hevc := t.demuxer.Tracks()[t.track].Codec == "hevc"
	wanted := []uint32{first}
	if hevc { // RADL pictures are decodable
		wanted = append(wanted, leading...)
		leading = leading[:0]
	}
	for info, err := range fetched(ctx, t.demuxer, t.track, t.these(ctx, wanted), false, every(t.demuxer, t.track)) {
		if err != nil {
			return err
		}
		p, err := classify(ctx, t.demuxer, t.track, info)
		switch {
		case err != nil:
			return err
		case uint32(info.N) != first:
			if p.Skipped {
				leading = append(leading, uint32(info.N))
			}
		case p.Class != bitstream.Open && p.Class != bitstream.Recovery:
			return nil
		}
	}
	return b.drop(t, func(_ int, n uint32) (bool, error) {
		_, found := slices.BinarySearch(leading, n)
		return found, nil
	})
}

// drop takes the packets out that hidden says are no frames, and notes them.
func (b *builder) drop(t *Table, hidden func(i int, n uint32) (bool, error)) error {
	keep := 0
	for i, n := range b.order {
		hide, err := hidden(i, n)
		if err != nil {
			return err
		}
		if hide {
			if t.hidden == nil {
				t.hidden = map[uint32]struct{}{}
			}
			t.hidden[n] = struct{}{}
			continue
		}
		b.pts[keep], b.order[keep] = b.pts[i], n
		keep++
	}
	b.pts, b.order = b.pts[:keep], b.order[:keep]
	return nil
}

// finish sorts the packets into presentation order and packs the table.
func (t *Table) finish(b *builder) {
	if !slices.IsSorted(b.pts) {
		decoded := slices.Clone(b.order)
		sortByTime(b.pts, b.order)
		t.reorder = reorderDepth(decoded, b.order)
	}
	t.packets = b.packets
	t.setFrames(b)
	t.allKey = int64(len(b.keys)) == b.packets
	if !t.allKey {
		t.keys = slices.Clone(b.keys)
		t.keyPTS = b.keyPTS.Build()
	}
}

// setFrames takes the sorted frames.
func (t *Table) setFrames(b *builder) {
	t.frames = len(b.pts)
	t.lastDuration = b.duration
	var pts column.Builder
	pts.Grow(len(b.pts))
	for _, v := range b.pts {
		pts.Append(v)
	}
	t.pts = pts.Build()
	t.order = nil
	for i, n := range b.order {
		if uint32(i) != n {
			t.order = slices.Clip(slices.Clone(b.order))
			break
		}
	}
}

// reorderDepth returns the most pictures that wait, decoded, for one shown before them. Both slices hold the same packets, in decode
// order and in presentation order.
func reorderDepth(decoded, shown []uint32) int {
	depth, last := 0, 0
	for n, packet := range shown {
		rank := int(packet - decoded[0]) // its place in decoded, if no packet is missing there
		if rank >= len(decoded) || decoded[rank] != packet {
			rank, _ = slices.BinarySearch(decoded, packet)
		}
		last = max(last, rank)
		depth = max(depth, last-n)
	}
	return depth
}

// sortByTime sorts both slices by pts, stably. Packets in decode order are nearly in presentation order, so
// insertion does it in one pass; input that is not so nearly sorted is given to the library.
func sortByTime(pts []int64, order []uint32) {
	budget := 64 * len(pts)
	for i := 1; i < len(pts); i++ {
		p, n := pts[i], order[i]
		j := i
		for ; j > 0 && pts[j-1] > p; j-- {
			pts[j], order[j] = pts[j-1], order[j-1]
		}
		pts[j], order[j] = p, n
		if budget -= i - j; budget < 0 {
			sortAll(pts, order)
			return
		}
	}
}

func sortAll(pts []int64, order []uint32) {
	type pair struct {
		pts int64
		n   uint32
	}
	all := make([]pair, len(pts))
	for i := range pts {
		all[i] = pair{pts[i], order[i]}
	}
	// Decode numbers are unique, so ordering by them too is what stable means, wherever the insertion stopped.
	slices.SortFunc(all, func(a, b pair) int {
		if a.pts != b.pts {
			if a.pts < b.pts {
				return -1
			}
			return 1
		}
		return int(int64(a.n) - int64(b.n))
	})
	for i, p := range all {
		pts[i], order[i] = p.pts, p.n
	}
}
