//go:build cgo

package sprocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/source"
)

// Calls on one source at the same time fetch hardly more ahead together than one may alone, so that nothing is thrown out of the cache before it
// was read: no byte comes twice.
func TestHTTPConcurrentCallsShareTheCache(t *testing.T) {
	name := makeClip(t, "640x360", "300", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-b:v", "8M", "-movflags", "+faststart")
	infos, _ := packets(t, name)
	media := int64(0)
	for _, p := range infos {
		media += int64(p.Size)
	}
	const cache = 5 << 20
	if media < cache*9/8 {
		t.Fatalf("%d bytes of media fit into the cache", media)
	}
	want, err := open(t, name, nil).FramesInRange(t.Context(), 0, 300, 1)
	if err != nil {
		t.Fatal(err)
	}
	for calls, most := range map[int]int64{1: cache / 2, 5: cache * 3 / 4} { // five have two GOPs each
		t.Run(fmt.Sprintf("%d calls", calls), func(t *testing.T) { fetchAtOnce(t, name, cache, calls, most, media, want.Bytes()) })
	}
}

// fetchAtOnce decodes a file by several calls at the same time, and looks at what is asked for before anything comes, and in all.
func fetchAtOnce(t *testing.T, name string, cache int64, calls int, most, media int64, want []byte) {
	var mu sync.Mutex
	gate := make(chan struct{})
	var waiting, sent int64
	arrived := time.Now()
	hold := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var first, last int64
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil {
			t.Errorf("Range %q: %v", r.Header.Get("Range"), err)
		}
		mu.Lock()
		held := hold
		if sent += last - first + 1; held {
			waiting += last - first + 1
			arrived = time.Now()
		}
		mu.Unlock()
		if held {
			<-gate
		}
		http.ServeFile(w, r, name)
	}))
	defer s.Close()
	r, err := source.OpenRemote(t.Context(), s.URL, &source.RemoteOptions{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d, err := sprocket.OpenVideo(t.Context(), r, &sprocket.VideoOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	mu.Lock()
	hold, sent, arrived = true, 0, time.Now()
	mu.Unlock()
	got := make([][]byte, calls)
	var wg sync.WaitGroup
	for i := range calls {
		mu.Lock()
		before := waiting
		mu.Unlock()
		wg.Go(func() {
			b, err := d.FramesInRange(t.Context(), i*300/calls, (i+1)*300/calls, 1)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = b.Bytes()
		})
		// One after the other: two that begin at the same moment size their first pieces by what was left before either took it.
		for begun, waited := false, time.Now(); !begun && time.Since(waited) < 10*time.Second; time.Sleep(time.Millisecond) {
			mu.Lock()
			begun = waiting > before
			mu.Unlock()
		}
	}
	for quiet := false; !quiet; time.Sleep(20 * time.Millisecond) {
		mu.Lock()
		quiet = time.Since(arrived) > 500*time.Millisecond
		mu.Unlock()
	}
	mu.Lock()
	if t.Logf("%d bytes asked for by %d calls at once", waiting, calls); waiting > most {
		t.Errorf("%d bytes asked for at once, want at most %d", waiting, most)
	}
	hold = false
	mu.Unlock()
	close(gate)
	wg.Wait()
	if sent > media+int64(calls)*4*block {
		t.Errorf("%d bytes asked for, of %d", sent, media)
	}
	if !bytes.Equal(bytes.Join(got, nil), want) {
		t.Error("the frames differ from the local ones")
	}
}

// Sound between the packets of a picture track is fetched with them, where it is no more than a hole.
func TestHTTPReadsThroughHoles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "clip.mp4")
	run(t, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "6",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-b:v", "1M", "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", name)
	s := &budget{counted: count(t, name), name: name}
	s.infos, s.moov = packets(t, name)
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	s.size = st.Size()
	for hole, requests := range map[int64]int{0: 1, -1: 2} { // the default, and none
		r, err := source.OpenRemote(t.Context(), s.url, &source.RemoteOptions{Ahead: source.Ahead{Hole: hole}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := sprocket.OpenVideo(t.Context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.take()
		frame(t, d, 120)
		from, to := s.run(t, d.Index(), 120)
		n, got := s.take()
		t.Logf("hole %d: %d requests, %d bytes of the %d from the key packet on", hole, n, got, to-from)
		if n < requests || hole == 0 && (n != 1 || got != blocks(from, to, s.size)) {
			t.Errorf("hole %d: %d requests of %d bytes, want %d of %d", hole, n, got, requests, blocks(from, to, s.size))
		}
		if err := errors.Join(d.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}
}
