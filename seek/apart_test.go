package seek

import (
	"math/rand/v2"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// TestApartFindsWhatTheExactIndexFinds asks for all times in any order, by an index that has not looked for the first frame, and for numbers between.
func TestApartFindsWhatTheExactIndexFinds(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 11))
		f := scenario(r, 1+r.IntN(14), seed%3 == 0)
		exact := build(t, f)
		times := allTimes(exact)
		r.Shuffle(len(times), func(i, j int) { times[i], times[j] = times[j], times[i] })
		g := guide(f, 0)
		g.told.Apart = true
		e, err := Guess(t.Context(), g, 0)
		if err != nil {
			t.Fatal(err)
		}
		k := r.IntN(len(times))
		check(t, e, exact, times[:k])
		first, _ := exact.Frame(0)
		if seed%2 == 0 {
			if err := e.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if l, err := e.Number(t.Context(), 0); err != nil || l.N != 0 || l.Estimated || l.PTS != first.PTS {
			t.Fatalf("seed %d: Number(0) = %+v, %v, want %+v", seed, l.Frame, err, first)
		}
		check(t, e, exact, times[k:])
		n := 0
		for l, err := range e.From(t.Context(), container.NoTicks) {
			f, _ := exact.Frame(n)
			if err != nil || l.N != n || l.Estimated || l.PTS != f.PTS {
				t.Fatalf("seed %d: frame %d is %+v, %v, want %+v", seed, n, l.Frame, err, f)
			}
			n++
		}
		if n != exact.Len() || e.Len() != n {
			t.Errorf("seed %d: %d frames, Len() = %d, want %d", seed, n, e.Len(), exact.Len())
		}
	}
}

// TestApartLooksForNothingElse: what a frame by its time costs is one place, and opening none.
func TestApartLooksForNothingElse(t *testing.T) {
	g := guide(steady(50, 12), 0)
	g.told.Apart = true
	e, err := Guess(t.Context(), g, 0)
	if err != nil || g.located != 0 || g.followed != 0 {
		t.Fatalf("opening locates %d times and follows %d packets, %v", g.located, g.followed, err)
	}
	if e.Len() < 1 {
		t.Errorf("Len() = %d", e.Len())
	}
	want, err := build(t, g.fake).Frame(301)
	if err != nil {
		t.Fatal(err)
	}
	l, err := e.At(t.Context(), want.PTS)
	if err == nil {
		_, err = e.Excerpt(t.Context(), []Located{l})
	}
	if err != nil || l.PTS != want.PTS || g.located != 1 || g.followed > 12 {
		t.Errorf("At(%d) = %+v, %v: it locates %d times and follows %d packets", want.PTS, l.Frame, err, g.located, g.followed)
	}
	if err := e.Begin(t.Context()); err != nil || g.located != 2 {
		t.Errorf("the first frame locates %d times, %v", g.located-1, err)
	}
}
