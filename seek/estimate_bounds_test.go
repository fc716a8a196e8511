package seek

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// TestEstimateTooLong has a guess of twice as many frames as there are: what Len told can be asked for.
func TestEstimateTooLong(t *testing.T) {
	g := guide(steady(5, 10), 0)
	g.told.Duration, g.told.Packets = 1000, 100
	e, err := Guess(t.Context(), g, 0)
	if err != nil {
		t.Fatal(err)
	}
	told := e.Len()
	l, err := e.Number(t.Context(), told-1)
	if err != nil || l.PTS != 490 {
		t.Errorf("Number(%d) = %+v, %v, want the last frame", told-1, l.Frame, err)
	}
	if e.Len() != 50 {
		t.Errorf("Len is %d once the end was seen, want 50", e.Len())
	}
	if _, err := e.At(t.Context(), 500); !errors.Is(err, ErrRange) {
		t.Errorf("At(500): %v", err)
	}
}

func TestNumbersAreCountedFromTheBeginning(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	f := scenario(r, 40, false)
	exact := build(t, f)
	e, err := Guess(t.Context(), guide(f, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	half := exact.Len() / 2
	for n := range half {
		w, _ := exact.Frame(n)
		if l, err := e.At(t.Context(), w.PTS); err != nil || l.N != n || l.Estimated {
			t.Fatalf("frame %d: %+v, %v", n, l.Frame, err)
		}
	}
	for n := half - 1; n >= 0; n-- {
		w, _ := exact.Frame(n)
		if l, err := e.Number(t.Context(), n); err != nil || l.PTS != w.PTS || l.Estimated {
			t.Fatalf("Number(%d) = %+v, %v, want %+v", n, l.Frame, err, w)
		}
	}
	if l, err := e.Number(t.Context(), exact.Len()*3/4); err != nil || !l.Estimated || l.N != exact.Len()*3/4 {
		t.Errorf("a frame beyond: %+v, %v", l.Frame, err)
	}
}

func TestEstimateIsBounded(t *testing.T) {
	g := guide(steady(4000, 25), 0)
	e, err := Guess(t.Context(), g, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for l, err := range e.From(t.Context(), container.NoTicks) {
		if err != nil || l.N != n || l.PTS != container.Ticks(10*n) || l.Estimated {
			t.Fatalf("frame %d: %+v, %v", n, l.Frame, err)
		}
		n++
	}
	if n != 100_000 {
		t.Errorf("%d frames", n)
	}
	if g.followed > 120_000 {
		t.Errorf("%d packets were followed for 100000", g.followed)
	}
	if b := e.Bytes(); b > 3<<20 || e.held > maxHeld {
		t.Errorf("%d bytes, %d packets are held", b, e.held)
	}
	// What was forgotten is found again, and its number is known.
	if l, err := e.At(t.Context(), 5007); err != nil || l.N != 500 || l.Estimated {
		t.Errorf("%+v, %v", l.Frame, err)
	}
	if l, err := e.Number(t.Context(), 777); err != nil || l.PTS != 7770 || l.Estimated {
		t.Errorf("%+v, %v", l.Frame, err)
	}
}

func TestEstimateOfWhatIsListedIsExact(t *testing.T) {
	f := steady(3, 4)
	e, err := Guess(t.Context(), f, 0) // a demuxer that can only list
	if err != nil || e.Kind() != Exact || e.Told().Method != "packets" || e.Table() == nil {
		t.Fatalf("%v, %+v, %v", e.Kind(), e.Told(), err)
	}
	l, err := e.Number(t.Context(), -1)
	if err != nil || l.N != 11 || l.Packet != 11 || l.Estimated {
		t.Errorf("%+v, %v", l.Frame, err)
	}
	x, err := e.Excerpt(t.Context(), []Located{l})
	if err != nil || x.Table != e.Table() || x.Numbers[0] != 11 {
		t.Errorf("%+v, %v", x, err)
	}
}

// TestUnfitTracksAreListed has times that run backward, and a track without a place to start: once that is seen, the index is exact.
func TestUnfitTracksAreListed(t *testing.T) {
	back := steady(6, 5)
	for i := 15; i < len(back.infos); i++ {
		back.infos[i].PTS -= 45
		back.infos[i].DTS -= 45
	}
	refresh := steady(2000, 10)
	for i := 10; i < len(refresh.infos); i += 10 {
		refresh.data[int64(i)] = recoveryIn3
	}
	for name, f := range map[string]*fake{"backward": back, "refresh": refresh} {
		t.Run(name, func(t *testing.T) {
			exact := build(t, f)
			g := guide(f, 0)
			e, err := Guess(t.Context(), g, 0)
			if err != nil {
				t.Fatal(err)
			}
			if name == "backward" {
				n := 0
				for _, err := range e.From(t.Context(), container.NoTicks) {
					if err != nil {
						t.Fatal(err)
					}
					n++
				}
				if n < 15 || n > exact.Len() {
					t.Errorf("%d frames", n)
				}
			} else if l, err := e.At(t.Context(), 199_000); err != nil || l.PTS != 199_000 {
				t.Errorf("%+v, %v", l.Frame, err)
			} else if _, err := e.Excerpt(t.Context(), []Located{l}); err != nil {
				t.Error(err)
			}
			if e.Kind() != Exact || !g.listed {
				t.Fatalf("%v, listed %t", e.Kind(), g.listed)
			}
			for n := 0; n < exact.Len(); n += 7 {
				w, _ := exact.Frame(n)
				if l, err := e.Number(t.Context(), n); err != nil || l.Frame != w {
					t.Fatalf("frame %d: %+v, %v, want %+v", n, l.Frame, err, w)
				}
			}
		})
	}
}

func TestEstimateIsSafeForConcurrentUse(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	f := scenario(r, 60, true)
	exact := build(t, f)
	times := allTimes(exact)
	e, err := Guess(t.Context(), guide(f, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		mine := slices.Clone(times)
		rand.New(rand.NewPCG(uint64(w), 1)).Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		wg.Go(func() {
			for _, at := range mine {
				got, err := e.At(t.Context(), at)
				n, want := exact.Search(at)
				f, _ := exact.Frame(n)
				if want == nil && (err != nil || got.PTS != f.PTS) {
					t.Errorf("At(%d) = %+v, %v, want %+v", at, got.Frame, err, f)
					return
				}
				if err == nil {
					if _, err := e.Excerpt(t.Context(), []Located{got}); err != nil {
						t.Error(err)
					}
				}
				e.Len()
				if e.Bytes() <= 0 {
					t.Error("no memory")
				}
			}
		})
	}
	wg.Wait()
	if e.mu.Lock(); e.table == nil && e.noted != len(e.hidden)+len(e.starts)+len(e.lying) {
		t.Errorf("%d places are counted of %d, %d and %d", e.noted, len(e.hidden), len(e.starts), len(e.lying))
	}
	e.mu.Unlock()
}
