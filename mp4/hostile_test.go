package mp4

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// smallLimits bound what a test of hostile input may cost.
var smallLimits = container.Limits{Tracks: 64, Packets: 1 << 16, HeaderBytes: 1 << 24, PacketBytes: 1 << 20}

// exercise opens a file, lists everything and reads a few packets. It fails when an error is not located.
func exercise(t *testing.T, file []byte, limits container.Limits) (packets int64, err error) {
	t.Helper()
	d, err := Open(t.Context(), bytes.NewReader(file), &container.Options{Limits: limits})
	if err != nil {
		checkLocated(t, err, int64(len(file)))
		return 0, err
	}
	for _, w := range d.Warnings() {
		checkLocated(t, w, int64(len(file)))
	}
	var pk container.Packet
	for i := range d.Tracks() {
		var n int64
		for p, err := range d.List(t.Context(), i, container.PacketInfo{}) {
			if err != nil {
				t.Fatal(err)
			}
			if p.N != n || p.PTS < p.DTS || p.Pos < 0 || p.Size < 0 {
				t.Fatalf("packet %d of track %d: %+v", n, i, p)
			}
			if n++; n < 4 {
				if err := d.Read(t.Context(), i, p, &pk); err != nil {
					checkLocated(t, err, int64(len(file)))
					if errors.Is(err, io.ErrUnexpectedEOF) != p.Corrupt && p.Size <= int(smallLimits.PacketBytes) {
						t.Fatalf("packet %+v: %v", p, err)
					}
				}
			}
		}
		if says := d.Tracks()[i].Packets; n != says { // listing may have found out
			t.Fatalf("track %d lists %d packets, Packets says %d", i, n, says)
		}
		if n > 2 {
			for p := range d.List(t.Context(), i, container.PacketInfo{N: n / 2}) {
				if p.N != n/2 {
					t.Fatalf("List from %d begins with %d", n/2, p.N)
				}
				break
			}
		}
		packets += n
	}
	for _, w := range d.Warnings() {
		checkLocated(t, w, int64(len(file)))
	}
	for range 8 {
		if err := d.Next(t.Context(), &pk); err != nil && err != io.EOF {
			checkLocated(t, err, int64(len(file)))
		}
	}
	return packets, nil
}

func checkLocated(t *testing.T, err error, size int64) {
	t.Helper()
	e, ok := errors.AsType[*container.Error](err)
	if !ok {
		t.Fatalf("%v (%T) is not located", err, err)
	}
	known := false
	for _, s := range []error{container.ErrFormat, container.ErrCorrupt, container.ErrUnsupported, container.ErrLimit, container.ErrNotSeekable, io.ErrUnexpectedEOF} {
		known = known || errors.Is(err, s)
	}
	if !known {
		t.Fatalf("%v wraps no sentinel", err)
	}
	if e.Op != "read" && e.Offset > size {
		t.Fatalf("%v: the file has %d bytes", err, size)
	}
}

// wrapped is a file of 48 bytes whose last box ends, computed in 64 bits, where the file begins.
func wrapped() []byte {
	return slices.Concat(tm.Box("ftyp", make([]byte, 8)), tm.U32(1), []byte("free"), tm.U64(^uint64(0)-15), make([]byte, 16))
}

func nested(n int) []byte {
	var b []byte
	for range n {
		b = append(append(b, 0, 0, 0, 0), "wave"...)
	}
	return b
}

// hostile are tracks whose tables lie, with the number of packets that are there all the same.
func hostile() map[string]tm.Movie {
	const all = 0xffffffff
	track := func(replace map[string][]byte) tm.Movie {
		tr := gop()
		tr.Replace = replace
		return tm.Movie{Tracks: []tm.Track{tr, gop()}}
	}
	return map[string]tm.Movie{
		"stsc: no samples in a chunk": track(map[string][]byte{"stsc": tm.U32(0, 1, 1, 0, 1)}),
		"stsc: empty chunks": {Tracks: []tm.Track{{Sizes: ones(2), Deltas: []tm.Run{{Count: 2, Value: 10}}, Edits: slices.Repeat([]tm.Edit{{Duration: 100, Time: 10}}, 10000),
			Replace: map[string][]byte{"stsc": tm.U32(0, 3, 1, 1, 1, 2, 0, 1, 900_000, 1, 1), "stco": append(tm.U32(0, 1_000_000), make([]byte, 4_000_000)...)}}}},
		"stsc: too many in a chunk":      track(map[string][]byte{"stsc": tm.U32(0, 1, 1, all, 1)}),
		"stsc: first chunk 0":            track(map[string][]byte{"stsc": tm.U32(0, 2, 0, 1, 1, 0, 1, 1)}),
		"stsc: backwards":                track(map[string][]byte{"stsc": tm.U32(0, 3, 5, 1, 1, 2, 1, 1, 1, 9, 1)}),
		"stsc: empty":                    track(map[string][]byte{"stsc": tm.U32(0, 0)}),
		"stsc: absent":                   track(map[string][]byte{"stsc": nil}),
		"stsd: absent":                   track(map[string][]byte{"stsd": nil}),
		"stsd: short":                    track(map[string][]byte{"stsd": tm.U32(0, 9, 3)}),
		"stbl: absent":                   track(map[string][]byte{"stbl": nil}),
		"mdia: absent":                   track(map[string][]byte{"mdia": nil}),
		"mdhd: timescale 0":              track(map[string][]byte{"mdhd": tm.U32(0, 0, 0, 0, 0, 0)}),
		"tkhd: empty":                    track(map[string][]byte{"tkhd": {}}),
		"stts: a count of 2^32-1":        track(map[string][]byte{"stts": tm.U32(0, all, 8, 10)}),
		"stts: many of no count":         track(map[string][]byte{"stts": tm.U32(0, 3, 0, 10, 8, 10, 0, 1)}),
		"stts: all of the longest":       track(map[string][]byte{"stts": tm.U32(0, 1, all, all)}),
		"stts: too few":                  track(map[string][]byte{"stts": tm.U32(0, 1, 3, 10)}),
		"ctts: a count of 2^32-1":        track(map[string][]byte{"ctts": tm.U32(0, all, 8, 10)}),
		"ctts: as low as can be":         track(map[string][]byte{"ctts": tm.U32(0, 2, 1, 1<<31, 7, 1<<31-1)}),
		"ctts: too few":                  track(map[string][]byte{"ctts": tm.U32(0, 1, 3, 5)}),
		"stsz: 2^32-1 of a size":         track(map[string][]byte{"stsz": tm.U32(0, 1, all), "stts": tm.U32(0, 1, all, 1), "stsc": tm.U32(0, 1, 1, all, 1)}),
		"stsz: 2^32-1 of the largest":    track(map[string][]byte{"stsz": tm.U32(0, all, all), "stts": tm.U32(0, 1, all, 1), "stsc": tm.U32(0, 1, 1, all, 1)}),
		"stsz: a count of 2^32-1":        track(map[string][]byte{"stsz": tm.U32(0, 0, all, 5, 6)}),
		"stco: a count of 2^32-1":        track(map[string][]byte{"stco": tm.U32(0, all, 77)}),
		"stco: past the end":             track(map[string][]byte{"stco": tm.U32(0, 1, all)}),
		"stss: nonsense":                 track(map[string][]byte{"stss": tm.U32(0, 4, 0, all, 3, 3)}),
		"elst: the end of time":          {Tracks: []tm.Track{gop(tm.Edit{Duration: 1 << 62, Time: 1 << 62}, tm.Edit{Duration: 1 << 63, Time: -1}, tm.Edit{Duration: 1 << 63, Time: 5}, tm.Edit{Time: -1 << 62})}},
		"elst: the whole movie, often":   {Tracks: []tm.Track{gop(slices.Repeat([]tm.Edit{{Duration: 10000}}, 100000)...)}},
		"elst: the end of it, often":     {Tracks: []tm.Track{gop(slices.Repeat([]tm.Edit{{Duration: 1, Time: 1 << 40}}, 100000)...)}},
		"sound: frames that are not":     {Tracks: []tm.Track{{Handler: "soun", Constant: 1, Count: 1, Replace: map[string][]byte{"stsz": tm.U32(0, 4, all), "stts": tm.U32(0, 1, all, 1), "stsc": tm.U32(0, 1, 1, all, 1)}}}},
		"a sample entry nested too deep": {Tracks: []tm.Track{{Handler: "soun", Sizes: ones(2), Entries: [][]byte{tm.AudioEntry("mp4a", 1, 16, 8000, nested(20000))}}}},
		"movie boxes nested too deep":    {Tracks: []tm.Track{gop()}, Extra: bytes.Repeat([]byte("\x00\x00\x00\x00moov"), 20000)},
		"a thousand tracks":              {Tracks: slices.Repeat([]tm.Track{gop()}, 1000)},
	}
}

func TestHostileTables(t *testing.T) {
	for name, movie := range hostile() {
		t.Run(name, func(t *testing.T) {
			file := tm.MP4(movie)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			n, err := exercise(t, file, container.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 64<<20 {
				t.Errorf("%d MiB allocated for a file of %d bytes", spent>>20, len(file))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if len(movie.Tracks) == 2 && n < 8 {
				t.Errorf("%d packets: those of the sound track must be there", n)
			}
			t.Logf("%d packets of a file of %d bytes", n, len(file))
		})
	}
}

func TestNotAMovie(t *testing.T) {
	zip := []byte("PK\x03\x04 and so on, at some length")
	for _, test := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, io.ErrUnexpectedEOF},
		{"another format", zip, container.ErrFormat},
		{"three bytes", []byte{0, 0, 0}, container.ErrFormat},
		{"a size that wraps", wrapped(), container.ErrCorrupt},
		{"a box smaller than its header", append(tm.Box("ftyp", make([]byte, 8)), tm.U32(4, 0x66726565)...), container.ErrCorrupt},
		{"no movie box", slices.Concat(tm.Box("ftyp", make([]byte, 8)), tm.Box("mdat", make([]byte, 100))), container.ErrCorrupt},
		{"cut in the media data", slices.Concat(tm.Box("ftyp", make([]byte, 8)), tm.U32(1000), []byte("mdat"), make([]byte, 100)), io.ErrUnexpectedEOF},
		{"cut before the next header", slices.Concat(tm.Box("ftyp", make([]byte, 8)), []byte{0, 0, 1}), io.ErrUnexpectedEOF},
		{"media data to the end", slices.Concat(tm.Box("ftyp", make([]byte, 8)), tm.U32(0), []byte("mdat"), make([]byte, 100)), container.ErrCorrupt},
		{"a segment", slices.Concat(tm.Box("styp", make([]byte, 8)), tm.Box("moof", make([]byte, 8)), tm.Box("mdat", make([]byte, 8))), container.ErrUnsupported},
		{"a compressed movie box", tm.Box("moov", tm.Box("cmov", make([]byte, 8))), container.ErrUnsupported},
		{"an empty movie box", tm.Box("moov"), container.ErrCorrupt},
		{"a movie box that is not there", slices.Concat(tm.U32(1<<31), []byte("moov")), io.ErrUnexpectedEOF},
		{"a trun of fifty million", slices.Concat(tm.Box("moof", tm.Box("traf", tm.FullBox("tfhd", 0, 0, tm.U32(1)), tm.FullBox("trun", 0, 0, tm.U32(50_000_000))))), container.ErrUnsupported},
	} {
		_, err := exercise(t, test.file, container.Limits{})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestHeaderLimit(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}})
	if _, err := exercise(t, file, container.Limits{HeaderBytes: 100}); !errors.Is(err, container.ErrLimit) {
		t.Errorf("header limit: %v", err)
	}
	if n, err := exercise(t, file, container.Limits{Packets: 5}); n != 5 || err != nil {
		t.Errorf("packet limit: %d packets, %v", n, err)
	}
	d, err := Open(t.Context(), bytes.NewReader(file), &container.Options{Limits: container.Limits{PacketBytes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	var pk container.Packet
	if err := d.Read(t.Context(), 0, container.PacketInfo{Size: 2}, &pk); !errors.Is(err, container.ErrLimit) {
		t.Errorf("packet size limit: %v", err)
	}
}

// TestEveryPrefix cuts real and built files everywhere: each opens, or fails where it was cut.
func TestEveryPrefix(t *testing.T) {
	audio := tm.Track{Handler: "soun", Sizes: ones(20), PerChunk: 3}
	tracks := []tm.Track{gop(tm.Edit{Duration: 800, Time: 10}), audio}
	for _, file := range [][]byte{
		tm.MP4(tm.Movie{Tracks: tracks}),
		tm.MP4(tm.Movie{Tracks: tracks, MoovLast: true, Wide: true}),
	} {
		for n := range file {
			_, _ = exercise(t, file[:n], smallLimits) // it checks what it gets
		}
	}
}

func TestEveryPrefixOfCorpus(t *testing.T) {
	dir := corpus(t)
	for _, name := range []string{"mp4/androidx/bt601.mov", "mp4/androidx/sample.mp4", "mp4/androidx/sowt_pcm_variable_sample_size.mp4", "mp4/mp4-rust/minimal.mp4"} {
		f, err := source.OpenFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		file := make([]byte, f.Size())
		if err := source.ReadFull(t.Context(), f, file, 0); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(file); n += 1 + len(file)/500 {
			_, _ = exercise(t, file[:n], smallLimits)
		}
	}
}

// TestDamage overwrites bytes of a movie's headers at random.
func TestDamage(t *testing.T) {
	audio := tm.Track{Handler: "soun", Constant: 4, Count: 3000, Chunks: []uint32{2000, 1000}, Entries: [][]byte{tm.AudioEntry("sowt", 2, 16, 48000)}}
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop(tm.Edit{Duration: 20, Time: -1}, tm.Edit{Duration: 300, Time: 10}, tm.Edit{Duration: 300, Time: 40}), audio}})
	head := bytes.Index(file, []byte("mdat"))
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		bad := slices.Clone(file)
		for range 1 + r.IntN(4) {
			i := r.IntN(head)
			bad[i] = []byte{0, 1, 0xff, 0x7f, 0x80, byte(r.Uint32())}[r.IntN(6)]
		}
		_, _ = exercise(t, bad, smallLimits)
	}
}

// TestPastTheEnd lists packets whose bytes are not there, and says so when they are read.
func TestPastTheEnd(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}})
	d := mustOpen(t, file[:len(file)-3])
	all := packets(t, d, 0)
	var pk container.Packet
	for _, p := range all {
		err := d.Read(t.Context(), 0, p, &pk)
		if p.Corrupt != (p.N >= 5) || (err != nil) != p.Corrupt || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("packet %d: Corrupt %v, %v", p.N, p.Corrupt, err)
		}
	}
	if len(all) != 8 {
		t.Errorf("%d packets, want 8", len(all))
	}
}
