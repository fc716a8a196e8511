package seek

import (
	"context"
	"iter"

	"github.com/sprocket-video/sprocket/container"
)

// Where a read takes a while, as on a server, the heads of packets are fetched together before they are read one by one.

const (
	firstHeads = 16       // whose heads are fetched together at first: more may not be wanted
	mostHeads  = 256      // and, twice as many each time, at last
	mostBehind = 4 << 10  // packets that are held until a head is wanted
	headsBytes = 4 << 20  // bytes that are fetched together
	headsHole  = 64 << 10 // bytes between two heads that may be fetched with them
)

// fetched yields what list does. Where the source gains from it the heads of those packets that wanted names were fetched by then. With through the first
// ones are fetched whole, and what lies between them, where that is not too much: then it takes one read.
func fetched(ctx context.Context, d container.SeekableDemuxer, track int, list iter.Seq2[container.PacketInfo, error], through bool,
	wanted func(*container.PacketInfo) bool,
) iter.Seq2[container.PacketInfo, error] {
	if container.PrefetcherOf(d, track) == nil {
		return list
	}
	return func(yield func(container.PacketInfo, error) bool) {
		var held, heads []container.PacketInfo
		most, bytes := firstHeads, int64(0)
		give := func() bool {
			if all, ok := whole(held); through && ok {
				heads = append(heads[:0], all)
			}
			container.Prefetch(ctx, d, track, heads)
			for i := range held {
				if !yield(held[i], nil) {
					return false
				}
			}
			held, heads, bytes = held[:0], heads[:0], 0
			most, through = min(2*most, mostHeads), false
			return true
		}
		for info, err := range list {
			if err != nil {
				if give() {
					yield(info, err)
				}
				return
			}
			held = append(held, info)
			if wanted(&info) {
				head := info.Head(headBytes)
				bytes += head.Extent()
				if k := len(heads) - 1; k >= 0 {
					if hole := head.Pos - heads[k].Pos - heads[k].Extent(); hole > 0 && hole <= headsHole {
						bytes += hole
					}
				}
				heads = append(heads, head)
			}
			if (len(heads) == most || len(held) == mostBehind || bytes >= headsBytes) && !give() {
				return
			}
		}
		give()
	}
}

// whole returns the stretch of the source that packets lie in. ok is false when it is too long to be fetched for their heads.
func whole(packets []container.PacketInfo) (all container.PacketInfo, ok bool) {
	if len(packets) == 0 {
		return all, false
	}
	from, to := packets[0].Pos, packets[0].Pos
	for i := range packets {
		from, to = min(from, packets[i].Pos), max(to, packets[i].Pos+packets[i].Extent())
	}
	return container.PacketInfo{Pos: from, Size: int(min(to-from, headsBytes))}, to-from <= headsBytes
}

// every wants the heads of all packets whose bytes tell something.
func every(d container.SeekableDemuxer, track int) func(*container.PacketInfo) bool {
	return func(p *container.PacketInfo) bool { return tells(&d.Tracks()[track], p) }
}

// these lists packets by number, which are in order.
func (t *Table) these(ctx context.Context, packets []uint32) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		if len(packets) == 0 {
			return
		}
		i := 0
		for info, err := range t.demuxer.List(ctx, t.track, container.PacketInfo{N: int64(packets[0])}) {
			if err == nil && info.N != int64(packets[i]) {
				continue
			}
			if !yield(info, err) || err != nil {
				return
			}
			if i++; i == len(packets) {
				return
			}
		}
		yield(container.PacketInfo{}, noPacket(int64(packets[i])))
	}
}
