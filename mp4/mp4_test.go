package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

func mustOpen(tb testing.TB, file []byte) *Demuxer {
	tb.Helper()
	d, err := Open(tb.Context(), bytes.NewReader(file), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func packets(tb testing.TB, d *Demuxer, track int) []container.PacketInfo {
	tb.Helper()
	var all []container.PacketInfo
	for p, err := range d.List(tb.Context(), track, container.PacketInfo{}) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// show writes packets as "dts/pts", with k for a key packet and d for a discarded one.
func show(infos []container.PacketInfo) string {
	var b bytes.Buffer
	for i, p := range infos {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d/%d", p.DTS, p.PTS)
		if p.Key {
			b.WriteByte('k')
		}
		if p.Discard {
			b.WriteByte('d')
		}
	}
	return b.String()
}

func ones(n int) []uint32 { return slices.Repeat([]uint32{1}, n) }

// gop is eight pictures of ten ticks in two groups, I P B B each, in a track of 100 ticks a second and a movie of 1000.
func gop(edits ...tm.Edit) tm.Track {
	return tm.Track{
		Timescale: 100, Sizes: ones(8), Deltas: []tm.Run{{Count: 8, Value: 10}}, Sync: []uint32{1, 5}, Edits: edits,
		Offsets: []tm.Run{{Count: 1, Value: 10}, {Count: 1, Value: 30}, {Count: 2, Value: 0}, {Count: 1, Value: 10}, {Count: 1, Value: 30}, {Count: 2, Value: 0}},
	}
}

func TestTimes(t *testing.T) {
	plain := func(edits ...tm.Edit) tm.Track {
		return tm.Track{Timescale: 100, Sizes: ones(6), Deltas: []tm.Run{{Count: 6, Value: 10}}, Sync: []uint32{1, 4}, Edits: edits}
	}
	sound := func(edits ...tm.Edit) tm.Track {
		return tm.Track{Handler: "soun", Timescale: 100, Sizes: ones(30), Deltas: []tm.Run{{Count: 30, Value: 10}}, Edits: edits}
	}
	negative := gop()
	negative.Offsets = []tm.Run{{Count: 1, Value: 0}, {Count: 1, Value: 20}, {Count: 2, Value: uint32(0xffffffff - 9)}, {Count: 4, Value: 0}}
	for _, test := range []struct {
		name  string
		track tm.Track
		want  string
		start container.Ticks
	}{
		{"no edit list", plain(), "0/0k 10/10 20/20 30/30k 40/40 50/50", 0},
		{"composition offsets", gop(), "0/10k 10/40 20/20 30/30 40/50k 50/80 60/60 70/70", 10},
		{"edit at the first picture", gop(tm.Edit{Duration: 800, Time: 10}), "-10/0k 0/30 10/10 20/20 30/40k 40/70 50/50 60/60", 0},
		{"negative offsets in version 0", negative, "-10/0k 0/30 10/10 20/20 30/40k 40/50 50/60 60/70", 0},
		{"empty edit", plain(tm.Edit{Duration: 255, Time: -1}, tm.Edit{Duration: 600}), "26/26k 36/36 46/46 56/56k 66/66 76/76", 26},
		{"trim at both ends", plain(tm.Edit{Duration: 200, Time: 10}), "-10/-10kd 0/0 10/10 20/20kd", 0},
		{"start after a later key packet", plain(tm.Edit{Duration: 100, Time: 40}), "-10/-10kd 0/0 10/10d", 0},
		{"start in the middle of a picture", plain(tm.Edit{Duration: 600, Time: 5}), "-5/-5kd 5/5 15/15 25/25k 35/35 45/45", 5},
		// The key packet at 40 is presented at 50: at 45 the one before is needed.
		{"start before the key packet's picture", gop(tm.Edit{Duration: 200, Time: 45}), "-45/-35kd -35/-5d -25/-25d -15/-15d -5/5k 5/35d 15/15 25/25d", 5},
		{"two edits, the second one earlier", plain(tm.Edit{Duration: 300, Time: 30}, tm.Edit{Duration: 300}), "0/0k 10/10 20/20 30/30k 40/40 50/50 60/60kd", 0},
		{"empty edit in the middle", plain(tm.Edit{Duration: 300}, tm.Edit{Duration: 100, Time: -1}, tm.Edit{Duration: 300, Time: 30}), "0/0k 10/10 20/20 30/30kd 40/40k 50/50 60/60", 0},
		{"only an empty edit", plain(tm.Edit{Duration: 300, Time: -1}), "", container.NoTicks},
		{"length not known", plain(tm.Edit{Time: 10}), "-10/-10kd 0/0 10/10 20/20k 30/30 40/40", 0},
		{"sound keeps what straddles", sound(tm.Edit{Duration: 100, Time: 15}), "-15/-15kd -5/-5k 5/5k", -5},
		{"sound starts a second early", sound(tm.Edit{Duration: 100, Time: 150}),
			"-100/-100kd -90/-90kd -80/-80kd -70/-70kd -60/-60kd -50/-50kd -40/-40kd -30/-30kd -20/-20kd -10/-10kd 0/0k", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{test.track}}))
			if len(d.Warnings()) > 0 {
				t.Errorf("warnings: %v", d.Warnings())
			}
			got := packets(t, d, 0)
			if diff := cmp.Diff(test.want, show(got)); diff != "" {
				t.Error(diff)
			}
			tr := d.Tracks()[0]
			if tr.Start != test.start || tr.Packets != int64(len(got)) {
				t.Errorf("Start, Packets = %d, %d, want %d, %d", tr.Start, tr.Packets, test.start, len(got))
			}
			for n, p := range got {
				if p.N != int64(n) || p.PTS < p.DTS {
					t.Errorf("packet %d: N = %d, DTS %d, PTS %d", n, p.N, p.DTS, p.PTS)
				}
			}
		})
	}
}

func TestEditRateWarns(t *testing.T) {
	d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{gop(tm.Edit{Duration: 800, Time: 10, Rate: 1 << 17})}}))
	if w := d.Warnings(); len(w) != 1 || !errors.Is(w[0], container.ErrUnsupported) {
		t.Errorf("warnings = %v, want one, unsupported", w)
	}
}

func TestKeys(t *testing.T) {
	track := gop()
	for _, test := range []struct {
		name string
		sync []uint32
		want []int64
	}{
		{"no box", nil, []int64{0, 1, 2, 3, 4, 5, 6, 7}},
		{"an empty box", []uint32{}, nil},
		{"two", []uint32{1, 5}, []int64{0, 4}},
		{"outside", []uint32{0, 8, 9}, []int64{7}},
	} {
		track.Sync = test.sync
		var got []int64
		for _, p := range packets(t, mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{track}})), 0) {
			if p.Key {
				got = append(got, p.N)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: key packets %v, want %v", test.name, got, test.want)
		}
	}
}

// counted opens a movie through a counting source.
func counted(t *testing.T, file []byte, o *container.Options) (*Demuxer, *source.Counter) {
	t.Helper()
	c := source.Count(bytes.NewReader(file))
	d, err := Open(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return d, c
}

func TestReadsToOpen(t *testing.T) {
	small, large := gop(), gop()
	large.Sizes = slices.Repeat([]uint32{10}, 40000)
	large.Deltas = []tm.Run{{Count: 40000, Value: 10}}
	large.Offsets = nil
	for _, test := range []struct {
		name  string
		track tm.Track
		last  bool
		head  bool
		want  int64
	}{
		{"small", small, false, false, 1},
		{"small, head given", small, false, true, 0},
		{"small, movie box last", small, true, false, 1},
		{"large", large, false, false, 2},
		{"large, head given", large, false, true, 1},
		{"large, movie box last", large, true, false, 3},
		{"large, movie box last, head given", large, true, true, 2},
	} {
		file := tm.MP4(tm.Movie{Tracks: []tm.Track{test.track}, MoovLast: test.last})
		var o container.Options
		if test.head {
			o.Head = file[:min(len(file), container.HeadSize)]
		}
		d, c := counted(t, file, &o)
		packets(t, d, 0)
		if got := c.Counts().Reads; got != test.want {
			t.Errorf("%s: %d reads to open and list, want %d", test.name, got, test.want)
		}
	}
}

func TestReadAndNext(t *testing.T) {
	audio := tm.Track{Handler: "soun", Sizes: []uint32{3, 4, 0, 5, 6}, PerChunk: 2}
	video := gop()
	video.Sizes = []uint32{9, 1, 2, 3, 4, 5, 6, 7}
	video.Chunks = []uint32{1, 3, 3, 1}
	for _, m := range []tm.Movie{
		{Tracks: []tm.Track{video, audio}},
		{Tracks: []tm.Track{video, audio}, MoovLast: true},
		{Tracks: []tm.Track{video, audio}, Wide: true},
		{Tracks: []tm.Track{video, audio}, Wide: true, MoovLast: true},
	} {
		d := mustOpen(t, tm.MP4(m))
		var pk container.Packet
		check := func() {
			t.Helper()
			for i, b := range pk.Data {
				if want := tm.Pattern(pk.Track, int(pk.N), i); b != want {
					t.Fatalf("track %d packet %d byte %d = %d, want %d", pk.Track, pk.N, i, b, want)
				}
			}
			if len(pk.Data) != pk.Size {
				t.Fatalf("%d bytes, Size %d", len(pk.Data), pk.Size)
			}
		}
		for track := range m.Tracks {
			infos := packets(t, d, track)
			for n, info := range infos {
				if want := m.Tracks[track].Sizes[n]; info.Size != int(want) {
					t.Errorf("track %d packet %d has %d bytes, want %d", track, n, info.Size, want)
				}
				if err := d.Read(t.Context(), track, info, &pk); err != nil {
					t.Fatal(err)
				}
				check()
			}
		}
		var pos int64
		n := 0
		for ; ; n++ {
			err := d.Next(t.Context(), &pk)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			check()
			if pk.Pos < pos {
				t.Errorf("Next at %d after %d", pk.Pos, pos)
			}
			pos = pk.Pos
		}
		if n != 13 {
			t.Errorf("Next gave %d packets, want 13", n)
		}
	}
}

func TestPCMGroups(t *testing.T) {
	track := tm.Track{
		Handler: "soun", Timescale: 48000, Constant: 4, Count: 5000, Chunks: []uint32{2500, 500, 1500, 500},
		Entries: [][]byte{tm.AudioEntry("sowt", 2, 16, 48000)},
	}
	d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{track}}))
	if tr := d.Tracks()[0]; tr.Codec != "pcm_s16le" || tr.Audio.FrameBytes != 4 || tr.Audio.BitsPerSample != 16 || tr.Packets != 7 || tr.Bytes != 20000 {
		t.Errorf("track = %+v", tr)
	}
	var got []container.Ticks
	end := int64(0)
	for i, p := range packets(t, d, 0) {
		got = append(got, p.Duration)
		if i > 0 && p.Pos != end || p.Size != 4*int(p.Duration) {
			t.Errorf("packet %d: %d bytes at %d, want %d at %d", i, p.Size, p.Pos, 4*p.Duration, end)
		}
		end = p.Pos + int64(p.Size)
	}
	if want := []container.Ticks{1024, 1024, 452, 500, 1024, 476, 500}; !slices.Equal(got, want) {
		t.Errorf("durations %v, want %v", got, want)
	}
}

func TestCompactSizes(t *testing.T) {
	for _, test := range []struct {
		field byte
		table []byte
	}{
		{4, []byte{0x31, 0x20}},
		{8, []byte{3, 1, 2}},
		{16, []byte{0, 3, 0, 1, 0, 2}},
	} {
		track := tm.Track{Sizes: []uint32{3, 1, 2}, Replace: map[string][]byte{"stsz": nil}}
		stz2 := tm.FullBox("stz2", 0, 0, tm.U32(uint32(test.field), 3), test.table)
		track.Depends = []byte{0x04, 0x08, 0} // needed, not needed, not told
		file := tm.MP4(tm.Movie{Tracks: []tm.Track{track}})
		// sdtp is the last table: put stz2 behind it, in a box of its own kind, by growing every box around.
		file = insert(t, file, "sdtp", stz2)
		d := mustOpen(t, file)
		got := packets(t, d, 0)
		if len(got) != 3 || got[0].Size != 3 || got[1].Size != 1 || got[2].Size != 2 {
			t.Errorf("%d bits: %+v", test.field, got)
			continue
		}
		if got[0].Disposable != container.Needed || got[1].Disposable != container.Unneeded || got[2].Disposable != container.DisposableUnknown {
			t.Errorf("disposable: %v %v %v", got[0].Disposable, got[1].Disposable, got[2].Disposable)
		}
	}
}

// insert puts b behind the first box of type typ, which lies in a sample table, and enlarges the boxes around it.
func insert(t *testing.T, file []byte, typ string, b []byte) []byte {
	t.Helper()
	at := bytes.Index(file, []byte(typ)) - 4
	if at < 0 {
		t.Fatalf("no %s", typ)
	}
	end := at + int(be32(file[at:]))
	out := slices.Concat(file[:end], b, file[end:])
	for _, outer := range []string{"moov", "trak", "mdia", "minf", "stbl"} {
		i := bytes.LastIndex(file[:at], []byte(outer)) - 4
		copy(out[i:], tm.U32(be32(file[i:])+uint32(len(b))))
	}
	return out
}

func TestListFrom(t *testing.T) {
	const n = 3000
	track := tm.Track{Timescale: 1000, PerChunk: 7, Depends: make([]byte, n), Edits: []tm.Edit{{Duration: 5000, Time: 3000}, {Duration: 4000, Time: 100}}}
	for i := range n {
		track.Sizes = append(track.Sizes, uint32(i%50+1))
		track.Depends[i] = byte(i)
		if i%100 == 0 {
			track.Sync = append(track.Sync, uint32(i+1))
		}
	}
	for _, test := range []struct {
		name string
		vary int // values change after so many
		wide bool
		per  []uint32
	}{
		{"columns of values", 1, false, nil},
		{"columns of runs", 10, true, nil},
		{"a sample a chunk", 1, true, slices.Repeat([]uint32{1}, n)},
		{"uneven chunks", 3, false, slices.Repeat([]uint32{1, 3, 2}, n/6)},
	} {
		track.Chunks = test.per
		track.Deltas, track.Offsets = nil, nil
		for i := 0; i < n; i += test.vary {
			track.Deltas = append(track.Deltas, tm.Run{Count: uint32(test.vary), Value: uint32(10 + i%3)})
			track.Offsets = append(track.Offsets, tm.Run{Count: uint32(test.vary), Value: uint32(i % 40)})
		}
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{track}, Wide: test.wide}))
		all := packets(t, d, 0)
		if len(all) < 900 || len(d.Warnings()) > 0 {
			t.Fatalf("%s: %d packets, %v", test.name, len(all), d.Warnings())
		}
		for from := 0; from < len(all)+2; from += 13 {
			i := from
			for p := range d.List(t.Context(), 0, container.PacketInfo{N: int64(from)}) {
				if p != all[i] {
					t.Fatalf("%s: from %d: packet %+v, want %+v", test.name, from, p, all[i])
				}
				if i++; i > from+600 {
					break
				}
			}
			if want := min(len(all), from+601); i < want {
				t.Fatalf("%s: List from %d ends at %d, want %d", test.name, from, i, want)
			}
		}
	}
}

// TestHeapPerPacket holds the table to what it may cost at worst: times, offsets and sizes that change at every packet,
// a chunk each, and dependencies.
func TestHeapPerPacket(t *testing.T) {
	const n = 200_000
	track := tm.Track{PerChunk: 1, Sizes: make([]uint32, n), Depends: make([]byte, n), Sync: []uint32{1}}
	for i := range n {
		track.Sizes[i] = uint32(1 + i%100)
		track.Deltas = append(track.Deltas, tm.Run{Count: 1, Value: uint32(10 + i%2)})
		track.Offsets = append(track.Offsets, tm.Run{Count: 1, Value: uint32(i % 30)})
	}
	head, size := tm.MP4Head(tm.Movie{Tracks: []tm.Track{track}, Wide: true})
	src := headOnly{head, size}
	before := liveHeap()
	d, err := Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	per := float64(liveHeap()-before) / n
	t.Logf("%.2f bytes a packet", per)
	if per > 20 {
		t.Errorf("%.2f bytes a packet are kept, want 20 at most", per)
	}
	runtime.KeepAlive(d)
}

func TestSelect(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop(), gop()}})
	d, _ := counted(t, file, &container.Options{Select: func(tr []container.Track) []int {
		if len(tr) != 2 || tr[1].Packets != 8 {
			t.Errorf("Select is given %+v", tr)
		}
		return []int{1, 1, 7, -1}
	}})
	if n := len(packets(t, d, 1)); n != 8 {
		t.Errorf("%d packets, want 8", n)
	}
	for _, track := range []int{0, 2, -1} {
		for _, err := range d.List(t.Context(), track, container.PacketInfo{}) {
			if !errors.Is(err, container.ErrUnsupported) {
				t.Errorf("List(%d): %v", track, err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Next(t.Context(), &container.Packet{}); err != io.EOF {
		t.Errorf("Next after Close: %v", err)
	}
}

// TestLargeMovieBox reads a movie box of more than a piece.
func TestLargeMovieBox(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}, Extra: tm.Box("free", make([]byte, piece+100))})
	d, c := counted(t, file, nil)
	if n := len(packets(t, d, 0)); n != 8 {
		t.Errorf("%d packets, want 8", n)
	}
	if got := c.Counts().Reads; got != 3 {
		t.Errorf("%d reads, want 3: the head and two pieces", got)
	}
}

func TestConcurrentListAndRead(t *testing.T) {
	d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{gop(), gop()}}))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var pk container.Packet
			for p, err := range d.List(t.Context(), i%2, container.PacketInfo{N: int64(i / 2)}) {
				if err == nil {
					err = d.Read(t.Context(), p.Track, p, &pk)
				}
				if err != nil || pk.Data[0] != tm.Pattern(p.Track, int(p.N), 0) {
					t.Errorf("packet %d of track %d: %v", p.N, p.Track, err)
				}
			}
		})
	}
	wg.Wait()
}
