package sprocket

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Budget bounds how many threads decode at a time, in all the VideoDecoders that share it: so many of them can be open, and
// called at once, without more threads at work than the machine has cores for.
//
// A run, the stretch that a decoder decodes in one go, takes its share before it begins and gives it back when it ends; meanwhile
// other calls wait, the first to come first, until their context ends. Workers beyond the first of a call take only what nobody
// waits for. Nothing is held while the loop body of Frames runs or while a source fetches from a network, and what was lent out
// meanwhile is not waited for: a call always gets on, whatever other calls do, also calls on other decoders from a loop body.
//
// It is safe for concurrent use.
type Budget struct {
	size int // 0: GOMAXPROCS

	mu      sync.Mutex
	used    int
	waiting []*waiter // the first to come first
}

type waiter struct {
	n     int
	ready chan struct{} // closed when its share is taken
}

// NewBudget returns a budget of so many threads. It panics when that is not positive.
func NewBudget(threads int) *Budget {
	if threads <= 0 {
		panic(fmt.Sprintf("sprocket: budget of %d threads", threads))
	}
	return &Budget{size: threads}
}

// processBudget is shared by all VideoDecoders whose options name no other. It has as many threads as GOMAXPROCS.
var processBudget Budget

func (b *Budget) limit() int {
	if b.size > 0 {
		return b.size
	}
	return runtime.GOMAXPROCS(0)
}

// fits says whether n threads may start now. A decoder of more threads than there are runs alone.
func (b *Budget) fits(n int) bool { return b.used == 0 || b.used+n <= b.limit() }

// acquire waits for n threads. It fails only with the context.
func (b *Budget) acquire(ctx context.Context, n int) error {
	b.mu.Lock()
	if len(b.waiting) == 0 && b.fits(n) {
		b.used += n
		b.mu.Unlock()
		return nil
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	} else {
		b.used -= n // granted as the context ended
	}
	b.grant()
	return ctx.Err()
}

// try takes n threads when there are so many and nobody waits.
func (b *Budget) try(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ok := len(b.waiting) == 0 && b.fits(n)
	if ok {
		b.used += n
	}
	return ok
}

// force takes n threads whether there are so many or not, to go on with what was begun.
func (b *Budget) force(n int) {
	b.mu.Lock()
	b.used += n
	b.mu.Unlock()
}

// release gives n threads back.
func (b *Budget) release(n int) {
	b.mu.Lock()
	b.used -= n
	b.grant()
	b.mu.Unlock()
}

// yield gives n threads back if somebody waits for them, and says whether it did.
func (b *Budget) yield(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return false
	}
	b.used -= n
	b.grant()
	return true
}

// grant lets those go on who waited longest. The mutex is held.
func (b *Budget) grant() {
	for len(b.waiting) > 0 && b.fits(b.waiting[0].n) {
		b.used += b.waiting[0].n
		close(b.waiting[0].ready)
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
}
