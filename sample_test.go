package sprocket

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// seconds makes a clip of n frames of a second each.
func secondsClip(n int) *clip {
	c := newClip()
	c.track.Timebase = container.Timebase{Num: 1, Den: 1}
	for i := range n {
		nal := byte(nalP)
		if i%4 == 0 {
			nal = nalIDR
		}
		c.add(nal, container.Ticks(i))
	}
	return c
}

func numbersOf(frames [][]FrameInfo) (out [][]int) {
	for _, clip := range frames {
		var ns []int
		for _, f := range clip {
			ns = append(ns, f.N)
		}
		out = append(out, ns)
	}
	return out
}

func equalClips(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal[[]int]) }

func TestClipsAtRegularIndices(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frames int
		o      IndexClips
		want   [][]int // nil: out of range
	}{
		{"one frame", 5, IndexClips{}, [][]int{{0}}},
		{"wrap", 5, IndexClips{Clips: 3, Frames: 5, Step: 2, End: 3, Policy: Wrap}, [][]int{{0, 2, 4, 0, 2}, {1, 3, 1, 3, 1}, {2, 4, 2, 4, 2}}},
		{"repeat", 5, IndexClips{Clips: 3, Frames: 5, Step: 2, End: 3}, [][]int{{0, 2, 4, 4, 4}, {1, 3, 3, 3, 3}, {2, 4, 4, 4, 4}}},
		{"refuse", 5, IndexClips{Clips: 3, Frames: 3, Step: 2, End: 3, Policy: Refuse}, nil},
		{"whole clips fit", 10, IndexClips{Clips: 4, Frames: 3, Step: 2, Policy: Refuse}, [][]int{{0, 2, 4}, {1, 3, 5}, {3, 5, 7}, {5, 7, 9}}},
		{"spread rounds down", 11, IndexClips{Clips: 4}, [][]int{{0}, {3}, {6}, {10}}},
		{"more clips than starts", 4, IndexClips{Clips: 5, End: 2}, [][]int{{0}, {0}, {0}, {0}, {1}}},
		{"from the end", 10, IndexClips{Clips: 2, Start: -4, End: -1}, [][]int{{6}, {8}}},
		{"end is clipped", 4, IndexClips{Clips: 2, End: 100}, [][]int{{0}, {3}}},
		{"longer than the track", 3, IndexClips{Frames: 5}, [][]int{{0, 1, 2, 2, 2}}},
		{"a step beyond all", 3, IndexClips{Frames: 3, Step: 1 << 62}, [][]int{{0, 0, 0}}},
		{"start behind the end", 4, IndexClips{Start: 4}, nil},
		{"start before the first", 4, IndexClips{Start: -5}, nil},
		{"nothing between", 4, IndexClips{Start: 2, End: 2}, nil},
	} {
		d := openClip(t, secondsClip(tt.frames), nil)
		c, err := d.ClipsAtRegularIndices(t.Context(), &tt.o)
		if tt.want == nil {
			if !errors.Is(err, seek.ErrRange) {
				t.Errorf("%s: %v, want out of range", tt.name, err)
			}
			continue
		}
		if err != nil || !equalClips(numbersOf(c.Frames), tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, c, err, tt.want)
			continue
		}
		if shape := []int{len(tt.want), len(tt.want[0]), 3, 2, 4}; !slices.Equal(c.Shape(), shape) {
			t.Errorf("%s: shape %v, want %v", tt.name, c.Shape(), shape)
		}
	}
	d := openClip(t, secondsClip(5), nil)
	for _, o := range []IndexClips{{Clips: -1}, {Frames: -1}, {Step: -1}, {Policy: 9}, {Clips: 1 << 40, Frames: 1 << 40}} {
		if c, err := d.ClipsAtRegularIndices(t.Context(), &o); err == nil {
			t.Errorf("%+v: %v", o, c)
		}
	}
}

func TestClipsAtRegularTimes(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name string
		o    TimeClips
		want [][]int
	}{
		{"repeat", TimeClips{Every: s, Frames: 5, Step: 1500 * time.Millisecond, End: 3 * s}, [][]int{{0, 1, 3, 4, 4}, {1, 2, 4, 4, 4}, {2, 3, 3, 3, 3}}},
		{"wrap", TimeClips{Every: s, Frames: 5, Step: 1500 * time.Millisecond, End: 3 * s, Policy: Wrap}, [][]int{{0, 1, 3, 4, 0}, {1, 2, 4, 1, 2}, {2, 3, 2, 3, 2}}},
		{"refuse", TimeClips{Every: s, Frames: 4, Step: 1500 * time.Millisecond, End: 3 * s, Policy: Refuse}, nil},
		{"whole clips fit", TimeClips{Every: s, Frames: 3, Policy: Refuse}, [][]int{{0, 1, 2}, {1, 2, 3}, {2, 3, 4}}},
		{"from a start", TimeClips{Every: 2 * s, Start: 2500 * time.Millisecond}, [][]int{{2}, {4}}},
		{"end is clipped", TimeClips{Every: 4 * s, End: 100 * s}, [][]int{{0}, {4}}},
		{"no clip fits", TimeClips{Every: s, Frames: 6}, nil},
		{"start behind the end", TimeClips{Every: s, Start: 5 * s}, nil},
		{"start before the first", TimeClips{Every: s, Start: -s}, nil},
	} {
		d := openClip(t, secondsClip(5), nil)
		c, err := d.ClipsAtRegularTimes(t.Context(), &tt.o)
		if tt.want == nil {
			if !errors.Is(err, seek.ErrRange) {
				t.Errorf("%s: %v, want out of range", tt.name, err)
			}
		} else if err != nil || !equalClips(numbersOf(c.Frames), tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, c, err, tt.want)
		}
	}
	// At the track's own rate, whose frames do not begin at whole nanoseconds, every frame comes once.
	d := openClip(t, gops(6, true), nil)
	c, err := d.ClipsAtRegularTimes(t.Context(), &TimeClips{Every: time.Hour, Frames: 60, End: 1})
	if err != nil || len(c.Frames) != 1 {
		t.Fatal(err)
	}
	for k, f := range c.Frames[0] {
		if f.N != k {
			t.Errorf("frame %d of the clip is number %d", k, f.N)
		}
	}
	for _, o := range []TimeClips{{}, {Every: -1}, {Every: 1, Frames: -2}, {Every: 1, Step: -1}} {
		if c, err := d.ClipsAtRegularTimes(t.Context(), &o); err == nil {
			t.Errorf("%+v: %v", o, c)
		}
	}
}

func TestRandomClips(t *testing.T) {
	d := openClip(t, gops(6, true), nil)
	want := linearHashes(t, d)
	draw := func(seed uint64) ([][]int, [][]int) {
		a, err := d.ClipsAtRandomIndices(t.Context(), &IndexClips{Clips: 50, Frames: 3, Step: 2, Start: 10, End: 20, Rand: rand.New(rand.NewPCG(seed, 1))})
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.ClipsAtRandomTimes(t.Context(), &TimeClips{Clips: 50, Frames: 3, Rand: rand.New(rand.NewPCG(seed, 1))})
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Frames {
			for k, f := range a.Frames[i] {
				if hash(a.Index(i).Index(k)) != want[f.N] {
					t.Errorf("frame %d of clip %d is not frame %d", k, i, f.N)
				}
			}
		}
		return numbersOf(a.Frames), numbersOf(b.Frames)
	}
	a, b := draw(1)
	starts := map[int]bool{}
	for _, clip := range a {
		starts[clip[0]] = true
		if clip[0] < 10 || clip[0] >= 20 || clip[1] != clip[0]+2 || clip[2] != clip[0]+4 {
			t.Errorf("clip %v", clip)
		}
	}
	for _, clip := range b {
		if clip[1] != clip[0]+1 || clip[2] != clip[0]+2 {
			t.Errorf("clip %v by time", clip)
		}
	}
	if len(starts) < 8 {
		t.Errorf("50 random clips have %d starts of 10", len(starts))
	}
	if a2, b2 := draw(1); !equalClips(a, a2) || !equalClips(b, b2) {
		t.Error("the same seed gives other clips")
	}
	if a3, _ := draw(2); equalClips(a, a3) {
		t.Error("another seed gives the same clips")
	}
	if _, err := d.ClipsAtRandomIndices(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := d.ClipsAtRandomTimes(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestFramesOfSeveralClipsAreDecodedOnce(t *testing.T) {
	d := openClip(t, gops(1, false), &VideoOptions{Workers: 1})
	if _, err := d.ClipsAtRegularIndices(t.Context(), &IndexClips{Clips: 10, Frames: 10}); err != nil {
		t.Fatal(err)
	}
	if s := d.Stats(); s.Packets != 10 {
		t.Errorf("%d packets were read for 10 frames in 10 clips", s.Packets)
	}
}

func TestSample(t *testing.T) {
	d := openClip(t, secondsClip(10), nil)
	for _, tt := range []struct {
		s    Sampling
		want []int
	}{
		{Sampling{Uniform: 1}, []int{4}},
		{Sampling{Uniform: 2}, []int{0, 9}},
		{Sampling{Uniform: 3}, []int{0, 5, 9}},
		{Sampling{Uniform: 4}, []int{0, 3, 6, 9}},
		{Sampling{Uniform: 40}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{Sampling{FPS: 1}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{Sampling{FPS: 0.5}, []int{0, 2, 4, 6, 8}},
		{Sampling{FPS: 0.3}, []int{0, 3, 6}},
		{Sampling{FPS: 0.01}, []int{0}},
		{Sampling{FPS: 1e12}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{Sampling{FPS: 1.5}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{Sampling{FPS: 1, MaxFrames: 5}, []int{0, 2, 4, 6, 8}},
		{Sampling{FPS: 30, MaxFrames: 4}, []int{0, 2, 5, 7}},
	} {
		b, err := d.Sample(t.Context(), tt.s)
		if err != nil {
			t.Errorf("%+v: %v", tt.s, err)
			continue
		}
		var got []int
		for _, f := range b.Frames {
			got = append(got, f.N)
			if f.PTS != time.Duration(f.N)*time.Second {
				t.Errorf("%+v: frame %d is at %v", tt.s, f.N, f.PTS)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: frames %v, want %v", tt.s, got, tt.want)
		}
	}
	for _, s := range []Sampling{{}, {Uniform: 1, FPS: 1}, {Uniform: -1}, {FPS: -1}, {Uniform: 1, MaxPixels: -1}} {
		if b, err := d.Sample(t.Context(), s); err == nil {
			t.Errorf("%+v: %v", s, b)
		}
	}
}

// More times than frames gives the frames that are on show at one of them, as asking for each does.
func TestSampleIsWhatIsPlayed(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		c := newClip()
		pts := container.Ticks(r.IntN(50))
		c.add(nalIDR, pts)
		for range 1 + r.IntN(20) {
			pts += container.Ticks(1 + r.IntN(9))
			c.add(nalP, pts)
		}
		d := openClip(t, c, nil)
		m := d.Metadata()
		fps := m.AverageFPS * (0.2 + 4*r.Float64())
		var want []int
		for k := 0; ; k++ {
			at := m.Begin + time.Duration(float64(k)*1e9/fps+1)
			if at >= m.End {
				break
			}
			n, err := d.index.Search(d.index.Timebase().Ticks(at))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, n)
		}
		got, want := d.sampled(Sampling{FPS: fps}), slices.Compact(want)
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: %v frames a second of %v: %v, want %v", seed, fps, m.AverageFPS, got, want)
		}
	}
}
