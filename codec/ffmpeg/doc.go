// Package ffmpeg decodes with libavcodec and converts with libswscale.
//
// A program links it in with a blank import:
//
//	import _ "github.com/sprocket-video/sprocket/codec/ffmpeg"
//
// It uses software decoders only, and each by its name. Every packet goes in under its number, so every picture comes out
// with the number of its packet, whatever the timestamps are.
//
// Without cgo the package registers nothing.
package ffmpeg
