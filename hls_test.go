//go:build cgo

package sprocket_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/seek"
)

// playlists are the ways in which the segments of a playlist are stored.
var playlists = []struct {
	name string
	args []string
}{
	{"ts", nil},
	{"fmp4", []string{"-hls_segment_type", "fmp4"}},
	{"byte ranges", []string{"-hls_segment_type", "fmp4", "-hls_flags", "single_file"}},
	{"AES-128", []string{"-hls_key_info_file", "key.info"}},
}

// shown is a frame as FFmpeg decodes it.
type shown struct {
	pts      container.Ticks
	timebase container.Timebase
	sum      string
}

// decodedBy returns the frames that FFmpeg makes of a playlist on disk, with the times that its segments tell.
func decodedBy(t *testing.T, name string) []shown {
	t.Helper()
	var out []shown
	var tb container.Timebase
	text := run(t, "-copyts", "-allowed_extensions", "ALL", "-i", name, "-map", "0:v:0", "-enc_time_base", "-1", "-vsync", "passthrough", "-f", "framemd5", "-")
	for line := range strings.Lines(string(text)) {
		line = strings.ReplaceAll(strings.TrimSpace(line), " ", "")
		if strings.HasPrefix(line, "#tb0:") {
			if _, err := fmt.Sscanf(line, "#tb0:%d/%d", &tb.Num, &tb.Den); err != nil {
				t.Fatal(err)
			}
		}
		f := strings.Split(line, ",")
		if strings.HasPrefix(line, "#") || len(f) != 6 {
			continue
		}
		var pts int64
		if _, err := fmt.Sscan(f[2], &pts); err != nil {
			t.Fatal(err)
		}
		out = append(out, shown{container.Ticks(pts), tb, f[5]})
	}
	return out
}

// TestPlaylistFramesEqualFFmpegs reads playlists from a real server and asks for every frame by its time.
func TestPlaylistFramesEqualFFmpegs(t *testing.T) {
	if testing.Short() {
		t.Skip("long: decodes four playlists six times")
	}
	const segments = 5
	for _, p := range playlists {
		t.Run(p.name, func(t *testing.T) {
			dir := testmedia.HLS(t, segments, p.args...)
			want := decodedBy(t, filepath.Join(dir, "list.m3u8"))
			if len(want) != 10*segments {
				t.Fatalf("ffmpeg has %d frames", len(want))
			}
			url := testmedia.StartNginx(t, dir).URL + "/list.m3u8"
			for _, approximate := range []bool{false, true} {
				t.Run(map[bool]string{false: "exact", true: "approximate"}[approximate], func(t *testing.T) {
					o := &sprocket.VideoOptions{Native: true, Approximate: approximate}
					r := rand.New(rand.NewPCG(1, 2))
					for order, put := range map[string]func([]shown){
						"forward": func([]shown) {}, "backward": slices.Reverse[[]shown],
						"shuffled": func(s []shown) { r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) },
					} {
						d := open(t, url, o)
						if kind := map[bool]seek.Kind{false: seek.Exact, true: seek.Approximate}[approximate]; d.Index().Kind() != kind {
							t.Errorf("the index is %v", d.Index().Kind())
						}
						mine := slices.Clone(want)
						put(mine)
						for _, w := range mine {
							at := w.timebase.Duration(w.pts)
							f, err := d.FramePlayedAt(t.Context(), at)
							if err != nil {
								t.Fatalf("%s: at %v: %v", order, at, err)
							}
							if f.Ticks != w.timebase.Convert(w.pts, d.Metadata().Timebase) {
								t.Fatalf("%s: at %v: the frame of %v", order, at, f.PTS)
							}
							if sum(f.Bytes()) != w.sum {
								t.Fatalf("%s: at %v: another picture", order, at)
							}
						}
					}
				})
			}
		})
	}
}

// TestVariantThatIsTaken opens a multivariant playlist: the variant with the most bits a second that can be decoded is read, and no other.
func TestVariantThatIsTaken(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]string{"low": "64x48", "high": "160x96"} {
		run(t, "-f", "lavfi", "-i", "testsrc2=size="+size+":rate=10", "-t", "3", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-f", "hls", "-hls_time", "1",
			"-hls_playlist_type", "vod", filepath.Join(dir, name+".m3u8"))
	}
	master := "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS=\"avc1.42c00a\",RESOLUTION=64x48\nlow.m3u8\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"avc1.42c00b\",RESOLUTION=160x96\nhigh.m3u8\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS=\"xyz1.1\",RESOLUTION=3840x2160\nodd.m3u8\n"
	if err := os.WriteFile(filepath.Join(dir, "master.m3u8"), []byte(master), 0o644); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[strings.TrimPrefix(r.URL.Path, "/")] = true
		mu.Unlock()
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	for _, tt := range []struct {
		track int // its ID; 0 is the default
		name  string
		width int
	}{{0, "high", 160}, {1, "low", 64}, {2, "high", 160}} {
		mu.Lock()
		clear(asked)
		mu.Unlock()
		want := decodedBy(t, filepath.Join(dir, tt.name+".m3u8"))
		d := open(t, server.URL+"/master.m3u8", &sprocket.VideoOptions{Native: true, Track: tt.track})
		if d.Len() != len(want) || len(want) != 30 {
			t.Fatalf("track %d: %d frames, want %d", tt.track, d.Len(), len(want))
		}
		for f, err := range d.Frames(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if sum(f.Bytes()) != want[f.N].sum {
				t.Errorf("track %d: frame %d is another picture", tt.track, f.N)
			}
		}
		if w := d.Metadata().Width; w != tt.width {
			t.Errorf("track %d is %d pixels wide, want %d", tt.track, w, tt.width)
		}
		mu.Lock()
		for name := range asked {
			if name != "master.m3u8" && !strings.HasPrefix(name, tt.name) {
				t.Errorf("track %d: %s was asked for", tt.track, name)
			}
		}
		mu.Unlock()
	}
}

// TestFramesBehindAMapThatChanges joins two playlists whose parameter sets are in their maps, and differ.
func TestFramesBehindAMapThatChanges(t *testing.T) {
	dir := t.TempDir()
	text := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n"
	var want []shown
	for i, args := range [][]string{{"-profile:v", "baseline"}, {"-preset", "medium", "-bf", "2", "-x264-params", "cabac=1:8x8dct=1"}} {
		from := testmedia.HLS(t, 2, slices.Concat([]string{"-hls_segment_type", "fmp4"}, args)...)
		want = append(want, decodedBy(t, filepath.Join(from, "list.m3u8"))...)
		part := fmt.Sprintf("part%d", i)
		data, err := os.ReadFile(filepath.Join(from, "list.m3u8"))
		if err == nil {
			err = os.CopyFS(filepath.Join(dir, part), os.DirFS(from))
		}
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			text += "#EXT-X-DISCONTINUITY\n"
		}
		for line := range strings.Lines(string(data)) {
			switch {
			case strings.HasPrefix(line, "#EXT-X-MAP:"):
				text += strings.Replace(line, `URI="`, `URI="`+part+"/", 1)
			case strings.HasPrefix(line, "#EXTINF:"):
				text += line
			case !strings.HasPrefix(line, "#"):
				text += part + "/" + line
			}
		}
	}
	name := filepath.Join(dir, "list.m3u8")
	if err := os.WriteFile(name, []byte(text+"#EXT-X-ENDLIST\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, approximate := range []bool{false, true} {
		d := open(t, name, &sprocket.VideoOptions{Native: true, Approximate: approximate})
		begin := want[0].timebase.Duration(want[0].pts)
		for k := range want {
			n := (k*17 + 33) % len(want) // all of them, back and forth across the change
			f, err := d.FramePlayedAt(t.Context(), begin+time.Duration(n)*100*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if sum(f.Bytes()) != want[n].sum {
				t.Errorf("approximate %v: the frame at %v is another picture", approximate, f.PTS)
			}
		}
		if n := len(d.Track().Descriptions); n != 2 && !approximate {
			t.Errorf("%d descriptions, want 2", n)
		}
	}
}

// TestRequestsOfAFrame opens playlists of five segments of four seconds by an approximate index, over HTTP, and decodes one frame by its time: that
// takes the playlist, the key, and the frame's own segment, with its map. Only where nothing tells what the segments hold the first one is looked at.
func TestRequestsOfAFrame(t *testing.T) {
	for _, p := range playlists {
		t.Run(p.name, func(t *testing.T) {
			dir := testmedia.HLS(t, 20, slices.Concat(p.args, []string{"-hls_time", "4"})...)
			want := decodedBy(t, filepath.Join(dir, "list.m3u8"))
			if err := os.WriteFile(filepath.Join(dir, "master.m3u8"), []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.4d400b\"\nlist.m3u8\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var asked []string
			files := http.FileServer(http.Dir(dir))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, strings.TrimPrefix(r.URL.Path, "/"))
				mu.Unlock()
				files.ServeHTTP(w, r)
			}))
			defer server.Close()
			others := map[string][]string{"fmp4": {"init.mp4"}, "byte ranges": {"list.m4s"}, "AES-128": {"key.bin"}}[p.name]
			segment := map[string]string{"fmp4": "list%d.m4s", "byte ranges": "list.m4s"}[p.name]
			if segment == "" {
				segment = "list%d.ts"
			}
			named := func(n int) string { return strings.ReplaceAll(segment, "%d", fmt.Sprint(n)) }
			at := func(n int) time.Duration { return want[n].timebase.Duration(want[n].pts) }
			for _, way := range []string{"alone", "near", "variant"} {
				o := &sprocket.VideoOptions{Native: true, Approximate: true}
				name, expected := "list.m3u8", slices.Concat([]string{"list.m3u8"}, others)
				switch {
				case way == "near":
					o.Near = at(135)
				case way == "variant":
					name = "master.m3u8"
					expected = append(expected, name)
				case strings.HasSuffix(segment, ".ts"):
					expected = append(expected, named(0)) // no map, and no CODECS
				}
				d := open(t, server.URL+"/"+name, o)
				for _, n := range []int{135, 137, 62} { // in segments 3 and 1
					f, err := d.FramePlayedAt(t.Context(), at(n))
					if err != nil {
						t.Fatal(err)
					}
					if sum(f.Bytes()) != want[n].sum {
						t.Errorf("%s: frame %d is another picture", way, n)
					}
					if n != 137 {
						expected = append(expected, named(n/40))
					}
					mu.Lock()
					got := slices.Sorted(slices.Values(asked))
					mu.Unlock()
					if slices.Sort(expected); !slices.Equal(got, expected) {
						t.Errorf("%s: up to frame %d %v were asked for, want %v", way, n, got, expected)
					}
				}
				if b := d.Metadata().Begin; way == "alone" && p.name == "ts" && b != at(0) {
					t.Errorf("it begins at %v", b)
				}
				f, err := d.FrameAt(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				if sum(f.Bytes()) != want[0].sum || d.Metadata().Begin != f.PTS || d.Len() != len(want) {
					t.Errorf("%s: %d frames from %v on, the first is %+v", way, d.Len(), d.Metadata().Begin, f.FrameInfo)
				}
				mu.Lock()
				asked = nil
				mu.Unlock()
			}
		})
	}
}

// TestFramesOfASegmentThatIsMissing asks for frames of a playlist of which one segment cannot be had: they fail, and say which, and all others are right.
func TestFramesOfASegmentThatIsMissing(t *testing.T) {
	key := func(name string) string {
		return "#EXT-X-KEY:METHOD=AES-128,URI=\"" + name + "\",IV=0x000102030405060708090a0b0c0d0e0f\n"
	}
	for _, tt := range []struct {
		name  string
		kind  int // of playlists
		spoil func(list string) string
		why   string
	}{
		{"no file", 0, func(list string) string { return strings.Replace(list, "list2.ts", "gone2.ts", 1) }, "404"},
		{"no file of fMP4", 1, func(list string) string { return strings.Replace(list, "list2.m4s", "gone2.m4s", 1) }, "404"},
		{"no key", 3, func(list string) string {
			before, rest, _ := strings.Cut(list, "list2.ts\n")
			return before + key("none.bin") + "list2.ts\n" + key("key.bin") + rest
		}, "none.bin"},
		{"another key", 3, func(list string) string {
			before, rest, _ := strings.Cut(list, "list2.ts\n")
			return before + key("key.info.bin") + "list2.ts\n" + key("key.bin") + rest
		}, "another key, or damage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := testmedia.HLS(t, 5, playlists[tt.kind].args...)
			want := decodedBy(t, filepath.Join(dir, "list.m3u8"))
			list, err := os.ReadFile(filepath.Join(dir, "list.m3u8"))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "list.m3u8"), []byte(tt.spoil(string(list))), 0o644)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "key.info.bin"), []byte("0123456789abcdeX"), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(http.FileServer(http.Dir(dir)))
			defer server.Close()
			for _, approximate := range []bool{false, true} {
				d := open(t, server.URL+"/list.m3u8", &sprocket.VideoOptions{Native: true, Approximate: approximate, Workers: 2})
				at := func(n int) time.Duration { return want[n].timebase.Duration(want[n].pts) }
				missing := func(n int, err error) {
					t.Helper()
					if err == nil || !strings.Contains(err.Error(), "segment 2, ") || !strings.Contains(err.Error(), tt.why) {
						t.Errorf("approximate %v: frame %d: error = %v", approximate, n, err)
					}
				}
				for n := range want {
					f, err := d.FramePlayedAt(t.Context(), at(n))
					if n/10 == 2 {
						missing(n, err)
						continue
					}
					if err != nil || sum(f.Bytes()) != want[n].sum {
						t.Fatalf("approximate %v: frame %d: %v", approximate, n, err)
					}
				}
				b, err := d.FramesPlayedAt(t.Context(), []time.Duration{at(19), at(25), at(30)})
				if missing(25, err); b == nil || b.Errs[0] != nil || b.Errs[2] != nil {
					t.Fatalf("approximate %v: batch %+v", approximate, b)
				}
				missing(25, b.Errs[1])
				good, failed := 0, 0
				for f, err := range d.Frames(t.Context()) {
					if err != nil {
						missing(20, err)
						failed++
						continue
					}
					w := want[good+good/20*10]
					if f.Ticks != w.timebase.Convert(w.pts, d.Metadata().Timebase) || sum(f.Bytes()) != w.sum {
						t.Errorf("approximate %v: frame %d, at %v, is another one", approximate, f.N, f.PTS)
					}
					good++
				}
				if good != 40 || failed != 1 {
					t.Errorf("approximate %v: %d frames, and %d that fail", approximate, good, failed)
				}
			}
		})
	}
}

// TestSamplesOfAPlaylist: what is asked for by the length of the track looks at its beginning first.
func TestSamplesOfAPlaylist(t *testing.T) {
	for _, p := range playlists[:2] {
		t.Run(p.name, func(t *testing.T) {
			dir := testmedia.HLS(t, 6, p.args...)
			name := filepath.Join(dir, "master.m3u8")
			if err := os.WriteFile(name, []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.4d400b\"\nlist.m3u8\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			for what, ask := range map[string]func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error){
				"uniform": func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
					return d.Sample(t.Context(), sprocket.Sampling{Uniform: 4})
				},
				"by rate": func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
					return d.Sample(t.Context(), sprocket.Sampling{FPS: 2})
				},
				"the last": func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
					return d.FramesInRange(t.Context(), -3, sprocket.End, 1)
				},
				"by number": func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
					return d.FramesAt(t.Context(), []int{0, 7, 31, -1})
				},
				"from a time": func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
					return d.FramesPlayedInRange(t.Context(), 3*time.Second, 4*time.Second)
				},
				"clips": func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
					c, err := d.ClipsAtRegularTimes(t.Context(), &sprocket.TimeClips{Every: 2 * time.Second, Frames: 2})
					if err != nil {
						return nil, err
					}
					return &sprocket.FrameBatch{Tensor: c.Tensor, Frames: slices.Concat(c.Frames...)}, nil
				},
			} {
				var sums []string
				for _, approximate := range []bool{false, true} {
					b, err := ask(open(t, name, &sprocket.VideoOptions{Approximate: approximate}))
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					text := ""
					for _, f := range b.Frames {
						text += fmt.Sprint(f.Ticks, " ")
					}
					sums = append(sums, text+sum(b.Bytes()))
				}
				if sums[0] != sums[1] || len(sums[0]) < 40 {
					t.Errorf("%s: approximate %s, want %s", what, sums[1], sums[0])
				}
			}
		})
	}
}
