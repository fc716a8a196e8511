package seek

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
	"github.com/sprocket-video/sprocket/source"
)

// FaultKind is one way in which what a container says of a packet is not what its bytes say.
type FaultKind uint8

// Kinds of faults.
const (
	FalseKey      FaultKind = iota // called a key packet, and decoding cannot start there
	MissedKey                      // not called a key packet, and decoding can start there
	SlowStart                      // called a key packet, and pictures are right only some packets later
	FalseUnneeded                  // said to be needed by no other packet, and others refer to it
	FalseNeeded                    // said to be needed by other packets, and none refers to it
	Unreadable                     // its bytes are not there
	NumFaultKinds
)

var faultNames = [NumFaultKinds]string{"false key", "missed key", "slow start", "false unneeded", "false needed", "unreadable"}

// String returns "false key", "missed key", "slow start", "false unneeded", "false needed" or "unreadable".
func (k FaultKind) String() string { return faultNames[k] }

// Fault is something that a container says of a packet and that its bytes do not bear out.
type Fault struct {
	Kind   FaultKind
	Packet container.PacketInfo
	Class  string // what kind of start the packet's bytes say it is: "idr", "open", "recovery", "none"; "" when they were not read
	Frames int    // for SlowStart: how many frames later pictures are right; negative: how many packets earlier decoding must start
	Err    error  // for Unreadable
}

// String returns a line that says where and what: "packet 12 at byte 3456: not called a key packet, decoding can start there (idr)".
func (f Fault) String() string {
	where := fmt.Sprintf("packet %d at byte %d: ", f.Packet.N, f.Packet.Pos)
	switch f.Kind {
	case FalseKey:
		return where + "called a key packet, decoding cannot start there"
	case MissedKey:
		return fmt.Sprintf("%snot called a key packet, decoding can start there (%s)", where, f.Class)
	case SlowStart:
		if f.Frames < 0 {
			return fmt.Sprintf("%scalled a key packet, decoding must start %d packets earlier", where, -f.Frames)
		}
		return fmt.Sprintf("%scalled a key packet, pictures are right %d frames later", where, f.Frames)
	case FalseUnneeded:
		return where + "said to be needed by no other packet, others refer to it"
	case FalseNeeded:
		return where + "said to be needed, no other packet refers to it"
	}
	return fmt.Sprintf("%s%v", where, f.Err)
}

// Verification is what came of a Verify.
type Verification struct {
	Packets int64                // of the track
	Told    int64                // packets whose bytes told what they are
	Keys    int64                // packets at which decoding can start, by their bytes
	Faults  [NumFaultKinds]int64 // how many of each kind
}

// Sum returns the number of faults.
func (v *Verification) Sum() int64 {
	var n int64
	for _, k := range v.Faults {
		n += k
	}
	return n
}

// Verify reads the head of every packet of a track, one after the other, and compares what the bytes say with what the container does: which packets
// are key packets, and which are needed by others. Each difference is given to fault, which may be nil. It holds no more than one packet.
//
// Packets that are encrypted, or of a codec whose bytes are not understood, are counted and not judged. Whether they are needed is told by
// H.264 and HEVC alone.
func Verify(ctx context.Context, d container.SeekableDemuxer, track int, fault func(Fault)) (Verification, error) {
	t := &Table{demuxer: d, track: track}
	v := verifier{t: t, fault: fault}
	for info, err := range fetched(ctx, d, track, d.List(ctx, track, container.PacketInfo{}), false, every(d, track)) {
		if err != nil {
			return v.Verification, err
		}
		if _, _, err := v.look(ctx, info); err != nil {
			return v.Verification, err
		}
	}
	return v.Verification, nil
}

// BuildVerified is [Build], but which packets are key packets is what their own bytes say, where those tell: a file whose container lists the wrong ones
// gives the right frames all the same. It reads the head of every packet, as [Verify] does; the index then reads none any more.
func BuildVerified(ctx context.Context, d container.SeekableDemuxer, track int, fault func(Fault)) (*Table, Verification, error) {
	v := verifier{fault: fault}
	t, err := buildCorrected(ctx, d, track, func(t *Table, info *container.PacketInfo) error {
		v.t, t.verified = t, true
		b, told, err := v.look(ctx, *info)
		if err != nil {
			return err
		}
		if told {
			info.Key = b.Start() || info.Key && b.Class == bitstream.Recovery
		}
		if info.Key && !b.StartAt(info) {
			if t.starts == nil {
				t.starts = map[uint32]bool{}
			}
			t.starts[uint32(info.N)] = false
		}
		return nil
	})
	return t, v.Verification, err
}

// verifier is the state of a Verify.
type verifier struct {
	Verification
	t     *Table
	fault func(Fault)
}

func (v *verifier) report(f Fault) {
	v.Faults[f.Kind]++
	if v.fault != nil {
		v.fault(f)
	}
}

// look compares a packet's bytes with what the container says of it. told is false when they do not tell what it is.
func (v *verifier) look(ctx context.Context, info container.PacketInfo) (b bitstream.Info, told bool, err error) {
	v.Packets++
	if err := ctx.Err(); err != nil {
		return b, false, err
	}
	if bitstream.IntraOnly(v.t.demuxer.Tracks()[v.t.track].Codec) {
		v.Told++
		v.Keys++
		b.Class = bitstream.IDR
		if !info.Key {
			v.report(Fault{Kind: MissedKey, Packet: info, Class: b.Class.String()})
		}
		return b, true, nil
	}
	b, err = inspect(ctx, v.t.demuxer, v.t.track, info)
	if err != nil {
		if !missing(err) {
			return b, false, err
		}
		v.report(Fault{Kind: Unreadable, Packet: info, Err: err})
		return bitstream.Info{Class: bitstream.Short}, false, nil
	}
	if b.Class == bitstream.Unknown || b.Class == bitstream.Short {
		return b, false, nil
	}
	v.Told++
	v.judge(info, b)
	return b, true, nil
}

// missing says whether an error is about the packet and not about the source: its bytes are not there, or not what they should be. That a server does not
// give all of them says nothing about the packet.
func missing(err error) bool {
	if _, ok := errors.AsType[*source.HTTPError](err); ok {
		return false
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, container.ErrCorrupt) || errors.Is(err, container.ErrLimit)
}

func (v *verifier) judge(info container.PacketInfo, b bitstream.Info) {
	class := b.Class.String()
	f := Fault{Packet: info, Class: class, Frames: b.RecoveryFrames}
	if b.Start() {
		v.Keys++
	}
	switch {
	case info.Key && b.Class == bitstream.NotKey:
		f.Kind = FalseKey
		v.report(f)
	case info.Key && b.Class == bitstream.Recovery && b.RecoveryFrames > 0:
		f.Kind = SlowStart
		v.report(f)
	case info.Key && info.Roll != 0 && !b.StartAt(&info):
		f.Kind, f.Frames = SlowStart, info.Roll
		v.report(f)
	case !info.Key && b.Start():
		f.Kind = MissedKey
		v.report(f)
	}
	f.Frames = 0
	switch {
	case info.Disposable == container.Unneeded && b.Disposable == container.Needed:
		f.Kind = FalseUnneeded
		v.report(f)
	case info.Disposable == container.Needed && b.Disposable == container.Unneeded:
		f.Kind = FalseNeeded
		v.report(f)
	}
}
