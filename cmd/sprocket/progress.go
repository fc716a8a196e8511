package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progress shows on a terminal how far long work is. A nil progress does nothing. It is safe for concurrent use.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	what  string
	total int
	done  int
	start time.Time
	shown time.Time
}

// newProgress returns nil when w is no terminal. A total of zero is one that is not known.
func newProgress(w io.Writer, what string, total int) *progress {
	if !isTerminal(w) {
		return nil
	}
	return &progress{w: w, what: what, total: total, start: time.Now()}
}

// isTerminal says whether w is a terminal on which a line can be written over.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device too, and the one that output is most often sent to
	return err != nil || !os.SameFile(st, null)
}

// progressDelay is how long work may take before it shows progress, and the time between two lines.
const progressDelay = 200 * time.Millisecond

// add counts n more done.
func (p *progress) add(n int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	now := time.Now()
	if now.Sub(p.start) < progressDelay || now.Sub(p.shown) < progressDelay {
		return
	}
	p.shown = now
	rate := float64(p.done) / now.Sub(p.start).Seconds()
	if p.total <= 0 {
		fmt.Fprintf(p.w, eraseLine+"%s %d  %.0f/s", p.what, p.done, rate)
		return
	}
	left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(p.w, eraseLine+"%s %d/%d  %d%%  %.0f/s  %v left", p.what, p.done, p.total, 100*p.done/p.total, rate, left)
}

// end takes the line away.
func (p *progress) end() {
	if p != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, eraseLine)
	}
}

const eraseLine = "\r\x1b[K"

// clearLine takes away the line of work that did not come to its end.
func clearLine(w io.Writer) {
	if isTerminal(w) {
		fmt.Fprint(w, eraseLine)
	}
}

// indexing returns what shows on a terminal how far a source was gone through; nil when w is none.
func indexing(w io.Writer) func(done, total int64) {
	p := newProgress(w, "MiB", 0)
	if p == nil {
		return nil
	}
	return func(done, total int64) {
		p.mu.Lock()
		p.total = int(total >> 20)
		more := int(done>>20) - p.done
		p.mu.Unlock()
		if p.add(more); done >= total {
			p.end()
		}
	}
}
