//go:build cgo

package ffmpeg

// #include <errno.h>
// #include <libavutil/pixfmt.h>
// #include <libswscale/swscale.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"unsafe"
)

// Numbers of libavutil/pixfmt.h and libswscale/swscale.h. Pixel formats have other numbers in other versions of FFmpeg,
// so they are asked for.
const (
	formatRGB24  = int32(C.AV_PIX_FMT_RGB24)
	formatRGB48  = int32(C.AV_PIX_FMT_RGB48)
	formatGray8  = int32(C.AV_PIX_FMT_GRAY8)
	formatGray16 = int32(C.AV_PIX_FMT_GRAY16)

	flagBilinear = int32(C.SWS_BILINEAR)
)

// scaler is a libswscale context with the frame that stands for its destination.
type scaler struct {
	c     *C.struct_SwsContext
	shell *C.struct_AVFrame
}

func newScaler(s *scaling) (*scaler, error) {
	var code C.int
	c := C.sprocket_sws_new((*C.sprocket_scaling)(unsafe.Pointer(s)), &code)
	if c == nil {
		return nil, errors.New(codeText(int(code)))
	}
	shell := C.sprocket_shell_new(C.int(s.dstWidth), C.int(s.dstHeight), C.int(s.dstFormat))
	if shell == nil {
		C.sprocket_sws_free(c)
		return nil, errors.New(codeText(codeNoMemory))
	}
	live.scalers.Add(1)
	live.frames.Add(1)
	return &scaler{c, shell}, nil
}

// align returns what the height and the first row of every slice must be a multiple of, unless the slice is the picture.
func (s *scaler) align() int { return int(C.sprocket_sws_align(s.c)) }

// rows converts rows y to y+n-1 of the frame src into out, whose rows are stride bytes apart.
func (s *scaler) rows(src unsafe.Pointer, y, n int, out unsafe.Pointer, stride int) int {
	return int(C.sprocket_sws_rows(s.c, (*C.struct_AVFrame)(src), s.shell, C.int(y), C.int(n), (*C.uint8_t)(out), C.int(stride)))
}

func (s *scaler) close() {
	C.sprocket_sws_free(s.c)
	C.sprocket_frame_free(s.shell)
	live.scalers.Add(-1)
	live.frames.Add(-1)
}

// canvas is a picture in C memory, its rows aligned and padded as libswscale likes them.
type canvas struct {
	frame, view   *C.struct_AVFrame // view, made when first needed, stands for a part
	width, height int
	format        int32
}

func newCanvas(width, height int, format int32) (*canvas, error) {
	f := C.sprocket_image_new(C.int(width), C.int(height), C.int(format))
	if f == nil {
		return nil, errors.New(codeText(codeNoMemory))
	}
	live.frames.Add(1)
	return &canvas{frame: f, width: width, height: height, format: format}, nil
}

// picture returns the canvas as a frame.
func (m *canvas) picture() unsafe.Pointer { return unsafe.Pointer(m.frame) }

// pixels returns the first row.
func (m *canvas) pixels() unsafe.Pointer { return unsafe.Pointer(m.frame.data[0]) }

// stride returns the bytes from row to row.
func (m *canvas) stride() int { return int(m.frame.linesize[0]) }

// part returns so many columns and rows as a frame, from the row and the byte of it on. It is valid until the next call.
func (m *canvas) part(byteOfRow, row, width, height int) (unsafe.Pointer, error) {
	if m.view == nil {
		if m.view = C.sprocket_shell_new(0, 0, C.int(m.format)); m.view == nil {
			return nil, errors.New(codeText(codeNoMemory))
		}
		live.frames.Add(1)
	}
	C.sprocket_frame_part(m.view, m.frame, C.int(byteOfRow), C.int(row), C.int(width), C.int(height))
	return unsafe.Pointer(m.view), nil
}

func (m *canvas) close() {
	C.sprocket_frame_free(m.frame)
	live.frames.Add(-1)
	if m.view != nil {
		C.sprocket_frame_free(m.view)
		live.frames.Add(-1)
	}
}

func (s *store) run(src, dst unsafe.Pointer) {
	C.sprocket_store_rows((*C.sprocket_store)(unsafe.Pointer(s)), src, dst)
}
