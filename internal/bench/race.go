package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"
)

// hashed is a writer that hashes.
type hashed struct{ hash.Hash }

func newHashed() *hashed      { return &hashed{sha256.New()} }
func (h *hashed) sum() string { return fmt.Sprintf("%x", h.Sum(nil)) }

// entrant is a side of a race: a doer of the job, or a program whose whole process counts.
type entrant struct {
	doer
	program []string // prints the RGB bytes; nil for a doer
	whole   bool     // the process of a doer counts, from its start to its end
}

// race has a job done by every entrant, checks that all give the same bytes as the first, which is ours, and then compares how long
// they take. Who gives other bytes is named and left out.
func (b *bench) race(ctx context.Context, j job, entrants []entrant, targets []goal) error {
	var sides []side
	var first done
	place := map[string]int{}
	for i, e := range entrants {
		got, err := e.check(ctx, j)
		if err != nil && (i == 0 || e.ours) {
			return err
		}
		if i == 0 {
			first = got
			fmt.Printf("  %d frames\n", first.frames)
		}
		switch {
		case err != nil:
			fmt.Printf("  left out: %v\n", err)
			continue
		case got.hash != first.hash || got.frames != first.frames && got.frames > 0:
			if e.ours || e.program != nil {
				return fmt.Errorf("%s gives %d frames of hash %.12s, %s %d of %.12s", e.name, got.frames, got.hash, entrants[0].name, first.frames, first.hash)
			}
			fmt.Printf("  left out: %s gives other bytes\n", e.name)
			continue
		}
		place[e.name] = len(sides)
		sides = append(sides, e.side(j, first.frames))
	}
	fmt.Println("  the bytes are the same")
	var found []target
	for _, t := range targets {
		of, ok := place[t.of]
		to, also := place[t.to]
		if ok && also {
			found = append(found, target{of: of, to: to, want: t.want})
		}
	}
	return b.compare(ctx, sides, found)
}

// goal is a target by the names of its sides.
type goal struct {
	of, to string
	want   float64
}

func (e entrant) check(ctx context.Context, j job) (done, error) {
	j.Hash = true
	if e.program == nil {
		return e.do(ctx, j)
	}
	h := newHashed()
	err := command(ctx, h, e.program...)
	return done{hash: h.sum()}, err
}

func (e entrant) side(j job, frames int) side {
	if e.program != nil {
		return program(e.name, e.program...)
	}
	var last done
	s := side{name: e.name, run: func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		var err error
		if last, err = e.do(ctx, j); err == nil && last.frames != frames {
			err = fmt.Errorf("%s gave %d frames, want %d", e.name, last.frames, frames)
		}
		if e.whole {
			return time.Since(start), err
		}
		return last.wall, err
	}}
	if !e.whole {
		s.cpu = func() time.Duration { return last.cpu }
	}
	return s
}

// all returns the library with the workers given, and the peers.
func (b *bench) all(ctx context.Context, workers ...int) ([]entrant, error) {
	var out []entrant
	for _, n := range workers {
		out = append(out, entrant{doer: ours(n)})
	}
	peers, err := b.findPeers(ctx)
	for _, p := range peers {
		out = append(out, entrant{doer: p})
	}
	return out, err
}
