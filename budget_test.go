package sprocket

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

func TestBudgetIsFairAndExact(t *testing.T) {
	b := NewBudget(3)
	if !b.try(2) || b.try(2) || !b.try(1) {
		t.Fatal("two and one of three are not what fits")
	}
	var order []int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, n := range []int{3, 1, 5} {
		wg.Go(func() {
			if err := b.acquire(t.Context(), n); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			b.release(n)
		})
		for waits := 0; waits <= i; { // in this order
			b.mu.Lock()
			waits = len(b.waiting)
			b.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}
	if b.try(1) {
		t.Error("a share is given to who did not wait, before those who do")
	}
	b.release(1) // one is free, the first waits for three
	if !b.yield(2) {
		t.Error("nobody seems to wait")
	}
	wg.Wait()
	if !slices.Equal(order, []int{0, 1, 2}) || b.used != 0 {
		t.Errorf("order %v, %d in use, want 0 1 2 and none", order, b.used)
	}
	if b.yield(1) {
		t.Error("somebody seems to wait")
	}
}

func TestBudgetWaitEndsWithTheContext(t *testing.T) {
	b := NewBudget(1)
	b.force(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := b.acquire(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("acquire: %v", err)
	}
	b.release(1)
	if !b.try(1) || len(b.waiting) != 0 {
		t.Error("who gave up still waits")
	}
}

// Many threads that take, give back, give up and go on at random leave nothing taken and nobody waiting.
func TestBudgetUnderLoad(t *testing.T) {
	b := NewBudget(4)
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for g := range uint64(16) {
		r := rand.New(rand.NewPCG(g, 1))
		wg.Go(func() {
			for range 300 {
				n := 1 + r.IntN(4)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(300))*time.Microsecond)
				if b.acquire(ctx, n) == nil {
					k := now.Add(int64(n))
					for m := most.Load(); k > m && !most.CompareAndSwap(m, k); m = most.Load() {
					}
					now.Add(-int64(n))
					b.release(n)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if b.used != 0 || len(b.waiting) != 0 || most.Load() > 4 {
		t.Errorf("%d in use, %d wait, %d at once, want 0, 0 and at most 4", b.used, len(b.waiting), most.Load())
	}
}

func TestBudgetBoundsDecodersOfManyVideos(t *testing.T) {
	b := NewBudget(2)
	var wg sync.WaitGroup
	var working, most atomic.Int64
	for range 8 {
		c := gops(6, false)
		c.working, c.most = &working, &most
		d := openClip(t, c, &VideoOptions{Workers: 4, Budget: b})
		for range 3 {
			wg.Go(func() {
				for range 10 {
					if _, err := d.FramesAt(t.Context(), []int{0, 15, 25, 35, 59}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := most.Load(); n > 2 || n == 0 {
		t.Errorf("%d decoders worked at once, want at most 2", n)
	}
	if b.used != 0 || len(b.waiting) != 0 {
		t.Errorf("%d in use, %d wait", b.used, len(b.waiting))
	}
}

func TestCallsFromALoopBodyGetOn(t *testing.T) {
	b := NewBudget(1)
	outer := openClip(t, gops(2, false), &VideoOptions{Budget: b})
	inner := openClip(t, gops(2, false), &VideoOptions{Budget: b})
	n := 0
	for f, err := range outer.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for g, err := range inner.Frames(t.Context()) {
			if err != nil || hash(g.Tensor) == 0 {
				t.Fatal(err)
			}
			if _, err := outer.FramesAt(t.Context(), []int{f.N, g.N}); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	if n != 400 || b.used != 0 {
		t.Errorf("%d inner frames, %d of the budget in use, want 400 and 0", n, b.used)
	}
}

func TestACallThatWaitsEndsWithItsContext(t *testing.T) {
	b := NewBudget(1)
	d := openClip(t, gops(2, false), &VideoOptions{Budget: b})
	b.force(1) // as if another decoder were at work
	defer b.release(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := d.FrameAt(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("FrameAt: %v", err)
	}
	for _, err := range d.Frames(ctx) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Frames: %v", err)
		}
	}
}

// A batch of one long run and many short ones is begun with the long one.
func TestTheLongestRunIsFirst(t *testing.T) {
	c := newClip()
	for range 5 {
		c.add(nalIDR, container.Ticks(len(c.infos)))
	}
	for range 40 {
		c.add(nalP, container.Ticks(len(c.infos)))
	}
	d := openClip(t, c, &VideoOptions{Workers: 2})
	runs, threads, err := d.plan(t.Context(), []int{0, 2, 30})
	if err != nil || threads != 1 {
		t.Fatalf("%d threads, %v", threads, err)
	}
	var packets []int64
	for _, r := range runs {
		packets = append(packets, r.Packets())
	}
	if !slices.Equal(packets, []int64{27, 1, 1}) {
		t.Errorf("runs of %v packets, want 27 1 1", packets)
	}
}

func TestALongRunThatCannotBeCutGetsThreads(t *testing.T) {
	c := newClip()
	c.add(nalIDR, 0)
	for range 300 {
		c.add(nalP, container.Ticks(len(c.infos)))
	}
	for _, tt := range []struct {
		threads, frame, want int
	}{{0, 299, 4}, {0, 20, 1}, {1, 299, 1}, {3, 20, 3}} {
		d := openClip(t, c, &VideoOptions{Workers: 4, Threads: tt.threads})
		if _, threads, err := d.plan(t.Context(), []int{tt.frame}); err != nil || threads != tt.want {
			t.Errorf("frame %d, Threads %d: %d threads, want %d; %v", tt.frame, tt.threads, threads, tt.want, err)
		}
	}
}
