package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// counting is a server of a folder that counts what is asked of it.
type counting struct {
	*httptest.Server

	mu       sync.Mutex
	requests int
	now, top int // requests at once
	held     int // requests before those that are held back until they are as many as wanted
	wanted   int
	gate     chan struct{}
}

func serveCounted(t *testing.T, dir string) *counting {
	t.Helper()
	c := &counting{}
	files := http.FileServer(http.Dir(dir))
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.come(r.Context())
		defer c.leave()
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// expect begins to count anew. All requests but the first few are held back until there are so many of them at once, or for a second.
func (c *counting) expect(first, together int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests, c.top, c.held, c.wanted, c.gate = 0, 0, first, together, make(chan struct{})
}

func (c *counting) come(ctx context.Context) {
	c.mu.Lock()
	c.requests++
	gate := c.gate
	if c.requests <= c.held {
		gate = nil
	}
	if c.now++; gate != nil {
		if c.top = max(c.top, c.now); c.now == c.wanted {
			close(gate)
			c.gate = nil
		}
	}
	c.mu.Unlock()
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-ctx.Done():
	case <-time.After(time.Second): // they do not come; the count tells
	}
}

func (c *counting) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
}

// counts returns how many requests came since expect, and how many of those that were held back at once.
func (c *counting) counts() (requests, together int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, c.top
}
