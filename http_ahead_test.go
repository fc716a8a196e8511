//go:build cgo

package sprocket_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	const cache, calls = 5 << 20, 5 // of two GOPs each
	if media < cache*9/8 {
		t.Fatalf("%d bytes of media fit into the cache", media)
	}
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
	var got [calls][]byte
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			b, err := d.FramesInRange(t.Context(), i*300/calls, (i+1)*300/calls, 1)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = b.Bytes()
		})
	}
	for quiet := false; !quiet; time.Sleep(20 * time.Millisecond) {
		mu.Lock()
		quiet = time.Since(arrived) > 500*time.Millisecond
		mu.Unlock()
	}
	mu.Lock()
	if t.Logf("%d bytes asked for by %d calls at once", waiting, calls); waiting > cache*3/4 {
		t.Errorf("%d bytes asked for at once, want at most %d", waiting, cache*3/4)
	}
	hold = false
	mu.Unlock()
	close(gate)
	wg.Wait()
	if sent > media+calls*4*block {
		t.Errorf("%d bytes asked for, of %d", sent, media)
	}
	want, err := open(t, name, nil).FramesInRange(t.Context(), 0, 300, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.Join(got[:], nil), want.Bytes()) {
		t.Error("the frames differ from the local ones")
	}
}
