package sprocket

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestCacheGivesWhatWasDecoded(t *testing.T) {
	d := openClip(t, gops(4, true), &VideoOptions{CacheBytes: 1 << 20})
	want := linearHashes(t, openClip(t, gops(4, true), nil))
	if _, err := d.FramesAt(t.Context(), []int{3, 25, 3, 7}); err != nil {
		t.Fatal(err)
	}
	read, _ := cost(t, d, func() error {
		for _, n := range []int{7, 3, 25} {
			f, err := d.FrameAt(t.Context(), n)
			if err != nil {
				return err
			}
			if hash(f.Tensor) != want[n] || f.N != n || f.PixelFormat != "fake" || f.NativeWidth != 4 {
				t.Errorf("frame %d of the cache is another: %+v", n, f)
			}
			clear(f.Bytes()) // the caller's: it must not be the cache's
		}
		b, err := d.FramesAt(t.Context(), []int{25, 3, 3, 7})
		if err != nil {
			return err
		}
		for i, n := range []int{25, 3, 3, 7} {
			if hash(b.Index(i)) != want[n] || b.Frames[i].N != n {
				t.Errorf("slot %d is not frame %d", i, n)
			}
		}
		return nil
	})
	if s := d.Stats(); read != 0 || s.Hits != 6 {
		t.Errorf("%d packets were read and %d frames came from the cache, want 0 and 6", read, s.Hits)
	}
	// Only what is not there is decoded: frame 26 is one packet after 25, which nobody decodes again.
	if read, _ := cost(t, d, func() error { _, err := d.FramesAt(t.Context(), []int{0, 3}); return err }); read != 1 {
		t.Errorf("%d packets were read for frame 0, want 1", read)
	}
}

func TestCacheKeepsItsBudget(t *testing.T) {
	const frames = 3
	one := int64(3*2*4 + storedOverhead)
	d := openClip(t, gops(4, false), &VideoOptions{CacheBytes: frames*one + one/2})
	at := func(n int) (read int64) {
		read, _ = cost(t, d, func() error { _, err := d.FrameAt(t.Context(), n); return err })
		return read
	}
	for _, n := range []int{0, 10, 20} {
		at(n)
	}
	at(0) // used again: 10 is now the oldest
	at(30)
	if d.cache.bytes != frames*one {
		t.Errorf("%d bytes are kept, want %d", d.cache.bytes, frames*one)
	}
	for n, want := range map[int]int64{0: 0, 20: 0, 30: 0} {
		if read := at(n); read != want {
			t.Errorf("frame %d: %d packets were read, want %d", n, read, want)
		}
	}
	if read := at(10); read != 1 {
		t.Errorf("the oldest frame: %d packets were read, want 1", read)
	}
	small := openClip(t, gops(1, false), &VideoOptions{CacheBytes: 5})
	if _, err := small.FrameAt(t.Context(), 0); err != nil || small.cache.bytes != 0 || len(small.cache.frames) != 0 {
		t.Errorf("a frame larger than the cache: %d bytes kept, %v", small.cache.bytes, err)
	}
}

func TestACachedFrameIsDecodedOnceForAll(t *testing.T) {
	c := gops(6, false)
	d := openClip(t, c, &VideoOptions{CacheBytes: 1 << 20, Workers: 2})
	want := linearHashes(t, openClip(t, gops(6, false), nil))
	var wg sync.WaitGroup
	for g := range uint64(8) {
		r := rand.New(rand.NewPCG(g, 9))
		wg.Go(func() {
			for range 30 {
				ns := []int{10 * r.IntN(6), 10 * r.IntN(6), 10 * r.IntN(6)}
				b, err := d.FramesAt(t.Context(), ns)
				if err != nil {
					t.Error(err)
					return
				}
				for i, n := range ns {
					if hash(b.Index(i)) != want[n] {
						t.Errorf("slot %d is not frame %d", i, n)
					}
				}
			}
		})
	}
	wg.Wait()
	// Key frames only: every one of the six is one packet.
	if s := d.Stats(); s.Packets != 6 || len(d.cache.flights) != 0 {
		t.Errorf("%d packets were read for 6 frames, %d flights are left", s.Packets, len(d.cache.flights))
	}
}

func TestDamagedFramesAreNotCached(t *testing.T) {
	for _, keep := range []bool{false, true} {
		c := gops(2, false)
		c.lossy[4] = true // P6
		d := openClip(t, c, &VideoOptions{CacheBytes: 1 << 20, KeepDamaged: keep, Workers: 1})
		for range 2 {
			_, err := d.FramesAt(t.Context(), []int{0, 6, 12})
			if (err == nil) != keep {
				t.Errorf("keep %v: %v", keep, err)
			}
			if f, err := d.FrameAt(t.Context(), 8); (err == nil) != keep {
				t.Errorf("keep %v: frame 8 is %v, %v", keep, f, err)
			}
		}
		if len(d.cache.frames) != 1 || len(d.cache.flights) != 0 {
			t.Errorf("keep %v: %d frames are kept, want 12 alone", keep, len(d.cache.frames))
		}
	}
}
