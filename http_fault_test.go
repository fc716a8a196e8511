//go:build cgo

package sprocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// adversary is a server that fails in all ways it can, as a seed says, and now and then serves another file.
type adversary struct {
	files [2][]byte

	mu      sync.Mutex
	random  *rand.Rand
	current int
	faults  int
	seen    [11]int
}

// next decides on a fault: 0 is none.
func (a *adversary) next() (fault, current int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.random.IntN(2) == 0 {
		return 0, a.current
	}
	fault = 1 + a.random.IntN(8)
	switch a.random.IntN(100) {
	case 0:
		a.current = 1 - a.current
		fault = 9
	case 1: // each costs an idle timeout
		fault = 10
	}
	a.faults++
	a.seen[fault]++
	return fault, a.current
}

func (a *adversary) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.faults
}

func (a *adversary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, current := a.next()
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, current))
	serve := func(w http.ResponseWriter) {
		http.ServeContent(w, r, "clip.mp4", time.Time{}, bytes.NewReader(a.files[current]))
	}
	switch fault {
	case 1: // no response
		panic(http.ErrAbortHandler)
	case 2:
		w.WriteHeader(http.StatusServiceUnavailable)
	case 3: // the connection is reset in the middle
		serve(&breaking{w, 3000})
	case 4: // fewer bytes than were asked for, honestly
		var first, last int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err == nil {
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, (first+last)/2))
		}
		serve(w)
	case 5: // other bytes than were asked for
		r.Header.Set("Range", "bytes=1-2000")
		serve(w)
	case 6: // slow drip
		serve(&dripping{w})
	case 7: // no ranges, this time
		r.Header.Del("Range")
		serve(w)
	case 8:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 10: // nothing more comes
		serve(&stalling{w, 3000, r.Context()})
	default: // well; with 9, of the other file
		serve(w)
	}
}

// dripping sends a little at a time.
type dripping struct{ http.ResponseWriter }

func (w *dripping) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = w.ResponseWriter.Write(p[n:min(n+8<<10, len(p))])
		n += k
		if f, ok := w.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		time.Sleep(time.Millisecond)
	}
	return n, err
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

// stalling sends nothing more after some bytes, until nobody waits.
type stalling struct {
	http.ResponseWriter
	left int
	gone context.Context
}

func (w *stalling) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		w.left -= len(p)
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:w.left]) // it is given up anyway
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	<-w.gone.Done()
	return w.left, w.gone.Err()
}

// Frames over a server that fails in all ways it can are those of the file that was opened, or the file has changed and that is the
// error. Nothing hangs, and nothing is left running.
func TestHTTPFramesUnderAThousandFaults(t *testing.T) {
	a := &adversary{random: rand.New(rand.NewPCG(4, 4))}
	var want [2][]byte
	spread := []int{85, 5, 44, 64, 25}
	var wantSpread [2][]byte
	var stored [2]*seek.StoredIndex
	for i, frames := range []string{"90", "91"} {
		name := makeClip(t, "320x180", frames, "-c:v", "libx264", "-preset", "veryfast", "-g", "20", "-b:v", "3M", "-vf", fmt.Sprintf("hue=h=%d", 90*i))
		var err error
		if a.files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		d := open(t, name, nil)
		all, err := d.FramesInRange(t.Context(), 0, sprocket.End, 1)
		if err != nil {
			t.Fatal(err)
		}
		some, err := d.FramesAt(t.Context(), spread)
		if err != nil {
			t.Fatal(err)
		}
		want[i], wantSpread[i] = all.Bytes(), some.Bytes()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", fmt.Sprintf(`"%d"`, i))
			http.ServeFile(w, r, name)
		}))
		stored[i] = storedIndex(t, s.URL)
		s.Close()
	}
	before := runtime.NumGoroutine()
	s := httptest.NewServer(a)
	defer s.Close()
	most := 1000
	if testing.Short() {
		most = 300
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	right, changed, rangeless := 0, 0, 0
	for round := 0; a.count() < most; round++ {
		opts := &sprocket.VideoOptions{Workers: 1 + round%3}
		if round%4 > 1 { // the index of either file: opening makes no request
			opts.Index = stored[round%2]
		}
		r, err := source.OpenRemote(ctx, s.URL, &source.RemoteOptions{
			HTTP: source.HTTPOptions{
				Expect: opts.Index.Expect(), Retries: 40, Backoff: time.Millisecond, MaxWait: 5 * time.Millisecond, IdleTimeout: 200 * time.Millisecond,
				MaxWhole: -1, // or a server that has no ranges for once makes all further reads free
			},
			Cache: int64(256<<10) << (round % 5), // from too small for what a call needs
		})
		if errors.Is(err, source.ErrNoRanges) {
			rangeless++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		which := 0
		if r.Version() == `"1"` {
			which = 1
		}
		check := func(what string, got, want []byte, err error) {
			t.Helper()
			switch {
			case errors.Is(err, seek.ErrMismatch):
				changed++
			case opts.Index != nil && errors.Is(err, source.ErrNoRanges): // the first request tells
				rangeless++
			case err != nil:
				t.Fatalf("%s: %v", what, err)
			case !bytes.Equal(got, want):
				t.Fatalf("%s: the frames differ", what)
			default:
				right++
			}
		}
		d, err := sprocket.OpenVideo(ctx, r, opts)
		if err != nil {
			check("open", nil, nil, err)
		} else {
			b, err := d.FramesAt(ctx, spread)
			var got []byte
			if err == nil {
				got = b.Bytes()
			}
			check("spread", got, wantSpread[which], err)
			if b, err = d.FramesInRange(ctx, 0, sprocket.End, 1); err == nil {
				got = b.Bytes()
			}
			check("all", got, want[which], err)
			got = nil
			for f, e := range d.Frames(ctx) {
				if err = e; err != nil {
					break
				}
				got = append(got, f.Bytes()...)
			}
			check("in sequence", got, want[which], err)
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d faults %v: %d calls went well, %d found the file changed, %d no ranges", a.count(), a.seen[1:], right, changed, rangeless)
	if right < 3 || changed == 0 && !testing.Short() {
		t.Errorf("%d calls went well, %d found the file changed", right, changed)
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

// A call that waits for bytes returns at once when it is cancelled, with several requests on their way, and leaves nothing running.
func TestHTTPCancelWhileWaiting(t *testing.T) {
	name := makeClip(t, "320x180", "120", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-b:v", "8M", "-movflags", "+faststart")
	before := runtime.NumGoroutine()
	var mu sync.Mutex
	blocked, waiting := false, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		block := blocked
		if block {
			waiting++
		}
		mu.Unlock()
		if block {
			<-r.Context().Done()
			return
		}
		http.ServeFile(w, r, name)
	}))
	defer s.Close()
	calls := map[string]func(context.Context, *sprocket.VideoDecoder) error{
		"FramesAt": func(ctx context.Context, d *sprocket.VideoDecoder) error {
			_, err := d.FramesAt(ctx, []int{25, 45, 65, 85, 105})
			return err
		},
		"FrameAt": func(ctx context.Context, d *sprocket.VideoDecoder) error {
			_, err := d.FrameAt(ctx, 115)
			return err
		},
		"Frames": func(ctx context.Context, d *sprocket.VideoDecoder) error {
			for _, err := range d.Frames(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	for what, call := range calls {
		mu.Lock()
		blocked, waiting = false, 0
		mu.Unlock()
		d, err := sprocket.Open(t.Context(), s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		blocked = true
		mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- call(ctx, d) }()
		for range 1000 {
			mu.Lock()
			n := waiting
			mu.Unlock()
			if n > 0 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		at := time.Now()
		cancel()
		err = <-done
		if took := time.Since(at); took > 100*time.Millisecond {
			t.Errorf("%s returned after %v", what, took)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want canceled", what, err)
		}
		if err := d.Close(); err != nil {
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

// Opening that waits for its first bytes, or for the movie box at the end, returns at once when it is cancelled.
func TestHTTPCancelWhileOpening(t *testing.T) {
	name := makeClip(t, "320x180", "120", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-b:v", "8M")
	before := runtime.NumGoroutine()
	for _, well := range []int64{0, 1} {
		var requests atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		var at time.Time
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) <= well {
				http.ServeFile(w, r, name)
				return
			}
			time.Sleep(20 * time.Millisecond) // so that the caller waits
			at = time.Now()
			cancel()
			<-r.Context().Done()
		}))
		_, err := sprocket.Open(ctx, s.URL, nil)
		took := time.Since(at)
		s.Close() // waits for the handlers
		if !errors.Is(err, context.Canceled) || requests.Load() != well+1 {
			t.Errorf("Open = %v after %d requests, want canceled after %d", err, requests.Load(), well+1)
		}
		if took > 100*time.Millisecond {
			t.Errorf("Open returned after %v", took)
		}
	}
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
