package bitstream

import (
	"bytes"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
)

var (
	avcC = []byte{1, 100, 0, 31, 0xff, 0xe1, 0, 0}
	hvcC = append([]byte{1}, append(make([]byte, 20), 0x0f, 0, 0, 0)...)                                // four-byte lengths, one temporal layer
	tier = append([]byte{1}, append(make([]byte, 20), 0x1f, 0, 0, 0)...)                                // three temporal layers
	none = append([]byte{1}, append(make([]byte, 20), 0x03|0<<3, 0, 0, 0)...)                           // the number of layers is not told
	sps  = []byte{0x67, 100, 0, 31}                                                                     //
	sei  = append([]byte{0x06, 5, 20}, append(bytes.Repeat([]byte{7}, 20), 0x80)...)                    // user data
	rec0 = []byte{0x06, 6, 1, 0x84, 0x80}                                                               // recovery_frame_cnt 0
	both = append(append([]byte{0x06, 5, 3, 1, 2, 3}, 6, 1, 0x24), 0x80)                                // user data, then recovery_frame_cnt 3
	long = append([]byte{0x06, 5, 0xff, 45}, append(bytes.Repeat([]byte{7}, 300), 6, 1, 0x84, 0x80)...) // a size of two bytes before it
)

// unit joins NAL units with four-byte lengths.
func unit(nals ...[]byte) []byte {
	var out []byte
	for _, n := range nals {
		out = append(out, 0, 0, byte(len(n)>>8), byte(len(n)))
		out = append(out, n...)
	}
	return out
}

func TestInspect(t *testing.T) {
	const unknown, needed, unneeded = container.DisposableUnknown, container.Needed, container.Unneeded
	for _, c := range []struct {
		name, codec  string
		config, data []byte
		want         Info
	}{
		{"IDR behind parameter sets", "h264", avcC, unit(sps, sei, []byte{0x65, 0x88}), Info{Class: IDR, Disposable: needed}},
		{"reference P", "h264", avcC, unit([]byte{0x41, 0x9a}), Info{Class: NotKey, Disposable: needed}},
		{"B that nobody needs", "h264", avcC, unit([]byte{0x01, 0x9e}, []byte{0x01, 0x9e}), Info{Class: NotKey, Disposable: unneeded}},
		{"one slice of two is needed", "h264", avcC, unit([]byte{0x01, 0x9e}, []byte{0x21, 0x9e}), Info{Class: NotKey, Disposable: needed}},
		{"recovery point", "h264", avcC, unit(rec0, []byte{0x41, 0x88}), Info{Class: Recovery, Disposable: needed}},
		{"recovery point with a count", "h264", avcC, unit(both, []byte{0x41, 0x88}), Info{Class: Recovery, RecoveryFrames: 3, Disposable: needed}},
		{"recovery point behind a long message", "h264", avcC, unit(long, []byte{0x41, 0x88}), Info{Class: Recovery, Disposable: needed}},
		{"start codes", "h264", nil, []byte{0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x65, 0x88}, Info{Class: IDR, Disposable: needed}},
		{"cut before the slice", "h264", avcC, unit(sps, sei)[:20], Info{Class: Short}},
		{"cut in the slice", "h264", avcC, unit([]byte{0x65, 0x88, 1, 2, 3})[:6], Info{Class: IDR, Disposable: needed}},
		{"empty", "h264", avcC, nil, Info{Class: Short}},

		{"IDR", "hevc", hvcC, unit([]byte{32 << 1, 1}, []byte{19 << 1, 1, 0x80}), Info{Class: IDR, Disposable: needed}},
		{"CRA", "hevc", hvcC, unit([]byte{21 << 1, 1, 0x80}), Info{Class: Open, Disposable: needed}},
		{"BLA", "hevc", hvcC, unit([]byte{16 << 1, 1, 0x80}), Info{Class: Open, Disposable: needed}},
		{"RASL that nobody needs", "hevc", hvcC, unit([]byte{8 << 1, 1, 0x80}), Info{Class: NotKey, Disposable: unneeded, Skipped: true}},
		{"RADL", "hevc", hvcC, unit([]byte{7 << 1, 1, 0x80}), Info{Class: NotKey, Disposable: needed}},
		{"TRAIL_N at the only layer", "hevc", hvcC, unit([]byte{0, 1, 0x80}), Info{Class: NotKey, Disposable: unneeded}},
		{"TRAIL_N below the top layer", "hevc", tier, unit([]byte{0, 1, 0x80}), Info{Class: NotKey, Disposable: needed}},
		{"TSA_N at the top layer", "hevc", tier, unit([]byte{2 << 1, 3, 0x80}), Info{Class: NotKey, Disposable: unneeded}},
		{"layers not told", "hevc", none, unit([]byte{0, 1, 0x80}), Info{Class: NotKey, Disposable: needed}},

		{"key", "vp8", nil, []byte{0x10, 0}, Info{Class: IDR}},
		{"inter", "vp8", nil, []byte{0x11, 0}, Info{Class: NotKey}},
		{"key", "vp9", nil, []byte{0x82, 0x49}, Info{Class: IDR}},
		{"inter", "vp9", nil, []byte{0x86, 0}, Info{Class: NotKey}},
		{"shown again", "vp9", nil, []byte{0x88, 0}, Info{Class: NotKey}},

		{"key", "av1", nil, []byte{0x12, 0, 0x0a, 2, 0, 0, 0x32, 1, 0x10}, Info{Class: IDR}},
		{"key that is not shown", "av1", nil, []byte{0x12, 0, 0x0a, 2, 0, 0, 0x32, 1, 0x00}, Info{Class: NotKey}},
		{"inter", "av1", nil, []byte{0x12, 0, 0x32, 1, 0x30}, Info{Class: NotKey}},
		{"still picture", "av1", nil, []byte{0x12, 0, 0x0a, 1, 0x18, 0x32, 1, 0x00}, Info{Class: IDR}},
		{"cut", "av1", nil, []byte{0x12, 0, 0x0a, 9, 0}, Info{Class: Short}},

		{"I", "mpeg4", nil, []byte{0, 0, 1, 0xb6, 0x10, 0, 0}, Info{Class: Open}},
		{"P", "mpeg4", nil, []byte{0, 0, 1, 0xb6, 0x50, 0, 0}, Info{Class: NotKey}},
		{"I", "mpeg2video", nil, []byte{0, 0, 1, 0xb3, 0, 0, 1, 0, 0, 0x0f, 0xff}, Info{Class: Open}},
		{"B", "mpeg2video", nil, []byte{0, 0, 1, 0, 0, 0x1f, 0xff}, Info{Class: NotKey}},

		{"intra only", "prores", nil, nil, Info{Class: IDR, Disposable: unneeded}},
		{"not read", "vvc", nil, []byte{1, 2, 3}, Info{Class: Unknown, Disposable: unknown}},
	} {
		if got := Inspect(&container.Description{Codec: c.codec, Config: c.config}, c.data); got != c.want {
			t.Errorf("%s %s: %+v, want %+v", c.codec, c.name, got, c.want)
		}
	}
}

func TestInspectAllocatesNothing(t *testing.T) {
	for _, d := range []*container.Description{{Codec: "h264", Config: avcC}, {Codec: "hevc", Config: hvcC}, {Codec: "h264"}} {
		data := unit(sps, sei, both, []byte{0x41, 0x88})
		if n := testing.AllocsPerRun(100, func() { Inspect(d, data) }); n > 0 {
			t.Errorf("%s: %v allocations", d.Codec, n)
		}
	}
}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		info Info
		want bool
	}{
		{Info{Class: IDR}, true}, {Info{Class: Open}, true}, {Info{Class: Unknown}, true}, {Info{Class: Recovery}, true},
		{Info{Class: Recovery, RecoveryFrames: 1}, false}, {Info{Class: NotKey}, false}, {Info{Class: Short}, false},
	} {
		if got := c.info.Start(); got != c.want {
			t.Errorf("%+v.Start() = %v, want %v", c.info, got, c.want)
		}
	}
}

// A prefix tells the same class as the whole packet, or Short.
func FuzzInspect(f *testing.F) {
	codecs := []string{"h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "vvc"}
	f.Add(uint8(0), avcC, unit(sps, sei, rec0, []byte{0x65, 0x88}))
	f.Add(uint8(1), hvcC, unit([]byte{21 << 1, 1, 0x80}, []byte{8 << 1, 1, 0x80}))
	f.Add(uint8(2), []byte(nil), []byte{0x12, 0, 0x0a, 2, 0, 0, 0x32, 1, 0x10})
	f.Add(uint8(0), []byte(nil), []byte{0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x65, 0x88})
	f.Add(uint8(1), []byte("0"), []byte{0, 0, 1, 0x26, 0, 0, 1}) // a cut start code is no header
	for _, b := range testmedia.Seeds(1<<20, "annexb/*/*") {
		f.Add(uint8(0), []byte(nil), b[:min(len(b), 2<<10)])
	}
	f.Fuzz(func(t *testing.T, codec uint8, config, data []byte) {
		d := &container.Description{Codec: codecs[int(codec)%len(codecs)], Config: config}
		whole := Inspect(d, data)
		for n := 0; n < len(data); n += 1 + len(data)/16 {
			if got := Inspect(d, data[:n]); got.Class == IDR && whole.Class == Short {
				t.Fatalf("%d of %d bytes are %v, all of them %v", n, len(data), got.Class, whole.Class)
			}
		}
	})
}
