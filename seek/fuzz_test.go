package seek

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// anyStream makes a track of two bytes a packet: when it is shown, and what it is.
func anyStream(b []byte) *fake {
	var infos []container.PacketInfo
	f := newFake("h264")
	f.lost = map[int64]error{}
	at := container.Ticks(0)
	for n := int64(0); len(b) >= 2 && n < 300; n++ {
		at += container.Ticks(b[0]&63) - 16
		p := container.PacketInfo{PTS: at, Duration: container.Ticks(b[0] >> 6 * 5), Size: 16, Key: b[1]&1 != 0, Discard: b[1]&6 == 6, Roll: int(b[1]>>6) - 1}
		infos = append(infos, p)
		f.data[n] = [][]byte{idr, inter, recovery, recoveryIn3}[b[1]>>3&3]
		if b[1]>>3&7 == 7 {
			f.lost[n] = cut
		}
		b = b[2:]
	}
	least := container.Ticks(1 << 40)
	for i := len(infos) - 1; i >= 0; i-- {
		least = min(least, infos[i].PTS)
		infos[i].N, infos[i].DTS = int64(i), least
	}
	f.infos, f.track.Packets = infos, int64(len(infos))
	return f
}

func addStreams(f *testing.F) {
	f.Add([]byte{16, 1, 26, 8, 26, 8, 26, 1, 26, 8, 26, 17, 6, 8, 36, 8})
	f.Add(bytes.Repeat([]byte{26, 1, 36, 8, 6, 8, 26, 8}, 40))
	f.Add(bytes.Repeat([]byte{26, 57, 6, 8, 46, 14, 26, 0x91}, 40))
}

// laws holds an index to what all indices promise.
func laws(t *testing.T, x *Table) {
	t.Helper()
	last := container.NoTicks
	var all []int
	for n := range x.Len() {
		fr, err := x.Frame(n)
		if err != nil || fr.PTS < last || fr.Packet < 0 || fr.Last() >= x.Packets() {
			t.Fatalf("frame %d is %+v, %v, behind %d", n, fr, err, last)
		}
		last = fr.PTS
		if start, err := x.Start(t.Context(), n); err != nil || start.N > fr.Packet || start.PTS > fr.PTS && start.N > 0 {
			t.Fatalf("frame %+v starts at %+v, %v", fr, start, err)
		}
		if n%7 == 0 {
			all = append(all, n)
		}
	}
	runs, err := Plan(t.Context(), x, all)
	if err != nil {
		t.Fatal(err)
	}
	end := int64(-1)
	for _, r := range runs {
		if r.Start.N <= end || r.Last < r.Start.N {
			t.Fatalf("a run from packet %d to %d behind packet %d", r.Start.N, r.Last, end)
		}
		end = r.Last
	}
}

// FuzzIndices builds all kinds of indices of any track.
func FuzzIndices(f *testing.F) {
	addStreams(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		k := anyStream(b)
		x, err := Build(t.Context(), k, 0)
		if err != nil {
			t.Fatal(err)
		}
		laws(t, x)
		v, _, err := BuildVerified(t.Context(), k, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		laws(t, v)
		mapped, err := BuildMapped(t.Context(), k, 0, x.AppendFrameMappings(nil))
		if err != nil || mapped.Len() != x.Len() {
			t.Fatalf("%v; mapped by its own frames", err)
		}
	})
}

// FuzzGuess asks an approximate index of any track for times and numbers.
func FuzzGuess(f *testing.F) {
	addStreams(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		k := anyStream(b)
		if len(k.infos) == 0 {
			return
		}
		e, err := Guess(t.Context(), guide(k, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		var found []Located
		keep := func(l Located, err error) {
			if errors.Is(err, ErrRange) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, l)
		}
		for i := 0; i < len(k.infos); i += 1 + len(k.infos)/16 {
			at := k.infos[i].PTS
			l, err := e.At(t.Context(), at)
			if err == nil && l.PTS > at {
				t.Fatalf("At(%d) is shown at %d", at, l.PTS)
			}
			keep(l, err)
			keep(e.Number(t.Context(), i))
			keep(e.Number(t.Context(), -1-i))
		}
		x, err := e.Excerpt(t.Context(), found)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range x.Numbers {
			fr, err := x.Table.Frame(n)
			if err != nil || fr.PTS != found[i].PTS {
				t.Fatalf("frame %d of the excerpt is %+v, %v, want one at %d", n, fr, err, found[i].PTS)
			}
			if _, err := x.Table.Start(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		last := container.NoTicks
		for l, err := range e.From(t.Context(), container.NoTicks) {
			if err != nil || l.PTS < last {
				t.Fatalf("a frame at %d behind one at %d, %v", l.PTS, last, err)
			}
			last = l.PTS
		}
	})
}

// FuzzFrameMappings reads any mappings.
func FuzzFrameMappings(f *testing.F) {
	k := newFake("h264", gop(gop(nil, 0, 30, 10, 20), 40, 50)...)
	f.Add([]byte(`{"frames":[{"pts":40,"duration":10},{"pkt_pts":10}]}`))
	f.Add([]byte(`{"frames":[{"pts":0},{"pts":0}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		x, err := BuildMapped(t.Context(), k, 0, text)
		if err != nil {
			if !errors.Is(err, container.ErrCorrupt) && !errors.Is(err, ErrMismatch) {
				t.Fatal(err)
			}
			return
		}
		if x.Len() > len(k.infos) {
			t.Fatalf("%d frames of %d packets", x.Len(), len(k.infos))
		}
		laws(t, x)
	})
}
