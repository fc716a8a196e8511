package ffmpeg

import (
	"fmt"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/tensor"
)

func BenchmarkConvert(b *testing.B) {
	for _, l := range []lossless{{"yuv420p", "bt709", "tv", 640, 360}, {"yuv420p", "bt709", "tv", 1920, 1080}, {"yuv420p", "bt709", "tv", 636, 358}, {"yuv420p10le", "bt709", "tv", 1920, 1080}} {
		c := loadClip(b, l.make(b, 1))
		d := openClip(b, c, 1)
		for _, err := range decodeAll(b.Context(), d, c.packets, func(f codec.VideoFrame) error {
			for _, px := range append(forms, codec.Pixels{Width: 224, Height: 224}) {
				dst := tensor.New(px.DType, px.Shape(l.w, l.h)...)
				b.Run(fmt.Sprintf("%s-%dx%d/%s", l.format, l.w, l.h, formName(&px)), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := f.Convert(dst, &px); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			return nil
		}) {
			b.Error(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	c := smallClip(b)
	d := openClip(b, c, 1)
	b.ReportAllocs()
	for b.Loop() {
		if errs := decodeAll(b.Context(), d, c.packets, func(codec.VideoFrame) error { return nil }); errs != nil {
			b.Fatal(errs)
		}
		if err := d.Reset(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(c.packets)), "ns/frame")
}
