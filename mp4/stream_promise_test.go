package mp4

import (
	"bytes"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// claiming is a fragment of 256 runs, each of 2^20 samples for which it holds no bytes.
func claiming() tm.Fragment {
	run := tm.FullBox("trun", 0, 0, tm.U32(1<<20))
	return tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Extra: bytes.Repeat(run, 256)}}}
}

// A fragment cannot promise much more than the stream has brought, however often it is said.
func TestStreamFragmentsThatPromise(t *testing.T) {
	for name, size := range map[string]uint32{"empty samples": 0, "samples of a byte": 1} {
		t.Run(name, func(t *testing.T) {
			file := initial(tm.Extends{Duration: 10, Size: size})
			for range 4 {
				file = tm.AppendFragment(file, claiming())
			}
			before := liveHeap()
			s := mustStream(t, file)
			var p container.Packet
			n, heap := 0, uint64(0)
			for {
				err := s.Next(t.Context(), &p)
				if n == 0 {
					heap = liveHeap()
				}
				if err == io.EOF {
					break
				}
				if n++; n > fragmentAdvance+len(file) {
					t.Fatalf("%d packets of a stream of %d bytes", n, len(file))
				}
			}
			if heap > before+8<<20 {
				t.Errorf("%d bytes are held of a stream of %d", heap-before, len(file))
			}
			if n < fragmentAdvance {
				t.Errorf("%d packets, want %d: bytes may be still to come", n, fragmentAdvance)
			}
		})
	}
}

// Samples whose bytes have come pay for those of later fragments.
func TestStreamFragmentsOfConstantSize(t *testing.T) {
	const samples, size = fragmentAdvance, 3
	run := tm.FullBox("trun", 0, 1, tm.U32(samples, 124))
	file := initial(tm.Extends{Duration: 10, Size: size})
	for range 3 {
		f := tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Extra: run}}}
		at := len(file)
		head, _ := f.Layout(0)
		file = append(file, head[:len(head)-8]...)
		copy(file[bytes.LastIndex(file, run)+len(run)-4:], tm.U32(uint32(len(file)-at+8)))
		file = append(file, tm.Box("mdat", make([]byte, samples*size))...)
	}
	s := mustStream(t, file)
	var p container.Packet
	n := 0
	for ; ; n++ {
		if err := s.Next(t.Context(), &p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != 3*samples || len(s.Warnings()) > 0 {
		t.Errorf("%d packets, want %d; %v", n, 3*samples, s.Warnings())
	}
}

// Nor can a movie box, in one track or in many.
func TestStreamTablesThatPromise(t *testing.T) {
	const all = math.MaxUint32
	track := func(handler string, delta uint32) tm.Track {
		return tm.Track{Handler: handler, Constant: 1, Count: 1, Deltas: []tm.Run{{Count: 1, Value: delta}}, Sync: []uint32{1}, Replace: map[string][]byte{
			"stsz": tm.U32(0, 1, all), "stts": tm.U32(0, 1, all, delta), "stsc": tm.U32(0, 1, 1, all, 1),
		}}
	}
	for name, tr := range map[string]tm.Track{"pictures": track("vide", 10), "sound": track("soun", 10), "sound frames": track("soun", 1)} {
		for _, tracks := range []int{1, 64} {
			var m tm.Movie
			for range tracks {
				m.Tracks = append(m.Tracks, tr)
			}
			head, _ := tm.MP4Head(m)
			before := liveHeap()
			s := mustStream(t, head)
			if held := int64(liveHeap()) - int64(before); held > 16<<20 {
				t.Errorf("%d tracks of %s: %d bytes are held of a movie box of %d", tracks, name, held, len(head))
			}
			var n int64
			for _, tr := range s.Tracks() {
				n += tr.Packets
			}
			if most := int64(tableAdvance + len(head)); n > most {
				t.Errorf("%d tracks of %s: %d packets, want %d at most", tracks, name, n, most)
			}
			runtime.KeepAlive(s)
		}
	}
}

// Nor does an edit list make more of them.
func TestStreamEditsThatRepeat(t *testing.T) {
	const count = 1 << 20
	tr := tm.Track{Constant: 1, Count: 1, Deltas: []tm.Run{{Count: 1, Value: 1}}, Sync: []uint32{1}, Replace: map[string][]byte{
		"stsz": tm.U32(0, 1, count), "stts": tm.U32(0, 1, count, 1), "stsc": tm.U32(0, 1, 1, count, 1),
	}}
	for range 100 {
		tr.Edits = append(tr.Edits, tm.Edit{Duration: count})
	}
	head, _ := tm.MP4Head(tm.Movie{Tracks: []tm.Track{tr}})
	s := mustStream(t, head)
	if n := s.Tracks()[0].Packets; n < 3*count || n > tableAdvance+int64(len(head)) {
		t.Errorf("%d packets, want some times %d, and no more than %d", n, count, tableAdvance+len(head))
	}
}

// A file has no more packets for being said to have them in many tracks.
func TestTablesOfManyTracksThatPromise(t *testing.T) {
	var m tm.Movie
	for range 1000 {
		m.Tracks = append(m.Tracks, tm.Track{Constant: 1, Count: 1, Deltas: []tm.Run{{Count: 1, Value: 10}}, Sync: []uint32{1}, Replace: map[string][]byte{
			"stsz": tm.U32(0, 1, math.MaxUint32), "stts": tm.U32(0, 1, math.MaxUint32, 10), "stsc": tm.U32(0, 1, 1, math.MaxUint32, 1),
		}})
	}
	file := append(tm.MP4(m), make([]byte, 1<<20)...)
	before := liveHeap()
	d := mustOpen(t, file)
	if held := int64(liveHeap()) - int64(before); held > 16<<20 {
		t.Errorf("%d bytes are held of a file of %d", held, len(file))
	}
	var n int64
	for _, tr := range d.Tracks() {
		n += tr.Packets
	}
	if most := int64(tableAdvance + 2*len(file)); n > most || d.Tracks()[0].Packets < int64(len(file)) {
		t.Errorf("%d packets, %d of the first track; want %d at most, and as many as there are bytes", n, d.Tracks()[0].Packets, most)
	}
	runtime.KeepAlive(d)
}

// Nor does a box cost more than there is of it.
func TestStreamBoxesThatPromise(t *testing.T) {
	file := append(initial(tm.Extends{}), tm.U32(100<<20)...)
	file = append(append(file, "moof"...), make([]byte, 1000)...)
	s := mustStream(t, file)
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	_, errs := onward(t, s)
	runtime.ReadMemStats(&b)
	if len(errs) != 1 || !errors.Is(errs[0], io.ErrUnexpectedEOF) {
		t.Errorf("%v, want that the stream ends", errs)
	}
	if n := b.TotalAlloc - a.TotalAlloc; n > 4<<20 {
		t.Errorf("%d bytes were allocated for a stream of %d", n, len(file))
	}
}

// However long an edit list is, it is read once.
func TestStreamEditsAreReadOnce(t *testing.T) {
	edits := make([]tm.Edit, 65_000)
	for i := range edits {
		edits[i].Time = -1
	}
	file := initial(tm.Extends{}, append(edits, tm.Edit{Duration: 1 << 20, Time: 10})...)
	const fragments = 300
	for i := range fragments {
		file = tm.AppendFragment(file, plain(at(uint64(10*i)), 1))
	}
	s := mustStream(t, file)
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	got, errs := onward(t, s)
	runtime.ReadMemStats(&b)
	if len(got[0]) != fragments || errs != nil {
		t.Errorf("%d packets, want %d; %v", len(got[0]), fragments, errs)
	}
	if n := b.TotalAlloc - a.TotalAlloc; n > 32<<20 {
		t.Errorf("%d bytes were allocated for %d fragments", n, fragments)
	}
}

// What fragments say of packets far on is not gathered without end. When the stream has gone there, what was between is told to be lost.
func TestStreamQueueIsBounded(t *testing.T) {
	sizes := make([]byte, 16*4000)
	for i := range sizes {
		sizes[i] = byte(i % 7 / 6)
	}
	far := tm.FullBox("trun", 0, 0xf01, tm.U32(4000, math.MaxInt32), sizes)
	f := tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Extra: far}}}
	head, _ := f.Layout(0)
	parts := []io.Reader{bytes.NewReader(initial(tm.Extends{}))}
	for range 1000 {
		parts = append(parts, bytes.NewReader(head))
	}
	before := liveHeap()
	c := &metered{r: io.MultiReader(parts...)}
	s, _, err := openStream(t, c, &source.StreamOptions{Window: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var p container.Packet
	lost, n := 0, 0
	for ; ; n++ {
		err := s.Next(t.Context(), &p)
		if err == io.EOF {
			break
		}
		if errors.Is(err, container.ErrNotSeekable) {
			lost++
		}
		if n > 1000*4000 {
			t.Fatal("errors without end")
		}
	}
	if held := int64(c.heap) - int64(before); held > 32<<20 {
		t.Errorf("%d bytes are held of a stream of %d", held, c.n)
	}
	if lost != 1 {
		t.Errorf("%d times it was told that boxes were let go, want once; %d packets", lost, n)
	}
}

// A packet costs no more than there is of it.
func TestStreamPacketsThatPromise(t *testing.T) {
	movie := tm.Track{Sizes: []uint32{8, 5 << 20}, Deltas: []tm.Run{{Count: 2, Value: 10}}}
	whole := tm.MP4(tm.Movie{Tracks: []tm.Track{movie}})
	s := mustStream(t, whole)
	want, _ := onward(t, mustOpen(t, whole))
	if got, errs := onward(t, s); firstDifference(got[0], want[0]) >= 0 || errs != nil {
		t.Errorf("%v, want %v; %v", got, want, errs)
	}
	movie.Sizes = []uint32{8, 200 << 20}
	head, _ := tm.MP4Head(tm.Movie{Tracks: []tm.Track{movie}})
	s = mustStream(t, append(head, make([]byte, 100)...))
	var p container.Packet
	if err := s.Next(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	if err := s.Next(t.Context(), &p); !errors.Is(err, io.ErrUnexpectedEOF) || cap(p.Data) > 2<<20 {
		t.Errorf("%v, in memory of %d bytes; want ErrUnexpectedEOF", err, cap(p.Data))
	}
}
