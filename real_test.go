//go:build cgo

package sprocket_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/codec/ffmpeg"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// run runs ffmpeg and returns what it prints, or skips where there is none.
func run(t testing.TB, args ...string) []byte {
	t.Helper()
	bin, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg to make clips with")
	}
	cmd := exec.CommandContext(t.Context(), bin, append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg %v: %v: %s", args, err, complaint.Bytes())
	}
	return out
}

func sum(b []byte) string {
	h := md5.Sum(b)
	return hex.EncodeToString(h[:])
}

// makeClip makes an MP4 of n frames of moving test picture with the encoder arguments given.
func makeClip(t testing.TB, size string, n string, args ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "clip.mp4")
	run(t, append(append([]string{"-f", "lavfi", "-i", "testsrc2=size=" + size + ":rate=30000/1001", "-frames:v", n}, args...), name)...)
	return name
}

func open(t testing.TB, name string, o *sprocket.VideoOptions) *sprocket.VideoDecoder {
	t.Helper()
	d, err := sprocket.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// What users see must be what ffmpeg makes of the same file, byte for byte.
func TestRGBEqualsFFmpeg(t *testing.T) {
	x264 := func(pix, matrix, rng string) []string {
		return []string{"-vf", "scale=out_color_matrix=" + matrix + ":out_range=" + rng + ",format=" + pix,
			"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-colorspace", matrix, "-color_range", rng}
	}
	for _, c := range []struct {
		name, size string
		args       []string
	}{
		{"420 601 limited", "320x180", x264("yuv420p", "smpte170m", "tv")},
		{"420 709 limited odd", "322x182", x264("yuv420p", "bt709", "tv")},
		{"420 709 full", "176x144", x264("yuv420p", "bt709", "pc")},
		{"422 709 limited", "178x101", x264("yuv422p", "bt709", "tv")},
		{"444 601 full odd", "67x51", x264("yuv444p", "smpte170m", "pc")},
		{"420 10 bit 2020", "130x98", x264("yuv420p10le", "bt2020nc", "tv")},
		{"444 10 bit 709 odd", "65x49", x264("yuv444p10le", "bt709", "tv")},
		{"HEVC 12 bit", "128x96", []string{"-pix_fmt", "yuv420p12le", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"}},
		{"MPEG-4", "96x64", []string{"-c:v", "mpeg4", "-bf", "2", "-q:v", "3"}},
		{"MJPEG", "98x66", []string{"-c:v", "mjpeg", "-pix_fmt", "yuvj422p"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := makeClip(t, c.size, "12", c.args...)
			want := run(t, "-i", name, "-f", "rawvideo", "-pix_fmt", "rgb24", "-vsync", "passthrough", "-")
			d := open(t, name, &sprocket.VideoOptions{Layout: tensor.NHWC})
			b, err := d.FramesInRange(t.Context(), 0, sprocket.End, 1)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("the pictures %v are not ffmpeg's (%d bytes)", b.Shape(), len(want))
			}
			// The same picture as planes.
			p := open(t, name, nil)
			f, err := p.FrameAt(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(f.Bytes(), b.Index(7).Permute(2, 0, 1).Clone().Bytes()) {
				t.Error("NCHW is not NHWC permuted")
			}
		})
	}
}

func TestRotatedPicturesAreTurned(t *testing.T) {
	plain := makeClip(t, "64x48", "3", "-c:v", "libx264", "-preset", "ultrafast")
	turned := filepath.Join(t.TempDir(), "turned.mp4")
	run(t, "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned)
	want := run(t, "-noautorotate", "-i", turned, "-f", "rawvideo", "-vf", "format=rgb24,transpose=clock", "-vsync", "passthrough", "-")
	if m := open(t, turned, nil).Metadata(); m.Width != 48 || m.Height != 64 || m.Orientation.Degrees == 0 {
		t.Fatalf("metadata %d×%d, %+v", m.Width, m.Height, m.Orientation)
	} else if m.Orientation.Degrees == 270 {
		want = run(t, "-noautorotate", "-i", turned, "-f", "rawvideo", "-vf", "format=rgb24,transpose=cclock", "-vsync", "passthrough", "-")
	}
	b, err := open(t, turned, &sprocket.VideoOptions{Layout: tensor.NHWC}).FramesInRange(t.Context(), 0, sprocket.End, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Error("the pictures are not turned as ffmpeg turns them")
	}
}

// Random calls from several goroutines on one decoder, every frame against its hash.
func TestMixedCallsOnRealMedia(t *testing.T) {
	for _, args := range [][]string{
		{"-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "24", "-x264-params", "open-gop=1:b-pyramid=normal"},
		{"-c:v", "libx264", "-preset", "veryfast", "-g", "30", "-x264-params", "intra-refresh=1"},
		{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=24:min-keyint=24:open-gop=1:bframes=3"},
	} {
		d := open(t, makeClip(t, "160x96", "96", args...), &sprocket.VideoOptions{Workers: 2})
		var want []string
		for f, err := range d.Frames(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, sum(f.Bytes()))
		}
		if len(want) != 96 {
			t.Fatalf("%v: %d frames, want 96", args, len(want))
		}
		var wg sync.WaitGroup
		for g := range uint64(4) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(g, 9))
				for range 12 {
					mixed(t, d, want, r)
				}
			})
		}
		wg.Wait()
	}
}

func mixed(t *testing.T, d *sprocket.VideoDecoder, want []string, r *rand.Rand) {
	ctx := t.Context()
	a := r.IntN(d.Len())
	at, err := d.Index().Frame(a)
	if err != nil {
		t.Error(err)
		return
	}
	when := d.Index().Timebase().Duration(at.PTS)
	switch r.IntN(4) {
	case 0:
		if f, err := d.FrameAt(ctx, a); err != nil || sum(f.Bytes()) != want[a] {
			t.Errorf("FrameAt(%d): wrong frame or %v", a, err)
		}
	case 1:
		if f, err := d.FramePlayedAt(ctx, when+time.Duration(r.IntN(1000))); err != nil || f.N != a || sum(f.Bytes()) != want[a] {
			t.Errorf("FramePlayedAt(%v): wrong frame or %v", when, err)
		}
	case 2:
		ns := []int{a, r.IntN(d.Len()), -1 - r.IntN(d.Len()), a}
		b, err := d.FramesAt(ctx, ns)
		if err != nil {
			t.Errorf("FramesAt(%v): %v", ns, err)
			return
		}
		for i, f := range b.Frames {
			if sum(b.Index(i).Bytes()) != want[f.N] {
				t.Errorf("FramesAt(%v): slot %d is wrong", ns, i)
			}
		}
	case 3:
		for f, err := range d.Frames(ctx) {
			if err != nil || sum(f.Bytes()) != want[f.N] {
				t.Errorf("Frames: wrong frame or %v", err)
			}
			if f == nil || f.N >= a/4 {
				break
			}
		}
	}
}

// located says whether an error tells where in the input, or which packet.
func located(err error) bool {
	var c *container.Error
	var k *codec.Error
	var r *seek.RangeError
	return errors.As(err, &c) || errors.As(err, &k) || errors.As(err, &r) || errors.Is(err, sprocket.ErrDamaged) || errors.Is(err, codec.ErrDecode)
}

func TestTruncatedFilesGiveTheFramesThatAreStillThere(t *testing.T) {
	name := makeClip(t, "96x64", "60", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "15", "-sc_threshold", "0", "-movflags", "+faststart")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := native(t, data)
	r := rand.New(rand.NewPCG(4, 4))
	opened := 0
	for range 60 {
		cut := r.IntN(len(data))
		d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(data[:cut]), &sprocket.VideoOptions{Native: true})
		if err != nil {
			if !located(err) {
				t.Errorf("cut at %d: %v does not say where", cut, err)
			}
			continue
		}
		opened++
		good := 0
		for f, err := range d.Frames(t.Context()) {
			if err != nil {
				if !located(err) {
					t.Errorf("cut at %d: %v does not say where", cut, err)
				}
				continue
			}
			good++
			if sum(f.Bytes()) != want[f.N] {
				t.Errorf("cut at %d: frame %d is wrong", cut, f.N)
			}
		}
		if cut > len(data)*9/10 && good < 40 {
			t.Errorf("cut at %d of %d: only %d frames are left", cut, len(data), good)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if opened < 10 {
		t.Errorf("only %d of 60 truncated files opened", opened)
	}
}

func TestFlippedBitsCostTheirGOPOnly(t *testing.T) {
	name := makeClip(t, "96x64", "60", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "15", "-sc_threshold", "0", "-movflags", "+faststart")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := native(t, data)
	r := rand.New(rand.NewPCG(5, 5))
	for range 150 {
		broken := bytes.Clone(data)
		at := r.IntN(len(data))
		broken[at] ^= 1 << r.IntN(8)
		d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(broken), &sprocket.VideoOptions{Native: true})
		if err != nil {
			if !located(err) && !errors.Is(err, container.ErrUnsupported) {
				t.Errorf("bit at %d: %v does not say where", at, err)
			}
			continue
		}
		inMedia := at > bytes.Index(data, []byte("mdat"))+4
		for n := range min(d.Len(), 60) {
			if n%7 != 0 {
				continue
			}
			f, err := d.FrameAt(t.Context(), n)
			if err != nil {
				if !located(err) {
					t.Errorf("bit at %d, frame %d: %v does not say where", at, n, err)
				}
				continue
			}
			if inMedia && !depends(t, d, n, int64(at)) && sum(f.Bytes()) != want[n] {
				t.Errorf("bit at %d: frame %d is wrong", at, n)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// depends says whether the byte at off is in the GOP that frame n is decoded from.
// The packets of the one track lie in decode order, so a GOP is one stretch of bytes.
func depends(t *testing.T, d *sprocket.VideoDecoder, n int, off int64) bool {
	t.Helper()
	start, err := d.Index().Start(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	for k := n; k < d.Len(); k++ {
		next, err := d.Index().Start(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if next.Pos != start.Pos {
			return off >= start.Pos && off < next.Pos
		}
	}
	return off >= start.Pos
}

// native returns the hashes of a file's frames.
func native(t *testing.T, data []byte) []string {
	t.Helper()
	d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(data), &sprocket.VideoOptions{Native: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var out []string
	for f, err := range d.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sum(f.Bytes()))
	}
	return out
}

// What a fragmented file tells only once its fragments were walked is in the metadata too.
func TestMetadataOfFragments(t *testing.T) {
	plain := open(t, makeClip(t, "96x64", "30", "-c:v", "libx264", "-preset", "veryfast", "-g", "10"), nil).Metadata()
	m := open(t, makeClip(t, "96x64", "30", "-c:v", "libx264", "-preset", "veryfast", "-g", "10", "-movflags", "+frag_keyframe+empty_moov"), nil).Metadata()
	if m.Frames != 30 || m.HeaderPackets != 30 || m.BitRate != plain.BitRate {
		t.Errorf("%d frames, %d packets, %d b/s; want 30, 30, %d", m.Frames, m.HeaderPackets, m.BitRate, plain.BitRate)
	}
}

// With a stored index nothing is read but the packets that are decoded.
func TestStoredIndexReadsOnlyTheRun(t *testing.T) {
	name := makeClip(t, "160x96", "96", "-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "24")
	f, err := source.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := sprocket.OpenVideo(t.Context(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	id, err := seek.Identify(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := plain.Index().(*seek.Table).AppendIndex(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := seek.LoadIndex(data, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 50, 95} {
		want, err := plain.FrameAt(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		src := source.Count(f)
		d, err := sprocket.OpenVideo(t.Context(), src, &sprocket.VideoOptions{Index: stored})
		if err != nil {
			t.Fatal(err)
		}
		if c := src.Counts(); c.Reads != 0 {
			t.Errorf("opening read %d times, want 0", c.Reads)
		}
		got, err := d.FrameAt(t.Context(), n)
		if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("frame %d is another one: %v", n, err)
		}
		if c, s := src.Counts(), d.Stats(); c.Reads != s.Packets || c.Bytes != s.Bytes {
			t.Errorf("frame %d: %d reads of %d bytes for %d packets of %d bytes", n, c.Reads, c.Bytes, s.Packets, s.Bytes)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNothingIsLeftAlive(t *testing.T) {
	name := makeClip(t, "96x64", "30", "-c:v", "libx264", "-preset", "veryfast", "-g", "10")
	before := ffmpeg.Live()
	for range 20 {
		d, err := sprocket.Open(t.Context(), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := d.FramesAt(ctx, []int{0, 12, 25}); err != nil {
			t.Fatal(err)
		}
		for range d.Frames(ctx) {
			cancel()
			break
		}
		_, _ = d.FramesAt(ctx, []int{0, 12, 25}) // cancelled
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := ffmpeg.Live(); after != before {
		t.Errorf("alive before %+v, after %+v", before, after)
	}
}

func TestDecodingIntoGivenMemoryAllocatesNothing(t *testing.T) {
	d := open(t, makeClip(t, "160x96", "60", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "60"), &sprocket.VideoOptions{Workers: 1})
	measure := func(n int) float64 {
		ns := make([]int, n)
		for i := range ns {
			ns[i] = i
		}
		dst := tensor.New(tensor.Uint8, n, 3, 96, 160)
		return testing.AllocsPerRun(20, func() {
			if _, err := d.ReadFramesAt(t.Context(), dst, ns); err != nil {
				t.Fatal(err)
			}
		})
	}
	if a, b := measure(5), measure(60); b > a+12 && !sprocket.RaceEnabled { // slices of the plan grow by doubling
		t.Errorf("5 frames cost %v allocations, 60 frames %v", a, b)
	}
}

func TestIteratingAllocatesNothingAFrame(t *testing.T) {
	d := open(t, makeClip(t, "160x96", "90", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "30"), &sprocket.VideoOptions{Workers: 1})
	own := []*tensor.Tensor{}
	for range 12 {
		own = append(own, tensor.New(tensor.Uint8, 3, 96, 160))
	}
	turn := 0
	for name, get := range map[string]func() *tensor.Tensor{"lent": nil, "given": func() *tensor.Tensor {
		turn++
		return own[turn%len(own)]
	}} {
		measure := func(n int) float64 {
			return testing.AllocsPerRun(10, func() {
				i := 0
				for _, err := range d.FramesInto(t.Context(), get) {
					if err != nil {
						t.Fatal(err)
					}
					if i++; i == n {
						break
					}
				}
			})
		}
		if a, b := measure(15), measure(90); b > a && !sprocket.RaceEnabled {
			t.Errorf("%s: 15 frames cost %v allocations, 90 frames %v", name, a, b)
		}
	}
}
