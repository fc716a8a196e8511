package sprocket

import (
	"errors"
	"iter"
	"runtime"
	"testing"
	"time"
)

func TestOnDemand(t *testing.T) {
	before := runtime.NumGoroutine()
	broken := errors.New("broken")
	made := 0
	seq := func(n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if made++; !yield(i, nil) {
					return
				}
			}
			yield(0, broken)
		}
	}
	next, stop := onDemand(seq(2))
	if made != 0 {
		t.Error("something is made before it is asked for")
	}
	done := make(chan struct{})
	go func() { // locked, as decoding is
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if v, err, ok := next(); v != 0 || err != nil || !ok || made != 1 {
			t.Errorf("next() = %d, %v, %t after %d were made", v, err, ok, made)
		}
	}()
	<-done
	if v, err, ok := next(); v != 1 || err != nil || !ok {
		t.Errorf("next() = %d, %v, %t", v, err, ok)
	}
	if _, err, ok := next(); !errors.Is(err, broken) || !ok {
		t.Errorf("next() = %v, %t, want the error", err, ok)
	}
	for range 2 {
		if _, err, ok := next(); err != nil || ok {
			t.Errorf("next() = %v, %t at the end", err, ok)
		}
	}
	stop()
	next, stop = onDemand(seq(9))
	if _, _, ok := next(); !ok {
		t.Error("next() has nothing")
	}
	stop()
	stop()
	if _, _, ok := next(); ok {
		t.Error("next() has something after stop")
	}
	_, stop = onDemand(seq(9))
	stop()
	for range 200 { // one that has let go may still be there for a moment
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
