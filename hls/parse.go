package hls

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sprocket-video/sprocket/container"
)

// ParseOptions say how to parse a playlist. The zero value is the default, and so is nil.
type ParseOptions struct {
	// Base is the playlist's own URL: URIs are resolved against it, and QUERYPARAM variables taken from it. Nil leaves URIs as they are
	// written.
	Base *url.URL
	// Query looks up the parameters of the playlist's URL where Base is nil.
	Query func(name string) (string, bool)
	// Import holds the variables of the multivariant playlist that named this one.
	Import map[string]string
	// Previous is the same playlist as it was before: what EXT-X-SKIP leaves out is taken from it, 6.2.5.1.
	Previous *Playlist
	// MaxBytes bounds the playlist, and what variables make of it. Zero means 16 MiB.
	MaxBytes int
	// MaxSegments bounds the segments, and the parts. Zero means a million.
	MaxSegments int
}

const (
	maxWarnings   = 64
	maxKeyFormats = 16
)

// Parse reads a playlist. It is tolerant: what it can pass over is a warning, and only what is no playlist at all, what is over a limit and
// what EXT-X-SKIP leaves out for good are errors.
func Parse(data []byte, o *ParseOptions) (*Playlist, error) {
	p := &parser{p: &Playlist{Version: 1}, master: &Multivariant{}, media: &Media{}}
	if o != nil {
		p.o = *o
	}
	if p.o.MaxBytes == 0 {
		p.o.MaxBytes = 16 << 20
	}
	if p.o.MaxSegments == 0 {
		p.o.MaxSegments = 1_000_000
	}
	if len(data) > p.o.MaxBytes {
		return nil, p.located(fmt.Errorf("%w: playlist of %d bytes", container.ErrLimit, len(data)))
	}
	if err := p.lines(data); err != nil {
		return nil, err
	}
	return p.finish()
}

// parser is the state of Parse.
type parser struct {
	o      ParseOptions
	p      *Playlist
	master *Multivariant
	media  *Media

	line    int // number of the line, from 1
	offset  int // of the line
	tag     string
	known   int // tags that were known
	dropped int // warnings

	variant  *Variant // waits for its URI
	expanded int      // bytes that variables were replaced by
	sequence bool     // EXT-X-MEDIA-SEQUENCE was seen

	// What applies to the segments to come.
	next    Segment
	timed   bool // EXTINF was seen
	ranged  bool // EXT-X-BYTERANGE was seen
	keys    []*Key
	init    *Map
	bitrate int64
	breaks  int64            // discontinuities so far
	length  time.Duration    // of the segments so far
	ends    map[string]int64 // where the last byte range of a resource ends
	partEnd map[string]int64
	parts   int
}

func (p *parser) located(err error) error {
	e := &container.Error{Format: "hls", Op: "parse", Offset: -1, Err: err}
	if p.line > 0 {
		e.Path, e.Offset = fmt.Sprintf("line %d", p.line), int64(p.offset)
		if p.tag != "" {
			e.Path += ": " + clip(p.tag)
		}
	}
	return e
}

// warn notes a fault of the line.
func (p *parser) warn(format string, args ...any) {
	if len(p.p.Warnings) >= maxWarnings {
		p.dropped++
		return
	}
	p.p.Warnings = append(p.p.Warnings, p.located(fmt.Errorf(format+": %w", append(args, container.ErrCorrupt)...)))
}

// check warns of an error, and says whether there was none.
func (p *parser) check(err error) bool {
	if err != nil {
		p.warn("%v", err)
	}
	return err == nil
}

// lines goes through the lines.
func (p *parser) lines(data []byte) error {
	start := 0
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		data, start = rest, 3 // 4.1 forbids the mark; editors write it
	}
	if !utf8.Valid(data) {
		p.line, p.offset = 1, 0
		p.warn("the playlist is not UTF-8")
	}
	for first := true; len(data) > 0; {
		end := bytes.IndexAny(data, "\r\n")
		skip := 1
		if end < 0 {
			end, skip = len(data), 0
		} else if bytes.HasPrefix(data[end:], []byte("\r\n")) {
			skip = 2
		}
		p.line++
		p.offset, p.tag = start, ""
		line := strings.TrimSpace(string(data[:end]))
		data = data[end+skip:]
		start += end + skip
		if line == "" {
			continue
		}
		if first && !isHeader(line) {
			p.warn("the first line is not #EXTM3U")
		}
		first = false
		if err := p.parseLine(line); err != nil {
			return err
		}
		if len(p.media.Segments)+p.parts > p.o.MaxSegments || len(p.master.Variants)+len(p.master.Renditions) > p.o.MaxSegments {
			return p.located(fmt.Errorf("%w: more than %d segments", container.ErrLimit, p.o.MaxSegments))
		}
		if p.expanded > p.o.MaxBytes {
			return p.located(fmt.Errorf("%w: variables make more than %d bytes of it", container.ErrLimit, p.o.MaxBytes))
		}
	}
	return nil
}

func isHeader(line string) bool { return strings.HasPrefix(line, "#EXTM3U") }

func (p *parser) parseLine(line string) error {
	if !strings.HasPrefix(line, "#") {
		return p.uri(p.substitute(line))
	}
	if !strings.HasPrefix(line, "#EXT") {
		return nil // a comment
	}
	name, value, _ := strings.Cut(line[1:], ":")
	p.tag = strings.TrimSpace(name)
	t, ok := tags[p.tag]
	if !ok {
		return nil // 6.3.1: what is not known is ignored
	}
	p.known++
	if t.value != nil {
		t.value(p, strings.TrimSpace(value))
		return nil
	}
	list, err := parseAttributes(value)
	p.check(err)
	for i := range list {
		if list[i].quoted || strings.HasPrefix(list[i].value, "0x") || strings.HasPrefix(list[i].value, "0X") {
			list[i].value = p.substitute(list[i].value)
		}
	}
	return t.list(p, list)
}

// resolve returns a URI of the playlist, absolute where the playlist's own is known.
func (p *parser) resolve(ref string) string {
	if p.o.Base == nil || ref == "" {
		return ref
	}
	u, err := url.Parse(ref)
	if err != nil {
		if u, err = url.Parse(strings.ReplaceAll(ref, "%", "%25")); err != nil {
			p.warn("%q is no URI", clip(ref))
			return ref
		}
	}
	return p.o.Base.ResolveReference(u).String()
}

// uri reads a line that is no tag and no comment.
func (p *parser) uri(ref string) error {
	ref = p.resolve(ref)
	if p.variant != nil {
		p.variant.URI = ref
		p.master.Variants = append(p.master.Variants, *p.variant)
		p.variant = nil
		return nil
	}
	s := p.next
	if !p.timed {
		p.warn("a segment without EXTINF")
		s.Duration = p.media.TargetDuration
	}
	if s.Duration > maxLength-p.length {
		p.warn("the segments are longer than %v together", time.Duration(maxLength))
		s.Duration = 0
	}
	p.length += s.Duration
	s.URI, s.Line = ref, p.line
	if p.ranged {
		s.Range = p.follow(p.ends, ref, s.Range)
	}
	s.Keys, s.Map, s.Bitrate = p.keys, p.init, p.bitrate
	s.Period = p.breaks
	p.media.Segments = append(p.media.Segments, s)
	p.next, p.timed, p.ranged = Segment{}, false, false
	p.partEnd = nil
	return nil
}

// follow gives a byte range that does not tell its offset the end of the one before in the same resource, 4.4.4.2.
func (p *parser) follow(ends map[string]int64, ref string, r ByteRange) ByteRange {
	if r.Off < 0 {
		end, ok := ends[ref]
		if !ok {
			p.warn("a byte range without an offset, and none of the same resource before it")
		}
		if r.Off = end; end > maxEnd-r.Len {
			p.warn("%d bytes from %d on are no byte range", r.Len, end)
			return ByteRange{}
		}
	}
	ends[ref] = r.Off + r.Len
	return r
}

var (
	errNoPlaylist = fmt.Errorf("no tag of a playlist: %w", container.ErrFormat)
	errSkipped    = errors.New("segments are skipped that are not known")
)

// finish decides which kind of playlist it is.
func (p *parser) finish() (*Playlist, error) {
	p.line, p.tag = 0, ""
	if p.variant != nil {
		p.warn("the last variant has no URI")
	}
	if p.known == 0 {
		return nil, p.located(errNoPlaylist)
	}
	m := p.media
	isMaster := len(p.master.Variants)+len(p.master.IFrames)+len(p.master.Renditions) > 0 || len(p.master.Session) > 0
	if isMaster && len(m.Segments) > 0 {
		p.warn("tags of a multivariant and of a media playlist")
		isMaster = len(p.master.Variants) > 0 // 4.1 forbids it; the variants are the whole
	}
	if isMaster {
		p.p.Multivariant = p.master
	} else {
		p.number()
		p.date()
		m.Parts = p.next.Parts
		p.p.Media = m
		if m.TargetDuration == 0 && len(m.Segments) > 0 {
			p.warn("EXT-X-TARGETDURATION is missing")
		}
	}
	if p.dropped > 0 {
		p.p.Warnings = append(p.p.Warnings, p.located(fmt.Errorf("%d further faults are not listed: %w", p.dropped, container.ErrCorrupt)))
	}
	return p.p, nil
}

// number gives the segments their sequence numbers.
func (p *parser) number() {
	m := p.media
	for i := range m.Segments {
		m.Segments[i].Sequence = m.Sequence + m.Skipped + int64(i)
		m.Segments[i].Period += m.Discontinuity
	}
}

// date counts the dates of segments that have none from those that have one.
func (p *parser) date() {
	segments := p.media.Segments
	first := -1
	for i := range segments {
		s := &segments[i]
		switch {
		case !s.Date.IsZero(): // stated, or kept from the playlist before
			if first < 0 {
				first = i
			}
		case first >= 0:
			s.Date = segments[i-1].Date.Add(segments[i-1].Duration)
		}
	}
	for i := first - 1; i >= 0; i-- {
		segments[i].Date = segments[i+1].Date.Add(-segments[i].Duration)
	}
}
