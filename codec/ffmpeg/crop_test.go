package ffmpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

// Parts of a picture: corners, odd sides, single pixels, all.
func parts(w, h int) []image.Rectangle {
	return []image.Rectangle{
		image.Rect(0, 0, w, h), image.Rect(0, 0, w/2, h/2), image.Rect(w/2, h/2, w, h), image.Rect(3, 5, w-1, h-4),
		image.Rect(w-1, h-1, w, h), image.Rect(1, 0, w, h), image.Rect(0, 17, w, 18), image.Rect(0, 16, w, 32), image.Rect(7, 1, 24, h),
	}
}

func TestCropEqualsFFmpeg(t *testing.T) {
	for _, l := range []lossless{
		{"yuv420p", "bt709", "tv", 320, 180}, {"yuv420p", "smpte170m", "pc", 67, 51}, {"yuv422p10le", "bt2020nc", "tv", 66, 50},
		{"gray", "bt709", "pc", 66, 50}, {"gbrp", "rgb", "pc", 67, 51},
	} {
		for _, scale := range []image.Point{{}, {33, 17}} {
			if testing.Short() && l.format != "gray" {
				continue
			}
			t.Run(fmt.Sprintf("%v-to-%v", l, scale), func(t *testing.T) {
				t.Parallel()
				path := l.make(t, 1)
				for _, part := range parts(l.w, l.h) {
					var cropped []codec.Pixels
					for _, px := range []codec.Pixels{
						{Layout: tensor.NHWC}, {Layout: tensor.NCHW}, {Layout: tensor.NCHW, Channels: codec.Gray},
						{Layout: tensor.NCHW, DType: tensor.Float32}, {Layout: tensor.NHWC, DType: tensor.Uint16, Channels: codec.BGR},
					} {
						px.Crop, px.Width, px.Height = part, scale.X, scale.Y
						cropped = append(cropped, px)
					}
					filter := fmt.Sprintf("crop=%d:%d:%d:%d:exact=1", part.Dx(), part.Dy(), part.Min.X, part.Min.Y)
					if scale.X > 0 {
						w, h := cropped[0].Scaled(l.w, l.h)
						filter += fmt.Sprintf(",scale=%d:%d:flags=bilinear", w, h)
					}
					t.Log(part)
					checkForms(t, path, l.w, l.h, cropped, filter)
				}
			})
		}
	}
}

// libswscale looks at the pixel after the last one of odd rows, which must not be what the allocator left there. What glibc's
// MALLOC_PERTURB_ does is of no effect elsewhere.
func TestCropEqualsFFmpegInUsedMemory(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCropEqualsFFmpeg$/yuv420p-320x180.*to-.33")
	cmd.Env = append(os.Environ(), "MALLOC_PERTURB_=165", "MALLOC_MMAP_THRESHOLD_=33554432")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("no tests to run")) {
		t.Error("no such test")
	}
}

// Crop is of the picture as it is shown, whatever way it was turned; the size of the slices in which it is converted does not matter.
func TestCropIsOfTheTurnedPictureInAnySlices(t *testing.T) {
	for _, l := range []lossless{{"yuv420p", "bt709", "tv", 67, 51}, {"yuv420p10le", "bt709", "tv", 64, 80}} {
		c := loadClip(t, l.make(t, 1))
		d := openClip(t, c, 1).(*Decoder)
		for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
			for _, form := range forms {
				for degrees := 0; degrees < 360; degrees += 90 {
					px := form
					px.Orientation = container.Orientation{Degrees: degrees, Mirror: degrees != 90}
					w, h := px.Scaled(l.w, l.h)
					d.converter.slice = 0
					whole := tensor.New(px.DType, px.Shape(l.w, l.h)...)
					if err := f.Convert(whole, &px); err != nil {
						return err
					}
					for i, part := range parts(w, h) {
						px.Crop = part
						d.converter.slice = []int{0, 1, 5000}[i%3]
						dst, intact := guarded(t, px.DType, px.Shape(l.w, l.h)...)
						if err := f.Convert(dst, &px); err != nil {
							return err
						}
						if !intact() {
							t.Errorf("%v %s %v of %v: bytes outside the destination are changed", l, formName(&form), part, px.Orientation)
						}
						if !bytes.Equal(dst.Bytes(), cut(whole, &px, part)) {
							t.Errorf("%v %s: not the part %v of the picture turned by %v", l, formName(&form), part, px.Orientation)
						}
					}
				}
			}
			return nil
		}) {
			t.Error(err)
		}
	}
}

// cut copies a part of a picture element by element.
func cut(t *tensor.Tensor, px *codec.Pixels, part image.Rectangle) []byte {
	if px.Layout == tensor.NHWC {
		t = t.Permute(2, 0, 1)
	}
	size := t.DType().Size()
	all := t.Clone()
	shape := all.Shape()
	at := func(c, y, x int) []byte { return all.Bytes()[((c*shape[1]+y)*shape[2]+x)*size:][:size] }
	var out []byte
	if px.Layout == tensor.NHWC {
		for y := part.Min.Y; y < part.Max.Y; y++ {
			for x := part.Min.X; x < part.Max.X; x++ {
				for c := range shape[0] {
					out = append(out, at(c, y, x)...)
				}
			}
		}
		return out
	}
	for c := range shape[0] {
		for y := part.Min.Y; y < part.Max.Y; y++ {
			for x := part.Min.X; x < part.Max.X; x++ {
				out = append(out, at(c, y, x)...)
			}
		}
	}
	return out
}

func TestSlicesDoNotChangeThePicture(t *testing.T) {
	for _, l := range []lossless{{"yuv420p", "bt709", "tv", 320, 180}, {"yuv422p10le", "bt709", "tv", 66, 50}, {"yuv410p", "bt709", "tv", 64, 64}} {
		c := loadClip(t, l.make(t, 1))
		d := openClip(t, c, 1).(*Decoder)
		for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
			for _, form := range forms {
				for _, scaled := range []int{0, 97} {
					px := form
					px.Width = scaled
					var first []byte
					for _, slice := range []int{1, 3000, 20_000, 1 << 30} {
						d.converter.slice = slice
						dst := tensor.New(px.DType, px.Shape(l.w, l.h)...)
						if err := f.Convert(dst, &px); err != nil {
							return err
						}
						if first == nil {
							first = dst.Bytes()
						} else if !bytes.Equal(first, dst.Bytes()) {
							t.Errorf("%v %s: slices of %d bytes give other pixels", l, formName(&px), slice)
						}
					}
				}
			}
			return nil
		}) {
			t.Error(err)
		}
	}
}

func TestCropMustLieInThePicture(t *testing.T) {
	l := lossless{"yuv420p", "bt709", "tv", 64, 36}
	c := loadClip(t, l.make(t, 1))
	d := openClip(t, c, 1)
	for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
		for _, part := range []image.Rectangle{
			image.Rect(0, 0, 65, 36), image.Rect(0, 0, 36, 37), image.Rect(-1, 0, 5, 5), image.Rect(5, 5, 5, 9), {Min: image.Pt(9, 9), Max: image.Pt(2, 2)},
		} {
			px := codec.Pixels{Crop: part, Width: 8, Height: 8}
			if err := f.Convert(tensor.New(tensor.Uint8, 3, 8, 8), &px); !errors.Is(err, errCrop) {
				t.Errorf("%v: %v", part, err)
			}
		}
		return nil
	}) {
		t.Error(err)
	}
}
