package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/source"
)

// fakeFormat recognises sources by their beginning.
type fakeFormat struct {
	name, magic string
	err         error    // of Open
	opened      *Options // what Open was given
}

func (f *fakeFormat) Name() string           { return f.name }
func (f *fakeFormat) Sniff(head []byte) bool { return bytes.HasPrefix(head, []byte(f.magic)) }

func (f *fakeFormat) Open(_ context.Context, _ source.Source, o *Options) (Demuxer, error) {
	f.opened = o
	if f.err != nil {
		return &fakeDemuxer{}, f.err // a demuxer beside an error must not get out
	}
	return &fakeDemuxer{format: f.name}, nil
}

type fakeDemuxer struct{ format string }

func (*fakeDemuxer) Tracks() []Track                     { return nil }
func (*fakeDemuxer) Next(context.Context, *Packet) error { return io.EOF }
func (*fakeDemuxer) Close() error                        { return nil }

// failingSource fails every read.
type failingSource struct{ err error }

func (s failingSource) ReadAt([]byte, int64) (int, error) { return 0, s.err }
func (s failingSource) Size() int64                       { return 100 }

func refuse(format, why string) error {
	return &Error{Format: format, Op: "open", Offset: 4, Err: errors.Join(errors.New(why), ErrFormat)}
}

func TestOpenTakesTheFirstFormatThatKnowsTheSource(t *testing.T) {
	a, b, c := &fakeFormat{name: "a", magic: "AA"}, &fakeFormat{name: "b", magic: "BB"}, &fakeFormat{name: "c", magic: "B"}
	d, err := Open(t.Context(), strings.NewReader("BBBB"), []Format{a, b, c}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.(*fakeDemuxer).format; got != "b" {
		t.Errorf("opened as %q, want b", got)
	}
	if a.opened != nil || c.opened != nil {
		t.Error("other formats were opened too")
	}
}

func TestOpenGoesOnAfterErrFormat(t *testing.T) {
	wrong := &fakeFormat{name: "wrong", magic: "B", err: refuse("wrong", "no boxes")}
	right := &fakeFormat{name: "right", magic: "B"}
	d, err := Open(t.Context(), strings.NewReader("BBBB"), []Format{wrong, right}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.(*fakeDemuxer).format; got != "right" {
		t.Errorf("opened as %q, want right", got)
	}
}

func TestOpenErrors(t *testing.T) {
	corrupt := &Error{Format: "x", Op: "open", Path: "moov", Offset: 12, Err: ErrCorrupt}
	oddErr := errors.New("cable pulled")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		src     source.Source
		formats []Format
		want    error
		text    string
	}{
		{"nobody knows it", t.Context(), strings.NewReader("\x00\x01GIF89a and more bytes"), []Format{&fakeFormat{magic: "A"}}, ErrFormat,
			`container: open at byte 0: not this format: begins with "\x00\x01GIF89a and mor"`},
		{"no formats", t.Context(), strings.NewReader("x"), nil, ErrFormat, `begins with "x"`},
		{"empty", t.Context(), strings.NewReader(""), []Format{&fakeFormat{}}, io.ErrUnexpectedEOF, "container: open at byte 0: unexpected EOF"},
		{"corrupt is the answer", t.Context(), strings.NewReader("BB"),
			[]Format{&fakeFormat{magic: "B", err: corrupt}, &fakeFormat{magic: "B"}}, ErrCorrupt, "x: open: moov at byte 12: corrupt"},
		{"one refuses", t.Context(), strings.NewReader("BB"),
			[]Format{&fakeFormat{magic: "B", err: &Error{Format: "x", Op: "open", Offset: -1, Err: ErrFormat}}}, ErrFormat, "x: open: not this format"},
		{"two refuse", t.Context(), strings.NewReader("BB"),
			[]Format{&fakeFormat{magic: "B", err: &Error{Format: "x", Op: "open", Offset: -1, Err: ErrFormat}},
				&fakeFormat{magic: "B", err: &Error{Format: "y", Op: "open", Offset: 7, Err: ErrFormat}}}, ErrFormat,
			"x: open: not this format; y: open at byte 7: not this format"},
		{"source fails", t.Context(), failingSource{oddErr}, []Format{&fakeFormat{}}, oddErr, "container: open: cable pulled"},
		{"cancelled", cancelled, strings.NewReader("BB"), []Format{&fakeFormat{}}, context.Canceled, "container: open: context canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Open(tt.ctx, tt.src, tt.formats, nil)
			if d != nil {
				t.Errorf("Open returns a demuxer beside the error")
			}
			if !errors.Is(err, tt.want) || !strings.HasSuffix(err.Error(), tt.text) {
				t.Errorf("error = %v, want %v with text %q", err, tt.want, tt.text)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error of more than one line: %q", err)
			}
		})
	}
}

func TestOpenReadsTheHeadOnce(t *testing.T) {
	long := strings.Repeat("B", HeadSize+1000)
	src := source.Count(strings.NewReader(long))
	f := &fakeFormat{name: "b", magic: "B"}
	options := &Options{Limits: Limits{Tracks: 3}}
	if _, err := Open(t.Context(), src, []Format{&fakeFormat{magic: "A"}, f}, options); err != nil {
		t.Fatal(err)
	}
	if got, want := src.Counts(), (source.Counts{Reads: 1, Bytes: HeadSize}); got != want {
		t.Errorf("Open read %+v, want %+v", got, want)
	}
	if len(f.opened.Head) != HeadSize || f.opened.Limits.Tracks != 3 {
		t.Errorf("the format was given a head of %d bytes and limits %+v", len(f.opened.Head), f.opened.Limits)
	}
	if options.Head != nil {
		t.Error("Open changed the caller's options")
	}
}

func TestOpenUsesTheHeadItIsGiven(t *testing.T) {
	src := source.Count(strings.NewReader("AAAA"))
	f := &fakeFormat{name: "b", magic: "B"}
	if _, err := Open(t.Context(), src, []Format{f}, &Options{Head: []byte("BBBB")}); err != nil {
		t.Fatal(err)
	}
	if got := src.Counts().Reads; got != 0 {
		t.Errorf("%d reads, want none", got)
	}
}

func TestErrorSaysWhere(t *testing.T) {
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{Format: "mp4", Op: "open", Path: "moov/trak[1]/stts", Offset: 1234, Err: ErrCorrupt}, "mp4: open: moov/trak[1]/stts at byte 1234: corrupt"},
		{Error{Format: "mp4", Op: "read", Offset: 0, Err: io.ErrUnexpectedEOF}, "mp4: read at byte 0: unexpected EOF"},
		{Error{Format: "rtsp", Op: "open", Path: "rtsp://host/path", Offset: -1, Err: ErrUnsupported}, "rtsp: open: rtsp://host/path: unsupported"},
		{Error{Format: "mpegts", Op: "list", Offset: -1, Err: ErrLimit}, "mpegts: list: over the limit"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
		if !errors.Is(&tt.err, tt.err.Err) {
			t.Errorf("%v does not wrap %v", &tt.err, tt.err.Err)
		}
	}
}

func TestLimitsOrDefault(t *testing.T) {
	if got, want := (Limits{}).OrDefault(), (Limits{Tracks: 1024, Packets: 1 << 28, HeaderBytes: 1 << 30, PacketBytes: 256 << 20}); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	set := Limits{Tracks: 1, Packets: 2, HeaderBytes: 3, PacketBytes: 4}
	if got := set.OrDefault(); got != set {
		t.Errorf("OrDefault() = %+v, want %+v", got, set)
	}
}

func TestTrackTexts(t *testing.T) {
	for kind, want := range map[Kind]string{Data: "data", Video: "video", Audio: "audio", Subtitle: "subtitle", Kind(9): "kind(9)"} {
		if got := kind.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
	b, err := json.Marshal(map[string]any{"kind": Audio, "aspect": Ratio{4, 3}, "clear": Encryption{}, "turn": Orientation{Degrees: 90}})
	want := `{"aspect":{"num":4,"den":3},"clear":{},"kind":"audio","turn":{"degrees":90}}`
	if err != nil || string(b) != want {
		t.Errorf("JSON is %s, %v, want %s", b, err, want)
	}
	if got := (Ratio{4, 3}).String(); got != "4:3" {
		t.Errorf("Ratio = %q, want 4:3", got)
	}
	for degrees, want := range map[int]bool{0: false, 90: true, 180: false, 270: true} {
		if got := (Orientation{Degrees: degrees}).Swaps(); got != want {
			t.Errorf("Swaps() at %d degrees = %t, want %t", degrees, got, want)
		}
	}
}
