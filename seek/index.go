// Package seek maps frames to times to packets: which packets must be decoded, from where, to get a frame.
//
// It is arithmetic over what a demuxer lists; it knows no codec and reads no media but the first bytes of key packets.
package seek

import (
	"context"
	"errors"
	"fmt"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

var (
	// ErrRange: the frame or time asked for is not in the track. Errors that wrap it are a *RangeError.
	ErrRange = errors.New("out of range")
	// ErrMismatch: a stored index does not belong to this source, or the source has changed while it was read.
	ErrMismatch = source.ErrChanged
)

// RangeError says what was asked for and what there is.
type RangeError struct {
	Asked string // "frame 390", "time 14s"
	Have  string // "390 frames", "times from 0s to 13.013s"
}

// Error returns "frame 390: out of range: there are 390 frames".
func (e *RangeError) Error() string {
	return fmt.Sprintf("%s: %v: there are %s", e.Asked, ErrRange, e.Have)
}

// Unwrap returns ErrRange.
func (e *RangeError) Unwrap() error { return ErrRange }

// Kind says how far the answers of an index can be trusted.
type Kind uint8

// Kinds of indices.
const (
	Exact       Kind = iota // every packet was listed: every answer is right
	Approximate             // computed from headers or playlists: times are right, numbers are estimates
)

// String returns "exact" or "approximate".
func (k Kind) String() string {
	if k == Approximate {
		return "approximate"
	}
	return "exact"
}

// Frame is one shown picture of a track.
type Frame struct {
	N        int             // number in presentation order, from 0
	Packet   int64           // PacketInfo.N of its packet
	More     int             // packets right behind Packet that it takes too: 1 when its second field has one of its own
	PTS      container.Ticks //
	Duration container.Ticks // until the next frame starts; of the last one, what its packet tells
	Key      bool            // its packet is a key packet

	// Estimated says that N was not counted: it is where the frame should be, by its time.
	Estimated bool
}

// Last returns the number of the last packet that the frame takes.
func (f *Frame) Last() int64 { return f.Packet + int64(f.More) }

// Index answers which frames there are and where decoding must begin. It is safe for concurrent use.
//
// Of an approximate index Len, Frame and Search are arithmetic over what is known so far, which grows as the index is used: see
// [Estimate], which finds the frames themselves.
type Index interface {
	Kind() Kind
	// Len returns the number of frames.
	Len() int
	// Timebase returns the unit of every time of this index.
	Timebase() container.Timebase
	// Frame returns frame n. It returns a *RangeError when n is negative or not less than Len.
	Frame(n int) (Frame, error)
	// Search returns the number of the frame played at pts: the last one whose PTS is not after pts, held until the next one
	// starts. It returns a *RangeError before the first frame and after the end of the last.
	Search(pts container.Ticks) (int, error)
	// Start returns the packet at which decoding must begin to get frame n: the last key packet with a PTS not after that of the
	// frame at which decoding can really start. It may be one that is discarded itself.
	Start(ctx context.Context, n int) (container.PacketInfo, error)
}
