package conformance_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/conformance"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// film is a clip as a file, with what others say about it.
type film struct {
	clip   *clip
	tracks []testmedia.Track
	dump   []string // lines; nil: there is none
	golden []string // lines
	probe  []string // packets
	stream []string // streams
}

// newFilm returns a film about which everybody says what is right.
func newFilm(t *testing.T) *film {
	t.Helper()
	f := &film{clip: newClip()}
	tr := testmedia.Track{
		Timescale: 25, Entries: [][]byte{testmedia.VideoEntry("avc1", 6, 4, testmedia.Box("avcC", f.clip.track.Config))},
		Data: f.clip.packets, Deltas: []testmedia.Run{{Count: 14, Value: 1}}, Sync: []uint32{1, 8}, Version: 1,
	}
	f.dump = []string{"track 0:", "  sample count = 14", "  format 0:", "    id = 1"}
	f.stream = []string{`{"index": 0, "id": "0x1", "codec_type": "video"}`}
	for n, p := range f.clip.infos {
		data, flags, mark := f.clip.packets[n], 0, "_"
		if p.Key {
			flags, mark = 1, "K"
		}
		tr.Offsets = append(tr.Offsets, testmedia.Run{Count: 1, Value: uint32(int32(p.PTS) - int32(n))})
		hash := uint32(1)
		for _, b := range slices.Concat([]byte{0, 0, 0, 1}, data[4:]) { // the length of the NAL unit is a start code there
			hash = 31*hash + uint32(int32(int8(b)))
		}
		f.dump = append(f.dump, fmt.Sprintf("  sample %d:", n), fmt.Sprintf("    time = %d", p.PTS*40_000), fmt.Sprintf("    flags = %d", flags), fmt.Sprintf("    data = length 8, hash %X", hash))
		f.probe = append(f.probe, fmt.Sprintf(`{"stream_index": 0, "pts": %d, "dts": %d, "duration": 1, "size": "8", "flags": "%s_"}`, p.PTS, n-1, mark))
	}
	f.tracks = []testmedia.Track{tr}
	dec, err := new(fakeBackend).OpenVideo(t.Context(), &f.clip.track, nil)
	if err != nil {
		t.Fatal(err)
	}
	emit := func(v codec.VideoFrame) error {
		b, err := v.AppendRaw(nil)
		h := md5.Sum(b)
		f.golden = append(f.golden, fmt.Sprintf("0, %d, %d, 1, 72, %s", len(f.golden), len(f.golden), hex.EncodeToString(h[:])))
		return err
	}
	for n := range f.clip.packets {
		p := container.Packet{PacketInfo: f.clip.infos[n], Data: f.clip.packets[n]}
		if err := dec.Decode(t.Context(), &p, emit); err != nil {
			t.Fatal(err)
		}
	}
	if err := dec.Flush(t.Context(), emit); err != nil {
		t.Fatal(err)
	}
	return f
}

// run writes the film and what is said about it, and runs over it.
func (f *film) run(t *testing.T, b codec.Backend) conformance.Row {
	t.Helper()
	return f.runWith(t, &conformance.Options{Stored: true, Backend: b})
}

func (f *film) runWith(t *testing.T, o *conformance.Options) conformance.Row {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{
		"mp4/x/film.mp4":                       testmedia.MP4(testmedia.Movie{Tracks: f.tracks}),
		"_framemd5/mp4/x/film.mp4.framemd5.gz": stored(t, "#format: frame checksums\n"+strings.Join(f.golden, "\n")+"\n"),
		"_ffprobe/mp4/x/film.mp4.json.gz":      stored(t, `{"packets": [`+strings.Join(f.probe, ",")+`], "streams": [`+strings.Join(f.stream, ",")+`]}`),
	}
	if f.dump != nil {
		files["expected/x/mp4/film.mp4.0.dump"] = []byte(strings.Join(f.dump, "\n") + "\n")
	}
	write(t, dir, files)
	rep, err := conformance.Run(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Rows) != 1 {
		t.Fatalf("%d rows, want 1", len(rep.Rows))
	}
	return rep.Rows[0]
}

func TestWhatIsEqualPasses(t *testing.T) {
	r := newFilm(t).run(t, &fakeBackend{})
	if r.Verdict != conformance.Passed || r.Packets.String() != "14 = ffprobe, dump" || r.Frames.String() != "14 = framemd5, any order" {
		t.Errorf("%s (%s): packets %s, frames %s", r.Verdict, r.Reason, r.Packets, r.Frames)
	}
}

// Whatever is said that is not so makes the file differ.
func TestEachDifferenceIsFound(t *testing.T) {
	replace := func(lines []string, old, by string) {
		for i := range lines {
			if strings.Contains(lines[i], old) {
				lines[i] = strings.Replace(lines[i], old, by, 1)
				return
			}
		}
		t.Fatalf("no line has %q", old)
	}
	sound := testmedia.Track{Handler: "soun", Constant: 20, Count: 30, Deltas: []testmedia.Run{{Count: 30, Value: 40}}}
	for _, tt := range []struct {
		name, want string
		fault      string
		change     func(f *film)
	}{
		{name: "another picture", want: "frame 3 has MD5", change: func(f *film) { f.golden[3] = f.golden[4] }},
		{name: "a picture less", want: "14 frames, framemd5 has 13", change: func(f *film) { f.golden = f.golden[:13] }},
		{name: "another picture the second time", want: "forward: frame", fault: "unsteady"},
		{name: "no picture the second time", want: "forward", fault: "tires"},
		{name: "time in the dump", want: "dump time", change: func(f *film) { replace(f.dump, "time = 120000", "time = 160001") }},
		{name: "key in the dump", want: "dump key", change: func(f *film) { replace(f.dump, "flags = 1", "flags = 0") }},
		{name: "size in the dump", want: "dump size", change: func(f *film) { replace(f.dump, "length 8", "length 9") }},
		{name: "bytes in the dump", want: "dump bytes", change: func(f *film) { f.dump[7] = "    data = length 8, hash 1" }},
		{name: "a sample less in the dump", want: "dump packets", change: func(f *film) { f.dump = f.dump[:len(f.dump)-4] }},
		{name: "a track more in the dump", want: "track 9: dump stream, against the dump: there is no such track", change: func(f *film) {
			f.dump = append(f.dump, "track 9:", "  sample 0:", "    time = 0", "    flags = 1", "    data = length 8, hash 1")
		}},
		{name: "a track less in the dump", want: "track 2: dump stream, against the dump: it has no such track", change: func(f *film) {
			f.tracks = append(f.tracks, sound)
			f.stream = append(f.stream, `{"index": 1, "id": "0x2", "codec_type": "audio"}`)
			for n := range 30 {
				f.probe = append(f.probe, fmt.Sprintf(`{"stream_index": 1, "pts": %d, "dts": %d, "duration": 40, "size": "20", "flags": "K_"}`, 40*n, 40*n))
			}
		}},
		{name: "a stream less", want: "track 1: stream, against stored ffprobe: it has no such stream", change: func(f *film) { replace(f.stream, "0x1", "0x7") }},
		{name: "a stream more", want: "track 2: stream, against stored ffprobe: there is no such track", change: func(f *film) {
			f.stream = append(f.stream, `{"index": 1, "id": "0x2", "codec_type": "audio"}`)
		}},
		{name: "a stream more with the same ID", want: "track 1: stream, against stored ffprobe: there is no such track", change: func(f *film) {
			f.stream = append(f.stream, `{"index": 1, "id": "0x1", "codec_type": "video"}`)
		}},
		{name: "PTS", want: "track 1: pts", change: func(f *film) { replace(f.probe, `"pts": 3`, `"pts": 33`) }},
		{name: "DTS", want: "track 1: dts", change: func(f *film) { replace(f.probe, `"dts": 3`, `"dts": 33`) }},
		{name: "size", want: "track 1: size", change: func(f *film) { replace(f.probe, `"size": "8"`, `"size": "7"`) }},
		{name: "place", want: "track 1: pos", change: func(f *film) { replace(f.probe, `"size"`, `"pos": "1", "size"`) }},
		{name: "key", want: "track 1: key", change: func(f *film) { replace(f.probe, `"K_"`, `"__"`) }},
		{name: "discard", want: "track 1: discard", change: func(f *film) { replace(f.probe, `"K_"`, `"KD"`) }},
		{name: "duration", want: "track 1: duration", change: func(f *film) { replace(f.probe, `"duration": 1`, `"duration": 2`) }},
		{name: "a packet less", want: "track 1: packets", change: func(f *film) { f.probe = f.probe[:13] }},
		{name: "a packet that cannot be decoded", want: "track 1: frames damaged", change: func(f *film) { f.tracks[0].Data, f.dump = spoilt(f.clip), nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFilm(t)
			if tt.change != nil {
				tt.change(f)
			}
			r := f.run(t, &fakeBackend{fault: tt.fault})
			if r.Verdict != conformance.Differs && tt.fault == "" || r.Verdict == conformance.Passed || !strings.Contains(r.Reason, tt.want) {
				t.Errorf("%s: %q, want %q", r.Verdict, r.Reason, tt.want)
			}
		})
	}
}

// spoilt returns the packets of a clip with one that cannot be decoded, which no other needs: frame 8.
func spoilt(c *clip) [][]byte {
	packets := slices.Clone(c.packets)
	packets[9] = slices.Clone(packets[9])
	packets[9][7]++
	return packets
}

// Damage that is known does not hide what else is wrong.
func TestGoodFramesAreComparedWhereOthersAreDamaged(t *testing.T) {
	conformance.Explain(t, "mp4/x/film.mp4\t1\tframes damaged\t1\ta packet is spoilt\nmp4/x/film.mp4\t1\tdump bytes\t1\ta packet is spoilt\n")
	f := newFilm(t)
	f.tracks[0].Data = spoilt(f.clip)
	if r := f.run(t, &fakeBackend{}); r.Verdict != conformance.Passed || r.Frames.String() != "14 = framemd5, any order" || len(r.Explained) != 2 {
		t.Errorf("%s (%s): frames %s, %d explained", r.Verdict, r.Reason, r.Frames, len(r.Explained))
	}
	f.golden[9] = f.golden[8]
	if r := f.run(t, &fakeBackend{}); r.Verdict != conformance.Differs || !strings.HasPrefix(r.Reason, "frame 9 has MD5") {
		t.Errorf("%s: %q, want frame 9 to differ", r.Verdict, r.Reason)
	}
	f.tracks[0].Data[3] = f.tracks[0].Data[9]
	if r := f.run(t, &fakeBackend{}); r.Verdict != conformance.Differs || !strings.Contains(r.Reason, "known.tsv explains 1") {
		t.Errorf("%s: %q, want one more damaged frame to count", r.Verdict, r.Reason)
	}
}

// What is decoded is bounded, and the bound can be lifted.
func TestTheBoundOnFramesCanBeLifted(t *testing.T) {
	f := newFilm(t)
	for pixels, want := range map[int64]int{1: 1, 6 * 4 * 3: 3, conformance.AllPixels: 14} {
		r := f.runWith(t, &conformance.Options{Stored: true, Backend: &fakeBackend{}, Pixels: pixels})
		if r.Verdict != conformance.Passed || r.Frames.Count != want {
			t.Errorf("%d pixels: %s (%s), %d frames, want %d", pixels, r.Verdict, r.Reason, r.Frames.Count, want)
		}
	}
}
