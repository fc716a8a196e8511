package hls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// part is an open segment.
type part struct {
	src   source.Source // to be closed
	head  int64         // bytes of the map before the segment
	d     container.SeekableDemuxer
	wraps bool  // its times have 33 bits
	bare  bool  // it tells no time: its own begin with 0
	bytes int64 // in memory, with the map's
}

func (p *part) close() error { return errors.Join(p.d.Close(), source.CloseRef(p.src)) }

const (
	maxOpen = 64 // segments that are open at once, as local ones have a file each
	minOpen = 2  // are kept whatever their size
)

// parts are open segments.
type parts = cache[*segment, *part]

// open opens a segment: fetches it, and what its map names, and opens the container in it.
func (s *stream) open(ctx context.Context, g *segment) (*part, func(), error) {
	return s.d.parts.use(ctx, g, func() (*part, error) {
		p, err := s.openPart(ctx, g)
		if err != nil {
			return nil, s.located("read", g, err)
		}
		return p, nil
	})
}

// shown returns a URI of a playlist, absolute or not, without credentials and query, for people to read.
func shown(uri string) string {
	uri, _, _ = strings.Cut(uri, "#")
	path, _, query := strings.Cut(uri, "?")
	if strings.HasPrefix(path, "//") { // RFC 3986, 4.2: of the playlist's own scheme
		path = strings.TrimPrefix(source.RedactURL("http:"+path), "http:")
	} else {
		path = source.RedactURL(path)
	}
	if query {
		path += "?…"
	}
	return path
}

// located says which segment an error is about.
func (s *stream) located(op string, g *segment, err error) error {
	return fail(op, fmt.Sprintf("segment %d, %s", g.Sequence, clip(shown(g.URI))), err)
}

func (s *stream) openPart(ctx context.Context, g *segment) (*part, error) {
	if g.Gap {
		return nil, unsupported("the playlist says that it is missing")
	}
	head, err := s.initBytes(ctx, g.Map, g.Sequence)
	if err != nil {
		return nil, err
	}
	src, err := s.loadLive(ctx, g)
	if err != nil {
		return nil, err
	}
	p := &part{src: src, head: int64(len(head)), bytes: source.Held(src) + int64(len(head))}
	whole := src
	if len(head) > 0 {
		whole = &behind{head, src}
	}
	if err := p.openContainer(ctx, whole, s.d.opts.Limits); err != nil {
		return nil, errors.Join(err, source.CloseRef(src))
	}
	return p, nil
}

// openContainer opens what a segment is made of.
func (p *part) openContainer(ctx context.Context, src source.Source, limits container.Limits) error {
	begin := make([]byte, min(container.HeadSize, src.Size()))
	n, err := source.ReadSome(ctx, src, begin, 0)
	if err != nil {
		return err
	}
	begin = begin[:n]
	if bytes.HasPrefix(bytes.TrimPrefix(begin, []byte("\xef\xbb\xbf")), []byte("WEBVTT")) {
		return unsupported("WebVTT is listed, not read")
	}
	var format string
	d, err := container.Open(ctx, src, container.Noting(&format, segmentFormats()), &container.Options{Head: begin, Limits: limits})
	if err != nil {
		return err
	}
	seekable, ok := d.(container.SeekableDemuxer)
	if !ok {
		return errors.Join(container.ErrNotSeekable, d.Close())
	}
	p.d, p.wraps = seekable, format != mp4Name
	if a, ok := d.(*packed); ok {
		p.bare = a.bare
	}
	return nil
}

const mp4Name = "mp4"

// missing says whether an error is about one segment alone: it is not there, or is not what it should be.
func missing(err error) bool {
	var h *source.HTTPError
	if errors.As(err, &h) {
		return h.Status == 404 || h.Status == 410
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, container.ErrCorrupt) || errors.Is(err, container.ErrFormat) || errors.Is(err, io.ErrUnexpectedEOF)
}
