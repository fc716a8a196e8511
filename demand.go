package sprocket

import "iter"

// onDemand is iter.Pull2 for what several goroutines go on with. Those of the standard library are coroutines, which a goroutine that is locked to a thread
// of the system must not go on with when another began them; and decoding, like callers, locks threads. One call of next or stop at a
// time is allowed; stop waits until nothing runs.
func onDemand[T any](seq iter.Seq2[T, error]) (next func() (T, error, bool), stop func()) {
	type item struct {
		v   T
		err error
	}
	asked, given := make(chan struct{}), make(chan item)
	go func() {
		defer close(given)
		if _, ok := <-asked; !ok {
			return
		}
		for v, err := range seq {
			given <- item{v, err}
			if _, ok := <-asked; !ok {
				return
			}
		}
	}()
	ended := false
	next = func() (v T, err error, ok bool) {
		if ended {
			return v, nil, false
		}
		asked <- struct{}{}
		got, ok := <-given
		ended = !ok
		return got.v, got.err, ok
	}
	stop = func() {
		if !ended {
			ended = true
			close(asked)
			<-given
		}
	}
	return next, stop
}
