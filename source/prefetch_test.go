package source

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestRangesAreJoined(t *testing.T) {
	for _, tt := range []struct {
		name     string
		in, want []Range
	}{
		{"none", nil, nil},
		{"apart", []Range{{0, 10}, {111, 5}}, []Range{{0, 10}, {111, 5}}},
		{"a hole of 100", []Range{{0, 10}, {110, 5}}, []Range{{0, 115}}},
		{"out of order", []Range{{500, 10}, {0, 10}, {510, 1}}, []Range{{0, 10}, {500, 11}}},
		{"one in another", []Range{{0, 200}, {50, 10}, {150, 60}}, []Range{{0, 210}}},
		{"too many bytes", []Range{{0, 600}, {1000, 300}, {2000, 200}, {3000, 1}}, []Range{{0, 600}, {1000, 300}}},
	} {
		if got := joined(tt.in, 100, 1000); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// crowd is a prefetcher that notes how many calls run at once, and lets them go when there are as many as may be.
type crowd struct {
	bounds Ahead
	fail   int64 // the offset whose call fails

	mu        sync.Mutex
	now, most int
	full      chan struct{}
	offs      []int64
}

var errOdd = errors.New("odd")

func (c *crowd) Ahead() Ahead { return c.bounds }

func (c *crowd) Prefetch(ctx context.Context, off, _ int64) error {
	c.mu.Lock()
	c.offs = append(c.offs, off)
	c.now++
	if c.most = max(c.most, c.now); c.now == c.bounds.Requests {
		close(c.full)
		c.full = make(chan struct{})
	}
	full := c.full
	if c.now == c.bounds.Requests {
		full = nil
	}
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.now--; c.mu.Unlock() }()
	if off == c.fail {
		return errOdd
	}
	select {
	case <-full:
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func TestPrefetchAllRunsAtOnceAndEndsTogether(t *testing.T) {
	before := runtime.NumGoroutine()
	var ranges []Range
	for i := range int64(10) {
		ranges = append(ranges, Range{1000 * i, 10})
	}
	c := &crowd{bounds: Ahead{Requests: 4, Bytes: 1 << 20}, fail: -1, full: make(chan struct{})}
	if err := PrefetchAll(t.Context(), c, ranges); err != nil {
		t.Fatal(err)
	}
	if slices.Sort(c.offs); c.most != 4 || len(c.offs) != 10 || c.offs[9] != 9000 {
		t.Errorf("%d at once, want 4; ranges %v", c.most, c.offs)
	}
	c = &crowd{bounds: Ahead{Requests: 4, Bytes: 1 << 20}, fail: 2000, full: make(chan struct{})}
	if err := PrefetchAll(t.Context(), c, ranges); err != errOdd || len(c.offs) == 10 {
		t.Errorf("PrefetchAll = %v after %d ranges", err, len(c.offs))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := PrefetchAll(ctx, c, ranges); !errors.Is(err, context.Canceled) {
		t.Errorf("PrefetchAll = %v, want canceled", err)
	}
	wantNoGoroutines(t, before)
}
