package seek

import (
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// sound is a track whose packets are all key packets, of a codec whose bytes are not understood, that need some before them.
func sound(packets, roll int) *fake {
	var infos []container.PacketInfo
	for i := range packets {
		infos = append(infos, container.PacketInfo{PTS: container.Ticks(10 * i), DTS: container.Ticks(10 * i), Duration: 10, Key: true, Roll: roll})
	}
	f := newFake("aac", infos...)
	f.track.Kind = container.Audio
	return f
}

// Sound begins as many packets early as its roll distance says, and nothing is read to find out.
func TestSoundStartsEarlier(t *testing.T) {
	for roll, want := range map[int][]int64{0: {0, 1, 7}, -1: {0, 0, 6}, -3: {0, 0, 4}, 2: {0, 0, 0}} {
		f := sound(10, roll)
		src := lay(f)
		x := build(t, f)
		s, err := LoadIndex(store(t, f, src), container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		y, _, err := s.Table(t.Context(), src, container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range []int{0, 1, 7} {
			for _, x := range []Index{x, x.Guess(), y} {
				if start, err := x.Start(t.Context(), n); err != nil || start.N != want[i] {
					t.Errorf("roll %d: frame %d starts at packet %d, %v, want %d", roll, n, start.N, err, want[i])
				}
			}
		}
		if f.reads > 0 {
			t.Errorf("roll %d: %d packets were read", roll, f.reads)
		}
	}
}

// What comes before a place is known when everything is listed.
func TestEstimatedSoundStartsEarlier(t *testing.T) {
	for _, roll := range []int{0, -1, -3} {
		f := sound(200, roll)
		exact := build(t, f)
		e, err := Guess(t.Context(), guide(f, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		check(t, e, exact, []container.Ticks{5, 25, 1205, 701, 1995})
		if kind := e.Kind(); (kind == Approximate) != (roll == 0) {
			t.Errorf("roll %d: the index is %v", roll, kind)
		}
	}
}
