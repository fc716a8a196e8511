package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// slow is a source that notes its reads, and waits in them until it is let go.
type slow struct {
	data  []byte
	short int           // how many bytes at the end are missing
	gate  chan struct{} // nil: it never waits

	mu    sync.Mutex
	reads [][2]int64
	err   error
}

func (s *slow) Size() int64 { return int64(len(s.data)) }

func (s *slow) Version() string { return "v1" }

func (s *slow) ReadAt(p []byte, off int64) (int, error) {
	return s.ReadAtContext(context.Background(), p, off)
}

func (s *slow) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	s.mu.Lock()
	s.reads = append(s.reads, [2]int64{off, int64(len(p))})
	err := s.err
	s.mu.Unlock()
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if err != nil {
		return 0, err
	}
	return bytes.NewReader(s.data[:len(s.data)-s.short]).ReadAt(p, off)
}

func (s *slow) took() [][2]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reads
	s.reads = nil
	return r
}

func TestCacheReadsMissingBlocksTogether(t *testing.T) {
	s := &slow{data: noise(1050)}
	c := NewCache(s, &CacheOptions{BlockSize: 100, Budget: 1000})
	for _, tt := range []struct {
		off, n int
		want   [][2]int64
	}{
		{250, 10, [][2]int64{{200, 100}}},
		{201, 99, nil},
		{0, 500, [][2]int64{{0, 200}, {300, 200}}}, // around the block that is there
		{1040, 10, [][2]int64{{1000, 50}}},         // the last block is short
		{450, 100, [][2]int64{{500, 100}}},
		{0, 1050, [][2]int64{{0, 1050}}}, // more than the budget
	} {
		wantBytes(t, c, s.data, tt.off, tt.n)
		if got := s.took(); !slices.Equal(got, tt.want) {
			t.Errorf("%d bytes at %d: reads %v, want %v", tt.n, tt.off, got, tt.want)
		}
	}
	if got, want := c.Stats(), (CacheStats{Hits: 3, Misses: 7, Reads: 6, Bytes: 1700}); got != want {
		t.Errorf("Stats() = %+v, want %+v", got, want)
	}
	if c.Size() != 1050 || c.Version() != "v1" {
		t.Errorf("Size() = %d, Version() = %q", c.Size(), c.Version())
	}
	if n, err := c.ReadAt(make([]byte, 60), 1000); n != 50 || err != io.EOF {
		t.Errorf("ReadAt over the end = %d, %v", n, err)
	}
	if n, err := c.ReadAt(make([]byte, 1), 1050); n != 0 || err != io.EOF {
		t.Errorf("ReadAt at the end = %d, %v", n, err)
	}
	if _, err := c.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("ReadAt(-1) = %v", err)
	}
}

func TestCacheForgetsTheLeastRecentlyUsed(t *testing.T) {
	s := &slow{data: noise(1000)}
	c := NewCache(s, &CacheOptions{BlockSize: 100, Budget: 300})
	for _, off := range []int{0, 100, 200, 0, 300} { // 100 is the oldest when 300 comes
		wantBytes(t, c, s.data, off, 100)
	}
	s.took()
	wantBytes(t, c, s.data, 200, 100)
	wantBytes(t, c, s.data, 0, 100)
	if got := s.took(); got != nil {
		t.Errorf("reads %v of blocks used lately", got)
	}
	wantBytes(t, c, s.data, 100, 100)
	if got := s.took(); len(got) != 1 || c.used != 300 || len(c.blocks) != 3 || c.recent.Len()+c.fresh.Len() != 3 {
		t.Errorf("reads %v, %d bytes in %d blocks", got, c.used, len(c.blocks))
	}
}

func TestCachePrefetch(t *testing.T) {
	s := &slow{data: noise(200_000)}
	c := NewCache(s, &CacheOptions{BlockSize: 1000, Budget: 40_000})
	for _, r := range [][2]int64{{500, 9_000}, {199_990, 1000}, {300_000, 5}, {-5, 10}, {100_000, 90_000}} {
		if err := c.Prefetch(t.Context(), r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	wantBytes(t, c, s.data, 700, 8000)
	wantBytes(t, c, s.data, 199_500, 500)
	if got, want := s.took(), [][2]int64{{0, 10_000}, {199_000, 1000}, {100_000, 20_000}}; !slices.Equal(got, want) {
		t.Errorf("reads %v, want %v", got, want)
	}
	if got, want := c.Ahead(), (Ahead{8, 20_000, 64 << 10}); got != want {
		t.Errorf("Ahead() = %+v, want %+v", got, want)
	}
	if p := PrefetcherOf(Count(Count(c))); p != Prefetcher(c) {
		t.Errorf("PrefetcherOf = %v, want the cache below the counters", p)
	}
	if p := PrefetcherOf(Count(s)); p != nil {
		t.Errorf("PrefetcherOf = %v, want nil", p)
	}
}

// Many callers of one block cost one read; one that gives up, even the one that reads, fails alone.
func TestCacheOneReadForAll(t *testing.T) {
	before := runtime.NumGoroutine()
	s := &slow{data: noise(1000), gate: make(chan struct{})}
	c := NewCache(s, &CacheOptions{BlockSize: 100})
	ctx, cancel := context.WithCancel(t.Context())
	leader := make(chan error)
	go func() { leader <- ReadFull(ctx, c, make([]byte, 50), 300) }()
	for len(s.took()) == 0 {
		time.Sleep(time.Millisecond)
	}
	impatient, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := ReadFull(impatient, c, make([]byte, 50), 300); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one who waits no longer: %v", err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { wantBytes(t, c, s.data, 310, 80) })
	}
	time.Sleep(10 * time.Millisecond)
	cancel()
	if err := <-leader; !errors.Is(err, context.Canceled) {
		t.Errorf("the leader: %v", err)
	}
	time.Sleep(10 * time.Millisecond)
	close(s.gate)
	wg.Wait()
	if got := s.took(); len(got) != 1 {
		t.Errorf("reads %v after the leader left, want 1", got)
	}
	wantNoGoroutines(t, before)
}

func TestCachePassesErrorsOnAndForgetsThem(t *testing.T) {
	odd := errors.New("odd")
	s := &slow{data: noise(1000), err: odd, short: 150}
	c := NewCache(s, &CacheOptions{BlockSize: 100})
	if err := ReadFull(t.Context(), c, make([]byte, 10), 0); err != odd {
		t.Errorf("ReadFull = %v, want odd", err)
	}
	s.err = nil
	wantBytes(t, c, s.data, 0, 850)
	if err := ReadFull(t.Context(), c, make([]byte, 10), 845); err != io.ErrUnexpectedEOF {
		t.Errorf("ReadFull where the source ends early = %v", err)
	}
}

// Random reads of many goroutines, with a budget too small for all, are all right.
func TestCacheUnderLoad(t *testing.T) {
	s := &slow{data: noise(100_003)}
	c := NewCache(s, &CacheOptions{BlockSize: 512, Budget: 20_000})
	var wg sync.WaitGroup
	for worker := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(worker, 3))
			for range 500 {
				off := r.IntN(len(s.data))
				ctx, cancel := context.WithCancel(t.Context())
				if r.IntN(4) == 0 {
					cancel()
				}
				p := make([]byte, 1+r.IntN(min(25_000, len(s.data)-off)))
				if err := ReadFull(ctx, c, p, int64(off)); err == nil && !bytes.Equal(p, s.data[off:off+len(p)]) {
					t.Errorf("%d bytes at %d: wrong", len(p), off)
				} else if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%d bytes at %d: %v", len(p), off, err)
				}
				if r.IntN(10) == 0 {
					_ = c.Prefetch(ctx, int64(off), 5000) // cancelled or not
				}
				cancel()
			}
		})
	}
	wg.Wait()
	var sum int64
	for _, b := range c.blocks {
		if b.load != nil {
			t.Errorf("block %d is still on its way", b.n)
		}
		sum += int64(len(b.data))
	}
	if sum != c.used || sum > 20_000 || len(c.blocks) != c.recent.Len()+c.fresh.Len() {
		t.Errorf("%d bytes in %d blocks, %d counted in %d", sum, len(c.blocks), c.used, c.recent.Len()+c.fresh.Len())
	}
}

// What was asked for ahead stays until it is read, whatever is read meanwhile; but not all of the cache is kept for who does not come.
func TestCacheKeepsWhatWasNotReadYet(t *testing.T) {
	s := &slow{data: noise(100_000)}
	c := NewCache(s, &CacheOptions{BlockSize: 100, Budget: 4000})
	prefetch := func(off, n int64) {
		t.Helper()
		if err := c.Prefetch(t.Context(), off, n); err != nil {
			t.Fatal(err)
		}
	}
	prefetch(0, 2000)
	for off := 10_000; off < 20_000; off += 100 {
		wantBytes(t, c, s.data, off, 100)
	}
	s.took()
	wantBytes(t, c, s.data, 0, 2000)
	if got := s.took(); got != nil {
		t.Errorf("reads %v of what was prefetched", got)
	}
	for off := 20_000; off < 24_000; off += 100 {
		wantBytes(t, c, s.data, off, 100)
	}
	s.took()
	prefetch(0, 1000) // it was read, and has gone
	prefetch(23_500, 500)
	if got, want := s.took(), [][2]int64{{0, 1000}}; !slices.Equal(got, want) {
		t.Errorf("reads %v, want %v", got, want)
	}
	if c.unread != 1500 {
		t.Errorf("%d bytes are kept until they are read, want 1500", c.unread)
	}
	for off := int64(40_000); off < 60_000; off += 1000 {
		prefetch(off, 1000)
	}
	if c.unread != 3000 || c.used != 4000 {
		t.Errorf("%d bytes of %d are kept until they are read, want 3000 of 4000", c.unread, c.used)
	}
}
