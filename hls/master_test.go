package hls

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// ladder is a multivariant playlist as Apple's examples have it: eight playlists of pictures, each with the sound of three groups, which have one
// rendition each, one of text, closed captions, and playlists of key frames alone.
func ladder() (text string, want []container.Track) {
	text = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
	sizes := [8][2]int{{416, 234}, {480, 270}, {640, 360}, {768, 432}, {960, 540}, {1280, 720}, {1920, 1080}, {1920, 1080}}
	sounds := [3]struct {
		rfc, codec, language, name, channels string
		rate, count                          int
	}{{"mp4a.40.2", "aac", "en", "English", "2", 48000, 2}, {"ac-3", "ac3", "de", "Deutsch", "6", 0, 6}, {"ec-3", "eac3", "fr", "Français", "16/JOC", 44100, 16}}
	for g, s := range sounds {
		for v, size := range sizes {
			rate := []float64{29.97, 59.94}[v/4]
			codecs := fmt.Sprintf("avc1.64%04x,%s", 0x1e+v, s.rfc)
			told := container.Variant{Bandwidth: int64(500_000*(v+1) + 1000*g), AverageBandwidth: int64(400_000*(v+1) + 1000*g), FrameRate: rate, Codecs: codecs}
			text += fmt.Sprintf("#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=%d,BANDWIDTH=%d,CODECS=\"%s\",RESOLUTION=%dx%d,FRAME-RATE=%.3f,CLOSED-CAPTIONS=\"cc\",AUDIO=\"aud%d\",SUBTITLES=\"sub\"\nv%d/prog.m3u8\n",
				told.AverageBandwidth, told.Bandwidth, codecs, size[0], size[1], rate, g, v)
			want = append(want, container.Track{Kind: container.Video, Variant: told, Default: g == 2 && v == 7, Description: container.Description{
				Codec: "h264", FourCC: "avc1", BitRate: told.AverageBandwidth, Video: container.Picture{Width: size[0], Height: size[1], Profile: -1, Level: -1}, Audio: container.Sound{Profile: -1},
			}})
		}
	}
	for v, size := range sizes {
		text += fmt.Sprintf("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%d,CODECS=\"avc1.64001e\",RESOLUTION=%dx%d,URI=\"v%d/iframes.m3u8\"\n", 100_000*(v+1), size[0], size[1], v)
	}
	for g, s := range sounds {
		rate := ""
		if s.rate > 0 {
			rate = fmt.Sprintf(",SAMPLE-RATE=%d", s.rate)
		}
		text += fmt.Sprintf("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aud%d\",LANGUAGE=\"%s\",NAME=\"%s\",AUTOSELECT=YES,DEFAULT=%s,CHANNELS=\"%s\"%s,URI=\"a%d/prog.m3u8\"\n",
			g, s.language, s.name, map[bool]string{true: "YES", false: "NO"}[g == 1], s.channels, rate, g)
		want = append(want, container.Track{
			Kind: container.Audio, Language: s.language, Default: g == 1, Variant: container.Variant{Name: s.name, Group: fmt.Sprint("aud", g), Codecs: "avc1.64001e," + s.rfc},
			Description: container.Description{
				Codec: s.codec, FourCC: strings.Split(s.rfc, ".")[0], Video: container.Picture{Profile: -1, Level: -1}, Audio: container.Sound{SampleRate: s.rate, Channels: s.count, Profile: -1},
			},
		})
	}
	text += "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"sub\",LANGUAGE=\"es\",NAME=\"Español\",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"s/prog.m3u8\"\n" +
		"#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",LANGUAGE=\"en\",NAME=\"English\",DEFAULT=YES,AUTOSELECT=YES,INSTREAM-ID=\"CC1\"\n"
	want = append(want, container.Track{
		Kind: container.Subtitle, Language: "es", Default: true, Variant: container.Variant{Name: "Español", Group: "sub", Codecs: "avc1.64001e,mp4a.40.2"},
		Description: container.Description{Codec: "webvtt", Video: container.Picture{Profile: -1, Level: -1}, Audio: container.Sound{Profile: -1}},
	})
	return text, want
}

// TestTracksOfALadder: all that the playlist tells of each track is told, and choosing one loads its playlist and nothing else.
func TestTracksOfALadder(t *testing.T) {
	text, want := ladder()
	s := serve(t, func(name string, _ int, w http.ResponseWriter, _ *http.Request) bool {
		list := text
		if name != "list.m3u8" {
			list = window(0, 9, "#EXT-X-ENDLIST\n")
		}
		_, _ = io.WriteString(w, list)
		return true
	})
	for chosen := -1; chosen < len(want); chosen++ {
		s.mu.Lock()
		clear(s.asked)
		s.mu.Unlock()
		var shown []container.Track
		d := s.mustOpen(t, &Options{Options: container.Options{Select: func(tracks []container.Track) []int {
			shown = tracks
			if chosen < 0 {
				return nil
			}
			return []int{chosen, chosen}
		}}})
		if len(shown) != 28 || len(d.Tracks()) != 28 {
			t.Fatalf("%d tracks are shown, and %d there, want 28", len(shown), len(d.Tracks()))
		}
		for i, got := range d.Tracks() {
			w := want[i]
			w.ID, w.Timebase, w.Start, w.Duration, w.Packets, w.Bytes, w.Enabled = i+1, ninety, container.NoTicks, container.NoTicks, -1, -1, true
			if i == chosen {
				w.Duration = got.Duration // of its playlist
			}
			w.Descriptions = []container.Description{w.Description}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", w) {
				t.Errorf("track %d is\n%+v, want\n%+v", i, got, w)
			}
		}
		asked := map[string]int{"list.m3u8": 1}
		if chosen >= 0 {
			asked[d.refs[chosen].s.ref] = 1
		}
		s.mu.Lock()
		if fmt.Sprint(s.asked) != fmt.Sprint(asked) {
			t.Errorf("for track %d %v were asked for, want %v", chosen, s.asked, asked)
		}
		s.mu.Unlock()
		if len(d.streams) != 8+3+1 {
			t.Errorf("%d streams, want one for each URI", len(d.streams))
		}
		for i, ref := range d.refs[:24] {
			if ref != d.refs[i%8] || ref.s.ref != fmt.Sprintf("v%d/prog.m3u8", i%8) {
				t.Errorf("track %d is of %s", i, ref.s.ref)
			}
		}
	}
	s.mu.Lock()
	clear(s.asked)
	s.mu.Unlock()
	s.mustOpen(t, &Options{Options: container.Options{Select: func([]container.Track) []int { return []int{3, 11, 19} }}})
	if s.times("v3/prog.m3u8") != 1 {
		t.Errorf("three tracks of one playlist load it %d times", s.times("v3/prog.m3u8"))
	}
}
