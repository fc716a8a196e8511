package ffmpeg

import "sync/atomic"

// Counts are the objects in C memory that exist now, of all decoders together.
type Counts struct {
	Decoders int64 // codec contexts
	Packets  int64 // packet structures, one a decoder
	Frames   int64 // frame structures: of decoders, and those that conversions use
	Scalers  int64 // libswscale contexts
}

// Live returns how many objects in C memory exist now. The garbage collector does not see them: every one is freed by the Close
// of its decoder. When all decoders are closed, the counts are zero.
func Live() Counts {
	return Counts{
		Decoders: live.decoders.Load(),
		Packets:  live.packets.Load(),
		Frames:   live.frames.Load(),
		Scalers:  live.scalers.Load(),
	}
}

var live struct {
	decoders, packets, frames, scalers atomic.Int64
}
