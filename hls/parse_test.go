package hls_test

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// lines makes a playlist.
func lines(l ...string) []byte { return []byte("#EXTM3U\n" + strings.Join(l, "\n") + "\n") }

func parse(t *testing.T, data []byte, o *hls.ParseOptions) *hls.Playlist {
	t.Helper()
	p, err := hls.Parse(data, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestByteRangesFollowEachOtherInOneResource(t *testing.T) {
	p := parse(t, lines("#EXT-X-TARGETDURATION:1",
		"#EXTINF:1,", "#EXT-X-BYTERANGE:100@50", "a", "#EXTINF:1,", "#EXT-X-BYTERANGE:10", "a",
		"#EXTINF:1,", "#EXT-X-BYTERANGE:7@0", "b", "#EXTINF:1,", "#EXT-X-BYTERANGE:5", "a", "#EXTINF:1,", "#EXT-X-BYTERANGE:1", "b", "#EXTINF:1,", "b"), nil)
	want := []hls.ByteRange{{Off: 50, Len: 100}, {Off: 150, Len: 10}, {Off: 0, Len: 7}, {Off: 160, Len: 5}, {Off: 7, Len: 1}, {}}
	for i, s := range p.Media.Segments {
		if s.Range != want[i] {
			t.Errorf("segment %d is %+v, want %+v", i, s.Range, want[i])
		}
	}
}

func TestKeysStayInForce(t *testing.T) {
	p := parse(t, lines("#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:7", `#EXT-X-MAP:URI="clear.mp4",BYTERANGE="10"`, "#EXTINF:1,", "0",
		`#EXT-X-KEY:METHOD=AES-128,URI="k1"`, "#EXTINF:1,", "1",
		`#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k2",KEYFORMAT="com.apple"`, `#EXT-X-MAP:URI="init2.mp4",BYTERANGE="10@5"`, "#EXTINF:1,", "2",
		`#EXT-X-KEY:METHOD=AES-128,URI="k3",IV=0X1F`, "#EXTINF:1,", "3",
		`#EXT-X-KEY:METHOD=NONE`, "#EXTINF:1,", "4"), nil)
	want := [][]string{nil, {"k1"}, {"k1", "k2"}, {"k2", "k3"}, nil}
	for i, s := range p.Media.Segments {
		var got []string
		for _, k := range s.Keys {
			got = append(got, k.URI)
		}
		if !slices.Equal(got, want[i]) {
			t.Errorf("segment %d has keys %v, want %v", i, got, want[i])
		}
	}
	s := p.Media.Segments
	if iv := s[1].Keys[0].VectorFor(s[1].Sequence); iv != [16]byte{15: 8} {
		t.Errorf("the IV of segment 8 is %x", iv)
	}
	if iv := s[3].Keys[1].VectorFor(s[3].Sequence); iv != [16]byte{15: 0x1f} {
		t.Errorf("the stated IV is %x", iv)
	}
	if m := s[1].Map; m.URI != "clear.mp4" || m.Keys != nil || m.Range != (hls.ByteRange{Len: 10}) {
		t.Errorf("the map before any key is %+v", m)
	}
	if m := s[4].Map; m.URI != "init2.mp4" || len(m.Keys) != 2 || m.Range != (hls.ByteRange{Off: 5, Len: 10}) {
		t.Errorf("the map under two keys is %+v", m)
	}
}

func TestDatesAndDiscontinuitiesAreCounted(t *testing.T) {
	p := parse(t, lines("#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:100", "#EXT-X-DISCONTINUITY-SEQUENCE:5",
		"#EXTINF:4,", "0", "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:10.5+01:00", "#EXTINF:2.5,", "1", "#EXTINF:4,", "2",
		"#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T01:00:00Z", "#EXTINF:4,", "3"), nil)
	at := time.Date(2023, 12, 31, 23, 0, 10, 500e6, time.UTC)
	want := []time.Time{at.Add(-4 * time.Second), at, at.Add(2500 * time.Millisecond), time.Date(2024, 1, 1, 1, 0, 0, 0, time.UTC)}
	for i, s := range p.Media.Segments {
		if !s.Date.Equal(want[i]) || s.Stated != (i%2 == 1) || s.Sequence != int64(100+i) || s.Period != int64(5+i/3) || s.Break != (i == 3) {
			t.Errorf("segment %d: %v, stated %t, number %d, period %d, break %t, want %v", i, s.Date, s.Stated, s.Sequence, s.Period, s.Break, want[i])
		}
	}
	if got := p.Media.Duration(); got != 14500*time.Millisecond {
		t.Errorf("Duration() = %v", got)
	}
}

func TestVariables(t *testing.T) {
	base, err := url.Parse("https://host/dir/list.m3u8?token=a%20b&token=c")
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, lines(`#EXT-X-DEFINE:NAME="path",VALUE="x/{$no}"`, `#EXT-X-DEFINE:IMPORT="host"`, `#EXT-X-DEFINE:QUERYPARAM="token"`, "#EXT-X-TARGETDURATION:1",
		`#EXT-X-KEY:METHOD=AES-128,URI="{$host}/key?t={$token}",IV={$iv}`, "#EXTINF:1,{$path}", "{$path}/{$unknown}/a.ts?{$token}"),
		&hls.ParseOptions{Base: base, Import: map[string]string{"host": "http://other", "unused": "1"}})
	s := p.Media.Segments[0]
	if got, want := s.URI, "https://host/dir/x/%7B$no%7D/%7B$unknown%7D/a.ts?c"; got != want {
		t.Errorf("the segment is %q, want %q", got, want)
	}
	if got, want := s.Keys[0].URI, "http://other/key?t=c"; got != want {
		t.Errorf("the key is %q, want %q", got, want)
	}
	if s.Title != "{$path}" {
		t.Errorf("the title is %q: variables are in URIs and attributes alone", s.Title)
	}
	if want := map[string]string{"path": "x/{$no}", "host": "http://other", "token": "c"}; !reflect.DeepEqual(p.Variables, want) {
		t.Errorf("variables are %v, want %v", p.Variables, want)
	}
	if len(p.Warnings) != 3 { // {$no} and {$unknown} are not declared, and {$iv} is no IV
		t.Errorf("warnings: %v", p.Warnings)
	}
	for _, bad := range []string{`NAME="a b",VALUE="1"`, `NAME="a"`, `IMPORT="none"`, `QUERYPARAM="none"`, `NAME="a",IMPORT="host"`, `VALUE="1"`} {
		if p := parse(t, lines("#EXT-X-DEFINE:"+bad), &hls.ParseOptions{Base: base}); len(p.Warnings) != 1 || p.Variables != nil {
			t.Errorf("%s: variables %v, warnings %v", bad, p.Variables, p.Warnings)
		}
	}
}

func TestSkippedSegmentsComeFromBefore(t *testing.T) {
	before := parse(t, lines("#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:10", `#EXT-X-DATERANGE:ID="old",START-DATE="2024-01-01T00:00:00Z"`,
		`#EXT-X-DATERANGE:ID="kept",START-DATE="2024-01-01T00:00:00Z",DURATION=3`,
		"#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z", `#EXT-X-MAP:URI="i"`, "#EXTINF:4,", "10", `#EXT-X-KEY:METHOD=AES-128,URI="k"`,
		"#EXT-X-DISCONTINUITY", "#EXTINF:4,", "#EXT-X-BYTERANGE:10@0", "f", "#EXTINF:4,", "#EXT-X-BYTERANGE:10", "f", "#EXTINF:4,", "13"), nil)
	delta := lines("#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:11", "#EXT-X-DISCONTINUITY-SEQUENCE:0",
		"#EXT-X-SKIP:SKIPPED-SEGMENTS=2,RECENTLY-REMOVED-DATERANGES=\"old\"", "#EXTINF:4,", "#EXT-X-BYTERANGE:5", "f", "#EXTINF:4,", "14")
	p := parse(t, delta, &hls.ParseOptions{Previous: before})
	var got []string
	for _, s := range p.Media.Segments {
		got = append(got, fmt.Sprintf("%d %s %d@%d period %d key %d map %s %s", s.Sequence, s.URI, s.Range.Len, s.Range.Off, s.Period, len(s.Keys), s.Map.URI, s.Date.Format("05")))
	}
	want := []string{"11 f 10@0 period 1 key 1 map i 04", "12 f 10@10 period 1 key 1 map i 08", "13 f 5@20 period 1 key 1 map i 12", "14 14 0@0 period 1 key 1 map i 16"}
	if !slices.Equal(got, want) {
		t.Errorf("segments are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r := p.Media.DateRanges; len(r) != 1 || r[0].ID != "kept" || r[0].Duration != 3*time.Second {
		t.Errorf("date ranges are %+v", r)
	}
	if p := parse(t, delta, nil); p.Media.Skipped != 2 || p.Media.Segments[0].Sequence != 13 {
		t.Errorf("without the one before: %d skipped, the first is number %d", p.Media.Skipped, p.Media.Segments[0].Sequence)
	}
	late := lines("#EXT-X-MEDIA-SEQUENCE:13", "#EXT-X-SKIP:SKIPPED-SEGMENTS=2", "#EXTINF:4,", "15")
	if _, err := hls.Parse(late, &hls.ParseOptions{Previous: before}); !errors.Is(err, container.ErrCorrupt) {
		t.Errorf("a gap between the playlists: error = %v, want ErrCorrupt", err)
	}
}

func TestFormsOfText(t *testing.T) {
	text := "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF: 4.5 , a title \n\n  a.ts \n#EXTINF:5\nb.ts\n#EXT-X-ENDLIST"
	want := parse(t, []byte(text), nil)
	for name, other := range map[string]string{
		"byte order mark": "\xef\xbb\xbf" + text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "CR": strings.ReplaceAll(text, "\n", "\r"),
		"comments": strings.ReplaceAll(text, "\n#EXTINF", "\n# comment\n#EXT-X-VENDOR:a=\"\n#EXTINF"), "blanks": strings.ReplaceAll(text, "\n", " \t\n"),
	} {
		got := parse(t, []byte(other), nil)
		for i := range got.Media.Segments {
			got.Media.Segments[i].Line = want.Media.Segments[i].Line
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got.Media, want.Media)
		}
	}
	if s := want.Media.Segments; len(s) != 2 || s[0].URI != "a.ts" || s[0].Title != "a title" || s[0].Duration != 4500*time.Millisecond || s[0].Line != 5 || !want.Media.Ended {
		t.Errorf("segments are %+v", s)
	}
}

func TestFaultsTellTheirLine(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"#EXTINF:x,", `line 3: EXTINF at byte 32: "x" is no number`},
		{"#EXTINF:-1,", `line 3: EXTINF at byte 32: "-1" is negative`},
		{"#EXTINF:NaN", `"NaN" is no number`},
		{"#EXTINF:1e30", `"1e30" seconds`},
		{"#EXT-X-BYTERANGE:0@1", `"0@1" is no byte range`},
		{"#EXT-X-BYTERANGE:99999999999999999999", "is no byte range"},
		{"#EXT-X-KEY:METHOD=AES-128,IV=0x" + strings.Repeat("0", 33) + `,URI="a"`, "no initialization vector"},
		{"#EXT-X-KEY:URI=\"a\"", "METHOD is missing"},
		{"#EXT-X-KEY:METHOD=AES-128", "URI is missing"},
		{"#EXT-X-MAP:URI=\"a", "do not close"},
		{"#EXT-X-PART:URI=\"a\"", "DURATION is missing"},
		{"#EXT-X-START:TIME-OFFSET=1,TIME-OFFSET=2", "is there twice"},
		{"#EXT-X-START:,TIME-OFFSET", "has no value"},
		{"#EXT-X-PROGRAM-DATE-TIME:yesterday", `"yesterday" is no date`},
		{"#EXT-X-SKIP:SKIPPED-SEGMENTS=0", "leaves out 0 segments"},
		{"#EXT-X-MEDIA-SEQUENCE:-1", "no decimal integer"},
		{"\xff", "is not UTF-8"},
	} {
		p := parse(t, lines("#EXT-X-TARGETDURATION:1", tt.line, "#EXTINF:1,", "a"), nil)
		ok := false
		for _, w := range p.Warnings {
			var e *container.Error
			ok = ok || strings.Contains(w.Error(), tt.want) && errors.As(w, &e) && errors.Is(w, container.ErrCorrupt)
		}
		if !ok || len(p.Media.Segments) == 0 {
			t.Errorf("%q: warnings %v, want %q", tt.line, p.Warnings, tt.want)
		}
	}
}

func TestLimits(t *testing.T) {
	endless := append(lines("#EXT-X-TARGETDURATION:1"), strings.Repeat("#EXTINF:1,\na\n", 2000)...)
	bomb := lines(`#EXT-X-DEFINE:NAME="a",VALUE="`+strings.Repeat("x", 1000)+`"`, strings.Repeat("#EXTINF:1,\n{$a}{$a}{$a}{$a}\n", 300))
	for name, tt := range map[string]struct {
		data []byte
		o    hls.ParseOptions
	}{
		"bytes": {endless, hls.ParseOptions{MaxBytes: 1000}}, "segments": {endless, hls.ParseOptions{MaxSegments: 1000}},
		"variables": {bomb, hls.ParseOptions{MaxBytes: 100_000}}, "skipped": {lines("#EXT-X-SKIP:SKIPPED-SEGMENTS=99999999"), hls.ParseOptions{}},
		"parts": {append(lines(), strings.Repeat("#EXT-X-PART:DURATION=1,URI=\"a\"\n", 2000)...), hls.ParseOptions{MaxSegments: 1000}},
	} {
		if _, err := hls.Parse(tt.data, &tt.o); !errors.Is(err, container.ErrLimit) {
			t.Errorf("%s: error = %v, want ErrLimit", name, err)
		}
	}
	var wrong strings.Builder
	for range 10_000 {
		wrong.WriteString("#EXTINF:x\na\n")
	}
	if p := parse(t, lines(wrong.String()), nil); len(p.Warnings) != 65 {
		t.Errorf("%d warnings, want 64 and one that there are more", len(p.Warnings))
	}
	for _, data := range []string{"", "\n\n", "GIF89a", "# comment\n", "<html>"} {
		if _, err := hls.Parse([]byte(data), nil); !errors.Is(err, container.ErrFormat) {
			t.Errorf("%q: error = %v, want ErrFormat", data, err)
		}
	}
}

// TestFaultsCostTheirBytes parses lines whose faults, each alone, would be cheap. Only the first of a line is told.
func TestFaultsCostTheirBytes(t *testing.T) {
	const n = 1 << 20
	for _, tt := range []struct{ name, line, want string }{
		{"attributes without values", "#EXT-X-START:TIME-OFFSET=1," + strings.Repeat("a,", n), "more than 256 attributes"},
		{"one attribute again and again", "#EXT-X-START:TIME-OFFSET=1," + strings.Repeat("a=1,", n), "more than 256 attributes"},
		{"three without values", "#EXT-X-START:TIME-OFFSET=1,a,b,c", `attribute "a,b,c" has no value`},
		{"variables without an end", strings.Repeat("{$", n), ""},
		{"long names of variables without an end", strings.Repeat("{$"+strings.Repeat("a", 62), n/32), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			p := parse(t, lines("#EXT-X-TARGETDURATION:1", tt.line, "#EXTINF:1,", "end"), nil)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if segments := p.Media.Segments; segments[len(segments)-1].URI != "end" || tt.want == "" && segments[0].URI != tt.line {
				t.Errorf("%d segments", len(segments))
			}
			if tt.want != "" && (len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Error(), tt.want)) {
				t.Errorf("warnings %v, want %q", p.Warnings, tt.want)
			}
		})
	}
}

// TestSumsAreBounded: no sum of what a playlist says is more than an int64 holds.
func TestSumsAreBounded(t *testing.T) {
	huge := fmt.Sprint(int64(1 << 62))
	p := parse(t, lines("#EXT-X-TARGETDURATION:1",
		"#EXTINF:1,", "#EXT-X-BYTERANGE:"+huge+"@"+huge, "a", "#EXTINF:1,", "#EXT-X-BYTERANGE:1@"+huge, "a",
		"#EXTINF:1,", "#EXT-X-BYTERANGE:"+huge+"@0", "a", "#EXTINF:1,", "#EXT-X-BYTERANGE:1", "a", "#EXTINF:1,", "#EXT-X-BYTERANGE:"+huge, "b", "#EXTINF:1,", "#EXT-X-BYTERANGE:"+huge, "b"), nil)
	for i, s := range p.Media.Segments {
		if s.Range.Off < 0 || s.Range.Len < 0 || s.Range.Off+s.Range.Len < 0 {
			t.Errorf("segment %d is %+v", i, s.Range)
		}
	}
	if len(p.Media.Segments) != 6 || len(p.Warnings) < 4 {
		t.Errorf("%d segments, warnings %v", len(p.Media.Segments), p.Warnings)
	}
	p = parse(t, append(lines(), strings.Repeat("#EXTINF:1000000,\nx\n", 20_000)...), nil)
	if d := p.Media.Duration(); d < 0 || d > 1<<61 || len(p.Warnings) != 65 {
		t.Errorf("they last %v; %d warnings", d, len(p.Warnings))
	}
	p = parse(t, lines("#EXT-X-SKIP:SKIPPED-SEGMENTS=20000", "#EXTINF:1000000,", "x"), &hls.ParseOptions{Previous: p})
	if d := p.Media.Duration(); d < 0 || d > 1<<61 {
		t.Errorf("with those that were skipped they last %v", d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"{$a}\",IV=0x1\n#EXTINF:1,\n#EXT-X-BYTERANGE:1\nx\n"))
	f.Add([]byte("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXT-X-PART:DURATION=1,URI=\"a\",BYTERANGE=\"1@2\"\n#EXTINF:1\ny\n"))
	f.Add([]byte("\xef\xbb\xbf#EXTM3U\r\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"b\"\r\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1,AUDIO=\"a\"\r\nlow"))
	for _, b := range testmedia.Seeds(16<<10, "m3u8/*/*", "hls/*/*/*.m3u8") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		base := &url.URL{Scheme: "http", Host: "h", Path: "/p", RawQuery: "a=b"}
		p, err := hls.Parse(data, &hls.ParseOptions{MaxSegments: 1000, MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		if p.Media == nil {
			return
		}
		for i := range p.Media.Segments {
			if s := &p.Media.Segments[i]; s.Range.Off < 0 || s.Range.Len < 0 || s.Duration < 0 {
				t.Errorf("segment %d: %+v", i, s)
			}
		}
		if q, err := hls.Parse(data, &hls.ParseOptions{MaxSegments: 1000, MaxBytes: 1 << 20, Previous: p, Base: base}); err == nil && q.Media != nil {
			for i := range q.Media.Segments {
				if got, want := q.Media.Segments[i].Sequence, q.Media.Segments[0].Sequence+int64(i); got != want {
					t.Errorf("segment %d has number %d, want %d", i, got, want)
				}
			}
		}
	})
}
