package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
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

func TestDescriptions(t *testing.T) {
	asc := []byte{0x12, 0x10}
	esds := tm.FullBox("esds", 0, 0, []byte{3, 22, 0, 1, 0, 4, 17, 0x40, 0x15, 0, 0, 0, 0, 1, 0xf4, 0, 0, 0, 0xfa, 0, 5, 2}, asc)
	color := tm.Box("colr", []byte("nclx"), tm.U16(9, 16, 9), []byte{0x80})
	key := []byte("0123456789abcdef")
	protection := tm.Box("sinf", tm.Box("frma", []byte("avc1")), tm.FullBox("schm", 0, 0, []byte("cenc"), tm.U32(1)),
		tm.Box("schi", tm.FullBox("tenc", 0, 0, []byte{0, 0, 1, 8}, key)))
	v2 := append(tm.AudioEntry("lpcm", 3, 16, 1)[:36], tm.U32(72)...)
	v2 = append(append(v2, tm.U64(math.Float64bits(96000))...), tm.U32(6, 0x7f000000, 24, 4|8, 18, 1)...)
	copy(v2, tm.U32(uint32(len(v2))))
	v2[17] = 2
	v1 := tm.AudioEntry("mp4a", 2, 16, 44100, tm.U32(1024, 0, 0, 2), tm.Box("wave", tm.Box("frma", []byte("mp4a")), esds, tm.U32(8, 0)))
	v1[17] = 1
	for _, test := range []struct {
		name  string
		entry []byte
		sound bool
		check func(container.Description) bool
	}{
		{"colour and pixel shape", tm.VideoEntry("hvc1", 1920, 1080, color, tm.Box("pasp", tm.U32(4, 2))), false, func(d container.Description) bool {
			return d.Codec == "hevc" && d.Video.Width == 1920 && d.Video.Height == 1080 && d.Video.PixelAspect == container.Ratio{Num: 2, Den: 1} &&
				d.Video.Color == container.Color{Primaries: 9, Transfer: 16, Matrix: 9, Range: container.RangeFull}
		}},
		{"protected", tm.VideoEntry("encv", 16, 16, protection), false, func(d container.Description) bool {
			return d.Codec == "h264" && d.FourCC == "avc1" && d.Encryption.Scheme == "cenc" && string(d.Encryption.KeyID[:]) == string(key)
		}},
		{"AV1", tm.VideoEntry("av01", 16, 16, tm.Box("av1C", []byte{0x81, 8, 0x4c, 0, 10, 1})), false, func(d container.Description) bool {
			return d.Codec == "av1" && len(d.Config) == 6 && d.Video.BitDepth == 10 && d.Video.Chroma == "4:2:0" && d.Video.Level == 8
		}},
		{"AAC", tm.AudioEntry("mp4a", 2, 16, 48000, esds), true, func(d container.Description) bool {
			return d.Codec == "aac" && bytes.Equal(d.Config, asc) && d.Audio.SampleRate == 44100 && d.Audio.Channels == 2 && d.BitRate == 64000 && d.Audio.Profile == 2
		}},
		{"QuickTime AAC", v1, true, func(d container.Description) bool {
			return d.Codec == "aac" && bytes.Equal(d.Config, asc) && d.Audio.SampleRate == 44100
		}},
		{"QuickTime PCM version 2", v2, true, func(d container.Description) bool {
			return d.Codec == "pcm_s24le" && d.Audio.SampleRate == 96000 && d.Audio.Channels == 6 && d.Audio.FrameBytes == 18
		}},
		{"Opus", tm.AudioEntry("Opus", 2, 16, 48000, tm.Box("dOps", []byte{0, 2, 1, 2, 0, 0, 0xbb, 0x80, 0, 3, 0})), true, func(d container.Description) bool {
			return d.Codec == "opus" && string(d.Config) == "OpusHead\x01\x02\x02\x01\x80\xbb\x00\x00\x03\x00\x00"
		}},
		{"unknown", tm.VideoEntry("zzzz", 4, 4), false, func(d container.Description) bool { return d.Codec == "" && d.FourCC == "zzzz" }},
		{"big-endian 24 bits", tm.AudioEntry("twos", 1, 24, 48000), true, func(d container.Description) bool { return d.Codec == "pcm_s24be" }},
	} {
		handler := "vide"
		if test.sound {
			handler = "soun"
		}
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{{Handler: handler, Sizes: ones(1), Entries: [][]byte{test.entry}}}}))
		if tr := d.Tracks()[0]; !test.check(tr.Description) || len(d.Warnings()) > 0 {
			t.Errorf("%s: %+v, %v", test.name, tr.Description, d.Warnings())
		}
	}
}

func TestSampleDescriptionOfPacket(t *testing.T) {
	track := tm.Track{Sizes: ones(6), PerChunk: 2, Entries: [][]byte{tm.VideoEntry("avc1", 16, 16), tm.VideoEntry("avc1", 32, 32)},
		Replace: map[string][]byte{"stsc": tm.U32(0, 2, 1, 2, 1, 2, 2, 2)}}
	var got []int
	d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{track}}))
	for _, p := range packets(t, d, 0) {
		got = append(got, p.Description)
	}
	if want := []int{0, 0, 1, 1, 1, 1}; !slices.Equal(got, want) || len(d.Tracks()[0].Descriptions) != 2 {
		t.Errorf("descriptions %v of %d, want %v of 2", got, len(d.Tracks()[0].Descriptions), want)
	}
}

func TestOrientation(t *testing.T) {
	for _, test := range []struct {
		m    [4]int32
		want container.Orientation
	}{
		{[4]int32{1, 0, 0, 1}, container.Orientation{}},
		{[4]int32{0, 1, -1, 0}, container.Orientation{Degrees: 90}},
		{[4]int32{-1, 0, 0, -1}, container.Orientation{Degrees: 180}},
		{[4]int32{0, -1, 1, 0}, container.Orientation{Degrees: 270}},
		{[4]int32{-1, 0, 0, 1}, container.Orientation{Mirror: true}},
		{[4]int32{1, 0, 0, -1}, container.Orientation{Mirror: true, Degrees: 180}},
		{[4]int32{0, 1, 1, 0}, container.Orientation{Mirror: true, Degrees: 270}},
		{[4]int32{0, -1, -1, 0}, container.Orientation{Mirror: true, Degrees: 90}},
		{[4]int32{2, 0, 0, 2}, container.Orientation{}},
	} {
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{{Sizes: ones(1), Matrix: test.m}}}))
		if got := d.Tracks()[0].Orientation; got != test.want {
			t.Errorf("%v: %+v, want %+v", test.m, got, test.want)
		}
	}
}

func TestTrackHeaders(t *testing.T) {
	elng := tm.FullBox("elng", 0, 0, []byte("de-CH\x00"))
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{
		{ID: 7, Sizes: ones(1), Disabled: true, Language: "deu", Timescale: 90000},
		{ID: 9, Sizes: ones(1)},
		{ID: 4, Handler: "soun", Sizes: ones(1)},
		{ID: 5, Handler: "tmcd", Sizes: ones(1), Entries: [][]byte{tm.Box("tmcd", make([]byte, 26))}},
	}})
	d := mustOpen(t, file)
	tr := d.Tracks()
	if tr[0].ID != 7 || tr[0].Language != "deu" || tr[0].Enabled || tr[0].Default || tr[0].Handler != "test" || tr[0].Timebase.Den != 90000 {
		t.Errorf("track 0 = %+v", tr[0])
	}
	if !tr[1].Enabled || !tr[1].Default || tr[1].Language != "" {
		t.Errorf("track 1 = %+v", tr[1])
	}
	if tr[2].Kind != container.Audio || !tr[2].Default {
		t.Errorf("track 2 = %+v", tr[2])
	}
	if tr[3].Kind != container.Data || tr[3].FourCC != "tmcd" || tr[3].Packets != 1 {
		t.Errorf("track 3 = %+v", tr[3])
	}
	var tk trak
	o := opener{limits: container.Limits{}.OrDefault()}
	o.readTrak(box{body: tm.Box("mdia", tm.FullBox("mdhd", 0, 0, tm.U32(0, 0, 10, 0, 0x55c40000)), elng)}, &tk)
	if tk.language != "de-CH" {
		t.Errorf("language %q, want de-CH", tk.language)
	}
}

func TestFragmentedWarns(t *testing.T) {
	d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}, Extra: tm.Box("mvex")}))
	if w := d.Warnings(); len(w) != 1 || !errors.Is(w[0], container.ErrUnsupported) {
		t.Errorf("warnings = %v, want one, unsupported", w)
	}
	if n := len(packets(t, d, 0)); n != 8 {
		t.Errorf("%d packets, want 8", n)
	}
}
