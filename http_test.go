//go:build cgo

package sprocket_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// counted is a server of one file that counts.
type counted struct {
	url string

	mu       sync.Mutex
	requests int
	bytes    int64
}

type countedWriter struct {
	http.ResponseWriter
	c *counted
}

func (w countedWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	w.c.bytes += int64(len(p)) // before the client can see them
	w.c.mu.Unlock()
	return w.ResponseWriter.Write(p)
}

// take returns the counts since it was called last.
func (c *counted) take() (requests int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	requests, bytes = c.requests, c.bytes
	c.requests, c.bytes = 0, 0
	return requests, bytes
}

func count(t *testing.T, name string) *counted {
	t.Helper()
	c := &counted{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.requests++
		c.mu.Unlock()
		http.ServeFile(countedWriter{w, c}, r, name)
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// packets lists the first track of a file, and where its movie box begins.
func packets(t *testing.T, name string) (infos []container.PacketInfo, moov int64) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d, err := mp4.Open(t.Context(), bytes.NewReader(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, p)
	}
	return infos, int64(bytes.LastIndex(data, []byte("moov"))) - 4
}

const block = 4 << 10 // of the cache

// blocks returns how many bytes the blocks have that hold [from, to).
func blocks(from, to, size int64) int64 {
	return min((to+block-1)/block*block, size) - from/block*block
}

// What opening, the first frame and a frame in the middle cost over HTTP, exactly: requests and bytes.
func TestHTTPBudgets(t *testing.T) {
	encoder := []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-b:v", "12M", "-pix_fmt", "yuv420p"}
	for _, tt := range []struct {
		name string
		args []string
		last bool // the movie box is last
	}{
		{"movie box first", []string{"-movflags", "+faststart"}, false},
		{"movie box last", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := makeClip(t, "1920x1080", "150", append(encoder, tt.args...)...)
			infos, moov := packets(t, name)
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			s := count(t, name)
			step := func(what string, requests int, want int64) {
				t.Helper()
				n, got := s.take()
				t.Logf("%s: %d requests, %d bytes of %d", what, n, got, st.Size())
				if n != requests || got != want {
					t.Errorf("%s: %d requests of %d bytes, want %d of %d", what, n, got, requests, want)
				}
			}
			const head = container.HeadSize
			d := open(t, s.url, nil)
			if tt.last {
				step("open", 2, head+st.Size()-moov/block*block)
			} else {
				step("open", 1, head)
			}
			frame := func(n int) {
				t.Helper()
				if _, err := d.FrameAt(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			frame(0)
			if end := infos[0].Pos + int64(infos[0].Size); end <= head {
				step("first frame", 0, 0)
			} else {
				step("first frame", 1, blocks(head, end, st.Size()))
			}
			frame(70)
			run := infos[60:]
			if !run[0].Key {
				t.Fatal("packet 60 is no key packet")
			}
			i := 0
			for f := range run {
				if x, err := d.Index().Frame(70); err != nil || x.Packet == run[f].N {
					i = f
					break
				}
			}
			from, to := run[0].Pos, run[i].Pos+int64(run[i].Size)
			looked := blocks(from, min(from+2048, to), st.Size()) // what the key packet is
			step("frame 70", 2, looked+blocks(from/block*block+looked, to, st.Size()))
			if over := blocks(from, to, st.Size()) - (to - from); over*10 > to-from {
				t.Errorf("%d bytes more than the %d from the key packet on", over, to-from)
			}
			frame(71)
			frame(0)
			if n, got := s.take(); n > 1 || got > int64(infos[72].Size+infos[73].Size+infos[74].Size)+2*block {
				t.Errorf("frame 71 and again frame 0: %d requests, %d bytes", n, got)
			}
			if h := d.Stats().HTTP; h.Requests == 0 || h.Retries != 0 {
				t.Errorf("Stats().HTTP = %+v", h)
			}
		})
	}
}

// Frames over a server that fails in all ways it can are those of the file.
func TestHTTPFramesAreTheFiles(t *testing.T) {
	name := makeClip(t, "320x180", "90", "-c:v", "libx264", "-preset", "veryfast", "-g", "20", "-b:v", "3M")
	want, err := open(t, name, nil).FramesInRange(t.Context(), 0, sprocket.End, 1)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(4, 4))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		kind := random.IntN(6)
		mu.Unlock()
		switch kind {
		case 0:
			panic(http.ErrAbortHandler)
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			http.ServeFile(&breaking{w, 3000}, r, name)
		default:
			http.ServeFile(w, r, name)
		}
	}))
	defer s.Close()
	for range 5 {
		r, err := source.OpenRemote(t.Context(), s.URL, &source.HTTPOptions{Retries: 30, Backoff: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		d, err := sprocket.OpenVideo(t.Context(), r, &sprocket.VideoOptions{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.FramesInRange(t.Context(), 0, sprocket.End, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Error("the frames differ")
		}
		i := 0
		for f, err := range d.Frames(t.Context()) {
			if err != nil || !bytes.Equal(f.Bytes(), want.Index(i).Bytes()) {
				t.Fatalf("frame %d differs: %v", i, err)
			}
			i++
		}
		if err := errors.Join(d.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}
	s.Close()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// breaking breaks the connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (w *breaking) Write(p []byte) (int, error) {
	if len(p) > w.left {
		_, _ = w.ResponseWriter.Write(p[:w.left]) // it breaks anyway
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

func TestHTTPFileThatChangesEndsTheCall(t *testing.T) {
	args := []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-b:v", "20M"}
	one, two := makeClip(t, "640x360", "40", args...), makeClip(t, "640x360", "41", args...)
	served := filepath.Join(t.TempDir(), "served.mp4")
	put := func(name string, at int64) {
		t.Helper()
		data, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(served, data, 0o600)
		}
		if err == nil {
			err = os.Chtimes(served, time.Time{}, time.Unix(at, 0))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(one, 1e9)
	d := open(t, count(t, served).url, &sprocket.VideoOptions{KeepDamaged: true})
	put(two, 2e9)
	if _, err := d.FrameAt(t.Context(), 25); !errors.Is(err, seek.ErrMismatch) {
		t.Errorf("FrameAt = %v, want seek.ErrMismatch", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.FrameAt(ctx, 25); !errors.Is(err, context.Canceled) {
		t.Errorf("FrameAt = %v, want canceled", err)
	}
}
