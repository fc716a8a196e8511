//go:build cgo

package ffmpeg

// #cgo pkg-config: libavcodec libavutil libswscale
// #cgo CFLAGS: -O3
// #include <libavcodec/avcodec.h>
// #include <libavutil/pixdesc.h>
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"runtime"
	"strconv"
	"unsafe"

	"github.com/asticode/go-astiav"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

func init() {
	astiav.SetLogLevel(astiav.LogLevelQuiet)
	codec.Register(Backend{})
}

func available() error { return nil }

// Results of libavcodec that are not errors to a caller, and the one that is no fault of the input.
const (
	codeAgain    = int(astiav.ErrEagain)
	codeEOF      = int(astiav.ErrEof)
	codeNoMemory = -int(C.ENOMEM)
)

func codeText(code int) string { return astiav.Error(code).Error() }

// coder is an open codec context with the one packet and the one frame that it works through.
type coder struct {
	ctx    *astiav.CodecContext
	packet *astiav.Packet
	frame  *astiav.Frame
	config []byte // what a fresh decoder is told again: parameter sets, which packets may have replaced
	c      *C.struct_AVCodecContext
	p      *C.struct_AVPacket
	f      *C.struct_AVFrame
}

// findDecoder returns the first software decoder of video that is there for a codec, or nil.
func findDecoder(name string) *astiav.Codec {
	for _, n := range decodersOf(name) {
		s := C.CString(n)
		video := C.sprocket_is_video(s) != 0
		C.free(unsafe.Pointer(s))
		if video {
			return astiav.FindDecoderByName(n)
		}
	}
	return nil
}

func hasDecoder(name string) bool { return findDecoder(name) != nil }

func openCoder(d *container.Description, threads, reorder int) (*coder, error) {
	dec := findDecoder(d.Codec)
	n := &coder{ctx: astiav.AllocCodecContext(dec), packet: astiav.AllocPacket(), frame: astiav.AllocFrame()}
	if d.Codec == "h264" || d.Codec == "hevc" {
		n.config = d.Config
	}
	live.packets.Add(1)
	live.frames.Add(1)
	if err := n.open(dec, d, threads, reorder); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *coder) open(dec *astiav.Codec, d *container.Description, threads, reorder int) error {
	if n.ctx == nil || n.packet == nil || n.frame == nil {
		return fmt.Errorf("%s", codeText(codeNoMemory))
	}
	// go-astiav 0.16 gives no access to the pointers that its types begin with.
	n.c = *(**C.struct_AVCodecContext)(unsafe.Pointer(n.ctx))
	n.p = *(**C.struct_AVPacket)(unsafe.Pointer(n.packet))
	n.f = (*C.struct_AVFrame)(n.frame.UnsafePointer())
	if code := C.sprocket_prepare(n.c, C.uint32_t(tagOf(d.FourCC))); code < 0 {
		return fmt.Errorf("go-astiav's CodecContext does not begin with its pointer: %s", codeText(int(code)))
	}
	n.ctx.SetWidth(d.Video.Width)
	n.ctx.SetHeight(d.Video.Height)
	if len(d.Config) > 0 {
		if err := n.ctx.SetExtraData(d.Config); err != nil {
			return err
		}
	}
	options := astiav.NewDictionary()
	defer options.Free()
	for key, value := range codecOptions(d, threads, reorder) {
		if err := options.Set(key, value, 0); err != nil {
			return err
		}
	}
	if err := n.ctx.Open(dec, options); err != nil {
		return fmt.Errorf("%s: %w: %w", d.Codec, err, codec.ErrDecode)
	}
	return nil
}

// maxReorder is the largest picture buffer of H.264 and HEVC (ITU-T H.264, A.3.1; ITU-T H.265, A.4.2).
const maxReorder = 16

// codecOptions are the AVOptions of the codec context.
func codecOptions(d *container.Description, threads, reorder int) map[string]string {
	o := map[string]string{
		"threads": strconv.Itoa(threads),
		// Without it libavcodec withholds correct pictures for a while after a recovery point.
		"flags": "+output_corrupt",
	}
	// Where the stream does not tell how far it reorders, libavcodec guesses low, and drops the pictures that prove it wrong.
	// In strict mode it takes what the level allows instead: pictures come out later, but all of them.
	switch {
	case reorder > 0:
		o["has_b_frames"] = strconv.Itoa(min(reorder, maxReorder))
	case d.Codec == "h264":
		o["strict"] = "strict"
	}
	// What the container tells of colours holds where the stream tells nothing.
	c := d.Video.Color
	for key, value := range map[string]uint8{"color_primaries": c.Primaries, "color_trc": c.Transfer, "colorspace": c.Matrix} {
		if value != 0 && value != 2 {
			o[key] = strconv.Itoa(int(value))
		}
	}
	if c.Range != container.RangeUnspecified {
		o["color_range"] = strconv.Itoa(int(c.Range))
	}
	return o
}

// send sends one packet, the first one after a reset as a fresh one. The decoder keeps a copy of data.
func (n *coder) send(data []byte, token int64, key, fresh bool) int {
	var config *C.uint8_t
	var configSize C.int
	if fresh && len(n.config) > 0 {
		config, configSize = (*C.uint8_t)(unsafe.SliceData(n.config)), C.int(len(n.config))
	}
	var isKey C.int
	if key {
		isKey = 1
	}
	// Locked, the goroutine comes back from C on the thread that it was on: several decoders at once are a tenth faster.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return int(C.sprocket_send(n.c, n.p, (*C.uint8_t)(unsafe.SliceData(data)), C.int(len(data)), C.int64_t(token), isKey, config, configSize))
}

// finish tells the decoder that no packet follows.
func (n *coder) finish() int { return int(C.sprocket_send(n.c, n.p, nil, 0, 0, 0, nil, 0)) }

// receive takes the next picture out of the decoder; unref gives its memory back.
func (n *coder) receive(pic *picture) int {
	return int(C.sprocket_receive(n.c, n.f, (*C.sprocket_picture)(unsafe.Pointer(pic))))
}

func (n *coder) unref() { n.frame.Unref() }

func (n *coder) flush() { C.sprocket_flush(n.c) }

func (n *coder) close() {
	if n.frame != nil {
		n.frame.Free()
	}
	if n.packet != nil {
		n.packet.Free()
	}
	if n.ctx != nil {
		n.ctx.Free()
	}
	*n = coder{}
	live.packets.Add(-1)
	live.frames.Add(-1)
}

// picture returns the frame that receive filled.
func (n *coder) picture() unsafe.Pointer { return unsafe.Pointer(n.f) }

// rawSize returns how many bytes the picture takes with its rows and planes packed, or an error code.
func (n *coder) rawSize() int { return int(C.sprocket_raw_size(n.f)) }

// rawCopy packs the picture into dst.
func (n *coder) rawCopy(dst []byte) int {
	return int(C.sprocket_raw_copy(n.f, (*C.uint8_t)(unsafe.SliceData(dst)), C.int(len(dst))))
}

// formatInfo returns the name of a pixel format and the bits of its widest sample.
func formatInfo(format int32) (name string, depth int) {
	d := C.av_pix_fmt_desc_get(format)
	if d == nil {
		return "", 0
	}
	for _, c := range d.comp[:d.nb_components] {
		depth = max(depth, int(c.depth))
	}
	return C.GoString(d.name), depth
}

// decodersOf returns the names of libavcodec's decoders for a codec, the preferred one first.
// Only where they are not named as the codec is: libavcodec's own "av1" needs hardware.
func decodersOf(codec string) []string {
	switch codec {
	case "av1":
		return []string{"libdav1d", "libaom-av1"}
	case "vp8":
		return []string{"vp8", "libvpx"}
	case "vp9":
		return []string{"vp9", "libvpx-vp9"}
	}
	return []string{codec}
}

// tagOf returns a four-character code as libavcodec holds it: some decoders read the variant from it.
func tagOf(fourCC string) uint32 {
	if len(fourCC) != 4 {
		return 0
	}
	return uint32(fourCC[0]) | uint32(fourCC[1])<<8 | uint32(fourCC[2])<<16 | uint32(fourCC[3])<<24
}
