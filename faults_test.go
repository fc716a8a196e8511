//go:build cgo

package sprocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/source"
)

// linear returns the hashes of a file's frames as FFmpeg decodes them, from first to last, in native planes.
func linear(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(string(run(t, "-i", name, "-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-"))) {
		if f := strings.Split(strings.TrimSpace(line), ","); !strings.HasPrefix(line, "#") && len(f) == 6 {
			out = append(out, strings.TrimSpace(f[5]))
		}
	}
	return out
}

// checkFrames takes all frames of a file forward, backward, shuffled, and a few at a time, which lets packets be skipped, and compares them.
func checkFrames(t *testing.T, src source.Source, o sprocket.VideoOptions, want []string) sprocket.Stats {
	t.Helper()
	o.Native, o.Workers = true, 1
	d, err := sprocket.OpenVideo(t.Context(), src, &o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Len() != len(want) {
		t.Fatalf("%d frames, want %d", d.Len(), len(want))
	}
	wrong := func(how string, n int, pixels []byte, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: frame %d: %v", how, n, err)
		} else if sum(pixels) != want[n] {
			t.Errorf("%s: frame %d is another picture", how, n)
		}
	}
	n := 0
	for f, err := range d.Frames(t.Context()) {
		if err != nil {
			wrong("forward", n, nil, err)
		} else {
			wrong("forward", f.N, f.Bytes(), nil)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("forward: %d frames, want %d", n, len(want))
	}
	one := func(how string, n int) {
		t.Helper()
		f, err := d.FrameAt(t.Context(), n)
		if err != nil {
			wrong(how, n, nil, err)
			return
		}
		wrong(how, n, f.Bytes(), nil)
	}
	for n := len(want) - 1; n >= 0; n-- {
		one("backward", n)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for _, n := range r.Perm(len(want)) {
		one("shuffled", n)
	}
	for step := 2; step < 8; step++ {
		var ns []int
		for n := r.IntN(step); n < len(want); n += step {
			ns = append(ns, n)
		}
		b, err := d.FramesAt(t.Context(), ns)
		if err != nil {
			t.Errorf("every %d: %v", step, err)
			continue
		}
		for i, n := range ns {
			wrong(fmt.Sprintf("every %d", step), n, b.Index(i).Bytes(), nil)
		}
	}
	return d.Stats()
}

// Streams whose packets do not hold a picture each: hidden frames, frames shown again, open groups, recovery points, fields.
func TestEveryFrameOfOtherPeoplesStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes eleven clips")
	}
	for _, c := range []struct {
		name string
		n    string
		args []string
		drop bool // there are packets that nobody needs, and the bytes say so
	}{
		{"VP9, alternate references", "50", []string{"-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "5", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-g", "20", "-b:v", "300k"}, false},
		{"VP9, three temporal layers", "40", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k", "-g", "20", "-error-resilient", "1", "-lag-in-frames", "0",
			"-ts-parameters", "ts_number_layers=3:ts_target_bitrate=50,100,200:ts_rate_decimator=4,2,1:ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3"}, false},
		{"VP9, realtime, in fragments", "130", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-lag-in-frames", "0", "-g", "26",
			"-movflags", "+frag_keyframe+empty_moov+default_base_moof+global_sidx"}, false},
		{"AV1, pyramid", "40", []string{"-c:v", "libaom-av1", "-cpu-used", "8", "-lag-in-frames", "19", "-g", "20", "-b:v", "200k"}, false},
		{"AV1, SVT", "40", []string{"-c:v", "libsvtav1", "-preset", "10", "-g", "20", "-qp", "40"}, true},
		{"HEVC, open groups", "50", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12:min-keyint=12:open-gop=1:bframes=4:b-adapt=0"}, true},
		{"HEVC, three temporal layers", "50", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12:temporal-layers=3:bframes=4:b-adapt=0"}, true},
		{"H.264, open groups", "50", []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-bf", "3", "-x264-params", "open-gop=1"}, true},
		{"H.264, intra refresh", "50", []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-bf", "2", "-x264-params", "intra-refresh=1"}, true},
		{"H.264, interlaced", "40", []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-bf", "2", "-flags", "+ilme+ildct", "-x264-params", "tff=1"}, true},
		{"MPEG-2, interlaced", "40", []string{"-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-flags", "+ilme+ildct"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "clip.mp4")
			run(t, append(append([]string{"-f", "lavfi", "-i", "testsrc2=size=128x96:rate=30", "-frames:v", c.n, "-pix_fmt", "yuv420p"}, c.args...), name)...)
			f, err := source.OpenFile(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want := linear(t, name)
			s := checkFrames(t, f, sprocket.VideoOptions{}, want)
			if c.drop && s.Skipped == 0 {
				t.Error("no packet was skipped")
			}
			if strings.Contains(c.name, "groups") {
				checkFrames(t, f, sprocket.VideoOptions{VerifyKeys: true}, want)
			}
		})
	}
}

// remux makes an MP4 of packets, with the sync samples given, from 1.
func remux(entry string, config []byte, packets [][]byte, sync []uint32, deltas ...testmedia.Run) []byte {
	box := map[string]string{"avc1": "avcC", "hvc1": "hvcC"}[entry]
	if deltas == nil {
		deltas = []testmedia.Run{{Count: uint32(len(packets)), Value: 1}}
	}
	return testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{{
		Timescale: 30, Entries: [][]byte{testmedia.VideoEntry(entry, 128, 96, testmedia.Box(box, config))}, Data: packets, Sync: sync, Deltas: deltas,
	}}})
}

// A sync sample box that is missing, lists too few, or lists others, costs time without VerifyKeys, and nothing with it.
func TestVerifyKeysOfFilesThatLie(t *testing.T) {
	name := makeClip(t, "128x96", "60", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "10", "-keyint_min", "10", "-sc_threshold", "0")
	config, packets := packetsOf(t, name)
	want := linear(t, name)
	truth := []uint32{1, 11, 21, 31, 41, 51}
	cost := func(file []byte, o sprocket.VideoOptions) int64 {
		o.Native, o.Workers = true, 1
		d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file), &o)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if f, err := d.FrameAt(t.Context(), 45); err != nil || sum(f.Bytes()) != want[45] {
			t.Errorf("frame 45: %v", err)
		}
		return d.Stats().Decoded
	}
	if testing.Short() {
		t.Skip("decodes every frame many times")
	}
	for _, c := range []struct {
		name  string
		sync  []uint32
		plain int64 // pictures decoded for frame 45
	}{
		{"the truth", truth, 5},
		{"a key dropped", slices.DeleteFunc(slices.Clone(truth), func(n uint32) bool { return n == 41 }), 15},
		{"others added", []uint32{1, 5, 11, 21, 31, 33, 41, 43, 44, 51, 60}, 5},
		{"only others", []uint32{2, 15, 43}, 45},
		{"none", []uint32{}, 45},
		{"no box", nil, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := remux("avc1", config, packets, c.sync)
			if got := cost(file, sprocket.VideoOptions{}); got < c.plain || got > c.plain+2 {
				t.Errorf("%d pictures decoded, want about %d", got, c.plain)
			}
			if got := cost(file, sprocket.VideoOptions{VerifyKeys: true}); got < 5 || got > 7 {
				t.Errorf("%d pictures decoded with verified keys, want about 5", got)
			}
			for _, verify := range []bool{false, true} {
				checkFrames(t, bytes.NewReader(file), sprocket.VideoOptions{VerifyKeys: verify}, want)
			}
		})
	}
	if _, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(remux("avc1", config, packets, nil)), &sprocket.VideoOptions{VerifyKeys: true, Index: storeIndex(t, bytes.NewReader(remux("avc1", config, packets, nil)))}); err == nil {
		t.Error("VerifyKeys with an Index")
	}
}

// sdtp that calls needed packets unneeded breaks frames; verified, it does not.
func TestVerifyKeysOfDependenceThatLies(t *testing.T) {
	name := makeClip(t, "128x96", "30", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "10", "-sc_threshold", "0")
	config, packets := packetsOf(t, name)
	file := testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{{
		Timescale: 30, Entries: [][]byte{testmedia.VideoEntry("avc1", 128, 96, testmedia.Box("avcC", config))}, Data: packets, Sync: []uint32{1, 11, 21},
		Deltas: []testmedia.Run{{Count: 30, Value: 1}}, Depends: bytes.Repeat([]byte{2 << 2}, 30),
	}}})
	checkFrames(t, bytes.NewReader(file), sprocket.VideoOptions{VerifyKeys: true}, linear(t, name))
}

// Times that repeat, stand still or go back make no frame disappear, come twice, or come with another's picture.
func TestTimesThatLie(t *testing.T) {
	name := makeClip(t, "96x64", "30", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "10", "-sc_threshold", "0")
	config, packets := packetsOf(t, name)
	want := linear(t, name)
	for _, c := range []struct {
		name    string
		deltas  []testmedia.Run
		offsets []testmedia.Run
	}{
		{"all at once", []testmedia.Run{{Count: 30, Value: 0}}, nil},
		{"some last no time", []testmedia.Run{{Count: 7, Value: 1}, {Count: 6, Value: 0}, {Count: 17, Value: 1}}, nil},
		{"pairs share a time", []testmedia.Run{{Count: 30, Value: 1}}, func() (o []testmedia.Run) {
			for range 15 {
				o = append(o, testmedia.Run{Count: 1, Value: 1}, testmedia.Run{Count: 1, Value: 0})
			}
			return o
		}()},
	} {
		tr := testmedia.Track{Timescale: 30, Entries: [][]byte{testmedia.VideoEntry("avc1", 96, 64, testmedia.Box("avcC", config))}, Data: packets, Sync: []uint32{1, 11, 21}, Deltas: c.deltas, Offsets: c.offsets}
		t.Run(c.name, func(t *testing.T) {
			checkFrames(t, bytes.NewReader(testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{tr}})), sprocket.VideoOptions{}, want)
		})
	}
	t.Run("fragments go back", func(t *testing.T) {
		file := testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{{Timescale: 30, Entries: [][]byte{testmedia.VideoEntry("avc1", 96, 64, testmedia.Box("avcC", config))}}},
			Extra: testmedia.Mvex(0, testmedia.Extends{ID: 1, Description: 1, Duration: 1})})
		// Shown are the second ten, the third, and then the first.
		for i, at := range []uint64{20, 0, 10} {
			f := testmedia.Fragment{Tracks: []testmedia.TrackFragment{{ID: 1, Flags: testmedia.BaseIsMoof, Time: &at, Runs: []testmedia.TrackRun{{Flags: testmedia.RunData | testmedia.RunSize | testmedia.RunFlags}}}}}
			r := &f.Tracks[0].Runs[0]
			for k, p := range packets[10*i : 10*i+10] {
				s := testmedia.Sample{Size: uint32(len(p)), Flags: testmedia.NonSync}
				if k == 0 {
					s.Flags = 0
				}
				r.Samples = append(r.Samples, s)
			}
			head, _ := f.Layout(int64(len(file)))
			file = append(file, head...)
			for _, p := range packets[10*i : 10*i+10] {
				file = append(file, p...)
			}
		}
		src := bytes.NewReader(file)
		d, err := sprocket.OpenVideo(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if w := d.Warnings(); len(w) != 1 || !errors.Is(w[0], container.ErrCorrupt) {
			t.Errorf("warnings %v", w)
		}
		checkFrames(t, src, sprocket.VideoOptions{}, slices.Concat(want[10:20], want[20:], want[:10]))
	})
}

// A picture size that changes in the stream, without another sample description: every frame has its own, and a batch of both says so.
func TestSizeChangesInTheStream(t *testing.T) {
	x264 := []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "5", "-sc_threshold", "0"}
	configA, a := packetsOf(t, makeClip(t, "96x64", "10", x264...))
	configB, b := packetsOf(t, makeClip(t, "128x96", "10", x264...))
	// The parameter sets of the second clip come in the stream.
	n := int(configB[6])<<8 | int(configB[7])
	sps, pps := configB[8:8+n], configB[8+n+3:]
	for _, i := range []int{0, 5} {
		var own []byte
		for _, nal := range [][]byte{sps, pps} {
			own = append(append(own, 0, 0, byte(len(nal)>>8), byte(len(nal))), nal...)
		}
		b[i] = append(own, b[i]...)
	}
	file := remux("avc1", configA, append(slices.Clone(a), b...), []uint32{1, 6, 11, 16})
	d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file), &sprocket.VideoOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, n := range []int{19, 3, 10, 9, 0, 15} {
		f, err := d.FrameAt(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if want := 96 + n/10*32; f.Shape()[2] != want || f.NativeWidth != want {
			t.Errorf("frame %d has shape %v, want %d columns", n, f.Shape(), want)
		}
	}
	if _, err := d.FramesAt(t.Context(), []int{3, 13}); err == nil || !strings.Contains(err.Error(), "frame 13: its shape is [3 96 128], that of frame 3") {
		t.Errorf("a batch of two sizes: %v", err)
	}
}

// An encrypted track tells its scheme and key, and is not decoded.
func TestEncryptedTracksAreRefused(t *testing.T) {
	config, packets := packetsOf(t, makeClip(t, "96x64", "3", "-c:v", "libx264", "-preset", "veryfast"))
	key := []byte("0123456789abcdef")
	entry := testmedia.VideoEntry("encv", 96, 64, testmedia.Box("avcC", config), testmedia.Box("sinf", testmedia.Box("frma", []byte("avc1")),
		testmedia.FullBox("schm", 0, 0, []byte("cbcs"), testmedia.U32(1<<16)), testmedia.Box("schi", testmedia.FullBox("tenc", 1, 0, []byte{0, 0x19, 1, 0}, key))))
	file := testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{{Entries: [][]byte{entry}, Data: packets}}})
	m, err := mp4.Open(t.Context(), bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := m.Tracks()[0].Encryption; e.Scheme != "cbcs" || string(e.KeyID[:]) != string(key) || m.Tracks()[0].Codec != "h264" {
		t.Errorf("listed as %+v, %s", e, m.Tracks()[0].Codec)
	}
	d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file), nil)
	if err == nil {
		_, err = d.FrameAt(t.Context(), 0)
		_ = d.Close()
	}
	if !errors.Is(err, container.ErrUnsupported) || !strings.Contains(err.Error(), "cbcs") || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("decoding: %v", err)
	}
}
