package sprocket

import (
	"container/list"
	"context"
	"sync"

	"github.com/sprocket-video/sprocket/tensor"
)

// stored is a decoded frame in the cache. It is immutable.
type stored struct {
	n             int
	pixels        *tensor.Tensor
	format        string
	width, height int // of the native picture
}

// storedOverhead is about what an entry costs beside its pixels.
const storedOverhead = 512

func (s *stored) bytes() int64 { return int64(len(s.pixels.Bytes())) + storedOverhead }

// frameCache keeps the frames used last, up to a number of bytes. What one call decodes others wait for instead of decoding it too.
type frameCache struct {
	limit int64

	mu      sync.Mutex
	bytes   int64
	frames  map[int]*list.Element // of *stored
	used    list.List             // the one used last is in front
	flights map[int]*flight
}

// flight is a frame that some call decodes now.
type flight struct {
	done  chan struct{}
	frame *stored // nil when it could not be decoded, or must not be kept
}

func newFrameCache(limit int64) *frameCache {
	return &frameCache{limit: limit, frames: map[int]*list.Element{}, flights: map[int]*flight{}}
}

// claim returns frame n, or the flight that will bring it. With neither it is the caller who must decode it, and settle it.
func (c *frameCache) claim(n int) (*stored, *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.frames[n]; e != nil {
		c.used.MoveToFront(e)
		return e.Value.(*stored), nil
	}
	if f := c.flights[n]; f != nil {
		return nil, f
	}
	c.flights[n] = &flight{done: make(chan struct{})}
	return nil, nil
}

// settle ends the flight of frame n, with the frame or with nil. Without a flight it does nothing.
func (c *frameCache) settle(n int, s *stored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flights[n]
	if f == nil {
		return
	}
	delete(c.flights, n)
	f.frame = s
	close(f.done)
	if s == nil || s.bytes() > c.limit {
		return
	}
	c.frames[n] = c.used.PushFront(s)
	c.bytes += s.bytes()
	for c.bytes > c.limit {
		old := c.used.Remove(c.used.Back()).(*stored)
		delete(c.frames, old.n)
		c.bytes -= old.bytes()
	}
}

// wait returns what a flight brings, or nil.
func (f *flight) wait(ctx context.Context) (*stored, error) {
	select {
	case <-f.done:
		return f.frame, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// each gives every frame of ns, which are different, to have or to decode: to have those that the cache holds or that other calls
// are decoding, all others to decode, at once. It settles what decode has not.
func (c *frameCache) each(ctx context.Context, ns []int, have func(*stored) error, decode func(ns []int) error) error {
	for len(ns) > 0 {
		var mine, rest []int
		var flights []*flight
		var err error
		for _, n := range ns {
			s, f := c.claim(n)
			switch {
			case f != nil:
				flights, rest = append(flights, f), append(rest, n)
			case s == nil:
				mine = append(mine, n)
			case err == nil:
				err = have(s)
			}
		}
		if err == nil && len(mine) > 0 {
			err = decode(mine)
		}
		for _, n := range mine {
			c.settle(n, nil)
		}
		if err != nil {
			return err
		}
		// Nothing is left undone here that others could wait for: no two calls wait for each other.
		ns = ns[:0:0]
		for i, f := range flights {
			s, err := f.wait(ctx)
			if err == nil && s != nil {
				err = have(s)
			}
			if err != nil {
				return err
			}
			if s == nil {
				ns = append(ns, rest[i])
			}
		}
	}
	return nil
}
