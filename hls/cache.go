package hls

import (
	"container/list"
	"context"
	"sync"
)

// cache keeps what is costly to get, by its key: all that is in use, and of the rest what was used last, as much as the bounds allow. Several who want the
// same wait for one who gets it.
type cache[K comparable, V any] struct {
	budget      int64         // bytes; negative keeps nothing
	least, most int           // how many are kept whatever their size, and however small
	size        func(V) int64 // bytes that one takes
	free        func(V)       // is given what is kept no longer, and in no use

	mu     sync.Mutex
	all    map[K]*kept[K, V]
	recent list.List // of *kept that are there, most recently used first
	used   int64
}

// kept is something that is there, or on its way.
type kept[K comparable, V any] struct {
	key   K
	turn  chan struct{} // holds a token while someone gets it
	value V
	bytes int64
	there bool
	refs  int           // callers that use it, or wait for it
	elem  *list.Element // nil when it is not there, or forgotten
}

// use returns what is kept under a key, or gets it, and a function to be called when it is no longer used.
func (c *cache[K, V]) use(ctx context.Context, key K, get func() (V, error)) (v V, done func(), err error) {
	c.mu.Lock()
	k := c.all[key]
	if k == nil {
		k = &kept[K, V]{key: key, turn: make(chan struct{}, 1)}
		if c.all == nil {
			c.all = map[K]*kept[K, V]{}
		}
		c.all[key] = k
	}
	k.refs++
	there := k.there
	if there {
		c.recent.MoveToFront(k.elem)
	}
	c.mu.Unlock()
	done = func() { c.release(k) }
	if there {
		return k.value, done, nil
	}
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		done()
		return v, nil, ctx.Err()
	}
	defer func() { <-k.turn }()
	c.mu.Lock()
	there = k.there
	c.mu.Unlock()
	if there {
		return k.value, done, nil
	}
	if v, err = get(); err != nil {
		done()
		return v, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k.value, k.bytes, k.there = v, c.size(v), true
	k.elem = c.recent.PushFront(k)
	c.used += k.bytes
	c.evict()
	return v, done, nil
}

// release ends one use.
func (c *cache[K, V]) release(k *kept[K, V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.refs--
	switch {
	case k.refs > 0:
	case !k.there:
		delete(c.all, k.key)
	case k.elem == nil: // forgotten
		c.free(k.value)
	}
	c.evict()
}

// evict drops what is over the bounds and in no use. The mutex is held.
func (c *cache[K, V]) evict() {
	for e := c.recent.Back(); e != nil && (c.used > c.budget || c.recent.Len() > c.most) && (c.recent.Len() > c.least || c.budget < 0); {
		before := e.Prev()
		if k, ok := e.Value.(*kept[K, V]); ok && k.refs == 0 {
			c.drop(k)
			c.free(k.value)
		}
		e = before
	}
}

// drop takes something out. The mutex is held.
func (c *cache[K, V]) drop(k *kept[K, V]) {
	c.recent.Remove(k.elem)
	k.elem = nil
	c.used -= k.bytes
	delete(c.all, k.key)
}

// forget drops what is there under a key: the next who wants it gets it anew.
func (c *cache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.all[key]; k != nil && k.there {
		if c.drop(k); k.refs == 0 {
			c.free(k.value)
		}
	}
}

// close drops all that is in no use, now and from now on.
func (c *cache[K, V]) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget = -1
	c.evict()
}
