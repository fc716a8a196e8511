package hls

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// part is an open segment.
type part struct {
	src   source.Source // to be closed
	head  int64         // bytes of the map before the segment
	d     container.SeekableDemuxer
	wraps bool // its times have 33 bits
	bare  bool // it tells no time: its own begin with 0
	bytes int64
}

func (p *part) close() error { return errors.Join(p.d.Close(), source.CloseRef(p.src)) }

// parts keeps open segments, the least recently used no longer than the budget allows.
type parts struct {
	budget int64

	mu     sync.Mutex
	all    map[*segment]*kept
	recent list.List // of *kept that are open, most recently used first
	used   int64
}

// kept is a segment that is open, or on its way.
type kept struct {
	g    *segment
	turn chan struct{} // holds a token while someone opens it
	part *part         // nil on its way
	refs int           // callers that use it, or wait for it
	elem *list.Element
}

// maxOpen bounds the segments that are open at once, as local ones have a file each.
const maxOpen = 64

// minOpen segments are kept whatever their size.
const minOpen = 2

// use returns a segment that is open, and a function to be called when it is no longer used.
func (c *parts) use(ctx context.Context, g *segment, open func() (*part, error)) (*part, func(), error) {
	c.mu.Lock()
	k := c.all[g]
	if k == nil {
		k = &kept{g: g, turn: make(chan struct{}, 1)}
		if c.all == nil {
			c.all = map[*segment]*kept{}
		}
		c.all[g] = k
	}
	k.refs++
	if k.part != nil {
		c.recent.MoveToFront(k.elem)
		c.mu.Unlock()
		return k.part, func() { c.release(k) }, nil
	}
	c.mu.Unlock()
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		c.release(k)
		return nil, nil, ctx.Err()
	}
	defer func() { <-k.turn }()
	c.mu.Lock()
	p := k.part
	c.mu.Unlock()
	if p != nil {
		return p, func() { c.release(k) }, nil
	}
	p, err := open()
	if err != nil {
		c.release(k)
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k.part = p
	k.elem = c.recent.PushFront(k)
	c.used += p.bytes
	c.evict()
	return p, func() { c.release(k) }, nil
}

// release ends one use.
func (c *parts) release(k *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.refs--
	if k.part == nil && k.refs == 0 && c.all[k.g] == k {
		delete(c.all, k.g)
	}
	c.evict()
}

// evict closes what is over the budget and in no use. The mutex is held.
func (c *parts) evict() {
	for e := c.recent.Back(); e != nil && (c.used > c.budget || c.recent.Len() > maxOpen) && (c.recent.Len() > minOpen || c.budget < 0); {
		before := e.Prev()
		if k, ok := e.Value.(*kept); ok && k.refs == 0 {
			c.drop(k)
		}
		e = before
	}
}

func (c *parts) drop(k *kept) {
	c.recent.Remove(k.elem)
	c.used -= k.part.bytes
	delete(c.all, k.g)
	_ = k.part.close() // it was only read
}

// close closes all that is in no use.
func (c *parts) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget = -1
	c.evict()
}

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
	p := &part{src: src, head: int64(len(head)), bytes: source.Held(src)}
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
