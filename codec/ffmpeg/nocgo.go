//go:build !cgo

package ffmpeg

import (
	"fmt"
	"unsafe"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

// Without cgo there is no libavcodec: nothing is registered, and opening a decoder says why it cannot be.

func available() error { return fmt.Errorf("built without cgo: %w", codec.ErrUnavailable) }

const (
	codeAgain = -1 - iota
	codeEOF
	codeNoMemory
)

const (
	formatRGB24 = iota
	formatRGB48
	formatGray8
	formatGray16
	flagBilinear
)

func codeText(int) string { return "built without cgo" }

func hasDecoder(string) bool { return false }

func formatInfo(int32) (name string, depth int) { return "", 0 }

type coder struct{}

func openCoder(*container.Description, int, int) (*coder, error) { return nil, available() }

func (*coder) send([]byte, int64, bool, bool) int { return codeEOF }
func (*coder) finish() int                        { return codeEOF }
func (*coder) receive(*picture) int               { return codeEOF }
func (*coder) unref()                             {}
func (*coder) flush()                             {}
func (*coder) close()                             {}
func (*coder) picture() unsafe.Pointer            { return nil }
func (*coder) rawSize() int                       { return 0 }
func (*coder) rawCopy([]byte) int                 { return codeEOF }

type scaler struct{}

func newScaler(*scaling) (*scaler, error) { return nil, available() }

func (*scaler) rows(unsafe.Pointer, int, int, unsafe.Pointer, int) int { return codeEOF }
func (*scaler) align() int                                             { return 1 }
func (*scaler) close()                                                 {}

type canvas struct {
	width, height int
	format        int32
}

func newCanvas(int, int, int32) (*canvas, error) { return nil, available() }

func (*canvas) picture() unsafe.Pointer                     { return nil }
func (*canvas) pixels() unsafe.Pointer                      { return nil }
func (*canvas) stride() int                                 { return 0 }
func (*canvas) part(_, _, _, _ int) (unsafe.Pointer, error) { return nil, available() }
func (*canvas) close()                                      {}

func (*store) run(_, _ unsafe.Pointer) {}
