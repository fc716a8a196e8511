package hls_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// logged serves a folder and notes what is asked for.
type logged struct {
	mu    sync.Mutex
	names []string
}

func (l *logged) serve(t *testing.T, dir string) *httptest.Server {
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.names = append(l.names, path.Base(r.URL.Path))
		l.mu.Unlock()
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (l *logged) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := l.names
	l.names = nil
	return names
}

// kinds are the ways in which segments are stored.
var kinds = map[string]struct {
	args []string
	open []string // what opening asks for
	one  []string // what one more frame, at 7.5 s, asks for
}{
	"ts":        {nil, []string{"list.m3u8", "list0.ts"}, []string{"list7.ts"}},
	"fmp4":      {[]string{"-hls_segment_type", "fmp4"}, []string{"list.m3u8", "init.mp4"}, []string{"list7.m4s"}},
	"byterange": {[]string{"-hls_segment_type", "fmp4", "-hls_flags", "single_file"}, []string{"list.m3u8", "list.m4s"}, []string{"list.m4s"}},
	"aes-128":   {[]string{"-hls_key_info_file", "key.info"}, []string{"list.m3u8", "key.bin", "list0.ts"}, []string{"list7.ts"}},
}

// TestOneFrameTakesOneSegment counts what a server is asked for.
func TestOneFrameTakesOneSegment(t *testing.T) {
	for name, tt := range kinds {
		t.Run(name, func(t *testing.T) {
			dir := testmedia.HLS(t, 10, tt.args...)
			var log logged
			src, err := source.OpenRemote(t.Context(), log.serve(t, dir).URL+"/list.m3u8", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			d, err := hls.Open(t.Context(), src, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if got := log.take(); !slices.Equal(got, tt.open) {
				t.Errorf("opening asks for %v, want %v", got, tt.open)
			}
			tb := d.Tracks()[0].Timebase
			e, err := d.Estimate(t.Context(), 0)
			if err != nil || e.Duration != tb.Ticks(10e9) || e.Points != 10 {
				t.Errorf("Estimate = %+v, %v", e, err)
			}
			at := tb.Ticks(7.5e9)
			if name == "ts" || name == "aes-128" {
				at += tb.Ticks(14e8) // ffmpeg's streams begin at 1.4 s and the reordering delay
			}
			key, err := d.Locate(t.Context(), 0, at)
			if err != nil {
				t.Fatal(err)
			}
			var p container.Packet
			if err := d.Read(t.Context(), 0, key, &p); err != nil {
				t.Fatal(err)
			}
			if got := log.take(); !slices.Equal(got, tt.one) {
				t.Errorf("a frame asks for %v, want %v", got, tt.one)
			}
			if !key.Key || key.PTS > at || at-key.PTS > tb.Ticks(1e9) {
				t.Errorf("Locate(%d) = %+v", at, key)
			}
			same(t, d, openFile(t, filepath.Join(dir, "list.m3u8"), nil), 100)
			if got := log.take(); len(got) > 10 {
				t.Errorf("listing all asks for %d segments, want each once: %v", len(got), got)
			}
		})
	}
}

// same compares all packets of two demuxers, and their bytes.
func same(t *testing.T, a, b *hls.Demuxer, n int) {
	t.Helper()
	x, y := list(t, a, 0), list(t, b, 0)
	if len(x) != n || !slices.Equal(x, y) {
		t.Fatalf("%d packets and %d, want %d", len(x), len(y), n)
	}
	var p, q container.Packet
	for i := range x {
		if err := a.Read(t.Context(), 0, x[i], &p); err != nil {
			t.Fatal(err)
		}
		if err := b.Read(t.Context(), 0, y[i], &q); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Data, q.Data) {
			t.Fatalf("packet %d has other bytes", i)
		}
	}
}

// TestEncryptedIsAsInTheClear compares with the same pictures not encrypted.
func TestEncryptedIsAsInTheClear(t *testing.T) {
	dark, light := testmedia.HLS(t, 10, kinds["aes-128"].args...), testmedia.HLS(t, 10)
	same(t, openFile(t, filepath.Join(dark, "list.m3u8"), nil), openFile(t, filepath.Join(light, "list.m3u8"), nil), 100)
	if err := os.WriteFile(filepath.Join(dark, "key.bin"), []byte("0123456789abcdeX"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := source.OpenFile(filepath.Join(dark, "list.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := hls.Open(t.Context(), f, nil); err == nil || !strings.Contains(err.Error(), "does not decrypt with key") || !strings.Contains(err.Error(), "segment 0") {
		t.Errorf("with another key: error = %v", err)
	}
}
