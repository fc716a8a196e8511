package container

import "math"

// Disposable says whether other packets need a packet.
type Disposable uint8

// What a container tells about a packet's use.
const (
	DisposableUnknown Disposable = iota // look at the packet's bytes
	Needed                              // other packets refer to it
	Unneeded                            // no other packet needs it
)

// PacketInfo is everything about a packet but its bytes, as fs.FileInfo is to a file.
//
// Roll is how far from this packet decoding gets right: when positive, decoding that starts here is right from so many packets later on;
// when negative, decoding must start so many packets earlier for this one to be right.
type PacketInfo struct {
	Track       int        // index into Demuxer.Tracks
	N           int64      // number of the packet in its track, in decode order, from 0
	PTS         Ticks      // presentation time; NoTicks when it has none
	DTS         Ticks      // decode time; NoTicks when it has none; never after PTS
	Duration    Ticks      // as the container tells it; 0 when it does not
	Pos         int64      // offset of its first byte in the source
	Size        int        // bytes of its payload
	Span        int64      // bytes from its first to its last one in the source, where others lie between them; 0 means Size
	Description int        // index into Track.Descriptions
	Disposable  Disposable // as the container tells it
	Roll        int        // see below; 0 when the container does not tell
	Key         bool       // the container says decoding can start here
	Discard     bool       // decoded, but never shown: outside the edit list
	Corrupt     bool       // the container knows that bytes are damaged or missing
}

// End returns the time at which the packet's picture or sound ends: NoTicks when it has no PTS.
func (p *PacketInfo) End() Ticks {
	if p.PTS == NoTicks {
		return NoTicks
	}
	if p.Duration > 0 && p.PTS > math.MaxInt64-p.Duration {
		return math.MaxInt64
	}
	return p.PTS + p.Duration
}

// Extent returns how many bytes of the source the packet stretches over, beginning at Pos: Span, or Size where that is 0.
func (p *PacketInfo) Extent() int64 {
	if p.Span != 0 {
		return p.Span
	}
	return int64(p.Size)
}

// Head returns the info of the packet's first n bytes, or of all of them where there are fewer. Its Span is about theirs.
func (p PacketInfo) Head(n int) PacketInfo {
	if p.Size <= n {
		return p
	}
	if p.Span != 0 {
		// In proportion, and what one transport packet more takes. Whoever reads goes on where that is not enough.
		p.Span = min(p.Span, int64(float64(p.Span)*float64(n)/float64(p.Size))+256)
	}
	p.Size = n
	return p
}

// Packet is one compressed access unit.
type Packet struct {
	PacketInfo
	Data []byte
}

// Resize makes Data n bytes long, in the memory it has where that is large enough. The content is undefined.
func (p *Packet) Resize(n int) {
	if cap(p.Data) < n {
		p.Data = make([]byte, n, n+n/4)
	}
	p.Data = p.Data[:n]
}
