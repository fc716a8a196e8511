package ffmpeg

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/tensor"
)

// guarded returns a tensor with room before and after it that must stay as it is.
func guarded(t testing.TB, dtype tensor.DType, shape ...int) (dst *tensor.Tensor, intact func() bool) {
	t.Helper()
	const room = 4096
	n := dtype.Size()
	for _, d := range shape {
		n *= d
	}
	all := tensor.New(tensor.Uint8, n+2*room).Bytes()
	for i := range all {
		all[i] = 0xA5
	}
	dst, err := tensor.FromBytes(all[room:room+n:room+n], dtype, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return dst, func() bool {
		for i, b := range all {
			if b != 0xA5 && (i < room || i >= room+n) {
				return false
			}
		}
		return true
	}
}

// expected turns a picture as ffmpeg packs it (rgb24, rgb48le, gray, gray16le) into the form px, unscaled and not turned.
func expected(packed []byte, w, h int, px *codec.Pixels, wide bool) []byte {
	ch := px.Channels.Count()
	n := 1
	if wide {
		n = 2
	}
	var out []byte
	put := func(x, y, c int) {
		if px.Channels == codec.BGR {
			c = 2 - c
		}
		at := ((y*w+x)*ch + c) * n
		switch {
		case px.DType != tensor.Float32:
			out = append(out, packed[at:at+n]...)
		case wide:
			v := float32(binary.LittleEndian.Uint16(packed[at:])) / 65535
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		default:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(packed[at])/255))
		}
	}
	if px.Layout == tensor.NHWC {
		for y := range h {
			for x := range w {
				for c := range ch {
					put(x, y, c)
				}
			}
		}
		return out
	}
	for c := range ch {
		for y := range h {
			for x := range w {
				put(x, y, c)
			}
		}
	}
	return out
}

// reference returns ffmpeg's pixel format for a form of pictures of the given depth.
func reference(px *codec.Pixels, depth int) (format string, wide bool) {
	wide = px.DType == tensor.Uint16 || px.DType == tensor.Float32 && depth > 8
	switch {
	case px.Channels == codec.Gray && wide:
		return "gray16le", true
	case px.Channels == codec.Gray:
		return "gray", false
	case wide:
		return "rgb48le", true
	}
	return "rgb24", false
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

var forms = []codec.Pixels{
	{Layout: tensor.NHWC},
	{Layout: tensor.NCHW},
	{Layout: tensor.NHWC, Channels: codec.BGR},
	{Layout: tensor.NCHW, Channels: codec.BGR},
	{Layout: tensor.NHWC, Channels: codec.Gray},
	{Layout: tensor.NCHW, Channels: codec.Gray},
	{Layout: tensor.NHWC, DType: tensor.Uint16},
	{Layout: tensor.NCHW, DType: tensor.Uint16, Channels: codec.BGR},
	{Layout: tensor.NCHW, DType: tensor.Uint16, Channels: codec.Gray},
	{Layout: tensor.NHWC, DType: tensor.Float32, Channels: codec.BGR},
	{Layout: tensor.NCHW, DType: tensor.Float32},
	{Layout: tensor.NHWC, DType: tensor.Float32},
	{Layout: tensor.NHWC, DType: tensor.Float32, Channels: codec.Gray},
}

func formName(px *codec.Pixels) string {
	s := fmt.Sprintf("%v-%v-%s", px.Layout, px.DType, [...]string{"rgb", "bgr", "gray"}[px.Channels])
	if px.Width > 0 || px.Height > 0 {
		s += fmt.Sprintf("-%dx%d", px.Width, px.Height)
	}
	return s
}

// source is lossless: what ffmpeg decodes is what we decode.
type lossless struct {
	format, space, rng string
	w, h               int
}

func (l lossless) String() string {
	return fmt.Sprintf("%s-%dx%d-%s-%s", l.format, l.w, l.h, l.space, l.rng)
}

// make returns the path of a clip of noise over a test picture.
func (l lossless) make(t testing.TB, frames int) string {
	path := filepath.Join(t.TempDir(), "a.mov")
	runTool(t, "ffmpeg", "-y", "-nostdin", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=25,format=gbrp,noise=alls=60:allf=t", max(l.w+l.w%2, 32), max(l.h+l.h%2, 32)),
		"-frames:v", fmt.Sprint(frames), "-vf", fmt.Sprintf("crop=%d:%d:0:0:exact=1", l.w, l.h), "-pix_fmt", l.format, "-c:v", "ffv1", "-strict", "-2",
		"-colorspace", l.space, "-color_range", l.rng, "-color_primaries", "bt709", "-color_trc", "bt709", "-movflags", "+write_colr", path)
	return path
}

// references returns ffmpeg's pictures of a clip, all frames on end, by format. One run of ffmpeg makes them all.
func references(t *testing.T, path, scale string) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-y", "-nostdin", "-noautorotate", "-i", path}
	formats := []string{"rgb24", "gray", "rgb48le", "gray16le"}
	for _, format := range formats {
		args = append(args, "-map", "0:v:0", "-fps_mode", "passthrough")
		if scale != "" {
			args = append(args, "-vf", "format="+format+","+scale)
		}
		args = append(args, "-pix_fmt", format, "-f", "rawvideo", filepath.Join(dir, format))
	}
	runTool(t, "ffmpeg", args...)
	refs := map[string][]byte{}
	for _, format := range formats {
		data, err := os.ReadFile(filepath.Join(dir, format))
		if err != nil {
			t.Fatal(err)
		}
		refs[format] = data
	}
	return refs
}

func checkForms(t *testing.T, path string, w, h int, forms []codec.Pixels, scale string) {
	c := loadClip(t, path)
	d := openClip(t, c, 1)
	refs := references(t, path, scale)
	n := 0
	for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
		for _, px := range forms {
			format, wide := reference(&px, f.Depth())
			ow, oh := px.Scaled(w, h)
			size := ow * oh * px.Channels.Count()
			if wide {
				size *= 2
			}
			if len(refs[format]) < (n+1)*size {
				t.Fatalf("ffmpeg wrote %d bytes of %s, frame %d has %d", len(refs[format]), format, n, size)
			}
			want := expected(refs[format][n*size:][:size], ow, oh, &px, wide)
			dst, intact := guarded(t, px.DType, px.Shape(w, h)...)
			if err := f.Convert(dst, &px); err != nil {
				t.Errorf("%s: %v", formName(&px), err)
				continue
			}
			if !intact() {
				t.Errorf("%s: bytes outside the destination are changed", formName(&px))
			}
			if string(dst.Bytes()) != string(want) {
				diff := 0
				for i, b := range dst.Bytes() {
					if b != want[i] {
						diff++
					}
				}
				t.Errorf("%s: frame %d: %d of %d bytes differ from ffmpeg's, the first at %d", formName(&px), n, diff, len(want), firstDifference(dst.Bytes(), want))
			}
		}
		n++
		return nil
	}) {
		t.Error(err)
	}
	if n == 0 {
		t.Error("no frames")
	}
}

// matrix lists clips: every format at two sizes in both ranges; every size and every matrix for a few formats.
func matrix() []lossless {
	var m []lossless
	few := map[string]bool{"yuv420p": true, "yuv444p": true, "yuv420p10le": true, "gray": true}
	for _, format := range []string{
		"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le", "yuv444p12le", "yuv420p16le",
		"gray", "gray10le", "gray16le", "gbrp", "gbrp10le", "yuv410p", "yuv411p", "yuv440p", "yuva420p", "yuva444p10le", "bgra",
	} {
		m = append(m, lossless{format, "bt709", "tv", 66, 50}, lossless{format, "bt709", "pc", 67, 51})
		if !few[format] {
			continue
		}
		for _, space := range []string{"smpte170m", "bt2020nc", "unknown"} {
			m = append(m, lossless{format, space, "tv", 67, 51}, lossless{format, space, "pc", 66, 50})
		}
		for _, size := range [][2]int{{1, 1}, {2, 2}, {17, 33}, {35, 27}, {64, 64}, {320, 180}, {500, 301}, {1920, 1080}} {
			m = append(m, lossless{format, "bt709", "tv", size[0], size[1]})
		}
	}
	return m
}

func TestConvertEqualsFFmpeg(t *testing.T) {
	for _, l := range matrix() {
		if testing.Short() && (l.w > 320 || l.space != "bt709") {
			continue
		}
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			checkForms(t, l.make(t, 1), l.w, l.h, forms, "")
		})
	}
}
