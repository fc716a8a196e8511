//go:build cgo

package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/tensor"
)

// madeClip makes a clip with B-frames in a folder of the test's, runs the test there, and returns its name.
func madeClip(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "made.mp4")
	ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "10",
		"-pix_fmt", "yuv420p", "-threads", "1", name)
	t.Chdir(dir)
	return "made.mp4"
}

// library returns frames as the library gives them.
func library(t *testing.T, name string, o *sprocket.VideoOptions, ns ...int) *sprocket.FrameBatch {
	t.Helper()
	d, err := sprocket.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := d.FramesAt(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parseNPY(t *testing.T, name string) *tensor.Tensor {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	x, err := tensor.ParseNPY(data)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func sameTensor(t *testing.T, what string, got, want *tensor.Tensor) {
	t.Helper()
	if got.String() != want.String() || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%s: %v, want %v, or other values", what, got, want)
	}
}

func TestFramesNPY(t *testing.T) {
	name := madeClip(t)
	tests := []struct {
		name string
		args string
		o    sprocket.VideoOptions
		want []int
	}{
		{"at", "--at 7,0,-1,7,8,9", sprocket.VideoOptions{}, []int{7, 0, 49, 7, 8, 9}},
		{"times", "--times 0.04,1s,00:01.999", sprocket.VideoOptions{}, []int{1, 25, 49}},
		{"range", "--range -4::2 --layout nhwc", sprocket.VideoOptions{Layout: tensor.NHWC}, []int{46, 48}},
		{"every", "--every 20 --dtype float32 --workers 3", sprocket.VideoOptions{DType: tensor.Float32}, []int{0, 20, 40}},
		{"count", "--count 3 --size 32x0", sprocket.VideoOptions{Width: 32}, []int{0, 25, 49}},
		{"all", "--range :", sprocket.VideoOptions{}, slices.Collect(func(yield func(int) bool) {
			for n := 0; n < 50 && yield(n); n++ {
			}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mustRun(t, append(strings.Fields("frames -o x.npy "+tt.args), name)...)
			sameTensor(t, "frames", parseNPY(t, "x.npy"), library(t, name, &tt.o, tt.want...).Tensor)
		})
	}
}

func TestFramesSafetensors(t *testing.T) {
	name := madeClip(t)
	mustRun(t, "frames", name, "--at", "3,-1", "-o", "x.safetensors")
	data, err := os.ReadFile("x.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	tensors, metadata, err := tensor.ParseSafetensors(data)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*tensor.Tensor{}
	for _, n := range tensors {
		got[n.Name] = n.Tensor
	}
	if len(got) != 3 || metadata["source"] != name || metadata["layout"] != "NCHW" || metadata["codec"] != "h264" || metadata["timebase"] != "1/12800" {
		t.Fatalf("tensors %v, metadata %v", got, metadata)
	}
	sameTensor(t, "frames", got["frames"], library(t, name, nil, 3, 49).Tensor)
	if v := tensor.Values[int64](got["index"]); !slices.Equal(v, []int64{3, 49}) {
		t.Errorf("index = %v, want 3 and 49", v)
	}
	if v := tensor.Values[float64](got["pts_seconds"]); !slices.Equal(v, []float64{0.12, 1.96}) {
		t.Errorf("pts_seconds = %v, want 0.12 and 1.96", v)
	}
}

func TestFramesRaw(t *testing.T) {
	name := madeClip(t)
	mustRun(t, "frames", name, "--at", "12,3", "-o", "x.rgb")
	got, err := os.ReadFile("x.rgb")
	if err != nil {
		t.Fatal(err)
	}
	if want := library(t, name, &sprocket.VideoOptions{Layout: tensor.NHWC}, 12, 3).Bytes(); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d, or other values", len(got), len(want))
	}
}

func decodePNG(t *testing.T, name string) image.Image {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return img
}

func TestFramesPNG(t *testing.T) {
	name := madeClip(t)
	mustRun(t, "frames", name, "--at", "2,-1,2", "-o", "out/")
	got, err := filepath.Glob(filepath.Join("out", "*"))
	if want := []string{filepath.Join("out", "frame-000002.png"), filepath.Join("out", "frame-000049.png")}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("files %v, %v, want %v", got, err, want)
	}
	b := library(t, name, &sprocket.VideoOptions{Layout: tensor.NHWC}, 2, 49)
	for i, n := range []int{2, 49} {
		img := decodePNG(t, filepath.Join("out", fmt.Sprintf("frame-%06d.png", n)))
		pixels := b.Index(i).Bytes()
		for y := range 48 {
			for x := range 64 {
				r, g, bl, a := img.At(x, y).RGBA()
				k := 3 * (y*64 + x)
				if [4]uint32{r >> 8, g >> 8, bl >> 8, a >> 8} != [4]uint32{uint32(pixels[k]), uint32(pixels[k+1]), uint32(pixels[k+2]), 255} {
					t.Fatalf("frame %d: pixel %d,%d differs", n, x, y)
				}
			}
		}
	}
}

func TestFramesContactSheet(t *testing.T) {
	name := madeClip(t)
	mustRun(t, "frames", name, "--count", "6", "-o", "sheet.png", "--size", "64x48")
	img := decodePNG(t, "sheet.png")
	ground, bright := 0, 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			switch img.At(x, y) {
			case sheetGround:
				ground++
			case sheetBright:
				bright++
			}
		}
	}
	if size := img.Bounds().Size(); size.X < 3*64 || size.Y < 2*48 || ground == 0 || bright == 0 {
		t.Errorf("a sheet of %v, %d pixels of ground, %d of text", size, ground, bright)
	}
}

// A frame that is not there is the caller's fault, and leaves nothing behind.
func TestFramesOutOfRange(t *testing.T) {
	name := madeClip(t)
	for _, args := range []string{"--at 50", "--at -51", "--times 2s", "--times -0.1", "--range 60:70"} {
		status, stdout, stderr := sprocketIn(t, "", append(strings.Fields("frames -o x.npy "+args), name)...)
		if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
	if left, _ := filepath.Glob("*x.npy*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// damagedClip makes a clip whose packets from a middle key packet on are zeros up to the next one, and returns its name.
func damagedClip(t *testing.T) string {
	t.Helper()
	name := madeClip(t)
	d, err := sprocket.Open(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	begin, err := d.Index().Start(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	end, err := d.Index().Start(t.Context(), 30)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[begin.Pos:end.Pos])
	if err := os.WriteFile(name, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// A folder gets the good frames; other outputs do not appear. Both times the input is at fault.
func TestFramesDamaged(t *testing.T) {
	name := damagedClip(t)
	for _, out := range []string{"x.npy", "x.safetensors", "x.png", "x.rgb", "out"} {
		status, stdout, stderr := sprocketIn(t, "", "frames", name, "--at", "5,25,35", "-o", out)
		if status != exitInput || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, name+": frame 25: ") {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q", out, status, stdout, stderr)
		}
	}
	if left, _ := filepath.Glob("*x.*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(".*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	got, err := filepath.Glob(filepath.Join("out", "*"))
	if want := []string{filepath.Join("out", "frame-000005.png"), filepath.Join("out", "frame-000035.png")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("files %v, %v, want %v", got, err, want)
	}
	status, stdout, _ := sprocketIn(t, "", "framehash", name)
	if lines, _ := hashLines(t, stdout); status != exitInput || len(lines) < 40 || len(lines) >= 50 {
		t.Errorf("framehash: exit status %d, %d frames", status, len(lines))
	}
}

func TestStats(t *testing.T) {
	name := madeClip(t)
	status, stdout, stderr := sprocketIn(t, "", "frames", name, "--at", "25", "-o", "x.npy", "--stats")
	if status != exitDone || stdout != "" || !strings.HasPrefix(stderr, "1 frame in ") {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

// Chunks of work begin where decoding does, and no frame is in two of them.
func TestCut(t *testing.T) {
	name := madeClip(t)
	d, err := sprocket.Open(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	all := slice{step: 1}.numbers(d.Len())
	for _, tt := range []struct{ most, enough, longest int }{{1000, 0, 20}, {1000, 1000, 50}, {7, 0, 7}, {1, 0, 1}} {
		chunks, err := cut(t.Context(), d, all, tt.most, tt.enough)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(chunks...); !slices.Equal(got, all) {
			t.Errorf("%+v: frames %v", tt, got)
		}
		for _, c := range chunks {
			if len(c) > tt.longest {
				t.Errorf("%+v: a chunk of %d frames", tt, len(c))
			}
		}
	}
}

func TestFramesWithAStoredIndexReadNoTables(t *testing.T) {
	name := madeClip(t)
	mustRun(t, "index", name, "-o", "made.idx")
	mustRun(t, "frames", name, "--at", "3,30,-1", "-o", "plain.npy")
	status, _, errs := sprocketIn(t, "", "frames", name, "--at", "3,30,-1", "-o", "indexed.npy", "--index", "made.idx", "--stats")
	if status != exitDone || !strings.Contains(errs, "with 0 reads of 0 B") {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
	sameTensor(t, "frames with an index", parseNPY(t, "indexed.npy"), parseNPY(t, "plain.npy"))
}

// TestFramesApproximate takes frames of a fragmented file by an approximate index: they are those by an exact one.
func TestFramesApproximate(t *testing.T) {
	whole := madeClip(t)
	ffmpeg(t, "-i", whole, "-c", "copy", "-movflags", "+frag_keyframe+empty_moov", "pieces.mp4")
	for _, which := range [][]string{{"--times", "1.5,0.1,0.7,1.98"}, {"--at", "40,-1,3"}, {"--range", "10:30:7"}, {"--count", "5"}} {
		args := append([]string{"frames", "pieces.mp4"}, which...)
		mustRun(t, append(args, "-o", "exact.npy")...)
		mustRun(t, append(args, "--approximate", "-o", "approximate.npy")...)
		sameTensor(t, strings.Join(which, " "), parseNPY(t, "approximate.npy"), parseNPY(t, "exact.npy"))
	}
	if status, _, _ := sprocketIn(t, "", "frames", "pieces.mp4", "--at", "0", "--approximate", "--index", "x", "-o", "y.npy"); status != exitUsage {
		t.Errorf("--approximate with --index: exit status %d", status)
	}
}

// TestFrameMappingsRoundTrip writes the mappings of TorchCodec, and opens the file by them.
func TestFrameMappingsRoundTrip(t *testing.T) {
	name := madeClip(t)
	mustRun(t, "index", name, "--format", "torchcodec", "-o", "clip.json")
	mustRun(t, "frames", name, "--range", "0:50:7", "-o", "own.npy")
	mustRun(t, "frames", name, "--range", "0:50:7", "--index", "clip.json", "-o", "mapped.npy")
	sameTensor(t, "by mappings", parseNPY(t, "mapped.npy"), parseNPY(t, "own.npy"))
	// Of a part of the frames, those are all there are.
	text, err := os.ReadFile("clip.json")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	some := lines[0] + lines[8] + strings.TrimSuffix(lines[15], ",\n") + "\n" + lines[len(lines)-2]
	if err := os.WriteFile("some.json", []byte(some), 0o666); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "frames", name, "--at", "0,-1", "--index", "some.json", "-o", "some.npy")
	mustRun(t, "frames", name, "--at", "7,14", "-o", "seven.npy")
	sameTensor(t, "of some", parseNPY(t, "some.npy"), parseNPY(t, "seven.npy"))
	if err := os.WriteFile("bad.json", []byte(`{"frames":[{"pts":1}]}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := sprocketIn(t, "", "frames", name, "--at", "0", "--index", "bad.json", "-o", "bad.npy"); status != exitInput || !strings.Contains(errs, "no frame with pts 1") {
		t.Errorf("exit status %d, %q", status, errs)
	}
}
