package sprocket

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/tensor"
)

func openClip(t testing.TB, c *clip, o *VideoOptions) *VideoDecoder {
	t.Helper()
	if o == nil {
		o = &VideoOptions{}
	}
	o.Formats, o.Backend = []container.Format{c}, backend{c}
	d, err := OpenVideo(t.Context(), bytes.NewReader([]byte("clip")), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := c.live.Load(); n != 0 {
			t.Errorf("%d decoders are still open after Close", n)
		}
	})
	return d
}

// linearHashes decodes everything in one go.
func linearHashes(t testing.TB, d *VideoDecoder) []uint64 {
	t.Helper()
	var out []uint64
	for f, err := range d.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if f.N != len(out) {
			t.Fatalf("frame %d came at place %d", f.N, len(out))
		}
		out = append(out, hash(f.Tensor))
	}
	if len(out) != d.Len() {
		t.Fatalf("%d frames came out of %d", len(out), d.Len())
	}
	return out
}

func TestEveryFrameForwardBackwardShuffled(t *testing.T) {
	for name, c := range map[string]*clip{"closed": gops(6, false), "open": gops(6, true)} {
		d := openClip(t, c, nil)
		want := linearHashes(t, d)
		if u := slices.Compact(slices.Sorted(slices.Values(want))); len(u) != len(want) {
			t.Fatalf("%s: the pictures are not all different", name)
		}
		order := rand.New(rand.NewPCG(1, 2)).Perm(d.Len())
		for i := range order {
			for _, n := range []int{i, d.Len() - 1 - i, order[i], order[i] - d.Len()} {
				f, err := d.FrameAt(t.Context(), n)
				if err != nil {
					t.Fatalf("%s: FrameAt(%d): %v", name, n, err)
				}
				if n < 0 {
					n += d.Len()
				}
				if hash(f.Tensor) != want[n] || f.N != n {
					t.Fatalf("%s: FrameAt(%d) is not frame %d of a linear decode", name, n, n)
				}
			}
		}
	}
}

func TestMixedCallsNeverGiveAWrongFrame(t *testing.T) {
	d := openClip(t, gops(8, true), &VideoOptions{Workers: 3})
	want := linearHashes(t, d)
	var wg sync.WaitGroup
	for g := range uint64(6) {
		wg.Go(func() { mixCalls(t, d, want, rand.New(rand.NewPCG(g, 3))) })
	}
	wg.Wait()
}

func mixCalls(t *testing.T, d *VideoDecoder, want []uint64, r *rand.Rand) {
	ctx := t.Context()
	check := func(what string, frames []FrameInfo, pixels *tensor.Tensor, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		for i, f := range frames {
			if hash(pixels.Index(i)) != want[f.N] {
				t.Errorf("%s: slot %d is not frame %d", what, i, f.N)
			}
		}
	}
	for range 60 {
		a, b := r.IntN(d.Len()), r.IntN(d.Len())
		a, b = min(a, b), max(a, b)
		ta, tb := d.at(a), d.at(b)
		switch r.IntN(8) {
		case 0:
			if f, err := d.FrameAt(ctx, a); err != nil || hash(f.Tensor) != want[a] {
				t.Errorf("FrameAt(%d): wrong frame or %v", a, err)
			}
		case 1:
			if f, err := d.FramePlayedAt(ctx, ta); err != nil || f.N != a || hash(f.Tensor) != want[a] {
				t.Errorf("FramePlayedAt(%v): wrong frame or %v", ta, err)
			}
		case 2:
			var ns []int
			for range r.IntN(20) {
				ns = append(ns, r.IntN(2*d.Len())-d.Len())
			}
			f, err := d.FramesAt(ctx, ns)
			if err == nil && len(f.Frames) != len(ns) {
				t.Errorf("FramesAt of %d gave %d", len(ns), len(f.Frames))
			}
			check("FramesAt", f.Frames, f.Tensor, err)
		case 3:
			f, err := d.FramesInRange(ctx, a, b, 1+r.IntN(5))
			check("FramesInRange", f.Frames, f.Tensor, err)
		case 4:
			f, err := d.FramesPlayedAt(ctx, []time.Duration{tb, ta, tb})
			check("FramesPlayedAt", f.Frames, f.Tensor, err)
		case 5:
			f, err := d.FramesPlayedInRange(ctx, ta, tb)
			check("FramesPlayedInRange", f.Frames, f.Tensor, err)
			if err == nil && len(f.Frames) != b-a {
				t.Errorf("FramesPlayedInRange of frames %d to %d gave %d", a, b, len(f.Frames))
			}
		case 6:
			dst := tensor.New(tensor.Uint8, 2, 3, 2, 4)
			f, err := d.ReadFramesAt(ctx, dst, []int{b, a})
			check("ReadFramesAt", f.Frames, dst, err)
		case 7:
			for f, err := range d.Frames(ctx) {
				if err != nil || hash(f.Tensor) != want[f.N] {
					t.Errorf("Frames: wrong frame or %v", err)
				}
				if f.N == a {
					break
				}
			}
		}
	}
}

// at returns the PTS of frame n.
func (d *VideoDecoder) at(n int) time.Duration {
	f, err := d.index.Frame(n)
	if err != nil {
		panic(err)
	}
	return d.index.Timebase().Duration(f.PTS)
}

// The boundary rules of the calls, on 60 frames of 1001/30000 s.
func TestBoundaries(t *testing.T) {
	d := openClip(t, gops(6, false), nil)
	ctx := t.Context()
	end := d.Metadata().End
	half := d.at(1) / 2
	frames := func(b *FrameBatch, err error) ([]int, error) {
		if err != nil {
			return nil, err
		}
		var ns []int
		for _, f := range b.Frames {
			ns = append(ns, f.N)
		}
		if b.Tensor.Shape()[0] != len(ns) {
			t.Errorf("tensor of shape %v for %d frames", b.Tensor.Shape(), len(ns))
		}
		return ns, nil
	}
	for _, c := range []struct {
		name string
		do   func() (*FrameBatch, error)
		want []int // nil: out of range
	}{
		{"at order", func() (*FrameBatch, error) { return d.FramesAt(ctx, []int{35, 25, -1, -2}) }, []int{35, 25, 59, 58}},
		{"at nothing", func() (*FrameBatch, error) { return d.FramesAt(ctx, nil) }, []int{}},
		{"at 60", func() (*FrameBatch, error) { return d.FramesAt(ctx, []int{0, 60}) }, nil},
		{"at -61", func() (*FrameBatch, error) { return d.FramesAt(ctx, []int{-61}) }, nil},
		{"range clipped", func() (*FrameBatch, error) { return d.FramesInRange(ctx, 57, 1000, 1) }, []int{57, 58, 59}},
		{"range from the end", func() (*FrameBatch, error) { return d.FramesInRange(ctx, -3, 1000, 1) }, []int{57, 58, 59}},
		{"range to End", func() (*FrameBatch, error) { return d.FramesInRange(ctx, -3, End, 2) }, []int{57, 59}},
		{"range before the start", func() (*FrameBatch, error) { return d.FramesInRange(ctx, -1000, 2, 1) }, []int{0, 1}},
		{"range empty", func() (*FrameBatch, error) { return d.FramesInRange(ctx, 0, 0, 1) }, []int{}},
		{"range backward", func() (*FrameBatch, error) { return d.FramesInRange(ctx, 5, 2, 1) }, []int{}},
		{"range huge step", func() (*FrameBatch, error) { return d.FramesInRange(ctx, 5, End, End) }, []int{5}},
		{"times", func() (*FrameBatch, error) { return d.FramesPlayedAt(ctx, []time.Duration{d.at(2), d.at(3) - 1, 0}) }, []int{2, 2, 0}},
		{"time before", func() (*FrameBatch, error) { return d.FramesPlayedAt(ctx, []time.Duration{-1}) }, nil},
		{"time at the end", func() (*FrameBatch, error) { return d.FramesPlayedAt(ctx, []time.Duration{end}) }, nil},
		{"first five", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, 0, d.at(5)) }, []int{0, 1, 2, 3, 4}},
		{"half a frame more", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, 0, d.at(4)+half) }, []int{0, 1, 2, 3, 4}},
		{"inside one frame", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, d.at(6), d.at(6)+half) }, []int{6}},
		{"one nanosecond", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, d.at(35), d.at(35)+1) }, []int{35}},
		{"across a border", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, d.at(8)-half, d.at(8)+half) }, []int{7, 8}},
		{"equal times", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, d.at(4), d.at(4)) }, []int{}},
		{"equal at the end", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, end, end) }, []int{}},
		{"5 a second", func() (*FrameBatch, error) { return d.FramesPlayedAtRate(ctx, 0, time.Second, 5) }, []int{0, 5, 11, 17, 23}},
		{"faster than they change", func() (*FrameBatch, error) { return d.FramesPlayedAtRate(ctx, 0, d.at(1), 3*29.97) }, []int{0, 0, 0}},
		{"their own rate", func() (*FrameBatch, error) { return d.FramesPlayedAtRate(ctx, d.at(3), d.at(7), 30000.0/1001) }, []int{3, 4, 5, 6}},
		{"no time at a rate", func() (*FrameBatch, error) { return d.FramesPlayedAtRate(ctx, 0, 0, 5) }, []int{}},
		{"too late at a rate", func() (*FrameBatch, error) { return d.FramesPlayedAtRate(ctx, 0, end+1, 5) }, nil},
		{"last", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, d.at(59), end) }, []int{59}},
		{"starts too early", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, -1, end) }, nil},
		{"ends too late", func() (*FrameBatch, error) { return d.FramesPlayedInRange(ctx, 0, end+1) }, nil},
	} {
		got, err := frames(c.do())
		var re *seek.RangeError
		if c.want == nil {
			if !errors.As(err, &re) || !errors.Is(err, seek.ErrRange) {
				t.Errorf("%s: %v, %v, want a *seek.RangeError", c.name, got, err)
			}
		} else if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
	if _, err := d.FramesPlayedInRange(ctx, 2, 1); err == nil {
		t.Error("a range that runs backward is no error")
	}
	if _, err := d.FramesInRange(ctx, 0, 1, 0); err == nil {
		t.Error("step 0 is no error")
	}
	for _, fps := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := d.FramesPlayedAtRate(ctx, 0, end, fps); err == nil {
			t.Errorf("%v frames a second is no error", fps)
		}
	}
	if all, err := frames(d.FramesPlayedAtRate(ctx, 0, end, 30000.0/1001)); err != nil || len(all) != 60 || !slices.IsSorted(all) || len(slices.Compact(all)) != 60 {
		t.Errorf("all frames at their own rate: %v, %v", all, err)
	}
	if all, err := frames(d.FramesPlayedInRange(ctx, 0, end)); err != nil || len(all) != 60 {
		t.Errorf("the whole range gave %d frames, %v", len(all), err)
	}
	for n := range d.Len() {
		f, err := d.FramePlayedAt(ctx, d.at(n))
		if err != nil || f.N != n || f.PTS != d.at(n) || f.Ticks != container.Ticks(n) || f.DurationTicks != 1 {
			t.Errorf("FramePlayedAt(PTS of %d) = %+v, %v", n, f, err)
		}
	}
}

func TestPacketsAreDecodedOnceAndOnlyWhenNeeded(t *testing.T) {
	d := openClip(t, gops(3, false), nil)
	if _, err := d.FramesAt(t.Context(), []int{9, 9, 9, 0}); err != nil {
		t.Fatal(err)
	}
	// Packets of GOP 0 are I P3 B B P6 B B P9 B B: up to the packet of frame 9 there are four B pictures nobody wants.
	s := d.Stats()
	if s.Packets != 8 || s.Skipped != 4 || s.Decoded != 4 || s.Runs != 1 {
		t.Errorf("packets %d, skipped %d, decoded %d, runs %d, want 8, 4, 4, 1", s.Packets, s.Skipped, s.Decoded, s.Runs)
	}
}

func TestDenseRequestsAreSharedAmongWorkers(t *testing.T) {
	for _, open := range []bool{false, true} {
		c := gops(8, open)
		d := openClip(t, c, &VideoOptions{Workers: 2})
		want := linearHashes(t, openClip(t, gops(8, open), nil))
		b, err := d.FramesInRange(t.Context(), 0, End, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if hash(b.Index(i)) != want[i] {
				t.Errorf("open %v: slot %d is wrong", open, i)
			}
		}
		s := d.Stats()
		if s.Packets != int64(len(c.infos)) {
			t.Errorf("open %v: %d packets were read, want each of %d once", open, s.Packets, len(c.infos))
		}
		if many := s.Runs > 1; many == open {
			t.Errorf("open %v: %d runs", open, s.Runs)
		}
	}
}

func TestDecodersAreReused(t *testing.T) {
	d := openClip(t, gops(8, false), &VideoOptions{Workers: 2})
	for range 20 {
		if _, err := d.FramesAt(t.Context(), []int{0, 20, 40, 60}); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.Stats().Decoders; n > 2 {
		t.Errorf("%d decoders were opened for 2 workers", n)
	}
}

func TestABrokenPacketCostsItsFramesOnly(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		c := gops(3, false)
		if damaged {
			c.lossy[4] = true // P6 of the first GOP
		} else {
			c.broken[4] = true
		}
		d := openClip(t, c, nil)
		want := linearHashes(t, openClip(t, gops(3, false), nil))
		lost := []int{4, 5, 6, 7, 8, 9} // the picture itself, and those made from it
		for n := range d.Len() {
			f, err := d.FrameAt(t.Context(), n)
			switch {
			case slices.Contains(lost, n):
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, codec.ErrDecode) {
					t.Errorf("FrameAt(%d) = %v, want an error", n, err)
				}
			case err != nil || hash(f.Tensor) != want[n]:
				t.Errorf("FrameAt(%d): wrong frame or %v", n, err)
			}
		}
		n := 0
		for f, err := range d.Frames(t.Context()) {
			if bad := slices.Contains(lost, n); bad != (err != nil) || !bad && (f.N != n || hash(f.Tensor) != want[n]) {
				t.Errorf("Frames at %d: %v", n, err)
			}
			n++
		}
		if n != d.Len() {
			t.Errorf("Frames gave %d of %d", n, d.Len())
		}
		b, err := d.FramesAt(t.Context(), []int{0, 6, 12, 7})
		if err == nil || b == nil || b.Errs[0] != nil || b.Errs[1] == nil || b.Errs[2] != nil || b.Errs[3] == nil {
			t.Fatalf("FramesAt with two lost frames: %v", err)
		}
		for slot, n := range map[int]int{1: 6, 3: 7} {
			var lost *FrameError
			f, err := d.Index().Frame(n)
			if !errors.As(b.Errs[slot], &lost) || err != nil || lost.N != n || lost.Ticks != f.PTS || lost.DurationTicks != f.Duration {
				t.Errorf("slot %d: %v of %+v, want that of frame %d", slot, b.Errs[slot], lost, n)
			}
		}
		if hash(b.Index(0)) != want[0] || hash(b.Index(2)) != want[12] {
			t.Error("the good frames of a batch are wrong")
		}
	}
}

func TestABrokenDisposablePacketCostsOneFrame(t *testing.T) {
	c := gops(2, false)
	c.broken[2] = true // B1
	d := openClip(t, c, nil)
	for n := range d.Len() {
		if _, err := d.FrameAt(t.Context(), n); (err != nil) != (n == 1) {
			t.Errorf("FrameAt(%d): %v", n, err)
		}
	}
}

func TestKeepDamaged(t *testing.T) {
	c := gops(1, false)
	c.lossy[4] = true
	d := openClip(t, c, &VideoOptions{KeepDamaged: true})
	b, err := d.FramesInRange(t.Context(), 0, End, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range b.Frames {
		if f.Damaged != (i == 6) {
			t.Errorf("frame %d: Damaged = %v", i, f.Damaged)
		}
	}
}

func TestMixedSizes(t *testing.T) {
	c := gops(2, false)
	c.width = func(n int64) int { return 4 + 4*int(n/10) }
	d := openClip(t, c, &VideoOptions{Workers: 1})
	if f, err := d.FrameAt(t.Context(), 12); err != nil || f.Shape()[2] != 8 {
		t.Errorf("a frame of its own has its own size: %v", err)
	}
	_, err := d.FramesAt(t.Context(), []int{0, 12})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("frame 12: its shape is [3 2 8], that of frame 0 of the same batch [3 2 4]")) {
		t.Errorf("a batch of two sizes: %v", err)
	}
}

func TestReadFramesAtChecksTheDestination(t *testing.T) {
	d := openClip(t, gops(1, false), nil)
	for _, dst := range []*tensor.Tensor{nil, tensor.New(tensor.Uint8, 1, 3, 2, 4), tensor.New(tensor.Float32, 2, 3, 2, 4), tensor.New(tensor.Uint8, 2, 3, 2, 5)} {
		if _, err := d.ReadFramesAt(t.Context(), dst, []int{0, 1}); err == nil {
			t.Errorf("destination %v is no error", dst)
		}
	}
}

func TestClosed(t *testing.T) {
	d := openClip(t, gops(2, false), nil)
	next, stop := pull(d.Frames(t.Context()))
	if _, err, ok := next(); err != nil || !ok {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err, ok := next(); err != nil || !ok {
		t.Errorf("an iteration that was running: %v", err)
	}
	stop()
	if _, err := d.FrameAt(t.Context(), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("FrameAt after Close = %v, want ErrClosed", err)
	}
	if d.Len() != 20 || d.Metadata().Frames != 20 {
		t.Error("metadata does not answer after Close")
	}
}

func TestCancel(t *testing.T) {
	d := openClip(t, gops(4, false), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.FramesAt(ctx, []int{0, 15, 30}); !errors.Is(err, context.Canceled) {
		t.Errorf("FramesAt = %v, want context.Canceled", err)
	}
	if _, err := d.FrameAt(t.Context(), 3); err != nil {
		t.Errorf("after a cancelled call: %v", err)
	}
}

func TestNoSuchTrack(t *testing.T) {
	c := gops(1, false)
	_, err := OpenVideo(t.Context(), bytes.NewReader([]byte("clip")), &VideoOptions{Track: 3, Formats: []container.Format{c}, Backend: backend{c}})
	if !errors.Is(err, container.ErrUnsupported) {
		t.Errorf("OpenVideo of track 3 = %v, want ErrUnsupported", err)
	}
}

func TestNativePlanes(t *testing.T) {
	d := openClip(t, gops(2, false), &VideoOptions{Native: true})
	b, err := d.FramesAt(t.Context(), []int{3, 1, 3})
	if err != nil || !slices.Equal(b.Shape(), []int{3, 8}) || hash(b.Index(0)) != hash(b.Index(2)) || hash(b.Index(0)) == hash(b.Index(1)) {
		t.Errorf("native batch %v, %v", b, err)
	}
}

func TestFramesAllocateNothingWhenTheDestinationIsGiven(t *testing.T) {
	d := openClip(t, gops(10, false), &VideoOptions{Workers: 1})
	all := make([]int, d.Len())
	for i := range all {
		all[i] = i
	}
	measure := func(ns []int) float64 {
		dst := tensor.New(tensor.Uint8, len(ns), 3, 2, 4)
		return testing.AllocsPerRun(100, func() {
			if _, err := d.ReadFramesAt(t.Context(), dst, ns); err != nil {
				t.Fatal(err)
			}
		})
	}
	// Slices of the plan grow by doubling; a frame itself costs nothing.
	if a, b := measure(all[:10]), measure(all); b > a+10 && !RaceEnabled {
		t.Errorf("ten frames cost %v allocations, %d frames %v", a, len(all), b)
	}
}

// pull is iter.Pull2 without the import's name at every use.
func pull[A, B any](seq func(func(A, B) bool)) (func() (A, B, bool), func()) {
	return iter.Pull2(iter.Seq2[A, B](seq))
}
