// Package bitstream reads what the first bytes of a packet say: whether decoding can start there, and whether
// other packets need it. It never decodes, and it never guesses: what a codec does not tell is Unknown.
package bitstream

import "github.com/sprocket-video/sprocket/container"

// Class says what kind of start a packet is.
type Class uint8

// Classes of packets.
const (
	Unknown  Class = iota // this package does not read the codec: the container's key flag is all there is
	Short                 // the bytes given end before the class is known
	NotKey                // decoding cannot start here
	IDR                   // decoding starts here and nothing later refers to anything before
	Open                  // decoding starts here, but pictures presented before this one may need earlier packets
	Recovery              // H.264 recovery point: as Open once Info.RecoveryFrames more frames were decoded
)

var classNames = [...]string{"unknown", "short", "none", "idr", "open", "recovery"}

// String returns "idr", "open", "recovery", "none" or "unknown".
func (c Class) String() string { return classNames[c] }

// Info is what a packet's bytes say.
type Info struct {
	Class          Class
	RecoveryFrames int // for Recovery: frames to decode before pictures are right (H.264 recovery_frame_cnt)
	// Disposable is Unneeded when no other packet refers to this one. See also the function Disposable.
	Disposable container.Disposable
	// Skipped says that this is a leading picture which cannot be decoded when decoding starts
	// at the open key packet before it (HEVC RASL).
	Skipped bool
}

// Start says whether decoding may begin at a packet of this class, given that the container calls it a key packet.
func (i Info) Start() bool {
	switch i.Class {
	case IDR, Open, Unknown:
		return true
	case Recovery:
		return i.RecoveryFrames == 0
	}
	return false
}

// StartAt says whether decoding may begin at a key packet p whose bytes say i. One with a roll distance (ISO/IEC 14496-12, 10.1) promises to be
// right later, or needs earlier ones; only an IDR picture knows better.
func (i Info) StartAt(p *container.PacketInfo) bool {
	return i.Start() && (p.Roll == 0 || i.Class == IDR)
}

// readers are the codecs whose packets tell something.
var readers = map[string]func(d *container.Description, data []byte) Info{
	"h264":       func(d *container.Description, data []byte) Info { return h264(d.Config, data) },
	"hevc":       func(d *container.Description, data []byte) Info { return hevc(d.Config, data) },
	"av1":        func(_ *container.Description, data []byte) Info { return av1(data) },
	"vp8":        vp8,
	"vp9":        func(_ *container.Description, data []byte) Info { return vp9(data) },
	"mpeg4":      mpeg4,
	"mpeg1video": mpeg2,
	"mpeg2video": mpeg2,
}

// Reads says whether there is something to be read in the packets of a codec: of others Inspect says the same whatever their bytes are.
func Reads(codec string) bool { return readers[codec] != nil }

// Inspect reads the packet data of a track coded as d says. A prefix of the packet will do as long as the class is not Short.
func Inspect(d *container.Description, data []byte) Info {
	if read := readers[d.Codec]; read != nil {
		return read(d, data)
	}
	if IntraOnly(d.Codec) {
		return Info{Class: IDR, Disposable: container.Unneeded}
	}
	return Info{}
}

func vp8(_ *container.Description, data []byte) Info {
	return keyIf(len(data) > 0, len(data) > 0 && data[0]&1 == 0)
}

func mpeg4(_ *container.Description, data []byte) Info {
	return startCode(data, 0xB6, func(b []byte) bool { return b[0]>>6 == 0 }) // ISO/IEC 14496-2, 6.3.5: vop_coding_type I
}

func mpeg2(_ *container.Description, data []byte) Info {
	return startCode(data, 0x00, func(b []byte) bool { return b[1]>>3&7 == 1 }) // ISO/IEC 13818-2, 6.3.9: picture_coding_type I
}

// Disposable says whether other packets need a packet, given all of it.
//
// It knows more than Inspect where only the end of a packet tells what is in it, or where that takes the codec's configuration.
func Disposable(d *container.Description, data []byte) container.Disposable {
	switch d.Codec {
	case "vp9":
		return vp9Disposable(data)
	case "av1":
		return av1Disposable(d.Config, data)
	}
	return Inspect(d, data).Disposable
}

// IntraOnly says whether every packet of the codec is a key packet by the codec's definition.
func IntraOnly(codec string) bool {
	switch codec {
	case "mjpeg", "prores", "dnxhd", "rawvideo", "png", "v210":
		return true
	}
	return false
}

func keyIf(enough, key bool) Info {
	switch {
	case !enough:
		return Info{Class: Short}
	case key:
		return Info{Class: IDR}
	}
	return Info{Class: NotKey}
}

// startCode finds the start code 00 00 01 code and asks intra about the bytes behind it. I pictures of these
// codecs are open: B pictures presented before them refer to the picture before.
func startCode(data []byte, code byte, intra func([]byte) bool) Info {
	for i := 0; i+6 <= len(data); i++ {
		if data[i] != 0 || data[i+1] != 0 || data[i+2] != 1 || data[i+3] != code {
			continue
		}
		if intra(data[i+4:]) {
			return Info{Class: Open}
		}
		return Info{Class: NotKey}
	}
	return Info{Class: Short}
}
