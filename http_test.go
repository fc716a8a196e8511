//go:build cgo

package sprocket_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	url  string
	etag atomic.Bool // it sends one

	mu       sync.Mutex
	requests int
	bytes    int64
	now, max int // requests at once; and the most at the gate
	gate     chan struct{}
	wanted   int // requests that open the gate
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

// together lets the next requests wait until there are n, and then a little for more to come.
func (c *counted) together(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate, c.wanted, c.max = make(chan struct{}), n, 0
}

// most returns how many requests there were at once since together.
func (c *counted) most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.max
}

// come counts a request in, and waits at the gate.
func (c *counted) come(ctx context.Context) {
	c.mu.Lock()
	c.requests++
	c.now++
	gate := c.gate
	if gate != nil {
		c.max = max(c.max, c.now)
	}
	if gate != nil && c.now == c.wanted {
		time.AfterFunc(100*time.Millisecond, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.gate == gate { // or another one came when one had gone
				close(gate)
				c.gate = nil
			}
		})
	}
	c.mu.Unlock()
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-ctx.Done():
	case <-time.After(20 * time.Second): // they do not come; the count tells
	}
}

func count(t *testing.T, name string) *counted {
	t.Helper()
	c := &counted{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.come(r.Context())
		if c.etag.Load() {
			w.Header().Set("ETag", `"one"`)
		}
		http.ServeFile(countedWriter{w, c}, r, name)
		c.mu.Lock()
		c.now--
		c.mu.Unlock()
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

const block = 1 << 10 // of the cache

// blocks returns how many bytes the blocks have that hold [from, to).
func blocks(from, to, size int64) int64 {
	return min((to+block-1)/block*block, size) - from/block*block
}

// budget is a file on a counting server, and what is known of it.
type budget struct {
	*counted
	name  string
	size  int64
	moov  int64
	infos []container.PacketInfo
}

func newBudget(t *testing.T, size, frames string, args ...string) *budget {
	t.Helper()
	b := &budget{name: makeClip(t, size, frames, args...)}
	b.infos, b.moov = packets(t, b.name)
	st, err := os.Stat(b.name)
	if err != nil {
		t.Fatal(err)
	}
	b.size = st.Size()
	b.counted = count(t, b.name)
	return b
}

// want compares what was asked of the server since the last call, exactly.
func (b *budget) want(t *testing.T, what string, requests int, bytes int64) {
	t.Helper()
	n, got := b.take()
	t.Logf("%s: %d requests, %d bytes of %d", what, n, got, b.size)
	if n != requests || got != bytes {
		t.Errorf("%s: %d requests of %d bytes, want %d of %d", what, n, got, requests, bytes)
	}
}

// run returns where the bytes lie that frame n needs: from its key packet to its own.
func (b *budget) run(t *testing.T, x seek.Index, n int) (from, to int64) {
	t.Helper()
	f, err := x.Frame(n)
	if err != nil {
		t.Fatal(err)
	}
	k := f.Packet
	for !b.infos[k].Key {
		k--
	}
	last := b.infos[f.Packet]
	return b.infos[k].Pos, last.Pos + int64(last.Size)
}

func frame(t *testing.T, d *sprocket.VideoDecoder, n int) {
	t.Helper()
	if _, err := d.FrameAt(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

// What opening, the first frame and a frame in the middle cost over HTTP, exactly: requests and bytes. With a stored index opening
// is free.
func TestHTTPBudgets(t *testing.T) {
	encoder := []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-b:v", "12M", "-pix_fmt", "yuv420p"}
	const head = container.HeadSize
	for _, tt := range []struct {
		name string
		args []string
		last bool // the movie box is last
	}{
		{"movie box first", []string{"-movflags", "+faststart"}, false},
		{"movie box last", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newBudget(t, "1920x1080", "150", append(encoder, tt.args...)...)
			d := open(t, s.url, nil)
			opened := int64(head)
			if tt.last {
				opened += s.size - s.moov/block*block
				s.want(t, "open", 2, opened)
			} else {
				s.want(t, "open", 1, opened)
			}
			frame(t, d, 0)
			from, to := s.run(t, d.Index(), 0)
			if to <= head {
				s.want(t, "first frame", 0, 0)
			} else {
				s.want(t, "first frame", 1, blocks(head, to, s.size))
				opened += blocks(head, to, s.size)
			}
			if most := s.size - s.moov + to - from + 256<<10; tt.last && opened > most {
				t.Errorf("%d bytes for the first frame, want at most %d", opened, most)
			}
			frame(t, d, 70)
			from, to = s.run(t, d.Index(), 70)
			s.want(t, "frame 70", 1, blocks(from, to, s.size))
			if over := blocks(from, to, s.size) - (to - from); over*10 > to-from {
				t.Errorf("%d bytes more than the %d from the key packet on", over, to-from)
			}
			frame(t, d, 71)
			frame(t, d, 0)
			if n, got := s.take(); n > 1 || got > int64(s.infos[72].Size+s.infos[73].Size+s.infos[74].Size)+2*block {
				t.Errorf("frame 71 and again frame 0: %d requests, %d bytes", n, got)
			}
			if st := d.Stats(); st.HTTP.Requests == 0 || st.HTTP.Retries != 0 || st.Blocks.Hits == 0 || st.Waited <= 0 {
				t.Errorf("Stats() = %+v", st)
			}

			// The server has no ETag, so the stored index is believed by the head.
			stored := storedIndex(t, s.url)
			s.take()
			open(t, s.url, &sprocket.VideoOptions{Index: stored})
			s.want(t, "open with an index, no ETag", 1, head)
			s.etag.Store(true)
			stored = storedIndex(t, s.url)
			s.take()
			d = open(t, s.url, &sprocket.VideoOptions{Index: stored})
			s.want(t, "open with an index", 0, 0)
			frame(t, d, 0)
			from, to = s.run(t, d.Index(), 0)
			s.want(t, "first frame with an index", 1, blocks(from, to, s.size))
			frame(t, d, 100)
			from, to = s.run(t, d.Index(), 100)
			s.want(t, "frame 100 with an index", 1, blocks(from, to, s.size))
		})
	}
}

// Whether fields come in packets of their own is told by the first 16 packets, whose heads take one request, whatever lies between them.
func TestHTTPInterlaced(t *testing.T) {
	s := newBudget(t, "1280x720", "40", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "20", "-flags", "+ilme+ildct", "-b:v", "16M",
		"-pix_fmt", "yuv420p", "-movflags", "+faststart")
	if last := s.infos[15]; last.Pos < 2*container.HeadSize {
		t.Fatalf("packet 15 begins at byte %d", last.Pos)
	}
	for _, o := range []*sprocket.VideoOptions{nil, {Approximate: true}} {
		d := open(t, s.url, o)
		frame(t, d, 0)
		if n, got := s.take(); n > 3 {
			t.Errorf("%+v: open and first frame: %d requests, %d bytes", o, n, got)
		}
	}
}

func storedIndex(t *testing.T, url string) *seek.StoredIndex {
	t.Helper()
	r, err := source.OpenRemote(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := mp4.Open(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := seek.Build(t.Context(), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	id, err := seek.Identify(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	data, err := x.AppendIndex(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := seek.LoadIndex(data, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Frames spread over a file are fetched at once, each GOP by one request; and what was guessed is what is decoded.
func TestHTTPFramesAtOnce(t *testing.T) {
	s := newBudget(t, "640x360", "300", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "15", "-b:v", "8M", "-movflags", "+faststart")
	local := open(t, s.name, nil)
	d := open(t, s.url, &sprocket.VideoOptions{Workers: 1})
	s.take()
	var spread []int
	for n := 22; n < 300; n += 15 { // one in each GOP but the first
		spread = append(spread, n)
	}
	// The server answers none of the requests before as many have come as may at once.
	s.together(8)
	got, err := d.FramesAt(t.Context(), spread)
	if err != nil {
		t.Fatal(err)
	}
	want, err := local.FramesAt(t.Context(), spread)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("the frames differ from the local ones")
	}
	var sum int64
	for _, n := range spread {
		from, to := s.run(t, d.Index(), n)
		sum += blocks(from, to, s.size)
	}
	s.want(t, "19 frames spread over the file", len(spread), sum)
	if s.most() != 8 {
		t.Errorf("%d requests at once, want 8", s.most())
	}

	// In sequence: pieces of 4 MiB where all is wanted, beginning with 1 MiB where the caller may stop.
	pieces := func(most, limit int64) (n int) {
		from := int64(-1)
		for _, p := range s.infos {
			if end := p.Pos + int64(p.Size); from < 0 || end-from > most {
				if from >= 0 {
					most = min(2*most, limit)
				}
				from = p.Pos
				n++
			}
		}
		return n
	}
	media := blocks(container.HeadSize, s.infos[299].Pos+int64(s.infos[299].Size), s.size)
	for _, workers := range []int{1, 3} {
		d = open(t, s.url, &sprocket.VideoOptions{Workers: workers})
		s.take()
		all, err := d.FramesInRange(t.Context(), 0, sprocket.End, 1)
		if err != nil || all.Shape()[0] != 300 {
			t.Fatal(err)
		}
		s.want(t, "10 s in a batch", pieces(4<<20, 4<<20), media)
	}
	d = open(t, s.url, nil)
	s.take()
	for _, err := range d.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.want(t, "10 s in sequence", pieces(1<<20, 4<<20), media)
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
