package seek

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// three GOPs of four packets.
func threeGOPs() *fake {
	return newFake("h264", gop(gop(gop(nil, 0, 10, 20, 30), 40, 50, 60, 70), 80, 90, 100, 110)...)
}

// A key packet that is not there costs what is made from it, and nothing else: decoding starts before it.
func TestAKeyPacketThatIsNotThereIsNoStart(t *testing.T) {
	f := threeGOPs()
	src := lay(f)
	f.lost = map[int64]error{8: cut}
	x := build(t, f)
	runs, err := Plan(t.Context(), x, []int{0, 5, 11})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 2 || runs[0].Start.N != 0 || runs[1].Start.N != 4 || runs[1].Last != 11 {
		t.Errorf("runs %+v", runs)
	}
	id, err := Identify(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	data, err := build(t, f).AppendIndex(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := LoadIndex(data, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := s.Table(t.Context(), src, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if start, err := y.Start(t.Context(), 9); err != nil || start.N != 4 {
		t.Errorf("stored: frame 9 starts at packet %d, %v, want 4", start.N, err)
	}
}

// That a server does not answer says nothing about the packet.
func TestAKeyPacketThatIsNotGivenIsAnError(t *testing.T) {
	f := threeGOPs()
	f.lost = map[int64]error{8: &container.Error{Format: "fake", Op: "read", Offset: 0, Err: &source.HTTPError{Err: io.ErrUnexpectedEOF}}}
	x := build(t, f)
	var h *source.HTTPError
	if _, err := Plan(t.Context(), x, []int{11}); !errors.As(err, &h) {
		t.Errorf("error = %v", err)
	}
	f.lost = nil
	if start, err := x.Start(t.Context(), 11); err != nil || start.N != 8 {
		t.Errorf("then it starts at %d, %v, want 8", start.N, err)
	}
}

// A leading picture that is not there is a frame that cannot be had; so are those of a key packet that is not there.
func TestLeadingPicturesThatAreNotThereAreFrames(t *testing.T) {
	for lost, want := range map[int64][]int64{
		0: {1, 2, 0, 4, 5, 3}, // nothing tells whether they can be decoded
		1: {1, 0, 4, 5, 3},
		2: {2, 0, 4, 5, 3},
	} {
		f := openGOP()
		f.infos = f.infos[4:]
		for i := range f.infos {
			f.infos[i].N = int64(i)
			f.infos[i].DTS = 40 // not after the PTS of any
			f.data[int64(i)] = f.data[int64(i+4)]
		}
		f.lost = map[int64]error{lost: cut}
		if got := packets(t, build(t, f)); !slices.Equal(got, want) {
			t.Errorf("packet %d is missing: packets of frames = %v, want %v", lost, got, want)
		}
		e, err := Guess(t.Context(), guide(f, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for l, err := range e.From(t.Context(), container.NoTicks) {
			if err != nil || l.PTS != f.infos[want[n]].PTS {
				t.Fatalf("packet %d is missing: frame %d is shown at %d, %v, want %d", lost, n, l.PTS, err, f.infos[want[n]].PTS)
			}
			n++
		}
		if n != len(want) {
			t.Errorf("packet %d is missing: %d frames, want %d", lost, n, len(want))
		}
	}
}

// An approximate index passes over what is not there as the exact one does.
func TestEstimatePassesOverWhatIsNotThere(t *testing.T) {
	f := threeGOPs()
	f.lost = map[int64]error{8: cut}
	exact := build(t, f)
	e, err := Guess(t.Context(), guide(f, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	check(t, e, exact, []container.Ticks{0, 45, 85, 110})
}
