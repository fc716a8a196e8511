package ffmpeg

import (
	"fmt"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

func TestScaleEqualsFFmpeg(t *testing.T) {
	sources := []lossless{
		{"yuv420p", "bt709", "tv", 320, 180},
		{"yuv420p", "smpte170m", "pc", 67, 51},
		{"yuv422p10le", "bt2020nc", "tv", 66, 50},
		{"yuv444p", "unknown", "tv", 64, 64},
		{"gray", "bt709", "pc", 66, 50},
		{"gbrp", "rgb", "pc", 67, 51},
		{"yuv420p", "smpte170m", "tv", 67, 50},
		{"yuv420p", "bt709", "tv", 35, 64},
		{"yuv422p10le", "bt709", "tv", 35, 27},
	}
	for _, l := range sources {
		for _, size := range [][2]int{{240, 135}, {33, 17}, {640, 0}, {0, 31}, {7, 200}} {
			if testing.Short() && size[0] != 33 {
				continue
			}
			t.Run(fmt.Sprintf("%v-to-%dx%d", l, size[0], size[1]), func(t *testing.T) {
				t.Parallel()
				var scaled []codec.Pixels
				for _, px := range []codec.Pixels{
					{Layout: tensor.NHWC}, {Layout: tensor.NCHW}, {Layout: tensor.NCHW, Channels: codec.Gray},
					{Layout: tensor.NCHW, DType: tensor.Float32}, {Layout: tensor.NHWC, DType: tensor.Uint16, Channels: codec.BGR},
				} {
					px.Width, px.Height = size[0], size[1]
					scaled = append(scaled, px)
				}
				w, h := scaled[0].Scaled(l.w, l.h)
				checkForms(t, l.make(t, 2), l.w, l.h, scaled, fmt.Sprintf("scale=%d:%d:flags=bilinear", w, h))
			})
		}
	}
}

// turn mirrors and turns a packed picture, pixel by pixel.
func turn(src []byte, w, h, pixel int, o container.Orientation) []byte {
	dst := make([]byte, len(src))
	for y := range h {
		for x := range w {
			u := x
			if o.Mirror {
				u = w - 1 - x
			}
			row, column, width := y, u, w
			switch o.Degrees {
			case 90:
				row, column, width = u, h-1-y, h
			case 180:
				row, column = h-1-y, w-1-u
			case 270:
				row, column, width = w-1-u, y, h
			}
			copy(dst[(row*width+column)*pixel:][:pixel], src[(y*w+x)*pixel:])
		}
	}
	return dst
}

func TestOrientationTurnsTheConvertedPicture(t *testing.T) {
	for _, l := range []lossless{{"yuv420p", "bt709", "tv", 67, 51}, {"yuv420p10le", "bt709", "tv", 320, 180}, {"gray", "bt709", "pc", 2, 33}} {
		c := loadClip(t, l.make(t, 1))
		d := openClip(t, c, 1)
		for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
			for _, form := range forms {
				packed := form
				packed.Layout, packed.DType = tensor.NHWC, tensor.Uint8
				_, wide := reference(&form, f.Depth())
				if wide {
					packed.DType = tensor.Uint16
				}
				packed.Channels = min(form.Channels, 2) // BGR is swapped by expected
				if form.Channels == codec.BGR {
					packed.Channels = codec.RGB
				}
				plain := tensor.New(packed.DType, packed.Shape(l.w, l.h)...)
				if err := f.Convert(plain, &packed); err != nil {
					return err
				}
				for degrees := 0; degrees < 360; degrees += 90 {
					for _, mirror := range []bool{false, true} {
						px := form
						px.Orientation = container.Orientation{Degrees: degrees, Mirror: mirror}
						turned := turn(plain.Bytes(), l.w, l.h, packed.Channels.Count()*packed.DType.Size(), px.Orientation)
						w, h := px.Scaled(l.w, l.h)
						dst, intact := guarded(t, px.DType, px.Shape(l.w, l.h)...)
						if err := f.Convert(dst, &px); err != nil {
							return err
						}
						if !intact() {
							t.Errorf("%v %s %v: bytes outside the destination are changed", l, formName(&form), px.Orientation)
						}
						if string(dst.Bytes()) != string(expected(turned, w, h, &px, wide)) {
							t.Errorf("%v %s %v: not the picture, turned", l, formName(&form), px.Orientation)
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

func TestScaleAfterOrientation(t *testing.T) {
	l := lossless{"yuv420p", "bt709", "tv", 64, 36}
	path := l.make(t, 1)
	c := loadClip(t, path)
	d := openClip(t, c, 1)
	want := rawFrames(t, path, 30*50*3, "-vf", "format=rgb24,transpose=clock,scale=30:50:flags=bilinear", "-pix_fmt", "rgb24")
	for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
		px := codec.Pixels{Layout: tensor.NHWC, Orientation: container.Orientation{Degrees: 90}, Width: 30, Height: 50}
		dst := tensor.New(tensor.Uint8, 50, 30, 3)
		if err := f.Convert(dst, &px); err != nil {
			return err
		}
		if i := firstDifference(dst.Bytes(), want[0]); i != len(want[0]) {
			t.Errorf("differs at byte %d", i)
		}
		return nil
	}) {
		t.Error(err)
	}
}

// Slots of a batch whose planes are wider apart than a picture needs.
func TestConvertIntoStridedSlots(t *testing.T) {
	l := lossless{"yuv420p", "bt709", "tv", 66, 50}
	c := loadClip(t, l.make(t, 1))
	d := openClip(t, c, 1)
	for _, err := range decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error {
		plain := tensor.New(tensor.Uint8, 3, 50, 66)
		if err := f.Convert(plain, &codec.Pixels{}); err != nil {
			return err
		}
		// Channel, time, row, column: slot 1 has planes four pictures apart.
		all := tensor.New(tensor.Uint8, 3, 4, 50, 66)
		slot := all.Permute(1, 0, 2, 3).Index(1)
		if err := f.Convert(slot, &codec.Pixels{}); err != nil {
			return err
		}
		b := all.Bytes()
		for i := range b {
			want := byte(0)
			if i/(50*66)%4 == 1 {
				want = plain.Bytes()[i/(4*50*66)*50*66+i%(50*66)]
			}
			if b[i] != want {
				t.Fatalf("byte %d is %d, want %d", i, b[i], want)
			}
		}
		for _, bad := range []*tensor.Tensor{
			tensor.New(tensor.Uint8, 50, 66, 3),
			tensor.New(tensor.Uint16, 3, 50, 66),
			tensor.New(tensor.Uint8, 3, 66, 50).Permute(0, 2, 1),
			tensor.New(tensor.Uint8, 50, 66, 3).Permute(2, 0, 1),
			tensor.New(tensor.Uint8, 1, 3, 50, 66),
		} {
			if err := f.Convert(bad, &codec.Pixels{}); err == nil {
				t.Errorf("Convert into %v with strides %v succeeded", bad, bad.Strides())
			}
		}
		return nil
	}) {
		t.Error(err)
	}
}
