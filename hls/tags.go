package hls

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// tag says how a tag is read: as a value or as a list of attributes.
type tag struct {
	value func(p *parser, text string)
	list  func(p *parser, l attributes) error
}

var tags = map[string]tag{
	"EXTM3U":                       {value: func(*parser, string) {}},
	"EXT-X-VERSION":                {value: (*parser).version},
	"EXT-X-INDEPENDENT-SEGMENTS":   {value: func(p *parser, _ string) { p.p.Independent = true }},
	"EXT-X-START":                  {list: (*parser).start},
	"EXT-X-DEFINE":                 {list: (*parser).define},
	"EXT-X-STREAM-INF":             {list: (*parser).streamInf},
	"EXT-X-I-FRAME-STREAM-INF":     {list: (*parser).iframeInf},
	"EXT-X-MEDIA":                  {list: (*parser).rendition},
	"EXT-X-SESSION-DATA":           {list: (*parser).sessionData},
	"EXT-X-SESSION-KEY":            {list: (*parser).sessionKey},
	"EXT-X-CONTENT-STEERING":       {list: (*parser).steering},
	"EXT-X-TARGETDURATION":         {value: (*parser).targetDuration},
	"EXT-X-MEDIA-SEQUENCE":         {value: (*parser).mediaSequence},
	"EXT-X-DISCONTINUITY-SEQUENCE": {value: (*parser).discontinuitySequence},
	"EXT-X-ENDLIST":                {value: func(p *parser, _ string) { p.media.Ended = true }},
	"EXT-X-PLAYLIST-TYPE":          {value: (*parser).playlistType},
	"EXT-X-I-FRAMES-ONLY":          {value: func(p *parser, _ string) { p.media.IFramesOnly = true }},
	"EXT-X-PART-INF":               {list: (*parser).partInf},
	"EXT-X-SERVER-CONTROL":         {list: (*parser).serverControl},
	"EXTINF":                       {value: (*parser).extinf},
	"EXT-X-BYTERANGE":              {value: (*parser).byteRange},
	"EXT-X-DISCONTINUITY":          {value: (*parser).discontinuity},
	"EXT-X-KEY":                    {list: (*parser).key},
	"EXT-X-MAP":                    {list: (*parser).mapTag},
	"EXT-X-PROGRAM-DATE-TIME":      {value: (*parser).programDateTime},
	"EXT-X-GAP":                    {value: func(p *parser, _ string) { p.next.Gap = true }},
	"EXT-X-BITRATE":                {value: (*parser).bitrateTag},
	"EXT-X-PART":                   {list: (*parser).part},
	"EXT-X-DATERANGE":              {list: (*parser).dateRange},
	"EXT-X-SKIP":                   {list: (*parser).skip},
	"EXT-X-PRELOAD-HINT":           {list: (*parser).hint},
	"EXT-X-RENDITION-REPORT":       {list: (*parser).report},
}

func (p *parser) version(text string) {
	if n, err := parseInt(text); p.check(err) {
		p.p.Version = int(min(n, 1<<16))
	}
}

func (p *parser) start(l attributes) error {
	if d, ok := p.seconds(l, "TIME-OFFSET"); ok {
		p.p.Start = &Start{Offset: d, Precise: l.yes("PRECISE")}
	}
	return nil
}

// seconds reads an attribute that is a number of seconds and must be there.
func (p *parser) seconds(l attributes, name string) (time.Duration, bool) {
	text, ok := l.find(name)
	if !ok {
		p.warn("%s is missing", name)
		return 0, false
	}
	d, err := parseSeconds(text)
	return d, p.check(err)
}

// optional reads an attribute that is a number of seconds, or returns otherwise.
func (p *parser) optional(l attributes, name string, otherwise time.Duration) time.Duration {
	if !l.has(name) {
		return otherwise
	}
	d, ok := p.seconds(l, name)
	if !ok || d < 0 {
		return otherwise
	}
	return d
}

// integer reads an attribute that is an integer, or returns otherwise.
func (p *parser) integer(l attributes, name string, otherwise int64) int64 {
	text, ok := l.find(name)
	if !ok {
		return otherwise
	}
	n, err := parseInt(text)
	if !p.check(err) {
		return otherwise
	}
	return n
}

func (p *parser) targetDuration(text string) {
	d, err := parseSeconds(text) // 4.4.3.1 has an integer; some write a fraction
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is negative", clip(text))
	}
	if p.check(err) {
		p.media.TargetDuration = d
	}
}

func (p *parser) mediaSequence(text string) {
	n, err := parseInt(text)
	if !p.check(err) {
		return
	}
	if p.sequence {
		p.warn("it is there twice")
	}
	if len(p.media.Segments) > 0 {
		p.warn("it stands behind segments") // 4.4.3.2
	}
	p.media.Sequence, p.sequence = min(n, 1<<56), true
}

func (p *parser) discontinuitySequence(text string) {
	n, err := parseInt(text)
	if !p.check(err) {
		return
	}
	if len(p.media.Segments) > 0 || p.breaks > 0 {
		p.warn("it stands behind segments or discontinuities") // 4.4.3.3
	}
	p.media.Discontinuity = min(n, 1<<56)
}

func (p *parser) playlistType(text string) {
	if text != "VOD" && text != "EVENT" {
		p.warn("%q is no type of playlist", clip(text))
		return
	}
	p.media.Type = text
}

func (p *parser) partInf(l attributes) error {
	if d, ok := p.seconds(l, "PART-TARGET"); ok {
		p.media.PartTarget = max(d, 0)
	}
	return nil
}

func (p *parser) serverControl(l attributes) error {
	p.media.Control = ServerControl{
		SkipUntil: p.optional(l, "CAN-SKIP-UNTIL", 0), SkipDateRanges: l.yes("CAN-SKIP-DATERANGES"), BlockReload: l.yes("CAN-BLOCK-RELOAD"),
		HoldBack: p.optional(l, "HOLD-BACK", 0), PartHoldBack: p.optional(l, "PART-HOLD-BACK", 0),
	}
	return nil
}

// extinf reads "duration,title".
func (p *parser) extinf(text string) {
	number, title, _ := strings.Cut(text, ",")
	d, err := parseSeconds(number)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is negative", clip(number))
	}
	if !p.check(err) {
		d = p.media.TargetDuration
	}
	p.next.Duration, p.next.Title, p.timed = d, strings.TrimSpace(title), true
}

func (p *parser) byteRange(text string) {
	r, err := parseRange(text)
	if !p.check(err) {
		return
	}
	p.next.Range, p.ranged = r, true
	if p.ends == nil {
		p.ends = map[string]int64{}
	}
}

func (p *parser) discontinuity(string) {
	p.next.Break = true
	p.breaks++
}

func (p *parser) programDateTime(text string) {
	if t, err := parseDate(text); p.check(err) {
		p.next.Date, p.next.Stated = t, true
	}
}

func (p *parser) bitrateTag(text string) {
	if n, err := parseInt(text); p.check(err) {
		p.bitrate = min(n, 1<<40) * 1000
	}
}

// parseKey reads the attributes of a key. It is nil for the method NONE.
func (p *parser) parseKey(l attributes) (*Key, bool) {
	k := &Key{Method: l.text("METHOD"), URI: p.resolve(l.text("URI")), Format: l.text("KEYFORMAT"), Versions: l.text("KEYFORMATVERSIONS"), Line: p.line}
	if k.Format == "" {
		k.Format = "identity"
	}
	switch k.Method {
	case "":
		p.warn("METHOD is missing")
		return nil, false
	case "NONE":
		return nil, true
	}
	if k.URI == "" {
		p.warn("URI is missing")
	}
	if text, ok := l.find("IV"); ok {
		iv, err := parseVector(text)
		if p.check(err) {
			k.IV, k.HasIV = iv, true
		}
	}
	return k, true
}

// key reads EXT-X-KEY, 4.4.4.4: it replaces the key of the same format that is in force; NONE ends all.
func (p *parser) key(l attributes) error {
	k, ok := p.parseKey(l)
	if !ok {
		return nil
	}
	if k == nil {
		p.keys = nil
		return nil
	}
	keys := slices.DeleteFunc(slices.Clone(p.keys), func(o *Key) bool { return o.Format == k.Format })
	if len(keys) >= maxKeyFormats {
		p.warn("more than %d key formats at once", maxKeyFormats)
		return nil
	}
	p.keys = slices.Clip(append(keys, k))
	return nil
}

func (p *parser) mapTag(l attributes) error {
	m := &Map{URI: p.resolve(l.text("URI")), Keys: p.keys, Line: p.line}
	if m.URI == "" {
		p.warn("URI is missing")
		return nil
	}
	if text, ok := l.find("BYTERANGE"); ok {
		r, err := parseRange(text)
		if p.check(err) {
			r.Off = max(r.Off, 0) // 4.4.4.5: it begins at 0 when it does not tell
			m.Range = r
		}
	}
	for _, k := range m.Keys {
		if k.Method == "AES-128" && !k.HasIV {
			p.warn("the map is encrypted, and the key of line %d has no IV", k.Line)
		}
	}
	p.init = m
	return nil
}

func (p *parser) part(l attributes) error {
	part := Part{URI: p.resolve(l.text("URI")), Independent: l.yes("INDEPENDENT"), Gap: l.yes("GAP")}
	part.Duration, _ = p.seconds(l, "DURATION")
	part.Duration = max(part.Duration, 0)
	if part.URI == "" {
		p.warn("URI is missing")
		return nil
	}
	if text, ok := l.find("BYTERANGE"); ok {
		if r, err := parseRange(text); p.check(err) {
			if p.partEnd == nil {
				p.partEnd = map[string]int64{}
			}
			part.Range = p.follow(p.partEnd, part.URI, r)
		}
	}
	p.next.Parts = append(p.next.Parts, part)
	p.parts++
	return nil
}

func (p *parser) hint(l attributes) error {
	h := Hint{Type: l.text("TYPE"), URI: p.resolve(l.text("URI"))}
	h.Range.Off = p.integer(l, "BYTERANGE-START", 0)
	h.Range.Len = p.integer(l, "BYTERANGE-LENGTH", 0)
	p.media.Hints = append(p.media.Hints, h)
	return nil
}

func (p *parser) report(l attributes) error {
	p.media.Reports = append(p.media.Reports, Report{
		URI: p.resolve(l.text("URI")), Sequence: p.integer(l, "LAST-MSN", -1), Part: p.integer(l, "LAST-PART", -1),
	})
	return nil
}

func (p *parser) dateRange(l attributes) error {
	r := DateRange{
		ID: l.text("ID"), Class: l.text("CLASS"), EndOnNext: l.yes("END-ON-NEXT"), Attributes: l.all(),
		Duration: p.optional(l, "DURATION", -1), Planned: p.optional(l, "PLANNED-DURATION", -1),
	}
	for _, d := range []struct {
		name string
		t    *time.Time
	}{{"START-DATE", &r.Start}, {"END-DATE", &r.End}} {
		if text, ok := l.find(d.name); ok {
			t, err := parseDate(text)
			p.check(err)
			*d.t = t
		}
	}
	if r.ID == "" {
		p.warn("ID is missing")
	}
	p.media.DateRanges = append(p.media.DateRanges, r)
	return nil
}

// skip reads EXT-X-SKIP, 4.4.5.2, and puts in what it leaves out: segments that the playlist before had, with all that was in force at
// the last of them.
func (p *parser) skip(l attributes) error {
	n := p.integer(l, "SKIPPED-SEGMENTS", -1)
	if text := l.text("RECENTLY-REMOVED-DATERANGES"); text != "" {
		p.media.Removed = strings.Split(text, "\t")
	}
	if n <= 0 || len(p.media.Segments) > 0 {
		p.warn("it leaves out %d segments behind %d", n, len(p.media.Segments))
		return nil
	}
	if n > int64(p.o.MaxSegments) {
		return p.located(fmt.Errorf("%w: %d segments are skipped", container.ErrLimit, n))
	}
	if p.o.Previous == nil || p.o.Previous.Media == nil {
		p.media.Skipped = n
		return nil
	}
	old := p.o.Previous.Media
	from := int64(-1)
	if len(old.Segments) > 0 {
		from = p.media.Sequence - old.Segments[0].Sequence
	}
	if from < 0 || from+n > int64(len(old.Segments)) {
		return p.located(fmt.Errorf("%w: %d from %d on: %w", errSkipped, n, p.media.Sequence, container.ErrCorrupt))
	}
	kept := slices.Clone(old.Segments[from : from+n])
	for i := range kept {
		kept[i].Period -= p.media.Discontinuity // number adds it again
		p.parts += len(kept[i].Parts)
		p.length += kept[i].Duration
	}
	last := &kept[n-1]
	p.media.Segments = kept
	p.keys, p.init, p.bitrate, p.breaks = last.Keys, last.Map, last.Bitrate, last.Period
	if last.Range.Len > 0 {
		p.ends = map[string]int64{last.URI: last.Range.Off + last.Range.Len}
	}
	removed := p.media.Removed
	for _, r := range old.DateRanges {
		if !slices.Contains(removed, r.ID) {
			p.media.DateRanges = append(p.media.DateRanges, r)
		}
	}
	return nil
}
