package hls

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// folder is files in memory, and how many of them are open. A file in it is one that is to be closed.
type folder struct {
	files map[string]string
	open  int
}

type member struct {
	*bytes.Reader
	in     *folder
	closed bool
}

func (m *member) OpenRef(_ context.Context, ref string, _ source.RefOptions) (source.Source, error) {
	text, ok := m.in.files[ref]
	if !ok {
		return nil, fs.ErrNotExist
	}
	m.in.open++
	return &member{Reader: bytes.NewReader([]byte(text)), in: m.in}, nil
}

func (m *member) Close() error {
	if m.closed {
		return errors.New("closed twice")
	}
	m.closed = true
	m.in.open--
	return nil
}

// TestWhatIsOpenedIsClosed opens what can be opened, and what cannot, and counts what stays open.
func TestWhatIsOpenedIsClosed(t *testing.T) {
	variant := func(more string) string { return "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1" + more + "\nlow.m3u8\n" }
	segments := func(names ...string) string {
		text := "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
		for _, name := range names {
			text += "#EXTINF:4,\n" + name + "\n"
		}
		return text + "#EXT-X-ENDLIST\n"
	}
	sound := string(frames(0))
	for _, tt := range []struct {
		name  string
		list  string
		files map[string]string
		err   error
	}{
		{"a media playlist", segments("a"), map[string]string{"a": sound}, nil},
		{"a variant of which nothing is known", variant(""), map[string]string{"low.m3u8": segments("a"), "a": sound}, nil},
		{"a variant without segments", variant(""), map[string]string{"low.m3u8": segments("a")}, fs.ErrNotExist},
		{"a variant that is text", variant(""), map[string]string{"low.m3u8": segments("a"), "a": "WEBVTT\n"}, container.ErrUnsupported},
		{"a variant that is a multivariant playlist", variant(""), map[string]string{"low.m3u8": variant("")}, container.ErrCorrupt},
		{"a variant without a playlist", variant(`,CODECS="avc1.64001f"`), nil, fs.ErrNotExist},
		{"a variant whose map is missing", variant(`,CODECS="avc1.64001f"`), map[string]string{"low.m3u8": "#EXTM3U\n#EXT-X-MAP:URI=\"init\"\n" + segments("a"), "a": sound}, fs.ErrNotExist},
		{"no playlist", "GIF89a", nil, container.ErrFormat},
		{"an unknown encryption", "#EXTM3U\n#EXT-X-KEY:METHOD=AES-256,URI=\"key\"\n" + segments("a"), map[string]string{"a": sound, "key": strings.Repeat("k", 32)}, container.ErrUnsupported},
		{"keys of a format that is not known", "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\",KEYFORMAT=\"x\"\n" + segments("a"), map[string]string{"a": sound}, container.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &folder{files: tt.files}
			all := func(tracks []container.Track) []int {
				indices := make([]int, len(tracks))
				for i := range indices {
					indices[i] = i
				}
				return indices
			}
			d, err := Open(t.Context(), &member{Reader: bytes.NewReader([]byte(tt.list)), in: in}, &Options{Options: container.Options{Select: all}})
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("error = %v, want %v", err, tt.err)
			}
			if err == nil {
				for _, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
					if err != nil {
						t.Error(err)
					}
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
			if in.open != 0 {
				t.Errorf("%d files stay open", in.open)
			}
		})
	}
}

// TestNextLeavesOutWhatCannotBeHad, and says so.
func TestNextLeavesOutWhatCannotBeHad(t *testing.T) {
	rendition := func(name string) string {
		return `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="` + name + `",URI="` + name + `.m3u8"` + "\n"
	}
	s := &stage{
		list:  func(time.Duration) string { return "#EXTM3U\n" + rendition("here") + rendition("gone") },
		lists: map[string]string{"here.m3u8": window(10, 12, "#EXT-X-ENDLIST\n")},
	}
	d := s.open(t)
	var p container.Packet
	n := 0
	for err := error(nil); ; n++ {
		if err = d.Next(t.Context(), &p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if w := d.Warnings(); n != 3 || len(w) != 1 || !strings.Contains(w[0].Error(), "playlist gone.m3u8") {
		t.Errorf("%d packets, warnings %v", n, w)
	}
}
