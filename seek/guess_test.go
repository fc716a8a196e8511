package seek

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

func sameRuns(a, b []Run) bool {
	return slices.EqualFunc(a, b, func(a, b Run) bool {
		return a.Start == b.Start && a.Last == b.Last && slices.Equal(a.Frames, b.Frames)
	})
}

func confirm(t *testing.T, x Index, guessed []Run) []Run {
	t.Helper()
	var out []Run
	for r, err := range Confirm(t.Context(), x, guessed) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// Guessing reads nothing. Where the guess was right, nothing changes by confirming it; where it was wrong, every frame is still in
// one run that begins early enough.
func TestConfirmLaws(t *testing.T) {
	right := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 11))
		f := randomStream(r)
		x := build(t, f)
		if x.Len() == 0 {
			continue
		}
		var wanted []int
		for range 1 + r.IntN(2*x.Len()) {
			wanted = append(wanted, r.IntN(x.Len()))
		}
		reads := f.reads
		guessed, err := Plan(t.Context(), x.Guess(), wanted)
		if err != nil {
			t.Fatal(err)
		}
		if f.reads != reads {
			t.Fatalf("seed %d: guessing read %d packets", seed, f.reads-reads)
		}
		want, err := Plan(t.Context(), x, wanted)
		if err != nil {
			t.Fatal(err)
		}
		got := confirm(t, x, guessed)
		if sameRuns(guessed, want) {
			right++
			if !sameRuns(got, want) {
				t.Fatalf("seed %d: %v, want %v", seed, got, want)
			}
		}
		seen := map[int]int{}
		for _, run := range got {
			for _, fr := range run.Frames {
				seen[fr.N]++
				start, err := x.Start(t.Context(), fr.N)
				if err != nil {
					t.Fatal(err)
				}
				if start.N < run.Start.N || fr.Packet > run.Last {
					t.Fatalf("seed %d: frame %d needs packets %d-%d, its run has %d-%d", seed, fr.N, start.N, fr.Packet, run.Start.N, run.Last)
				}
			}
		}
		for _, n := range wanted {
			if seen[n] != 1 {
				t.Fatalf("seed %d: frame %d is in %d runs", seed, n, seen[n])
			}
		}
	}
	if right < 100 {
		t.Errorf("only %d guesses were right", right)
	}
}

// A stream whose key packets are none is one run, however it was cut by the guess.
func TestConfirmJoinsWhatWasCutWrongly(t *testing.T) {
	f := newFake("h264", gop(gop(gop(nil, 0, 10), 20, 30), 40, 50)...)
	f.data[2], f.data[4] = recoveryIn3, recoveryIn3
	x := build(t, f)
	frames := []int{0, 1, 2, 3, 4, 5}
	guessed, err := Plan(t.Context(), x.Guess(), frames)
	if err != nil {
		t.Fatal(err)
	}
	if guessed, err = Split(t.Context(), x.Guess(), guessed, 3); err != nil || len(guessed) != 3 {
		t.Fatalf("%d runs, %v, want 3", len(guessed), err)
	}
	want, err := Plan(t.Context(), x, frames)
	if err != nil {
		t.Fatal(err)
	}
	if got := confirm(t, x, guessed); !sameRuns(got, want) || len(got) != 1 {
		t.Errorf("%v, want %v", got, want)
	}
	f.data = map[int64][]byte{}
	if got := confirm(t, build(t, f), guessed); !sameRuns(got, guessed) {
		t.Errorf("%v, want %v", got, guessed)
	}
}

// asking notes which frames' starts were asked for.
type asking struct {
	*Table
	asked []int
}

func (a *asking) Start(ctx context.Context, n int) (container.PacketInfo, error) {
	a.asked = append(a.asked, n)
	return a.Table.Start(ctx, n)
}

func TestConfirmAsksOneRunAhead(t *testing.T) {
	x := &asking{Table: build(t, newFake("h264", gop(gop(gop(gop(nil, 0, 10), 20, 30), 40, 50), 60, 70)...))}
	guessed, err := Plan(t.Context(), x.Guess(), []int{0, 2, 4, 6})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range Confirm(t.Context(), x, guessed) {
		if n++; err != nil || len(x.asked) != min(n+1, 4) {
			t.Errorf("run %d came after asking for frames %v: %v", n, x.asked, err)
		}
	}
	if n != 4 {
		t.Errorf("%d runs, want 4", n)
	}
}
