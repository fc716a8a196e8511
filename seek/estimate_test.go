package seek

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// guided is a fake that can be followed. Its packets have no numbers.
type guided struct {
	*fake
	told     container.Estimate
	earlier  func() int // how many key packets too early Locate is
	mu       sync.Mutex
	listed   bool // List has been called
	located  int
	followed int // packets
}

func guide(f *fake, reorder int) *guided {
	for i := range f.infos {
		f.infos[i].Pos = 1000 + 10*int64(i)
	}
	return &guided{fake: f, told: container.Estimate{Method: "headers", Start: container.NoTicks, Duration: container.NoTicks, Packets: -1, Reorder: reorder}}
}

func (g *guided) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	g.mu.Lock()
	g.listed = true
	g.mu.Unlock()
	return g.fake.List(ctx, track, from)
}

func (g *guided) Estimate(context.Context, int) (container.Estimate, error) { return g.told, nil }

func (g *guided) Locate(_ context.Context, _ int, pts container.Ticks) (container.PacketInfo, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.located++
	early := 0
	if g.earlier != nil {
		early = g.earlier()
	}
	p := g.infos[0]
	for i := len(g.infos) - 1; i > 0; i-- {
		if q := g.infos[i]; q.Key && q.PTS <= pts {
			if early--; early < 0 {
				p = q
				break
			}
		}
	}
	p.N = -1
	return p, nil
}

func (g *guided) Follow(_ context.Context, _ int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		i := int(from.Pos-1000) / 10
		for n := from.N; i < len(g.infos); i++ {
			g.mu.Lock()
			g.followed++
			g.mu.Unlock()
			p := g.infos[i]
			p.N = n
			n++
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Read knows packets by their places.
func (g *guided) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	info.N = (info.Pos - 1000) / 10
	return g.fake.Read(ctx, track, info, p)
}

// scenario makes a track of many GOPs, of all kinds.
func scenario(r *rand.Rand, gops int, lies bool) *fake {
	var infos []container.PacketInfo
	data := map[int64][]byte{}
	at := container.Ticks(r.IntN(100))
	step := func() container.Ticks { return container.Ticks(5 + r.IntN(20)) }
	var lead []container.Ticks // of the next key packet
	for range gops {
		n := 1 + r.IntN(12)
		var times []container.Ticks
		for range n {
			times = append(times, at)
			at += step()
		}
		open := 0
		if n > 6 && r.IntN(2) == 0 { // the last pictures follow the next key packet in decode order
			open = 1 + r.IntN(3)
		}
		next := times[len(times)-open:]
		times = times[:len(times)-open]
		if r.IntN(4) == 0 {
			data[int64(len(infos))] = recovery
			if lies {
				data[int64(len(infos))] = [][]byte{recoveryIn3, inter}[r.IntN(2)]
			}
		} else if len(lead) > 0 {
			data[int64(len(infos))] = recovery
		}
		key := container.PacketInfo{PTS: times[0], Key: true}
		if lies && r.IntN(3) == 0 {
			key.Roll = []int{-2, 3}[r.IntN(2)]
		}
		infos = append(infos, key)
		for _, t := range lead {
			infos = append(infos, container.PacketInfo{PTS: t})
		}
		rest := slices.Clone(times[1:])
		for len(rest) > 0 { // mini GOPs: the last first
			k := min(1+r.IntN(4), len(rest))
			infos = append(infos, container.PacketInfo{PTS: rest[k-1]})
			inner := slices.Clone(rest[:k-1])
			r.Shuffle(len(inner), func(i, j int) { inner[i], inner[j] = inner[j], inner[i] })
			for _, t := range inner {
				infos = append(infos, container.PacketInfo{PTS: t})
			}
			rest = rest[k:]
		}
		lead = next
	}
	for i := range infos {
		infos[i].Size, infos[i].Duration = 6, 10
	}
	// The decode time of a packet is not after the PTS of any that follows.
	least := infos[len(infos)-1].PTS
	for i := len(infos) - 1; i >= 0; i-- {
		least = min(least, infos[i].PTS)
		infos[i].DTS = least
	}
	f := newFake("h264", infos...)
	f.data = data
	return f
}

// check compares what an estimate finds for times with what the exact index does.
func check(t *testing.T, e *Estimate, exact *Table, times []container.Ticks) {
	t.Helper()
	for _, at := range times {
		got, err := e.At(t.Context(), at)
		n, want := exact.Search(at)
		if want != nil {
			if !errors.Is(err, ErrRange) {
				t.Fatalf("At(%d) = %+v, %v, want %v", at, got.Frame, err, want)
			}
			continue
		}
		f, _ := exact.Frame(n)
		if err != nil || got.PTS != f.PTS || got.Duration != f.Duration || got.Key != f.Key {
			t.Fatalf("At(%d) = %+v, %v, want %+v", at, got.Frame, err, f)
		}
		if !got.Estimated && got.N != f.N {
			t.Fatalf("At(%d) is counted as frame %d, want %d", at, got.N, f.N)
		}
		checkExcerpt(t, e, exact, []Located{got}, []Frame{f})
	}
}

// checkExcerpt compares an excerpt for some frames with the exact index.
func checkExcerpt(t *testing.T, e *Estimate, exact *Table, frames []Located, want []Frame) {
	t.Helper()
	x, err := e.Excerpt(t.Context(), frames)
	if err != nil {
		t.Fatal(err)
	}
	packet := func(n int64) (p container.PacketInfo) {
		for p, err := range x.Demuxer.List(t.Context(), 0, container.PacketInfo{N: n}) {
			if err != nil || p.N != n {
				t.Fatalf("packet %d is %+v, %v", n, p, err)
			}
			return p
		}
		t.Fatalf("no packet %d", n)
		return p
	}
	for i, n := range x.Numbers {
		got, err := x.Table.Frame(n)
		if err != nil || got.PTS != want[i].PTS || got.Key != want[i].Key {
			t.Fatalf("frame %d of the excerpt is %+v, %v, want %+v", n, got, err, want[i])
		}
		p := packet(got.Packet)
		q, _ := exact.packet(t.Context(), want[i].Packet)
		start, err := x.Table.Start(t.Context(), n)
		first, _ := exact.Start(t.Context(), want[i].N)
		if err != nil || placeOf(&p) != placeOf(&q) || placeOf(&start) != placeOf(&first) {
			t.Fatalf("time %d: from %+v, %v, to %+v, want %+v to %+v", want[i].PTS, start, err, p, first, q)
		}
		// All packets between are there, one after the other.
		for k := first.N; k <= want[i].Packet; k++ {
			a, b := packet(start.N+k-first.N), exact.demuxer.(*fake).infos[k]
			if placeOf(&a) != placeOf(&b) {
				t.Fatalf("time %d: packet %d is %+v, want %+v", want[i].PTS, k, a, b)
			}
		}
	}
}

func TestExcerptsOfManyFrames(t *testing.T) {
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 21))
		f := scenario(r, 2+r.IntN(14), seed%3 == 0)
		g := guide(f, 0)
		exact := build(t, f)
		e, err := Guess(t.Context(), g, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			var frames []Located
			var want []Frame
			for range 1 + r.IntN(20) {
				w, _ := exact.Frame(r.IntN(exact.Len()))
				l, err := e.At(t.Context(), w.PTS)
				if err != nil {
					t.Fatal(err)
				}
				frames, want = append(frames, l), append(want, w)
			}
			checkExcerpt(t, e, exact, frames, want)
			x, _ := e.Excerpt(t.Context(), frames)
			if _, err := Plan(t.Context(), x.Table, x.Numbers); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// allTimes returns the times of all frames, and between and around them.
func allTimes(exact *Table) []container.Ticks {
	var times []container.Ticks
	for n := range exact.Len() {
		f, _ := exact.Frame(n)
		times = append(times, f.PTS-1, f.PTS, f.PTS+f.Duration/2, f.PTS+f.Duration-1)
	}
	f, _ := exact.Frame(exact.Len() - 1)
	return append(times, f.PTS+f.Duration, f.PTS+f.Duration+1000, container.NoTicks+2, 1<<60)
}

// TestEstimateFindsWhatTheExactIndexFinds asks for all times forward, backward and shuffled.
func TestEstimateFindsWhatTheExactIndexFinds(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		f := scenario(r, 1+r.IntN(14), seed%3 == 0)
		reorder := []int{0, 16}[seed%2]
		exact := build(t, f)
		times := allTimes(exact)
		forward := slices.Clone(times)
		slices.Sort(forward)
		for name, order := range map[string]func([]container.Ticks){
			"forward":  func([]container.Ticks) {},
			"backward": slices.Reverse[[]container.Ticks],
			"shuffled": func(s []container.Ticks) { r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) },
		} {
			times := slices.Clone(forward)
			order(times)
			g := guide(f, reorder)
			if seed%5 == 0 {
				g.earlier = func() int { return r.IntN(3) }
			}
			if reorder > 0 { // decode times that say less
				g.fake = &fake{track: f.track, infos: slices.Clone(f.infos), data: f.data}
				for i := range g.infos {
					g.infos[i].DTS = min(g.infos[i].PTS, g.infos[i].DTS+container.Ticks(r.IntN(40)))
				}
				for i := 1; i < len(g.infos); i++ {
					g.infos[i].DTS = max(g.infos[i].DTS, g.infos[i-1].DTS)
				}
			}
			e, err := Guess(t.Context(), g, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("%d/%s", seed, name), func(t *testing.T) {
				check(t, e, exact, times)
				if g.listed {
					t.Error("all packets were listed")
				}
				if n, all := e.Counted(); name == "forward" && (n != exact.Len() || !all) {
					t.Errorf("after all frames %d are counted, all %t, want %d", n, all, exact.Len())
				}
			})
		}
	}
}

// TestEstimateHidesWhatCannotBeDecoded begins with an open key packet and leading pictures of two kinds.
func TestEstimateHidesWhatCannotBeDecoded(t *testing.T) {
	for name, first := range map[string][]byte{"RASL": {0, 0, 0, 3, 9 << 1, 1, 0x80}, "RADL": {0, 0, 0, 3, 7 << 1, 1, 0x80}} {
		f := openGOP()
		data := map[int64][]byte{}
		for n, b := range f.data {
			data[n-4] = b
		}
		data[1] = first
		f.infos, f.data = f.infos[4:], data
		for i := range f.infos {
			f.infos[i].N = int64(i)
			f.infos[i].DTS = 40 // not after the PTS of any
		}
		exact := build(t, f)
		e, err := Guess(t.Context(), guide(f, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := exact.Frame(0)
		if l, err := e.Number(t.Context(), 0); err != nil || l.PTS != want.PTS {
			t.Errorf("%s: the first frame is %+v, %v, want %+v", name, l.Frame, err, want)
		}
		for at := container.Ticks(30); at < 110; at++ {
			check(t, e, exact, []container.Ticks{at})
		}
	}
}

func TestEstimateFromTheFirstFrameOn(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		f := scenario(r, 1+r.IntN(14), seed%3 == 0)
		exact := build(t, f)
		e, err := Guess(t.Context(), guide(f, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []int{-1, r.IntN(exact.Len())} {
			at, n := container.NoTicks, 0
			if from >= 0 {
				w, _ := exact.Frame(from)
				at, n = w.PTS, from
			}
			for l, err := range e.From(t.Context(), at) {
				want, _ := exact.Frame(n)
				want.Estimated = l.Estimated
				if l.Estimated {
					want.N = l.N
				}
				want.Packet = -1
				if err != nil || l.Frame != want {
					t.Fatalf("seed %d, from %d: frame %d is %+v, %v, want %+v", seed, from, n, l.Frame, err, want)
				}
				n++
			}
			if n != exact.Len() {
				t.Fatalf("seed %d, from %d: %d frames, want %d", seed, from, n, exact.Len())
			}
		}
		if n, all := e.Counted(); n != exact.Len() || !all || e.Len() != n {
			t.Errorf("seed %d: %d frames counted, all %t, Len %d, want %d", seed, n, all, e.Len(), exact.Len())
		}
	}
}

// steady returns a track of a constant rate, 10 ticks a frame.
func steady(gops, frames int) *fake {
	var infos []container.PacketInfo
	for k := range gops {
		for i := range frames {
			at := container.Ticks(10 * (k*frames + i))
			infos = append(infos, container.PacketInfo{PTS: at, DTS: at, Duration: 10, Size: 6, Key: i == 0})
		}
	}
	return newFake("h264", infos...)
}

func TestEstimatedNumbersOfAConstantRateAreRight(t *testing.T) {
	g := guide(steady(50, 12), 0)
	g.told.Duration, g.told.Packets = 6000, 600
	e, err := Guess(t.Context(), g, 0)
	if err != nil {
		t.Fatal(err)
	}
	if e.Len() != 600 || e.Kind() != Approximate {
		t.Errorf("Len %d, %v", e.Len(), e.Kind())
	}
	for _, n := range []int{0, 5, 299, 300, 599, -1, -5, -12, -13, -600} {
		l, err := e.Number(t.Context(), n)
		want := (n + 600) % 600
		if err != nil || l.PTS != container.Ticks(10*want) || l.N != want || l.Estimated != (want >= 12) {
			t.Errorf("Number(%d) = %+v, %v", n, l.Frame, err)
		}
	}
	for _, n := range []int{600, 1 << 40, -601} {
		if l, err := e.Number(t.Context(), n); !errors.Is(err, ErrRange) {
			t.Errorf("Number(%d) = %+v, %v, want ErrRange", n, l.Frame, err)
		}
	}
	if g.followed > 130 || g.listed {
		t.Errorf("%d packets were followed, all listed: %t", g.followed, g.listed)
	}
	if f, err := e.Frame(300); err != nil || f.PTS != 3000 || f.Duration != 10 || !f.Estimated {
		t.Errorf("Frame(300) = %+v, %v", f, err)
	}
	if n, err := e.Search(3009); err != nil || n != 300 {
		t.Errorf("Search(3009) = %d, %v", n, err)
	}
	if start, err := e.Start(t.Context(), 299); err != nil || start.PTS != 2880 {
		t.Errorf("Start(299) = %+v, %v", start, err)
	}
}
