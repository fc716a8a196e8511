package hls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

func newCache(budget int64, least, most int, freed *[]string) *cache[string, string] {
	return &cache[string, string]{
		budget: budget, least: least, most: most,
		size: func(v string) int64 { return int64(len(v)) },
		free: func(v string) { *freed = append(*freed, v) },
	}
}

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	var freed []string
	c := newCache(10, 1, 3, &freed)
	got := 0
	use := func(key, value string) (done func()) {
		t.Helper()
		v, done, err := c.use(t.Context(), key, func() (string, error) { got++; return value, nil })
		if err != nil || v != value {
			t.Fatalf("use(%q) = %q, %v, want %q", key, v, err, value)
		}
		return done
	}
	use("a", "aaaa")()
	use("b", "bbbb")()
	use("a", "aaaa")()
	use("c", "cccc")() // 12 bytes
	held := use("a", "aaaa")
	use("d", "dddddddddddd")() // what is in use stays
	if want := []string{"bbbb", "cccc", "dddddddddddd"}; !slices.Equal(freed, want) || got != 4 {
		t.Errorf("%v were dropped, want %v; %d were got", freed, want, got)
	}
	c.forget("a")
	again := use("a", "new!") // while the old one is in use
	held()
	again()
	if want := []string{"bbbb", "cccc", "dddddddddddd", "aaaa"}; !slices.Equal(freed, want) || c.used != 4 {
		t.Errorf("%v were dropped, want %v; %d bytes are kept", freed, want, c.used)
	}
	for i := range 5 {
		use(fmt.Sprint(i), "x")()
	}
	if len(c.all) != 3 || c.recent.Len() != 3 || c.used != 3 {
		t.Errorf("%d are kept, of %d bytes, want 3", len(c.all), c.used)
	}
	last := use("last", "z")
	c.close()
	last()
	if len(c.all) != 0 || len(freed) != 11 {
		t.Errorf("%d are kept after close; %v were dropped", len(c.all), freed)
	}
}

func TestCacheGetsOnceForAll(t *testing.T) {
	var freed []string
	c := newCache(10, 1, 3, &freed)
	wrong := errors.New("wrong")
	var wg sync.WaitGroup
	var mu sync.Mutex
	attempts, failed := 0, 0
	for range 8 {
		wg.Go(func() {
			v, done, err := c.use(t.Context(), "a", func() (string, error) {
				mu.Lock()
				defer mu.Unlock()
				if attempts++; attempts == 1 {
					return "", wrong
				}
				return "aaaa", nil
			})
			if err != nil {
				mu.Lock()
				failed++
				mu.Unlock()
				return
			}
			if done(); v != "aaaa" {
				t.Errorf("got %q", v)
			}
		})
	}
	wg.Wait()
	if attempts != 2 || failed != 1 {
		t.Errorf("%d attempts, of which %d failed, want 2 and 1", attempts, failed)
	}
}

// TestMapsAreKeptByTheirBytes: a playlist may have as many maps as segments.
func TestMapsAreKeptByTheirBytes(t *testing.T) {
	s := &stage{list: func(time.Duration) string { return window(0, 0, "#EXT-X-ENDLIST\n") }}
	d := s.open(t)
	for i := range 40 {
		if _, err := d.streams[0].blob(t.Context(), fmt.Sprint(i), func() ([]byte, error) { return make([]byte, 1<<20), nil }); err != nil {
			t.Fatal(err)
		}
	}
	if d.blobs.used > blobBytes || len(d.blobs.all) < 30 {
		t.Errorf("%d maps of %d bytes are kept", len(d.blobs.all), d.blobs.used)
	}
}

// TestFramesOfSoundAreBounded: seven bytes are a frame.
func TestFramesOfSoundAreBounded(t *testing.T) {
	segment := bytes.Repeat([]byte{0xff, 0xf1, 0x50, 0x80, 0x00, 0xff, 0xfc}, 100_000)
	limits := container.Limits{HeaderBytes: 8 << 20}
	if _, err := (packedAudio{}).Open(t.Context(), bytes.NewReader(segment), &container.Options{Limits: limits}); !errors.Is(err, container.ErrLimit) {
		t.Errorf("100000 frames: error = %v, want ErrLimit", err)
	}
	s := &stage{
		list:  func(time.Duration) string { return window(0, 99, "#EXT-X-ENDLIST\n") },
		media: func(int) []byte { return segment[:7*10_000] },
	}
	d, err := Open(t.Context(), actor{bytes.NewReader([]byte(s.list(0))), s}, &Options{Options: container.Options{Limits: limits}, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err = range d.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			break
		}
		n++
	}
	if !errors.Is(err, container.ErrLimit) || !strings.Contains(err.Error(), "segment 20") || n != 200_000 {
		t.Errorf("%d frames are listed, error = %v, want ErrLimit in segment 20", n, err)
	}
}
