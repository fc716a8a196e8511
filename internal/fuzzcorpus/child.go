package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// trial is one mutation to try.
type trial struct {
	Dir, Name string // the corpus, and the file in it
	Seed      uint64
	N         int
}

// result is what came of it.
type result struct {
	Mutation string
	Err      string // a law that was broken
	Memory   int64  // most bytes held at once, more than before
	Ceiling  int64
	Took     time.Duration
	Tally    tally
	Retire   bool // the process wants to be replaced: what it holds would hide what the next trial takes
}

// work is what is done with a file: see exercise.
type work func(ctx context.Context, file []byte) (tally, error)

// slack is how much more address space a child may have taken before it is replaced.
const slack = 16 << 20

// serve does the trials that come in, one line of JSON each, and answers likewise.
func serve(in io.Reader, out io.Writer, do work) error {
	// A panic, and running out of memory, end the process: whoever started it reads why.
	debug.SetTraceback("all")
	lines := bufio.NewScanner(in)
	e := json.NewEncoder(out)
	var taken int64
	for lines.Scan() {
		var t trial
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return err
		}
		r, more, err := t.run(do)
		if err != nil {
			return err
		}
		taken += more
		r.Retire = taken > slack
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// ceiling is how much memory a file of n bytes may cost.
func ceiling(n int) int64 { return 64<<20 + 2*int64(n) }

// run does a trial. It returns how much more address space the process has taken.
func (t trial) run(do work) (r result, taken int64, err error) {
	file, err := os.ReadFile(filepath.Join(t.Dir, filepath.FromSlash(t.Name)))
	if err != nil {
		return r, 0, err
	}
	mutated, what := mutate(t.Seed, t.Name, t.N, file)
	r.Mutation, r.Ceiling = what, ceiling(len(file))
	file = nil
	debug.FreeOSMemory()
	// The collector is to leave no more garbage than fits: what counts is what must be held.
	debug.SetMemoryLimit(mapped() + r.Ceiling*3/4)
	m, err := startMeasuring(r.Ceiling)
	if err != nil {
		return r, 0, err
	}
	start := time.Now()
	r.Tally, err = do(context.Background(), mutated)
	r.Took = time.Since(start)
	if err != nil {
		r.Err = err.Error()
	}
	r.Memory, taken, err = m.stop()
	if err == nil && r.Memory > r.Ceiling && r.Err == "" {
		r.Err = fmt.Sprintf("%d bytes of memory, %d are allowed", r.Memory, r.Ceiling)
	}
	return r, taken, err
}

// mapped returns the memory that the runtime counts against its limit.
func mapped() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}
