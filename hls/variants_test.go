package hls_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// move puts all files of a folder into another one, which may have a prefix for their names.
func move(t *testing.T, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Rename(filepath.Join(from, f.Name()), to+f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// bodyOf returns the lines of a playlist of fMP4 from EXT-X-MAP up to the last segment, with a prefix before all names.
func bodyOf(t *testing.T, name, prefix string) (body string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		switch {
		case strings.HasPrefix(line, "#EXT-X-MAP:"):
			body += strings.Replace(line, `URI="`, `URI="`+prefix, 1)
		case strings.HasPrefix(line, "#EXTINF:"):
			body += line
		case !strings.HasPrefix(line, "#"):
			body += prefix + line
		}
	}
	return body
}

// TestMapThatChanges joins two playlists, with maps of their own, with and without saying that something changes.
func TestMapThatChanges(t *testing.T) {
	dir := t.TempDir()
	large, small := testmedia.HLS(t, 10, kinds["fmp4"].args...), testmedia.HLS(t, 10, slices.Concat(kinds["fmp4"].args, []string{"-s", "64x48"})...)
	bodies := []string{bodyOf(t, filepath.Join(large, "list.m3u8"), "a"), bodyOf(t, filepath.Join(small, "list.m3u8"), "b")}
	wholes := []*hls.Demuxer{openFile(t, filepath.Join(large, "list.m3u8"), nil), openFile(t, filepath.Join(small, "list.m3u8"), nil)}
	var data [][]byte // of the packets of both
	var infos []container.PacketInfo
	for _, d := range wholes {
		for _, info := range list(t, d, 0) {
			var p container.Packet
			if err := d.Read(t.Context(), 0, info, &p); err != nil {
				t.Fatal(err)
			}
			data, infos = append(data, bytes.Clone(p.Data)), append(infos, info)
		}
	}
	move(t, large, dir+"/a")
	move(t, small, dir+"/b")
	for name, between := range map[string]string{"said": "#EXT-X-DISCONTINUITY\n", "unsaid": ""} {
		t.Run(name, func(t *testing.T) {
			text := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n" + bodies[0] + between + bodies[1] + "#EXT-X-ENDLIST\n"
			if err := os.WriteFile(filepath.Join(dir, name+".m3u8"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			var log logged
			d, _ := openURL(t, log.serve(t, dir).URL+"/"+name+".m3u8", nil)
			tb := d.Tracks()[0].Timebase
			all := list(t, d, 0)
			if len(all) != 200 {
				t.Fatalf("%d packets, want 200", len(all))
			}
			descriptions := d.Tracks()[0].Descriptions
			if len(descriptions) != 2 || descriptions[0].Video.Width != 128 || descriptions[1].Video.Width != 64 {
				t.Fatalf("descriptions %+v", descriptions)
			}
			var p container.Packet
			for i, info := range all {
				if info.N != int64(i) || info.Description != i/100 {
					t.Fatalf("packet %d is %+v", i, info)
				}
				if want := infos[i].PTS + container.Ticks(i/100)*tb.Ticks(10e9); info.PTS != want {
					t.Fatalf("packet %d is at %d, want %d", i, info.PTS, want)
				}
				if err := d.Read(t.Context(), 0, info, &p); err != nil || !bytes.Equal(p.Data, data[i]) {
					t.Fatalf("packet %d has other bytes, %v", i, err)
				}
			}
			asked := log.take()
			slices.Sort(asked)
			if once := slices.Compact(slices.Clone(asked)); len(once) != len(asked) || len(asked) != 1+2+20 {
				t.Errorf("%d requests, want each of 23 once: %v", len(asked), asked)
			}
			if warned := len(d.Warnings()) > 0; warned == (between != "") {
				t.Errorf("warnings %v", d.Warnings())
			}

			if between == "" {
				return // that times jump is seen from segments before and behind only
			}
			// A frame behind the change costs its map, its segment, and the first segments of its period and of all, which say where it lies.
			e, _ := openURL(t, log.serve(t, dir).URL+"/"+name+".m3u8", nil)
			log.take()
			key, err := e.Locate(t.Context(), 0, all[0].PTS+tb.Ticks(155e8))
			if err != nil || key.PTS != all[150].PTS || key.Description != slices.IndexFunc(e.Tracks()[0].Descriptions, func(c container.Description) bool { return c.Video.Width == 64 }) {
				t.Errorf("Locate = %+v, %v, want %+v", key, err, all[150])
			}
			if asked := log.take(); !slices.Equal(asked, []string{"binit.mp4", "blist5.m4s", "blist0.m4s", "alist0.m4s"}) {
				t.Errorf("a frame behind the change asks for %v", asked)
			}
		})
	}
}

// TestDefaultTracks asks a multivariant playlist what is taken when nothing is said. Nothing but it is loaded for that.
func TestDefaultTracks(t *testing.T) {
	sound := `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch",LANGUAGE="de",URI="de.m3u8"` + "\n" +
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="en.m3u8"` + "\n"
	variant := func(bandwidth int, codecs, more, name string) string {
		return fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,CODECS=\"%s\"%s\n%s.m3u8\n", bandwidth, codecs, more, name)
	}
	for _, tt := range []struct {
		name, text  string
		video       int64 // bits a second of the default variant
		audio       string
		audioTracks int
	}{
		{"most bits", variant(500_000, "avc1.64001f", "", "low") + variant(3_000_000, "avc1.640028", "", "high") + variant(1_000_000, "hvc1.1.6.L93", "", "mid"), 3_000_000, "", 0},
		{"first of equals", variant(500_000, "avc1.64001f", ",RESOLUTION=640x360", "one") + variant(500_000, "avc1.64001f", ",RESOLUTION=640x360", "two"), 500_000, "", 0},
		{"a codec that is not known", variant(500_000, "avc1.64001f", "", "low") + variant(9_000_000, "xyz1.1", ",RESOLUTION=3840x2160", "odd") + variant(800_000, "avc1.64001f", "", "mid"), 800_000, "", 0},
		{"a rendition that says so", sound + variant(500_000, "avc1.64001f,mp4a.40.2", `,AUDIO="a"`, "low") + variant(700_000, "avc1.64001f,mp4a.40.2", `,AUDIO="a"`, "high"), 700_000, "English", 2},
		{"sound in the segments", variant(500_000, "avc1.64001f,mp4a.40.2", "", "low") + variant(700_000, "avc1.64001f,mp4a.40.2", "", "high"), 700_000, "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "master.m3u8"), []byte("#EXTM3U\n"+tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			var log logged
			src, err := source.OpenRemote(t.Context(), log.serve(t, dir).URL+"/master.m3u8", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			d, err := hls.Open(t.Context(), src, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if asked := log.take(); len(asked) != 1 {
				t.Errorf("opening asks for %v", asked)
			}
			chosen := map[container.Kind][]container.Track{}
			audio := 0
			for _, track := range d.Tracks() {
				if track.Kind == container.Audio {
					audio++
				}
				if track.Default {
					chosen[track.Kind] = append(chosen[track.Kind], track)
				}
			}
			if v := chosen[container.Video]; len(v) != 1 || v[0].Variant.Bandwidth != tt.video {
				t.Errorf("default pictures %+v, want those of %d bits a second", v, tt.video)
			} else if i := slices.IndexFunc(d.Tracks(), func(x container.Track) bool { return x.Variant.Bandwidth == tt.video && x.Kind == container.Video }); v[0].ID != d.Tracks()[i].ID {
				t.Errorf("of equals track %d is the default", v[0].ID)
			}
			if a := chosen[container.Audio]; audio != tt.audioTracks || len(a) != min(audio, 1) || audio > 0 && a[0].Variant.Name != tt.audio {
				t.Errorf("%d tracks of sound, the default is %+v", audio, a)
			} else if audio > 0 && tt.audio == "" && a[0].Variant.Bandwidth != tt.video {
				t.Errorf("the default sound is that of another variant: %+v", a)
			}
		})
	}
}
