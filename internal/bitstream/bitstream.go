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
	// Disposable is Unneeded when no other packet refers to this one.
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

// Inspect reads the packet data of a track coded as d says. A prefix of the packet will do as long as the class is not Short.
func Inspect(d *container.Description, data []byte) Info {
	switch d.Codec {
	case "h264":
		return h264(d.Config, data)
	case "hevc":
		return hevc(d.Config, data)
	case "av1":
		return av1(data)
	case "vp8":
		return keyIf(len(data) > 0, len(data) > 0 && data[0]&1 == 0)
	case "vp9":
		return vp9(data)
	case "mpeg4":
		return startCode(data, 0xB6, func(b []byte) bool { return b[0]>>6 == 0 }) // ISO/IEC 14496-2, 6.3.5: vop_coding_type I
	case "mpeg2video", "mpeg1video":
		return startCode(data, 0x00, func(b []byte) bool { return b[1]>>3&7 == 1 }) // ISO/IEC 13818-2, 6.3.9: picture_coding_type I
	}
	if IntraOnly(d.Codec) {
		return Info{Class: IDR, Disposable: container.Unneeded}
	}
	return Info{}
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

// vp9 reads the uncompressed header (VP9 bitstream specification, 6.2).
func vp9(data []byte) Info {
	if len(data) < 2 {
		return Info{Class: Short}
	}
	b := bitReader{data: data}
	b.skip(2) // frame_marker
	profile := b.bit() | b.bit()<<1
	if profile == 3 {
		b.skip(1)
	}
	if b.bit() == 1 { // show_existing_frame
		return Info{Class: NotKey}
	}
	return keyIf(true, b.bit() == 0) // frame_type 0 is KEY_FRAME
}

// av1 reads OBU headers up to the first frame header (AV1 bitstream specification, 5.3 and 5.9.2).
func av1(data []byte) Info {
	still := false
	for len(data) > 0 {
		h := data[0]
		kind := h >> 3 & 15
		n := 1
		if h&4 != 0 { // obu_extension_flag
			n = 2
		}
		if len(data) < n {
			return Info{Class: Short}
		}
		body := data[n:]
		size := len(body)
		if h&2 != 0 { // obu_has_size_field
			v, k, ok := leb128(body)
			if !ok {
				return Info{Class: Short}
			}
			body = body[k:]
			size = int(min(v, 1<<31))
		}
		switch kind {
		case 1: // OBU_SEQUENCE_HEADER: seq_profile(3), still_picture(1), reduced_still_picture_header(1)
			still = len(body) > 0 && body[0]>>3&1 == 1
		case 3, 6: // OBU_FRAME_HEADER, OBU_FRAME
			if len(body) == 0 {
				return Info{Class: Short}
			}
			// show_existing_frame(1), frame_type(2), show_frame(1). A key frame that is not shown
			// is a delayed random access point: pictures before its showing need what came earlier.
			return keyIf(true, still || body[0]>>4 == 0b0001)
		}
		if size > len(body) {
			return Info{Class: Short}
		}
		data = body[size:]
	}
	return Info{Class: Short}
}

func leb128(b []byte) (v uint64, n int, ok bool) {
	for n < 8 && n < len(b) {
		v |= uint64(b[n]&0x7f) << (7 * n)
		n++
		if b[n-1]&0x80 == 0 {
			return v, n, true
		}
	}
	return 0, 0, false
}
