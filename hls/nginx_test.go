package hls_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

func openURL(t *testing.T, url string, o *hls.Options) (*hls.Demuxer, *source.Remote) {
	t.Helper()
	src, err := source.OpenRemote(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	d, err := hls.Open(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d, src
}

// TestNginx reads from a real server.
func TestNginx(t *testing.T) {
	for name, tt := range kinds {
		t.Run(name, func(t *testing.T) {
			dir := testmedia.HLS(t, 10, tt.args...)
			d, src := openURL(t, testmedia.StartNginx(t, dir).URL+"/list.m3u8", nil)
			if got, want := src.HTTP.Stats().Requests, int64(len(tt.open)); got != want {
				t.Errorf("opening takes %d requests, want %d: %v", got, want, tt.open)
			}
			tb := d.Tracks()[0].Timebase
			key, err := d.Locate(t.Context(), 0, tb.Ticks(78e8))
			if err != nil {
				t.Fatal(err)
			}
			var p container.Packet
			if err := d.Read(t.Context(), 0, key, &p); err != nil {
				t.Fatal(err)
			}
			if got, want := src.HTTP.Stats().Requests, int64(len(tt.open)+len(tt.one)); got != want {
				t.Errorf("opening and a frame take %d requests, want %d: %v, %v", got, want, tt.open, tt.one)
			}
			same(t, d, openFile(t, filepath.Join(dir, "list.m3u8"), nil), 100)
		})
	}
}

// event is a live playlist that grows in a folder: a window of the segments of one that was made before.
type event struct {
	from, dir string
	head      []string   // what holds for all segments
	segments  [][]string // the lines of each, the last of which is its name
	there     int        // segments that were added
}

// newEvent has added no segment yet.
func newEvent(t *testing.T, from string) *event {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(from, "list.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	e := &event{from: from, dir: t.TempDir()}
	var segment []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#EXT-X-MAP:"), strings.HasPrefix(line, "#EXT-X-KEY:"):
			e.head = append(e.head, line)
		case strings.HasPrefix(line, "#EXTINF:"):
			segment = append(segment, line)
		case line != "" && !strings.HasPrefix(line, "#"):
			e.segments = append(e.segments, append(segment, line))
			segment = nil
		}
	}
	for _, name := range []string{"init.mp4", "key.bin"} {
		if data, err := os.ReadFile(filepath.Join(from, name)); err == nil {
			if err := os.WriteFile(filepath.Join(e.dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return e
}

const windowed = 4 // segments of the window

// add puts segments in place up to n of them, moves the window, and deletes what has left it. The playlist is replaced whole.
func (e *event) add(n int) error {
	n = min(n, len(e.segments))
	name := func(i int) string { return e.segments[i][len(e.segments[i])-1] }
	for ; e.there < n; e.there++ {
		if err := os.Link(filepath.Join(e.from, name(e.there)), filepath.Join(e.dir, name(e.there))); err != nil {
			return err
		}
	}
	first := max(n-windowed, 0)
	lines := append([]string{"#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1", fmt.Sprint("#EXT-X-MEDIA-SEQUENCE:", first)}, e.head...)
	lines = append(lines, slices.Concat(e.segments[first:n]...)...)
	if n == len(e.segments) {
		lines = append(lines, "#EXT-X-ENDLIST")
	}
	list := filepath.Join(e.dir, "list.m3u8")
	err := os.WriteFile(list+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	if err == nil {
		err = os.Rename(list+".new", list)
	}
	for i := 0; i < first && err == nil; i++ {
		if e := os.Remove(filepath.Join(e.dir, name(i))); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = e
		}
	}
	return err
}

// TestNginxLive follows a playlist that grows, and whose segments are deleted, to its end. It grows by one segment whenever the first packet of one
// was read, but pauses once for longer than a target duration: so a reader that is slow misses nothing, and one that is fast must wait.
func TestNginxLive(t *testing.T) {
	if testing.Short() {
		t.Skip("long: a live playlist is loaded once a second")
	}
	for _, name := range []string{"ts", "fmp4", "aes-128"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := testmedia.HLS(t, 10, kinds[name].args...)
			whole := openFile(t, filepath.Join(from, "list.m3u8"), nil)
			want := list(t, whole, 0)
			e := newEvent(t, from)
			if err := e.add(windowed - 1); err != nil {
				t.Fatal(err)
			}
			server := testmedia.StartNginx(t, e.dir)
			late, _ := openURL(t, server.URL+"/late/list.m3u8", &hls.Options{Cache: 1})
			old := list(t, late, 0)
			began := time.Now()
			d, _ := openURL(t, server.URL+"/list.m3u8", nil)

			reached := make(chan int, len(e.segments))
			var grow sync.WaitGroup
			var wrong error
			grow.Go(func() {
				for i := range reached {
					if i == windowed-1 {
						time.Sleep(1200 * time.Millisecond)
					}
					if err := e.add(i + windowed); err != nil && wrong == nil {
						wrong = err
					}
				}
			})
			got := follow(t, d, whole, want, reached)
			elapsed := time.Since(began)
			close(reached)
			grow.Wait()
			if wrong != nil {
				t.Fatal(wrong)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d packets, want the %d of the whole: %+v", len(got), len(want), got)
			}

			var p container.Packet
			err := late.Read(t.Context(), 0, old[0], &p)
			if !errors.Is(err, hls.ErrGone) || !strings.Contains(err.Error(), "segment 0") {
				t.Errorf("reading what slid out: error = %v", err)
			}
			asked := server.Asked(t)
			loads := asked["list.m3u8"]
			// Three segments are there when it begins, and three more each time all are read. 6.3.4: half a target duration between loads at least.
			if most := 1 + int(elapsed/(500*time.Millisecond)); loads < 4 || loads > most {
				t.Errorf("the playlist was loaded %d times in %v, want 4 to %d", loads, elapsed, most)
			}
			delete(asked, "list.m3u8")
			for file, n := range asked {
				if n != 1 {
					t.Errorf("%s was asked for %d times, want once", file, n)
				}
			}
			others := map[string]int{"ts": 0, "fmp4": 1, "aes-128": 1}[name] // the map, the key
			if len(asked) != len(e.segments)+others {
				t.Errorf("%d files were asked for, want %d: %v", len(asked), len(e.segments)+others, asked)
			}
		})
	}
}

// follow reads all packets, tells of each segment that is reached, and compares the bytes with those of the whole.
func follow(t *testing.T, d, whole *hls.Demuxer, want []container.PacketInfo, reached chan<- int) (got []container.PacketInfo) {
	t.Helper()
	var p, q container.Packet
	last := -1
	for {
		err := d.Next(t.Context(), &p)
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Errorf("behind packet %d: %v", len(got), err)
			return got
		}
		if len(got) == len(want) {
			t.Errorf("packet %+v behind the last", p.PacketInfo)
			return got
		}
		if err := whole.Read(t.Context(), 0, want[len(got)], &q); err != nil || !bytes.Equal(p.Data, q.Data) {
			t.Errorf("packet %d has other bytes, %v", len(got), err)
		}
		got = append(got, p.PacketInfo)
		if i := int(p.Pos >> 32); i != last {
			last = i
			reached <- i
		}
	}
}
