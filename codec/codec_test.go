package codec

import (
	"context"
	"errors"
	"image"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

type refusing struct {
	name string
	err  error
}

func (r refusing) Name() string                    { return r.name }
func (r refusing) Supports(*container.Track) error { return r.err }
func (r refusing) OpenVideo(context.Context, *container.Track, *VideoOptions) (VideoDecoder, error) {
	return nil, r.err
}

func TestForSaysWhyEachBackendRefused(t *testing.T) {
	defer func() { registry.backends = nil }()
	track := &container.Track{ID: 4, Description: container.Description{Codec: "vvc"}}
	if _, err := For(track); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without backends: %v, want ErrUnavailable", err)
	}
	Register(refusing{"a", ErrUnavailable})
	Register(refusing{"b", container.ErrUnsupported})
	_, err := For(track)
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, container.ErrUnsupported) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v: want one line that wraps both", err)
	}
	Register(refusing{"c", nil})
	if b, err := For(track); err != nil || b.Name() != "c" {
		t.Errorf("For = %v, %v, want c", b, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a name can be registered twice")
		}
	}()
	Register(refusing{"c", nil})
}

func TestPixelsShape(t *testing.T) {
	turned := container.Orientation{Degrees: 90}
	for _, c := range []struct {
		px   Pixels
		want []int
	}{
		{Pixels{}, []int{3, 480, 640}},
		{Pixels{Layout: tensor.NHWC}, []int{480, 640, 3}},
		{Pixels{Channels: Gray}, []int{1, 480, 640}},
		{Pixels{Orientation: turned}, []int{3, 640, 480}},
		{Pixels{Width: 320}, []int{3, 240, 320}},
		{Pixels{Height: 120}, []int{3, 120, 160}},
		{Pixels{Width: 224, Height: 224}, []int{3, 224, 224}},
		{Pixels{Orientation: turned, Width: 240}, []int{3, 320, 240}},
		{Pixels{Width: 1}, []int{3, 1, 1}},
		{Pixels{Crop: image.Rect(10, 20, 110, 70)}, []int{3, 50, 100}},
		{Pixels{Crop: image.Rect(10, 20, 110, 70), Orientation: turned, Width: 50}, []int{3, 25, 50}},
		{Pixels{MaxPixels: 640 * 480}, []int{3, 480, 640}},
		{Pixels{MaxPixels: 640*480 - 1}, []int{3, 479, 639}},
		{Pixels{MaxPixels: 320 * 240}, []int{3, 240, 320}},
		{Pixels{MaxPixels: 20_000, Width: 600, Height: 10}, []int{3, 10, 600}},
		{Pixels{MaxPixels: 10, Width: 600, Height: 1}, []int{3, 1, 10}},
	} {
		if got := c.px.Shape(640, 480); !slices.Equal(got, c.want) {
			t.Errorf("%+v: shape %v, want %v", c.px, got, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{&Error{Backend: "x", Op: "decode", Packet: 17, PTS: 512, Err: ErrDecode}, "x: decode: packet 17 (pts 512): cannot decode"},
		{&Error{Backend: "x", Op: "decode", Packet: 17, PTS: container.NoTicks, Err: ErrDecode}, "x: decode: packet 17: cannot decode"},
		{&Error{Backend: "x", Op: "open", Packet: -1, PTS: container.NoTicks, Err: ErrUnavailable}, "x: open: unavailable"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
