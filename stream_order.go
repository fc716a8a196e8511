package sprocket

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
)

// order brings the packets of a stream into presentation order as they come, and says of each whether it is a frame, which one,
// and whether it is damaged: what the exact index and a linear decode from it say, without knowing what comes later.
type order struct {
	info *container.Track
	keep bool // damaged frames are wanted

	// depth is how many packets may come before one that is shown before theirs. A frame's number, and the next one's time, are certain once so
	// many more are waiting.
	depth   int
	pending []*slot // packets that will be frames, sorted by PTS, equal ones by number
	next    int     // the number of the next frame
	given   bool
	shown   container.Ticks // PTS of the last frame that was given out

	lastPTS  container.Ticks // the greatest
	duration container.Ticks // of the packet that has it

	fields  fieldPairs
	fed     int64   // the last packet
	waiting []int64 // packets in the decoder
	uses    [2 * maxWaiting]use

	keys  []key // at which decoding can start, the last ones
	bad   []int64
	first *key // the first key packet
	drops bool // what comes after it and is shown before it is no frame
}

// slot is a packet that will be a frame.
type slot struct {
	n, last       int64 // its packet; that of its second field, if that has one of its own
	pts, duration container.Ticks
	key           bool
	frame         *Frame // its picture, once that came out
	err           error  // why there is none
	half          error  // why its second field is not there
}

// use says whether other packets need one.
type use struct {
	n      int64
	needed bool
}

// key is a key packet.
type key struct {
	n   int64
	pts container.Ticks
}

// maxKeys bounds how many key packets are remembered: far more than are ever between a frame's start and its packet's coming out.
const maxKeys = 256

func newOrder(info *container.Track, keep bool) order {
	o := order{info: info, keep: keep, fed: -1, fields: newFieldPairs(info)}
	for i := range o.uses {
		o.uses[i].n = -1
	}
	return o
}

// inspect reads what the bytes of a packet say. It knows nothing of what is encrypted.
func (o *order) inspect(p *container.PacketInfo, data []byte) bitstream.Info {
	if p.Description >= len(o.info.Descriptions) || o.info.Descriptions[p.Description].Encryption.Scheme != "" {
		return bitstream.Info{}
	}
	return bitstream.Inspect(&o.info.Descriptions[p.Description], data)
}

// add takes a packet, in decode order. Data is nil where it could not be read. It says whether a picture of the packet's own comes out of the
// decoder. The error is that it comes too late.
func (o *order) add(p *container.PacketInfo, data []byte) (picture bool, err error) {
	pts := p.PTS
	if pts == container.NoTicks {
		pts = p.DTS
	}
	var b bitstream.Info
	needed := true
	if data != nil {
		b = o.inspect(p, data)
		needed = p.Description >= len(o.info.Descriptions) || bitstream.Disposable(&o.info.Descriptions[p.Description], data) != container.Unneeded
	}
	o.fed = p.N
	o.uses[p.N%int64(len(o.uses))] = use{p.N, needed}
	if p.Key {
		o.addKey(key{p.N, pts}, b, data != nil && b.StartAt(p))
	}
	if p.Discard {
		return true, nil
	}
	if o.next == 0 && len(o.pending) == 0 || pts >= o.lastPTS {
		o.lastPTS, o.duration = pts, p.Duration
	}
	if o.drops && p.N > o.first.n && pts < o.first.pts && (o.info.Codec != "hevc" || b.Skipped) {
		return false, nil
	}
	if o.fields.second(p.N, data) {
		if s := o.find(p.N - 1); s != nil {
			s.last = p.N
		}
		return false, nil
	}
	if o.given && pts < o.shown {
		late := FrameInfo{N: -1, Ticks: pts, PTS: o.info.Timebase.Duration(pts), Key: p.Key}
		return true, &FrameError{late, fmt.Errorf("packet %d is shown before frame %d, which was given out: %w", p.N, o.next-1, container.ErrCorrupt)}
	}
	i := sort.Search(len(o.pending), func(i int) bool { return o.pending[i].pts > pts })
	o.pending = slices.Insert(o.pending, i, &slot{n: p.N, last: p.N, pts: pts, duration: p.Duration, key: p.Key})
	return true, nil
}

// addKey takes a key packet whose bytes say b. Start says that decoding can start there.
func (o *order) addKey(k key, b bitstream.Info, start bool) {
	switch {
	case o.first == nil:
		// The leading pictures of an open key packet at the beginning cannot be decoded.
		o.first = &k
		o.drops = b.Class == bitstream.Open || b.Class == bitstream.Recovery
	default:
		o.drops = false
	}
	if !bitstream.IntraOnly(o.info.Codec) && !start {
		return
	}
	if len(o.keys) == maxKeys {
		o.keys = slices.Delete(o.keys, 0, 1)
		for len(o.bad) > 0 && o.bad[0] < o.keys[0].n {
			o.bad = slices.Delete(o.bad, 0, 1)
		}
	}
	o.keys = append(o.keys, k)
}

// decoding notes that a packet goes into the decoder.
func (o *order) decoding(n int64) {
	if len(o.waiting) == maxWaiting {
		o.waiting = slices.Delete(o.waiting, 0, 1)
	}
	o.waiting = append(o.waiting, n)
}

func (o *order) left(n int64) {
	if i := slices.Index(o.waiting, n); i >= 0 {
		o.waiting = slices.Delete(o.waiting, i, i+1)
	}
}

// fail notes that a packet could not be read or decoded.
func (o *order) fail(n int64, err error) {
	o.left(n)
	o.damage(n)
	if s := o.find(n); s != nil {
		s.err = err
	} else if s := o.find(n - 1); s != nil && s.last == n {
		s.half = err
	}
}

// damage notes that what is made from a packet is damaged. Of the packets between two at which decoding can start the first tells it all.
func (o *order) damage(n int64) {
	if u := o.uses[n%int64(len(o.uses))]; u.n == n && !u.needed {
		return
	}
	start := o.startOf(n)
	i, found := slices.BinarySearch(o.bad, n)
	if found || i > 0 && o.bad[i-1] >= start {
		return
	}
	if i < len(o.bad) && o.startOf(o.bad[i]) == start {
		o.bad[i] = n
		return
	}
	o.bad = slices.Insert(o.bad, i, n)
}

// startOf returns the last packet up to n at which decoding can start; 0 where none is known.
func (o *order) startOf(n int64) int64 {
	i, found := slices.BinarySearchFunc(o.keys, n, func(k key, n int64) int { return cmp.Compare(k.n, n) })
	if found {
		return n
	}
	if i == 0 {
		return 0
	}
	return o.keys[i-1].n
}

// tainted returns a damaged packet that the picture of s may be made from, or -1: see VideoDecoder.taint.
func (o *order) tainted(s *slot) int64 {
	start := int64(0)
	for i := len(o.keys) - 1; i >= 0; i-- {
		if k := o.keys[i]; k.n <= s.n && k.pts <= s.pts {
			start = k.n
			break
		}
	}
	if i, _ := slices.BinarySearch(o.bad, start); i < len(o.bad) && o.bad[i] < s.n {
		return o.bad[i]
	}
	return -1
}

func (o *order) find(packet int64) *slot {
	for _, s := range o.pending {
		if s.n == packet {
			return s
		}
	}
	return nil
}

// take returns the next frame, if it is certain which that is, and every packet decoded before it is out of the decoder. At the end
// nothing else can come.
func (o *order) take(end bool) (f streamed, ok bool) {
	if len(o.pending) == 0 || !end && len(o.pending) < o.depth+2 {
		return streamed{}, false
	}
	s := o.pending[0]
	for _, n := range o.waiting {
		if n <= s.n && !end {
			return streamed{}, false
		}
	}
	o.pending[0] = nil
	o.pending = o.pending[1:]
	info := FrameInfo{N: o.next, Ticks: s.pts, DurationTicks: o.lastPTS + o.duration - s.pts, Key: s.key}
	if len(o.pending) > 0 {
		info.DurationTicks = o.pending[0].pts - s.pts
	}
	tb := o.info.Timebase
	info.PTS = tb.Duration(s.pts)
	info.Duration = tb.Duration(s.pts+info.DurationTicks) - info.PTS
	o.next++
	o.given, o.shown = true, s.pts
	if err := o.judge(s); err != nil {
		return streamed{err: &FrameError{info, err}}, true
	}
	info.Damaged = s.frame.Damaged
	s.frame.FrameInfo = info
	return streamed{frame: s.frame}, true
}

// judge says why there is no frame, if there is none.
func (o *order) judge(s *slot) error {
	switch {
	case s.half != nil && !o.keep:
		return s.half
	case s.frame == nil && s.err != nil:
		return s.err
	case s.frame == nil:
		return fmt.Errorf("no picture came out of packet %d: %w", s.n, codec.ErrDecode)
	case o.keep:
		return nil
	case s.frame.Damaged:
		return ErrDamaged
	}
	if bad := o.tainted(s); bad >= 0 {
		return fmt.Errorf("it is made from packet %d: %w", bad, ErrDamaged)
	}
	return nil
}
