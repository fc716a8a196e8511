package seek

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
	"github.com/sprocket-video/sprocket/internal/column"
)

// Table is the exact index of one track: about 8 bytes a frame. It is immutable, and safe for concurrent use.
// It keeps the demuxer it was built from, to ask it for packets.
type Table struct {
	demuxer container.SeekableDemuxer
	track   int
	tb      container.Timebase

	pts          column.Column // of frames, in presentation order
	order        []uint32      // packet of each frame; nil when frame n is packet n
	frames       int
	packets      int64
	lastDuration container.Ticks
	reorder      int

	keys   []uint32      // key packets in decode order, discarded ones too; nil when allKey
	keyPTS column.Column // of keys
	allKey bool

	excerpt bool // the numbers are of its own
	mapped  bool // there are more frames in the track

	hidden map[uint32]struct{} // packets that cannot be decoded and are no frames: a few leading pictures

	fields []uint32 // packets that hold the second field of a frame, in order

	verified bool // starts says of all key packets at which decoding cannot start that it cannot

	mu     sync.Mutex
	starts map[uint32]bool // key packets whose bytes were read: can decoding start there?
}

// Kind returns Exact.
func (t *Table) Kind() Kind { return Exact }

// Len returns the number of frames.
func (t *Table) Len() int { return t.frames }

// Packets returns the number of packets, discarded ones included.
func (t *Table) Packets() int64 { return t.packets }

// KeyPackets returns the number of packets that the container calls key packets.
func (t *Table) KeyPackets() int64 {
	if t.allKey {
		return t.packets
	}
	return int64(len(t.keys))
}

// ReorderDepth returns how many packets may come, in decode order, before a packet whose picture is shown before theirs.
func (t *Table) ReorderDepth() int { return t.reorder }

// Timebase returns the unit of every time of the table.
func (t *Table) Timebase() container.Timebase { return t.tb }

// Bytes returns the memory the table holds, without the demuxer's.
func (t *Table) Bytes() int {
	return t.pts.Bytes() + t.keyPTS.Bytes() + 4*cap(t.order) + 4*cap(t.keys) + 4*cap(t.fields)
}

// Frame returns frame n.
func (t *Table) Frame(n int) (Frame, error) {
	if n < 0 || n >= t.frames {
		return Frame{}, &RangeError{Asked: fmt.Sprintf("frame %d", n), Have: fmt.Sprintf("%d frames", t.frames)}
	}
	f := Frame{N: n, Packet: int64(n), PTS: container.Ticks(t.pts.At(n)), Duration: t.lastDuration, Estimated: t.excerpt}
	if t.order != nil {
		f.Packet = int64(t.order[n])
	}
	if n+1 < t.frames {
		f.Duration = container.Ticks(t.pts.At(n+1)) - f.PTS
	}
	f.Key = t.isKey(f.Packet)
	if t.fields != nil && t.second(f.Packet+1) {
		f.More = 1
	}
	return f, nil
}

// isKey says whether packet n is a key packet.
func (t *Table) isKey(n int64) bool {
	if t.allKey {
		return true
	}
	_, found := slices.BinarySearch(t.keys, uint32(n))
	return found
}

// Search returns the number of the frame played at pts.
func (t *Table) Search(pts container.Ticks) (int, error) {
	n := t.after(pts) - 1
	if n < 0 || n == t.frames-1 && pts >= container.Ticks(t.pts.At(n))+max(t.lastDuration, 1) {
		return 0, t.timeError(pts)
	}
	return n, nil
}

// after returns the number of frames whose PTS is not after pts.
func (t *Table) after(pts container.Ticks) int {
	lo, hi := 0, t.frames
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); container.Ticks(t.pts.At(mid)) <= pts {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (t *Table) timeError(pts container.Ticks) error {
	e := &RangeError{Asked: fmt.Sprintf("time %v", t.tb.Duration(pts)), Have: "no frames"}
	if t.frames > 0 {
		begin, end := t.pts.At(0), container.Ticks(t.pts.At(t.frames-1))+t.lastDuration
		e.Have = fmt.Sprintf("times from %v to %v", t.tb.Duration(container.Ticks(begin)), t.tb.Duration(end))
	}
	return e
}

// Start returns the packet at which decoding must begin to get frame n.
//
// A key packet qualifies when its PTS is not after the frame's, it is not behind the frame in decode order, and its own bytes say
// that decoding can start there: a recovery point that needs more frames to recover does not (ITU-T H.264, D.2.8), and where the bytes do not
// tell, neither does one with a roll distance (ISO/IEC 14496-12, 10.1). Where none qualifies decoding begins at the first packet. For sound a negative
// roll distance is how many packets before the key packet decoding begins.
func (t *Table) Start(ctx context.Context, n int) (container.PacketInfo, error) {
	return t.start(ctx, n, t.canStart)
}

// start is Start by what can says of key packets.
func (t *Table) start(ctx context.Context, n int, can func(context.Context, container.PacketInfo) (bool, error)) (container.PacketInfo, error) {
	f, err := t.Frame(n)
	if err != nil {
		return container.PacketInfo{}, err
	}
	next := t.keysBefore(f.Packet)
	for {
		packet, pts, ok := next()
		if !ok {
			return t.packet(ctx, 0)
		}
		if pts != container.NoTicks && pts > f.PTS {
			continue
		}
		info, err := t.packet(ctx, packet)
		if err != nil {
			return container.PacketInfo{}, err
		}
		if info.PTS > f.PTS {
			continue
		}
		if early := preroll(&t.demuxer.Tracks()[t.track], &info); early > 0 {
			return t.packet(ctx, max(info.N-early, 0))
		}
		ok, err = can(ctx, info)
		if ok || err != nil {
			return info, err
		}
	}
}

// preroll returns how many packets before a key packet of sound decoding begins, so that it is right there: ISO/IEC 14496-12, 10.1,
// AudioRollRecoveryEntry.
func preroll(tr *container.Track, key *container.PacketInfo) int64 {
	if tr.Kind != container.Audio {
		return 0
	}
	return max(-int64(key.Roll), 0)
}

// keysBefore returns a function that yields the key packets not after packet, last first, with their PTS where the table has it.
func (t *Table) keysBefore(packet int64) func() (int64, container.Ticks, bool) {
	if t.allKey {
		n := packet + 1
		return func() (int64, container.Ticks, bool) {
			n--
			return n, container.NoTicks, n >= 0
		}
	}
	k, found := slices.BinarySearch(t.keys, uint32(packet))
	if found {
		k++
	}
	return func() (int64, container.Ticks, bool) {
		if k--; k < 0 {
			return 0, 0, false
		}
		return int64(t.keys[k]), container.Ticks(t.keyPTS.At(k)), true
	}
}

// keyBetween says whether a key packet lies behind packet a, up to and including packet b, in decode order.
func (t *Table) keyBetween(a, b int64) bool {
	if t.allKey {
		return a < b
	}
	k, _ := slices.BinarySearch(t.keys, uint32(a+1))
	return k < len(t.keys) && int64(t.keys[k]) <= b
}

// canStart looks the class of a key packet up in its own bytes, once.
func (t *Table) canStart(ctx context.Context, info container.PacketInfo) (bool, error) {
	if ok, known := t.looked(info); known {
		return ok, nil
	}
	b, err := classify(ctx, t.demuxer, t.track, info)
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.starts == nil {
		t.starts = make(map[uint32]bool)
	}
	t.starts[uint32(info.N)] = b.StartAt(&info)
	return t.starts[uint32(info.N)], nil
}

// looked returns what is known of a key packet without reading.
func (t *Table) looked(info container.PacketInfo) (start, known bool) {
	tr := &t.demuxer.Tracks()[t.track]
	if bitstream.IntraOnly(tr.Codec) {
		return true, true
	}
	if !tells(tr, &info) {
		return bitstream.Info{}.StartAt(&info), true
	}
	if k, ok := t.demuxer.(*storedDemuxer); ok {
		if _, start, told := k.known(info.N); told {
			return start, true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	start, known = t.starts[uint32(info.N)]
	return start || !known && t.verified, known || t.verified
}

// headBytes is how much of a packet is read to classify it. Encoders put up to about 700 bytes of SEI before the first slice.
const headBytes = 2048

// tells says whether there is something to be read in a packet: its codec is understood, and it is not encrypted.
func tells(tr *container.Track, info *container.PacketInfo) bool {
	if info.Description >= len(tr.Descriptions) {
		return false
	}
	d := &tr.Descriptions[info.Description]
	return d.Encryption.Scheme == "" && bitstream.Reads(d.Codec)
}

// classify reads the head of a packet. Of one that is not there it says that decoding cannot start there, and nothing else.
func classify(ctx context.Context, d container.SeekableDemuxer, track int, info container.PacketInfo) (bitstream.Info, error) {
	b, err := inspect(ctx, d, track, info)
	if err != nil && missing(err) {
		return bitstream.Info{Class: bitstream.Short}, nil
	}
	return b, err
}

// inspect reads the head of a packet, or all of it where that does not tell.
func inspect(ctx context.Context, d container.SeekableDemuxer, track int, info container.PacketInfo) (bitstream.Info, error) {
	tr := &d.Tracks()[track]
	if !tells(tr, &info) {
		return bitstream.Info{}, nil // the container's flag is all there is
	}
	var p container.Packet
	head := info.Head(headBytes)
	for {
		if err := d.Read(ctx, track, head, &p); err != nil {
			return bitstream.Info{}, err
		}
		b := bitstream.Inspect(&tr.Descriptions[info.Description], p.Data)
		if b.Class != bitstream.Short || head.Size == info.Size {
			return b, nil
		}
		head = info
	}
}

// packet returns packet n of the track.
func (t *Table) packet(ctx context.Context, n int64) (container.PacketInfo, error) {
	for info, err := range t.demuxer.List(ctx, t.track, container.PacketInfo{N: n}) {
		return info, err
	}
	return container.PacketInfo{}, noPacket(n)
}

// noPacket is the error of a packet that was listed before, and is not any more.
func noPacket(n int64) error {
	return &container.Error{Format: "seek", Op: "start", Path: fmt.Sprintf("packet %d", n), Offset: -1, Err: container.ErrCorrupt}
}
