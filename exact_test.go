//go:build cgo

package sprocket_test

import (
	"bytes"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/tensor"
)

// How encoders make pictures depend on each other.
var dependences = []struct {
	name       string
	args       []string
	disposable bool // there are packets that nobody needs
}{
	{"x264 B-pyramid", x264("b-pyramid=normal:bframes=4:b-adapt=0:keyint=24:ref=4"), true},
	{"x264 strict B-pyramid", x264("b-pyramid=strict:bframes=4:b-adapt=0:keyint=24"), true},
	{"x264 no B-pyramid", x264("b-pyramid=none:bframes=3:b-adapt=0:keyint=24"), true},
	{"x264 8 B, 8 references", x264("bframes=8:b-adapt=0:ref=8:keyint=48"), true},
	{"x264 open GOP", x264("open-gop=1:bframes=3:b-adapt=0:keyint=12:min-keyint=2"), true},
	{"x264 weighted", x264("weightp=2:weightb=1:bframes=3:ref=3:keyint=24"), true},
	{"x264 intra refresh", x264("intra-refresh=1:bframes=0:keyint=16"), false},
	{"x264 intra refresh with B", x264("intra-refresh=1:bframes=2:b-adapt=0:keyint=16"), true},
	{"x264 no B", x264("bframes=0:ref=3:keyint=24"), false},
	{"x264 interlaced", x264("interlaced=1:bframes=3:b-adapt=0:keyint=24"), true},
	{"x264 many slices", x264("slices=4:bframes=3:b-adapt=0:keyint=24"), true},
	{"x265 open GOP", x265("keyint=12:min-keyint=2:bframes=4:b-adapt=0"), true},
	{"x265 closed GOP", x265("open-gop=0:keyint=16:bframes=3:b-adapt=0:ref=4"), true},
	{"x265 8 B", x265("keyint=24:bframes=8:b-adapt=0:rc-lookahead=20"), true},
	{"x265 no B-pyramid", x265("b-pyramid=0:keyint=24:bframes=3:b-adapt=0"), true},
	{"x265 weighted", x265("weightp=1:weightb=1:keyint=24:bframes=3:b-adapt=0"), true},
	{"x265 temporal layers", x265("temporal-layers=2:keyint=24:bframes=3:b-adapt=0"), true},
	{"x265 intra refresh", x265("intra-refresh=1:keyint=16:bframes=0"), false},
}

func x264(params string) []string {
	return []string{"-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-x264-params", "scenecut=0:" + params}
}

func x265(params string) []string {
	return []string{"-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", "log-level=none:scenecut=0:" + params}
}

// Every frame, however it is asked for, is the one of a linear decode of the whole file by ffmpeg, on one worker or several, of one
// thread or several, although packets that nobody needs are not decoded.
func TestEveryFrameIsThatOfALinearDecode(t *testing.T) {
	for i, c := range dependences {
		if testing.Short() && i%6 != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			const size = 96 * 64 * 3 / 2
			// Fades and noise, so that weights and all references are used.
			name := makeClip(t, "96x64", "60", append([]string{"-vf", "noise=alls=12:allf=t,fade=in:0:30,fade=out:30:30"}, c.args...)...)
			raw := run(t, "-i", name, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-vsync", "passthrough", "-")
			want := slices.Collect(slices.Chunk(raw, size))
			skipped := int64(0)
			for _, o := range []sprocket.VideoOptions{{Workers: 1, Threads: 1}, {Workers: 2}, {Workers: 2, Threads: 2}} {
				o.Native = true
				d := open(t, name, &o)
				if d.Len() != len(want) {
					t.Fatalf("%d frames, ffmpeg has %d", d.Len(), len(want))
				}
				check := func(what string, n int, got []byte) {
					t.Helper()
					if !bytes.Equal(got, want[n]) {
						t.Errorf("%+v: %s: frame %d is not ffmpeg's", o, what, n)
					}
				}
				r := rand.New(rand.NewPCG(1, 1))
				alone := r.Perm(d.Len())
				if o.Workers == 2 {
					alone = alone[:10]
				}
				for _, n := range alone {
					f, err := d.FrameAt(t.Context(), n)
					if err != nil {
						t.Fatal(err)
					}
					check("alone", n, f.Bytes())
				}
				for step := 1; step < 14; step += 3 {
					for n := 0; n < d.Len(); n += step {
						f, err := d.FrameAt(t.Context(), n)
						if err != nil {
							t.Fatal(err)
						}
						check(fmt.Sprintf("every %d", step), n, f.Bytes())
						if o.Workers == 2 && n > 20 {
							break
						}
					}
				}
				for range 12 {
					ns := r.Perm(d.Len())[:1+r.IntN(d.Len())]
					b, err := d.FramesAt(t.Context(), ns)
					if err != nil {
						t.Fatal(err)
					}
					for i, n := range ns {
						check("subset", n, b.Index(i).Bytes())
					}
				}
				skipped += d.Stats().Skipped
			}
			if (skipped > 0) != c.disposable {
				t.Errorf("%d packets were left out", skipped)
			}
		})
	}
}

// Frame threads, which a long run gets that cannot be cut, and a track that is played, change nothing, not even what fails.
func TestThreadsChangeNothing(t *testing.T) {
	vp9 := []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "150", "-b:v", "200k"}
	for _, c := range []struct {
		name   string
		args   []string
		broken int // files with random bytes in their media
		all    bool
	}{
		{"H.264", x264("bframes=3:keyint=150"), 6, false},
		{"HEVC", x265("keyint=150:bframes=3"), 3, false},
		{"VP9", vp9, 6, true},
		{"AV1", []string{"-c:v", "libsvtav1", "-preset", "12", "-g", "150"}, 6, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name != "VP9" {
				t.Skip("decodes many broken files")
			}
			data, err := os.ReadFile(makeClip(t, "96x64", "150", append(c.args, "-pix_fmt", "yuv420p")...))
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			from, to := 48, bytes.LastIndex(data, []byte("moov"))
			for k := range 1 + c.broken {
				file := bytes.Clone(data)
				for range 2 * k {
					file[from+r.IntN(to-from)] = byte(r.Int())
				}
				options := []sprocket.VideoOptions{{}, {Workers: 5}}
				if k == 0 || c.all {
					options = append(options, sprocket.VideoOptions{Threads: 4})
				}
				want := fates(t, file, sprocket.VideoOptions{Workers: 1, Threads: 1})
				for _, o := range options {
					for i, got := range fates(t, file, o) {
						if got != want[i] {
							t.Errorf("file %d with %+v: answer %d is %q, with one thread %q", k, o, i, got, want[i])
						}
					}
				}
			}
		})
	}
}

// fates tells of every frame, played and in batches, its hash or that it failed.
func fates(t *testing.T, file []byte, o sprocket.VideoOptions) (out []string) {
	t.Helper()
	o.Native = true
	d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file), &o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for f, err := range d.Frames(t.Context()) {
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		out = append(out, sum(f.Bytes()))
	}
	for _, ns := range [][]int{{149}, {0, 60, 100, 149}, {149, 148, 3}} {
		b, err := d.FramesAt(t.Context(), ns)
		for i := range ns {
			switch {
			case b == nil:
				out = append(out, err.Error())
			case b.Errs != nil && b.Errs[i] != nil:
				out = append(out, b.Errs[i].Error())
			default:
				out = append(out, sum(b.Index(i).Bytes()))
			}
		}
	}
	return out
}

func TestCropAndSampleEqualFFmpeg(t *testing.T) {
	name := makeClip(t, "160x120", "20", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
	raw := func(filter string, size int) [][]byte {
		return slices.Collect(slices.Chunk(run(t, "-i", name, "-vf", filter, "-f", "rawvideo", "-pix_fmt", "rgb24", "-vsync", "passthrough", "-"), size))
	}
	d := open(t, name, &sprocket.VideoOptions{Layout: tensor.NHWC, Crop: image.Rect(11, 7, 112, 94), Width: 50, Height: 40})
	want := raw("format=rgb24,crop=101:87:11:7,scale=50:40:flags=bilinear", 50*40*3)
	b, err := d.FramesInRange(t.Context(), 0, sprocket.End, 1)
	if err != nil {
		t.Fatal(err)
	}
	for n := range want {
		if !bytes.Equal(b.Index(n).Bytes(), want[n]) {
			t.Errorf("crop and scale: frame %d is not ffmpeg's", n)
		}
	}
	d = open(t, name, &sprocket.VideoOptions{Layout: tensor.NHWC, CacheBytes: 1 << 20})
	want = raw("format=rgb24,scale=80:60:flags=bilinear", 80*60*3)
	for range 2 {
		if b, err = d.Sample(t.Context(), sprocket.Sampling{Uniform: 4, MaxPixels: 80 * 60}); err != nil {
			t.Fatal(err)
		}
		for i, f := range b.Frames {
			if !bytes.Equal(b.Index(i).Bytes(), want[f.N]) {
				t.Errorf("Sample: frame %d is not ffmpeg's", f.N)
			}
		}
		if _, err := d.FramesAt(t.Context(), []int{0, 6, 13, 19}); err != nil { // of another size, into the cache
			t.Fatal(err)
		}
		if b, err = d.FramesAtSize(t.Context(), []int{13, -1}, 80, 0); err != nil {
			t.Fatal(err)
		}
		for i, n := range []int{13, 19} {
			if b.Frames[i].N != n || !bytes.Equal(b.Index(i).Bytes(), want[n]) {
				t.Errorf("FramesAtSize: frame %d is not ffmpeg's %d", b.Frames[i].N, n)
			}
		}
	}
	if _, err := d.FramesAtSize(t.Context(), []int{0}, -1, 0); err == nil {
		t.Error("a negative width was taken")
	}
	if _, err := open(t, name, &sprocket.VideoOptions{Crop: image.Rect(0, 0, 161, 5)}).FrameAt(t.Context(), 0); err == nil {
		t.Error("a part that is not in the picture was taken")
	}
}
