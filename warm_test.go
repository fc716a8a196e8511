package sprocket

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/tensor"
)

// cost returns how many packets a call reads, and how many it decodes.
func cost(t *testing.T, d *VideoDecoder, call func() error) (read, decoded int64) {
	t.Helper()
	before := d.Stats()
	if err := call(); err != nil {
		t.Fatal(err)
	}
	after := d.Stats()
	return after.Packets - before.Packets, after.Packets - after.Skipped - before.Packets + before.Skipped
}

func TestReadingInOrderGoesOnWhereTheDecoderIs(t *testing.T) {
	c := gops(6, true)
	d := openClip(t, c, &VideoOptions{Workers: 1})
	want := linearHashes(t, openClip(t, gops(6, true), nil))
	at := func(n int) (read, decoded int64) {
		return cost(t, d, func() error {
			f, err := d.FrameAt(t.Context(), n)
			if err == nil && hash(f.Tensor) != want[n] {
				t.Errorf("frame %d is wrong", n)
			}
			return err
		})
	}
	// Alone a frame costs what it needs and not a packet more: I P3 B1 B2 P6 B4 and, for frame 4, not B5.
	if read, decoded := at(4); read != 6 || decoded != 4 {
		t.Errorf("frame 4 alone: %d packets read, %d decoded, want 6 and 4", read, decoded)
	}
	// The next one starts anew, and goes on until the decoder gives its picture on its own: with P9 and B7.
	if read, decoded := at(5); read != 9 || decoded != 6 {
		t.Errorf("frame 5: %d packets read, %d decoded, want 9 and 6", read, decoded)
	}
	// From there a frame is a packet.
	var read int64
	for n := 6; n < d.Len(); n++ {
		r, _ := at(n)
		if r > 3 {
			t.Errorf("frame %d: %d packets read", n, r)
		}
		read += r
	}
	if left := int64(len(c.infos)) - 9; read != left {
		t.Errorf("frames 6 to the last: %d packets read, want the %d that were left", read, left)
	}
	if s := d.Stats(); s.Decoders != 1 || s.Resumed != int64(d.Len()-6) {
		t.Errorf("%d decoders, %d runs went on, want 1 and %d", s.Decoders, s.Resumed, d.Len()-6)
	}
}

func TestGoingOnIsDecidedByWhatItCosts(t *testing.T) {
	d := openClip(t, gops(8, false), &VideoOptions{Workers: 1})
	for _, n := range []int{0, 1, 2} {
		if _, err := d.FrameAt(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	resumed := d.Stats().Resumed
	// Frame 40 is a key frame: one packet from there, forty from here.
	if read, _ := cost(t, d, func() error { _, err := d.FrameAt(t.Context(), 40); return err }); read != 1 || d.Stats().Resumed != resumed {
		t.Errorf("frame 40: %d packets read, %d runs went on, want 1 and %d", read, d.Stats().Resumed, resumed)
	}
	// A batch goes on where a batch ended.
	for n := 41; n < 50; n += 3 {
		if _, err := d.FramesInRange(t.Context(), n, n+3, 1); err != nil {
			t.Fatal(err)
		}
	}
	if s := d.Stats(); s.Resumed != resumed+2 {
		t.Errorf("%d of the batches went on, want 2", s.Resumed-resumed)
	}
	// Backwards there is nothing to go on from.
	resumed = d.Stats().Resumed
	for n := 49; n >= 45; n-- {
		if _, err := d.FrameAt(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if s := d.Stats(); s.Resumed != resumed {
		t.Errorf("%d calls went on backwards", s.Resumed-resumed)
	}
}

// However frames are asked for, the same ones fail, and the others are the same.
func TestDamageIsTheSameInAnyOrder(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		c := gops(5, seed%2 == 0)
		for range 1 + r.IntN(3) {
			c.lossy[int64(r.IntN(len(c.infos)))] = true
			c.broken[int64(r.IntN(len(c.infos)))] = seed%3 == 0
		}
		want := make([]uint64, len(c.infos)) // 0 where the frame fails
		for n := range want {
			d := openClip(t, c, &VideoOptions{Workers: 1})
			f, err := d.FrameAt(t.Context(), n)
			if err == nil {
				want[n] = hash(f.Tensor)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range []VideoOptions{{Workers: 1}, {Workers: 3}, {Workers: 2, Threads: 2}, {Workers: 1, Threads: 5}, {Workers: 2, CacheBytes: 4000}} {
			d := openClip(t, c, &o)
			check := func(what string, n int, f *Frame, err error) {
				t.Helper()
				if (err != nil) != (want[n] == 0) || err == nil && hash(f.Tensor) != want[n] {
					t.Errorf("seed %d, %+v, %s: frame %d: %v", seed, o, what, n, err)
				}
			}
			var wg sync.WaitGroup
			for step := range 4 {
				wg.Go(func() {
					for n := 0; n < d.Len(); n += 1 + step {
						f, err := d.FrameAt(t.Context(), n)
						check("in order", n, f, err)
					}
				})
			}
			wg.Wait()
			n := 0
			for f, err := range d.Frames(t.Context()) {
				check("all", n, f, err)
				n++
			}
			if n != d.Len() {
				t.Errorf("seed %d, %+v: %d frames of %d", seed, o, n, d.Len())
			}
			for range 20 {
				a := r.IntN(d.Len())
				b := min(d.Len(), a+1+r.IntN(15))
				batch, err := d.FramesInRange(t.Context(), a, b, 1+r.IntN(3))
				if batch == nil {
					if err == nil {
						t.Fatal("no batch and no error")
					}
					continue
				}
				for i, f := range batch.Frames {
					var err error
					if batch.Errs != nil {
						err = batch.Errs[i]
					}
					check("batch", f.N, &Frame{Tensor: batch.Index(i)}, err)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestWarmDecodersAreNoMoreThanWorkers(t *testing.T) {
	c := gops(12, true)
	d := openClip(t, c, &VideoOptions{Workers: 2})
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for n := 10 * g; n < 10*g+20; n++ {
				if _, err := d.FrameAt(t.Context(), n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := c.live.Load(); n > 2 {
		t.Errorf("%d decoders at rest for 2 workers", n)
	}
}

func TestStashIsOfTheFormAskedFor(t *testing.T) {
	d := openClip(t, gops(4, false), &VideoOptions{Workers: 1, Native: true})
	want := linearHashes(t, openClip(t, gops(4, false), nil))
	for n := range d.Len() {
		f, err := d.FrameAt(t.Context(), n)
		if err != nil || hash(f.Tensor) != want[n] {
			t.Errorf("frame %d: wrong or %v", n, err)
		}
	}
	dst := tensor.New(tensor.Uint8, 1, 3, 2, 4)
	e := openClip(t, gops(4, false), &VideoOptions{Workers: 1})
	for n := range e.Len() {
		if _, err := e.ReadFramesAt(t.Context(), dst, []int{n}); err != nil || hash(dst.Index(0)) != want[n] {
			t.Errorf("frame %d into memory: wrong or %v", n, err)
		}
	}
	if s := e.Stats(); s.Resumed < int64(e.Len())-2 {
		t.Errorf("%d of %d calls went on", s.Resumed, e.Len())
	}
	if _, err := e.FrameAt(t.Context(), e.Len()); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a frame behind the last: %v", err)
	}
}
