// Package conformance says whether an implementation does what its interface promises, and whether files come out as others read them.
//
// TestSource, TestDemuxer, TestIndex and TestBackend check one implementation against the laws of its interface, as
// testing/fstest.TestFS does for file systems. They take no *testing.T and return an error that joins a *LawError for each law
// that was broken, so that any program can use them:
//
//	if err := conformance.TestSource(ctx, src, want); err != nil {
//		t.Fatal(err)
//	}
//
// Run reads every media file of a folder and compares packets and pictures with what is known about them.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// LawError is one law of an interface that an implementation breaks.
type LawError struct {
	Subject string // "source", "demuxer", "index", "backend"
	Law     string // what must hold: "packets are numbered from 0 without gaps"
	Where   string // where it does not, and how: "track 0: packet 5 has number 7"
	More    int    // how often it was broken again, elsewhere
	Err     error  // what the implementation returned; nil where that is not the point
}

// Error returns "demuxer: packets are numbered from 0 without gaps: track 0: packet 5 has number 7".
func (e *LawError) Error() string {
	text := e.Subject + ": " + e.Law + ": " + e.Where
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.More > 0 {
		text += fmt.Sprintf(" (and %d more)", e.More)
	}
	return text
}

// Unwrap returns what the implementation returned.
func (e *LawError) Unwrap() error { return e.Err }

// findings are the broken laws of one subject, each once, and once more where it is broken because the source ends. It serves one goroutine.
type findings struct {
	subject string
	broken  []*LawError
}

// broke notes that a law is broken.
func (f *findings) broke(law, where string, args ...any) { f.because(nil, law, where, args...) }

// because notes that a law is broken, with what was returned.
func (f *findings) because(err error, law, where string, args ...any) {
	for _, b := range f.broken {
		if b.Law == law && truncated(b.Err) == truncated(err) {
			b.More++
			return
		}
	}
	f.broken = append(f.broken, &LawError{Subject: f.subject, Law: law, Where: fmt.Sprintf(where, args...), Err: err})
}

// guard runs a part of a check. A panic breaks the law that there are none; the parts after it still run.
func (f *findings) guard(part string, check func()) {
	defer func() {
		if r := recover(); r != nil {
			f.broke("nothing panics", "%s: %v in %s", part, r, panicSite())
		}
	}()
	check()
}

// err returns the broken laws, joined. A context that ended is returned instead: the laws could not all be tried.
func (f *findings) err(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var errs []error
	for _, b := range f.broken {
		errs = append(errs, b)
	}
	return errors.Join(errs...)
}

// panicSite returns the function and line that panicked, when called from a deferred function.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for panicked := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic" || f.Function == "runtime.sigpanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s (%s:%d)", f.Function, f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// sample returns up to limit of the numbers 0..n-1: all of them, or the ends and others spread evenly.
func sample(n, limit int) []int {
	if n <= limit {
		limit = n
	}
	out := make([]int, limit)
	for i := range out {
		out[i] = i
		if limit > 1 {
			out[i] = int(int64(i) * int64(n-1) / int64(limit-1))
		}
	}
	return out
}
