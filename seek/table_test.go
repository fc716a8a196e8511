package seek

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

func build(t *testing.T, f *fake) *Table {
	t.Helper()
	x, err := Build(t.Context(), f, 0)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func packets(t *testing.T, x *Table) []int64 {
	t.Helper()
	var out []int64
	for n := range x.Len() {
		f, err := x.Frame(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f.Packet)
	}
	return out
}

func TestFramesAreInPresentationOrder(t *testing.T) {
	x := build(t, newFake("h264", gop(gop(nil, 0, 30, 10, 20), 40, 70, 50, 60)...))
	if got, want := packets(t, x), []int64{0, 2, 3, 1, 4, 6, 7, 5}; !slices.Equal(got, want) {
		t.Errorf("packets of frames = %v, want %v", got, want)
	}
}

func TestEqualPTSKeepDecodeOrder(t *testing.T) {
	x := build(t, newFake("h264", gop(nil, 0, 20, 10, 10, 10, 30)...))
	if got, want := packets(t, x), []int64{0, 2, 3, 4, 1, 5}; !slices.Equal(got, want) {
		t.Errorf("packets of frames = %v, want %v", got, want)
	}
	if n, err := x.Search(10); err != nil || n != 3 {
		t.Errorf("Search(10) = %d, %v, want 3: the last of equals", n, err)
	}
}

func TestDiscardedPacketsAreNoFramesButCanStart(t *testing.T) {
	f := newFake("h264", gop(nil, -20, 0, -10, 10)...)
	f.infos[0].Discard, f.infos[2].Discard = true, true
	x := build(t, f)
	if got, want := packets(t, x), []int64{1, 3}; !slices.Equal(got, want) {
		t.Fatalf("packets of frames = %v, want %v", got, want)
	}
	start, err := x.Start(t.Context(), 0)
	if err != nil || start.N != 0 || !start.Discard {
		t.Errorf("Start(0) = %+v, %v, want the discarded packet 0", start, err)
	}
}

func TestSearch(t *testing.T) {
	x := build(t, newFake("h264", gop(nil, 100, 110, 150)...))
	for _, c := range []struct {
		pts  container.Ticks
		want int
	}{{99, -1}, {100, 0}, {109, 0}, {110, 1}, {149, 1}, {150, 2}, {159, 2}, {160, -1}, {1 << 60, -1}, {-1 << 60, -1}} {
		n, err := x.Search(c.pts)
		if c.want < 0 {
			var re *RangeError
			if !errors.Is(err, ErrRange) || !errors.As(err, &re) {
				t.Errorf("Search(%d) = %d, %v, want a *RangeError", c.pts, n, err)
			}
		} else if err != nil || n != c.want {
			t.Errorf("Search(%d) = %d, %v, want %d", c.pts, n, err, c.want)
		}
	}
}

func TestLastFrameWithoutDurationIsFoundAtItsPTS(t *testing.T) {
	f := newFake("h264", gop(nil, 0, 10)...)
	f.infos[1].Duration = 0
	if n, err := build(t, f).Search(10); err != nil || n != 1 {
		t.Errorf("Search(10) = %d, %v, want 1", n, err)
	}
}

func TestFrameDurationLastsUntilTheNext(t *testing.T) {
	x := build(t, newFake("h264", gop(nil, 0, 30, 10)...))
	for n, want := range []container.Ticks{10, 20, 10} {
		if f, _ := x.Frame(n); f.Duration != want {
			t.Errorf("Frame(%d).Duration = %d, want %d", n, f.Duration, want)
		}
	}
}

// An open GOP: packets 5 and 6 follow key packet 4 in decode order and are shown before it.
func openGOP() *fake {
	f := newFake("hevc", gop(gop(nil, 0, 30, 10, 20), 60, 40, 50, 90, 70, 80)...)
	cra, rasl, trail := []byte{0, 0, 0, 3, 21 << 1, 1, 0x80}, []byte{0, 0, 0, 3, 9 << 1, 1, 0x80}, []byte{0, 0, 0, 3, 1 << 1, 1, 0x80}
	f.data = map[int64][]byte{0: cra, 1: trail, 2: trail, 3: trail, 4: cra, 5: rasl, 6: rasl, 7: trail, 8: trail, 9: trail}
	return f
}

func TestStartOfLeadingPicturesIsTheKeyBefore(t *testing.T) {
	x := build(t, openGOP())
	for n, want := range []int64{0, 0, 0, 0, 0, 0, 4, 4, 4, 4} {
		if start, err := x.Start(t.Context(), n); err != nil || start.N != want {
			t.Errorf("Start(%d) = packet %d, %v, want %d", n, start.N, err, want)
		}
	}
}

func TestLeadingPicturesOfTheFirstOpenKeyAreNoFrames(t *testing.T) {
	f := openGOP()
	f.infos = f.infos[4:]
	data := map[int64][]byte{}
	for n, b := range f.data {
		data[n-4] = b
	}
	f.data = data
	for i := range f.infos {
		f.infos[i].N = int64(i)
	}
	x := build(t, f)
	if got, want := packets(t, x), []int64{0, 4, 5, 3}; !slices.Equal(got, want) {
		t.Errorf("packets of frames = %v, want %v: RASL pictures cannot be decoded", got, want)
	}
	f.data[1] = []byte{0, 0, 0, 3, 7 << 1, 1, 0x80}
	if got, want := packets(t, build(t, f)), []int64{1, 0, 4, 5, 3}; !slices.Equal(got, want) {
		t.Errorf("packets of frames = %v, want %v: RADL pictures can", got, want)
	}
}

func TestRecoveryPointWithACountIsNoStart(t *testing.T) {
	f := newFake("h264", gop(gop(gop(gop(nil, 0, 10), 20, 30), 40, 50), 60, 70)...)
	f.data = map[int64][]byte{2: recoveryIn3, 4: recovery, 6: inter}
	x := build(t, f)
	for n, want := range []int64{0, 0, 0, 0, 4, 4, 4, 4} {
		if start, err := x.Start(t.Context(), n); err != nil || start.N != want {
			t.Errorf("Start(%d) = packet %d, %v, want %d", n, start.N, err, want)
		}
	}
	reads := f.reads
	for n := range x.Len() {
		if _, err := x.Start(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if f.reads != reads {
		t.Errorf("asking again read %d packets, want 0: classes are kept", f.reads-reads)
	}
}

func TestKeyFlagsOfATrackWithoutSyncTableAreVerified(t *testing.T) {
	f := newFake("h264", gop(nil, 0, 10, 20, 30)...)
	for i := range f.infos {
		f.infos[i].Key = true
		f.data[int64(i)] = inter
	}
	f.data[0] = idr
	if start, err := build(t, f).Start(t.Context(), 3); err != nil || start.N != 0 {
		t.Errorf("Start(3) = packet %d, %v, want 0", start.N, err)
	}
}

func TestSortIsStableWhateverTheOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(3000)
		var infos []container.PacketInfo
		for range n {
			infos = append(infos, container.PacketInfo{PTS: container.Ticks(r.IntN(n)), Duration: 1, Key: r.IntN(9) == 0})
		}
		x := build(t, newFake("mjpeg", infos...))
		want := make([]int64, n)
		for i := range want {
			want[i] = int64(i)
		}
		slices.SortStableFunc(want, func(a, b int64) int { return int(infos[a].PTS - infos[b].PTS) })
		if got := packets(t, x); !slices.Equal(got, want) {
			t.Fatalf("seed %d: frames are not in stable order of PTS", seed)
		}
	}
}

func TestReorderDepth(t *testing.T) {
	discarded := newFake("h264", gop(nil, -20, 0, -10, 10, 30, 20)...)
	discarded.infos[0].Discard, discarded.infos[2].Discard = true, true
	for _, c := range []struct {
		name string
		fake *fake
		want int
	}{
		{"none", newFake("h264", gop(nil, 0, 10, 20)...), 0},
		{"I P B B", newFake("h264", gop(nil, 0, 30, 10, 20)...), 1},
		{"pyramid", newFake("h264", gop(nil, 0, 40, 20, 10, 30)...), 2},
		{"with discarded packets", discarded, 1},
	} {
		if got := build(t, c.fake).ReorderDepth(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestEmptyTrack(t *testing.T) {
	x := build(t, newFake("h264"))
	if _, err := x.Frame(0); !errors.Is(err, ErrRange) {
		t.Errorf("Frame(0) of none: %v, want ErrRange", err)
	}
	if _, err := x.Search(0); !errors.Is(err, ErrRange) {
		t.Errorf("Search(0) of none: %v, want ErrRange", err)
	}
	if runs, err := Plan(t.Context(), x, nil); err != nil || runs != nil {
		t.Errorf("Plan of nothing = %v, %v", runs, err)
	}
}

func TestMemoryPerFrame(t *testing.T) {
	var infos []container.PacketInfo
	for i := range 100_000 {
		k := container.Ticks(i / 4 * 40)
		infos = append(infos, container.PacketInfo{PTS: k + []container.Ticks{0, 30, 10, 20}[i%4], Key: i%240 == 0})
	}
	x := build(t, newFake("h264", infos...))
	if got := float64(x.Bytes()) / float64(len(infos)); got > 8.2 {
		t.Errorf("the table holds %.2f bytes a frame, want at most 8.2", got)
	}
}

func BenchmarkBuild(b *testing.B) {
	var infos []container.PacketInfo
	for i := range 1_080_000 {
		k := container.Ticks(i / 4 * 40)
		infos = append(infos, container.PacketInfo{PTS: k + []container.Ticks{0, 30, 10, 20}[i%4], Key: i%240 == 0})
	}
	f := newFake("h264", infos...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(b.Context(), f, 0); err != nil {
			b.Fatal(err)
		}
	}
}
