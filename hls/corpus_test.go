package hls_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// corpus returns the folder of media with known answers, or skips.
func corpus(t testing.TB) string {
	t.Helper()
	return testmedia.Corpus(t)
}

type object = map[string]any

// The expected answers are those of m3u8-parser, in its own form. What is left out there is not there here.

func seconds(d time.Duration) any { return d.Seconds() }

func byteRange(o object, r hls.ByteRange) {
	if r.Len > 0 {
		o["byterange"] = object{"length": float64(r.Len), "offset": float64(r.Off)}
	}
}

func keyOf(keys []*hls.Key) object {
	if len(keys) == 0 {
		return nil
	}
	k := keys[0]
	o := object{"method": k.Method, "uri": k.URI}
	if k.HasIV {
		var words []any
		for i := 0; i < 16; i += 4 {
			words = append(words, float64(uint32(k.IV[i])<<24|uint32(k.IV[i+1])<<16|uint32(k.IV[i+2])<<8|uint32(k.IV[i+3])))
		}
		o["iv"] = words
	}
	return o
}

func mapOf(m *hls.Map) object {
	if m == nil {
		return nil
	}
	o := object{"uri": m.URI}
	byteRange(o, m.Range)
	if k := keyOf(m.Keys); k != nil {
		o["key"] = k
	}
	return o
}

func set(o object, name string, v object) {
	if v != nil {
		o[name] = v
	}
}

func partsOf(parts []hls.Part) []any {
	var out []any
	for _, p := range parts {
		o := object{"duration": seconds(p.Duration), "uri": p.URI}
		byteRange(o, p.Range)
		if p.Independent {
			o["independent"] = true
		}
		if p.Gap {
			o["gap"] = true
		}
		out = append(out, o)
	}
	return out
}

func dateString(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func segmentOf(s *hls.Segment) object {
	o := object{"duration": seconds(s.Duration), "timeline": float64(s.Period), "uri": s.URI}
	byteRange(o, s.Range)
	set(o, "key", keyOf(s.Keys))
	set(o, "map", mapOf(s.Map))
	if s.Break {
		o["discontinuity"] = true
	}
	if s.Title != "" {
		o["title"] = s.Title
	}
	if s.Stated {
		o["dateTimeObject"] = dateString(s.Date)
	}
	if !s.Date.IsZero() {
		o["programDateTime"] = float64(s.Date.UnixNano()) / 1e6
	}
	if len(s.Parts) > 0 {
		o["parts"] = partsOf(s.Parts)
	}
	return o
}

func mediaOf(p *hls.Playlist) object {
	m := p.Media
	o := object{"mediaSequence": float64(m.Sequence), "discontinuitySequence": float64(m.Discontinuity)}
	starts := []any{}
	segments := []any{}
	for i := range m.Segments {
		if m.Segments[i].Break {
			starts = append(starts, float64(i))
		}
		segments = append(segments, segmentOf(&m.Segments[i]))
	}
	o["segments"], o["discontinuityStarts"] = segments, starts
	if m.Type != "" {
		o["playlistType"] = m.Type
	}
	if m.Ended {
		o["endList"] = true
	}
	if m.IFramesOnly {
		o["iFramesOnly"] = true
	}
	if m.TargetDuration > 0 {
		o["targetDuration"] = seconds(m.TargetDuration)
	}
	if len(m.Segments) > 0 && m.Segments[0].Stated {
		o["dateTimeObject"] = dateString(m.Segments[0].Date)
	}
	if m.PartTarget > 0 {
		o["partTargetDuration"], o["partInf"] = seconds(m.PartTarget), object{"partTarget": seconds(m.PartTarget)}
	}
	if c := m.Control; c != (hls.ServerControl{}) {
		control := object{"canBlockReload": c.BlockReload, "canSkipDateranges": c.SkipDateRanges}
		for name, d := range map[string]time.Duration{"canSkipUntil": c.SkipUntil, "holdBack": c.HoldBack, "partHoldBack": c.PartHoldBack} {
			if d > 0 {
				control[name] = seconds(d)
			}
		}
		o["serverControl"] = control
	}
	var reports []any
	for _, r := range m.Reports {
		reports = append(reports, object{"uri": r.URI, "lastMsn": float64(r.Sequence), "lastPart": float64(r.Part)})
	}
	if reports != nil {
		o["renditionReports"] = reports
	}
	if len(m.Parts)+len(m.Hints) > 0 {
		pre := object{"timeline": float64(m.Discontinuity)}
		if len(m.Parts) > 0 {
			pre["parts"] = partsOf(m.Parts)
		}
		if n := len(m.Segments); n > 0 {
			pre["timeline"] = float64(m.Segments[n-1].Period)
			set(pre, "map", mapOf(m.Segments[n-1].Map))
		}
		var hints []any
		for _, h := range m.Hints {
			hint := object{"type": h.Type, "uri": h.URI}
			if h.Range.Len > 0 {
				byteRange(hint, h.Range)
			}
			hints = append(hints, hint)
		}
		if hints != nil {
			pre["preloadHints"] = hints
		}
		o["preloadSegment"] = pre
	}
	return o
}

// attributesOf returns attributes as m3u8-parser types them.
func attributesOf(v *hls.Variant, iframe bool) object {
	o := object{}
	for name, text := range v.Attributes {
		o[name] = text
		if n, err := strconv.Atoi(text); err == nil && (name == "PROGRAM-ID" || name == "AVERAGE-BANDWIDTH" && iframe) {
			o[name] = float64(n)
		}
	}
	if v.Bandwidth > 0 {
		o["BANDWIDTH"] = float64(v.Bandwidth)
	}
	if v.Width > 0 {
		o["RESOLUTION"] = object{"width": float64(v.Width), "height": float64(v.Height)}
	}
	if v.FrameRate > 0 {
		o["FRAME-RATE"] = v.FrameRate
	}
	return o
}

func masterOf(p *hls.Playlist) object {
	m := p.Multivariant
	o := object{"segments": []any{}, "discontinuityStarts": []any{}}
	groups := object{"AUDIO": object{}, "VIDEO": object{}, "CLOSED-CAPTIONS": object{}, "SUBTITLES": object{}}
	for _, r := range m.Renditions {
		kind, _ := groups[r.Type].(object)
		group, ok := kind[r.Group].(object)
		if !ok {
			group = object{}
			kind[r.Group] = group
		}
		v := object{"default": r.Default, "autoselect": r.Autoselect}
		for name, text := range map[string]string{"language": r.Language, "uri": r.URI, "instreamId": r.InStream, "characteristics": r.Characteristics} {
			if text != "" {
				v[name] = text
			}
		}
		group[r.Name] = v
	}
	variants := func(list []hls.Variant, iframe bool) []any {
		out := []any{}
		for i := range list {
			out = append(out, object{"uri": list[i].URI, "timeline": 0., "attributes": attributesOf(&list[i], iframe)})
		}
		return out
	}
	o["mediaGroups"] = groups
	o["playlists"] = variants(m.Variants, false)
	if len(m.IFrames) > 0 {
		o["iFramePlaylists"] = variants(m.IFrames, true)
	}
	return o
}

func toObject(p *hls.Playlist) object {
	of := masterOf
	if p.Media != nil {
		of = mediaOf
	}
	return withCommon(of(p), p)
}

// withCommon adds what both kinds of playlists tell.
func withCommon(o object, p *hls.Playlist) object {
	if p.Version > 1 {
		o["version"] = float64(p.Version)
	}
	if p.Independent {
		o["independentSegments"] = true
	}
	if p.Start != nil {
		o["start"] = object{"timeOffset": seconds(p.Start.Offset), "precise": p.Start.Precise}
	}
	return o
}

// differences lists where got is not want, by path.
func differences(path string, got, want any) []string {
	switch w := want.(type) {
	case object:
		g, ok := got.(object)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, want an object", path, got)}
		}
		var out []string
		names := map[string]bool{}
		for name := range w {
			names[name] = true
		}
		for name := range g {
			names[name] = true
		}
		for name := range names {
			out = append(out, differences(path+"."+name, g[name], w[name])...)
		}
		return out
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s has %d elements, want %d", path, len(g), len(w))}
		}
		var out []string
		for i := range w {
			out = append(out, differences(fmt.Sprintf("%s[%d]", path, i), g[i], w[i])...)
		}
		return out
	case float64:
		if g, ok := got.(float64); ok && math.Abs(g-w) <= 1e-6*max(1, math.Abs(w)/1e6) {
			return nil
		}
	}
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return []string{fmt.Sprintf("%s is %v, want %v", path, got, want)}
}

// explained are the differences from m3u8-parser that are meant. Each must be met.
var explained = map[string][]string{
	// 4.4.4.2: a range without an offset begins where the one before in the same resource ends. There is none in this resource.
	"byteRange":        {".segments[2].byterange.offset is 0, want 1.110328e+06"},
	"llhls-byte-range": {".segments[2].byterange.offset is 0, want 1.110328e+06"},
}

func TestPlaylistsAreAsM3U8ParserSays(t *testing.T) {
	dir := corpus(t)
	expected, err := filepath.Glob(filepath.Join(dir, "expected", "m3u8-parser", "*.json"))
	if err != nil || len(expected) < 30 {
		t.Fatalf("%d expected answers, %v", len(expected), err)
	}
	for _, file := range expected {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, "m3u8", "m3u8-parser", name+".m3u8"))
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want object
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			p, err := hls.Parse(data, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := toObject(p)
			normalize(want)
			diffs := differences("", got, want)
			slices.Sort(diffs)
			if !slices.Equal(diffs, explained[name]) {
				t.Errorf("differences:\n%s\nexplained:\n%s", strings.Join(diffs, "\n"), strings.Join(explained[name], "\n"))
			}
		})
	}
}

// normalize takes out of an expected answer what says nothing about the playlist: defaults, and the second form of dates.
func normalize(o object) {
	delete(o, "allowCache") // EXT-X-ALLOW-CACHE is gone from the draft, and everything may be cached by default
	for name, empty := range map[string]int{"dateRanges": 0, "iFramePlaylists": 0} {
		if l, ok := o[name].([]any); ok && len(l) == empty {
			delete(o, name)
		}
	}
	if _, master := o["playlists"]; master {
		delete(o, "mediaSequence") // of the media playlist that this is not
		delete(o, "discontinuitySequence")
	}
	stripDates(o)
}

func stripDates(v any) {
	switch v := v.(type) {
	case object:
		delete(v, "dateTimeString")
		for _, x := range v {
			stripDates(x)
		}
	case []any:
		for _, x := range v {
			stripDates(x)
		}
	}
}

// TestCorpusPlaylistsParse parses every playlist there is. Their warnings are those of files with known faults.
func TestCorpusPlaylistsParse(t *testing.T) {
	dir := corpus(t)
	n := 0
	for _, root := range []string{"m3u8", "hls"} {
		err := filepath.WalkDir(filepath.Join(dir, root), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || root == "hls" && filepath.Ext(path) != ".m3u8" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			n++
			p, err := hls.Parse(data, nil)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			if (p.Media == nil) == (p.Multivariant == nil) {
				t.Errorf("%s is both kinds, or none", path)
			}
			for _, w := range p.Warnings {
				t.Logf("%s: %v", strings.TrimPrefix(path, dir), w)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 100 {
		t.Errorf("%d playlists, want more than 100", n)
	}
}
