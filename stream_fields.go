package sprocket

import (
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
)

// fieldPairs finds the second fields of frames of H.264 whose fields have packets of their own, as seek.Build does: packets that are no frames.
type fieldPairs struct {
	reader bitstream.FieldReader
	on     bool
	left   int  // packets to look at before it is certain that there are none
	sure   bool // there are some

	before bitstream.Field
	last   int64 // the packet that begins a frame with before; -2 when none does
	single bool  // it has one field only
}

// probeFields is how many packets are looked at: see seek.Build.
const probeFields = 16

func newFieldPairs(info *container.Track) fieldPairs {
	p := fieldPairs{left: probeFields, last: -2}
	if info.Codec == "h264" && info.Encryption.Scheme == "" {
		p.reader, p.on = bitstream.NewFieldReader(info.Config)
	}
	return p
}

// second says whether packet n completes the frame that the packet before it begins. Data is nil where it could not be read.
func (p *fieldPairs) second(n int64, data []byte) bool {
	if !p.on {
		return false
	}
	if p.left--; p.left < 0 && !p.sure {
		p.on = false
		return false
	}
	f, known := p.reader.Read(data)
	completes := p.last == n-1 && (known && f.Completes(p.before) || data == nil && p.sure && p.before.Parity != bitstream.Both)
	if completes && (p.sure || p.single) {
		p.sure, p.last = true, -2 // what begins a frame comes after it
		return true
	}
	p.before, p.last = f, n
	if !known {
		p.last = -2
	}
	p.single = !p.sure && known && p.reader.Single(data)
	return false
}
