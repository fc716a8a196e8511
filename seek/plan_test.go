package seek

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

type span struct {
	start, last int64
	frames      []int
}

func plan(t *testing.T, x Index, frames ...int) []span {
	t.Helper()
	runs, err := Plan(t.Context(), x, frames)
	if err != nil {
		t.Fatal(err)
	}
	var out []span
	for _, r := range runs {
		s := span{start: r.Start.N, last: r.Last}
		for _, f := range r.Frames {
			s.frames = append(s.frames, f.N)
		}
		out = append(out, s)
	}
	return out
}

func TestPlan(t *testing.T) {
	// Two GOPs of four, one of two: frames 0..9, packets 0 3 1 2, 4 7 5 6, 8 9 by presentation.
	x := build(t, newFake("h264", gop(gop(gop(nil, 0, 30, 10, 20), 40, 70, 50, 60), 80, 90)...))
	for _, c := range []struct {
		name   string
		frames []int
		want   []span
	}{
		{"one", []int{0}, []span{{0, 0, []int{0}}}},
		{"a B frame needs its references", []int{1}, []span{{0, 2, []int{1}}}},
		{"repeats and disorder", []int{5, 1, 5, 1}, []span{{0, 2, []int{1}}, {4, 6, []int{5}}}},
		{"from the end", []int{-1, -10}, []span{{0, 0, []int{0}}, {8, 9, []int{9}}}},
		{"same run", []int{2, 0, 3}, []span{{0, 3, []int{0, 2, 3}}}},
		{"touching runs are one", []int{0, 1, 2, 3, 4}, []span{{0, 4, []int{0, 1, 2, 3, 4}}}},
		{"a gap parts", []int{0, 8}, []span{{0, 0, []int{0}}, {8, 8, []int{8}}}},
		{"everything", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []span{{0, 9, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}}},
	} {
		got := plan(t, x, c.frames...)
		if !slices.EqualFunc(got, c.want, func(a, b span) bool {
			return a.start == b.start && a.last == b.last && slices.Equal(a.frames, b.frames)
		}) {
			t.Errorf("%s: Plan(%v) = %v, want %v", c.name, c.frames, got, c.want)
		}
	}
}

func TestPlanRefusesFramesThatAreNot(t *testing.T) {
	x := build(t, newFake("h264", gop(nil, 0, 10)...))
	for _, n := range []int{2, -3, 1 << 40} {
		if _, err := Plan(t.Context(), x, []int{0, n}); !errors.Is(err, ErrRange) {
			t.Errorf("Plan(%d) = %v, want ErrRange", n, err)
		}
	}
}

// What must hold of every plan: each wanted frame is in exactly one run, which begins at a packet from which it can be decoded and
// ends no later than the last wanted packet needs; runs ascend and do not touch.
func TestPlanLaws(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		f := randomStream(r)
		x := build(t, f)
		if x.Len() == 0 {
			continue
		}
		var wanted []int
		for range 1 + r.IntN(2*x.Len()) {
			wanted = append(wanted, r.IntN(2*x.Len())-x.Len())
		}
		runs, err := Plan(t.Context(), x, wanted)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int]int{}
		for i, run := range runs {
			if i > 0 && run.Start.N <= runs[i-1].Last+1 {
				t.Fatalf("seed %d: run %d starts at packet %d, the one before ends at %d", seed, i, run.Start.N, runs[i-1].Last)
			}
			last := int64(-1)
			for k, fr := range run.Frames {
				seen[fr.N]++
				last = max(last, fr.Packet)
				if k > 0 && fr.N <= run.Frames[k-1].N {
					t.Fatalf("seed %d: frames of run %d do not ascend", seed, i)
				}
				start, err := x.Start(t.Context(), fr.N)
				if err != nil {
					t.Fatal(err)
				}
				if fr.Packet < run.Start.N || start.N < run.Start.N {
					t.Fatalf("seed %d: frame %d needs packet %d, its run starts at %d", seed, fr.N, start.N, run.Start.N)
				}
			}
			if last != run.Last {
				t.Fatalf("seed %d: run %d ends at packet %d, its last frame is packet %d", seed, i, run.Last, last)
			}
		}
		for _, n := range wanted {
			if n < 0 {
				n += x.Len()
			}
			if seen[n] != 1 {
				t.Fatalf("seed %d: frame %d is in %d runs", seed, n, seen[n])
			}
		}
		// Every frame is found at its own PTS, or a later one with the same PTS is.
		for n := range x.Len() {
			fr, _ := x.Frame(n)
			got, err := x.Search(fr.PTS)
			if g, _ := x.Frame(got); err != nil || g.PTS != fr.PTS || got < n {
				t.Fatalf("seed %d: Search(PTS of frame %d) = %d, %v", seed, n, got, err)
			}
		}
	}
}

// randomStream is a stream of random GOPs with reordering, open and closed, trimmed at random, with recovery points.
func randomStream(r *rand.Rand) *fake {
	var infos []container.PacketInfo
	data := map[int64][]byte{}
	base := container.Ticks(r.IntN(1000) - 500)
	for range 1 + r.IntN(8) {
		n := 1 + r.IntN(12)
		var pts []container.Ticks
		for i := range n {
			pts = append(pts, base+container.Ticks(10*i))
		}
		for i := 1; i+2 < n; i += 3 { // P before two B
			pts[i], pts[i+1], pts[i+2] = pts[i+2], pts[i], pts[i+1]
		}
		if len(infos) > 0 && r.IntN(3) == 0 && n > 3 { // leading pictures
			pts[0], pts[1], pts[2] = pts[2], pts[0], pts[1]
			data[int64(len(infos))] = recovery
		}
		switch first := int64(len(infos)); r.IntN(6) {
		case 0:
			data[first] = recoveryIn3
		case 1:
			data[first] = inter
		}
		infos = gop(infos, pts...)
		base += container.Ticks(10 * n)
	}
	for i := range infos {
		if r.IntN(20) == 0 {
			infos[i].Discard = true
		}
		if r.IntN(30) == 0 && i > 0 {
			infos[i].PTS = infos[i-1].PTS
		}
	}
	f := newFake("h264", infos...)
	f.data = data
	return f
}

func BenchmarkPlanAll(b *testing.B) {
	var infos []container.PacketInfo
	for i := range 100_000 {
		k := container.Ticks(i / 4 * 40)
		infos = append(infos, container.PacketInfo{PTS: k + []container.Ticks{0, 30, 10, 20}[i%4], Key: i%240 == 0})
	}
	x, err := Build(b.Context(), newFake("h264", infos...), 0)
	if err != nil {
		b.Fatal(err)
	}
	all := make([]int, x.Len())
	for i := range all {
		all[i] = i
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Plan(b.Context(), x, all); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSplitCutsAtKeyFrames(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, c := range []struct {
		name  string
		fake  *fake
		parts int
		want  []span
	}{
		{"closed", newFake("h264", gop(gop(gop(nil, 0, 30, 10, 20), 40, 70, 50, 60), 80, 90)...), 4,
			[]span{{0, 3, []int{0, 1, 2, 3}}, {4, 7, []int{4, 5, 6, 7}}, {8, 9, []int{8, 9}}}},
		{"in two", newFake("h264", gop(gop(gop(nil, 0, 30, 10, 20), 40, 70, 50, 60), 80, 90)...), 2,
			[]span{{0, 7, []int{0, 1, 2, 3, 4, 5, 6, 7}}, {8, 9, []int{8, 9}}}},
		{"open", openGOP(), 4, []span{{0, 9, all}}},
	} {
		x := build(t, c.fake)
		runs, err := Plan(t.Context(), x, all)
		if err != nil {
			t.Fatal(err)
		}
		if runs, err = Split(t.Context(), x, runs, c.parts); err != nil {
			t.Fatal(err)
		}
		if len(runs) != len(c.want) {
			t.Errorf("%s: %d runs, want %d", c.name, len(runs), len(c.want))
			continue
		}
		for i, r := range runs {
			var frames []int
			for _, f := range r.Frames {
				frames = append(frames, f.N)
			}
			if r.Start.N != c.want[i].start || r.Last != c.want[i].last || !slices.Equal(frames, c.want[i].frames) {
				t.Errorf("%s: run %d is %d to %d of %v, want %v", c.name, i, r.Start.N, r.Last, frames, c.want[i])
			}
		}
	}
}

// What must hold however runs are cut: each frame is in one piece, whose start it can be decoded from, and little is decoded twice.
func TestSplitLaws(t *testing.T) {
	cuts := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		x := build(t, randomStream(r))
		var wanted []int
		for n := range x.Len() {
			if r.IntN(3) > 0 {
				wanted = append(wanted, n)
			}
		}
		runs, err := Plan(t.Context(), x, wanted)
		if err != nil {
			t.Fatal(err)
		}
		parts := 1 + r.IntN(8)
		pieces, err := Split(t.Context(), x, runs, parts)
		if err != nil {
			t.Fatal(err)
		}
		cuts += len(pieces) - len(runs)
		var before, after int64
		for i := range runs {
			before += runs[i].Packets()
		}
		var got []int
		for _, p := range pieces {
			after += p.Packets()
			last := int64(-1)
			for _, f := range p.Frames {
				got = append(got, f.N)
				last = max(last, f.Packet)
				start, err := x.Start(t.Context(), f.N)
				if err != nil {
					t.Fatal(err)
				}
				if f.Packet < p.Start.N || start.N < p.Start.N {
					t.Fatalf("seed %d: frame %d needs packet %d, its piece starts at %d", seed, f.N, start.N, p.Start.N)
				}
			}
			if last != p.Last {
				t.Fatalf("seed %d: a piece ends at packet %d, its last frame is packet %d", seed, p.Last, last)
			}
		}
		if !slices.Equal(got, wanted) {
			t.Fatalf("seed %d: the pieces have frames %v, want %v", seed, got, wanted)
		}
		if (after-before)*overlap > before {
			t.Errorf("seed %d: %d packets are decoded instead of %d", seed, after, before)
		}
	}
	if cuts < 100 {
		t.Errorf("%d cuts in all", cuts)
	}
}

func TestSplitCutsLongOpenGOPs(t *testing.T) {
	var pts []container.Ticks
	var infos []container.PacketInfo
	for g := range container.Ticks(4) { // I, the two pictures shown before it, then 37 more
		b := 400 * g
		pts = append(pts[:0], b+20, b, b+10)
		if g == 0 {
			pts = append(pts[:0], b, b+10, b+20)
		}
		for k := container.Ticks(3); k < 40; k++ {
			pts = append(pts, b+10*k)
		}
		infos = gop(infos, pts...)
	}
	f := newFake("h264", infos...)
	f.data = map[int64][]byte{40: recovery, 80: recovery, 120: recovery}
	x := build(t, f)
	all := make([]int, x.Len())
	for i := range all {
		all[i] = i
	}
	runs, err := Plan(t.Context(), x, all)
	if err != nil {
		t.Fatal(err)
	}
	if runs, err = Split(t.Context(), x, runs, 4); err != nil {
		t.Fatal(err)
	}
	var got []span
	for _, r := range runs {
		got = append(got, span{start: r.Start.N, last: r.Last})
	}
	want := []span{{start: 0, last: 42}, {start: 40, last: 82}, {start: 80, last: 122}, {start: 120, last: 159}}
	if !slices.EqualFunc(got, want, func(a, b span) bool { return a.start == b.start && a.last == b.last }) {
		t.Errorf("pieces %v, want %v", got, want)
	}
}
