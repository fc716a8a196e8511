package hls

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/source"
)

// Format is HTTP Live Streaming: a playlist. Its source must be a [source.Opener], as files and files on servers are.
var Format container.Format = format{}

type format struct{}

// Name returns "hls".
func (format) Name() string { return "hls" }

// Sniff says whether head begins with #EXTM3U, behind a byte order mark perhaps.
func (format) Sniff(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), []byte("#EXTM3U"))
}

// Open opens a playlist; see [Open].
func (format) Open(ctx context.Context, src source.Source, o *container.Options) (container.Demuxer, error) {
	opts := &Options{}
	if o != nil {
		opts.Options = *o
	}
	d, err := Open(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Options say how to read a playlist. The zero value is the default, and so is nil.
type Options struct {
	container.Options
	// Cache is how many bytes of segments are kept in memory. Those in use come on top. Zero means 64 MiB.
	Cache int64
	// MaxPlaylist is the largest playlist, in bytes. Zero means 16 MiB.
	MaxPlaylist int64
	// MaxSegments is how many segments a playlist may have. Of a live one any number is followed. Zero means a million.
	MaxSegments int
	// MaxSegment is the largest segment, in bytes, that is read into memory: those from servers and encrypted ones. Zero means 256 MiB.
	MaxSegment int64
	// Parallel is how many segments are fetched at once where many are listed. Zero means 4.
	Parallel int

	clock clock // nil is the real one
}

// clock is what live playlists are timed by.
type clock interface {
	now() time.Time
	sleep(ctx context.Context, d time.Duration) error
}

type realClock struct{}

func (realClock) now() time.Time { return time.Now() }

func (realClock) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *Options) fill() {
	if o.Cache == 0 {
		o.Cache = 64 << 20
	}
	if o.MaxPlaylist == 0 {
		o.MaxPlaylist = 16 << 20
	}
	if o.MaxSegments == 0 {
		o.MaxSegments = 1_000_000
	}
	if o.MaxSegment == 0 {
		o.MaxSegment = 256 << 20
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.clock == nil {
		o.clock = realClock{}
	}
	o.Limits = o.Limits.OrDefault()
}

// segmentFormats are what segments are made of.
func segmentFormats() []container.Format {
	return []container.Format{mp4.Format, mpegts.Format, packedAudio{}}
}

// codecNames has the codec for the beginning of an RFC 6381 name.
var codecNames = []struct {
	prefix string
	kind   container.Kind
	codec  string
}{
	{"avc1", container.Video, "h264"}, {"avc3", container.Video, "h264"}, {"hvc1", container.Video, "hevc"}, {"hev1", container.Video, "hevc"},
	{"dvh1", container.Video, "hevc"}, {"dvhe", container.Video, "hevc"}, {"dva1", container.Video, "h264"}, {"dvav", container.Video, "h264"},
	{"av01", container.Video, "av1"}, {"dav1", container.Video, "av1"}, {"vp09", container.Video, "vp9"}, {"vp08", container.Video, "vp8"},
	{"mp4v", container.Video, "mpeg4"}, {"mjpg", container.Video, "mjpeg"},
	{"mp4a.40.34", container.Audio, "mp3"}, {"mp4a.69", container.Audio, "mp3"}, {"mp4a.6b", container.Audio, "mp3"}, {"mp4a.a5", container.Audio, "ac3"},
	{"mp4a.a6", container.Audio, "eac3"}, {"mp4a", container.Audio, "aac"}, {"ac-3", container.Audio, "ac3"}, {"ec-3", container.Audio, "eac3"},
	{"ac-4", container.Audio, "ac4"}, {"opus", container.Audio, "opus"}, {"flac", container.Audio, "flac"}, {"alac", container.Audio, "alac"},
	{"stpp", container.Subtitle, "ttml"}, {"wvtt", container.Subtitle, "webvtt"},
}

// codecOf returns the kind and the codec of one RFC 6381 name; ok is false when it is not known.
func codecOf(name string) (kind container.Kind, codec string, ok bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	for _, c := range codecNames {
		if strings.HasPrefix(name, c.prefix) {
			return c.kind, c.codec, true
		}
	}
	return 0, "", false
}

// codecs sorts a CODECS attribute: the first codec of a kind, and its RFC 6381 name's four characters.
func codecs(list string) map[container.Kind]container.Description {
	out := map[container.Kind]container.Description{}
	for name := range strings.SplitSeq(list, ",") {
		kind, codec, ok := codecOf(name)
		if _, twice := out[kind]; !ok || twice {
			continue
		}
		fourCC, _, _ := strings.Cut(strings.TrimSpace(name), ".")
		out[kind] = container.Description{Codec: codec, FourCC: fourCC, Video: container.Picture{Profile: -1, Level: -1}, Audio: container.Sound{Profile: -1}}
	}
	return out
}

func fail(op, path string, err error) error {
	return &container.Error{Format: "hls", Op: op, Path: path, Offset: -1, Err: err}
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), container.ErrUnsupported)
}

// log tells of something that went wrong and was mended.
func logDebug(ctx context.Context, l *slog.Logger, text string, args ...any) {
	if l != nil {
		l.DebugContext(ctx, text, args...)
	}
}
