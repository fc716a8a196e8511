package bitstream

import (
	"encoding/hex"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// avcRecord is a configuration record around a sequence parameter set.
func avcRecord(t *testing.T, sps string) []byte {
	t.Helper()
	b, err := hex.DecodeString(sps)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{1, 100, 0, 31, 0xff, 0xe1, byte(len(b) >> 8), byte(len(b))}, b...)
}

func TestReorderDepth(t *testing.T) {
	for _, tt := range []struct {
		name   string
		codec  string
		config []byte
		want   int
	}{
		{"x264 tells two", "h264", avcRecord(t, "67640028acd940780227e5c044000003000400000300c83c60c658"), 2},
		{"a level tells, 1280×720 at 3.1", "h264", avcRecord(t, "6742c01ff402802dc8"), 5},
		{"nothing", "h264", nil, 16},
		{"a parameter set that is cut", "h264", avcRecord(t, "6764"), 16},
		{"no record", "hevc", []byte{0, 0, 0, 1}, 16},
		{"a record without parameter sets", "hevc", append([]byte{1}, make([]byte, 22)...), 16},
		{"B pictures", "mpeg4", nil, 1},
		{"frames in order", "av1", nil, 0},
		{"pictures alone", "prores", nil, 0},
		{"a codec that is not known", "rv40", nil, 16},
	} {
		if got := ReorderDepth(&container.Description{Codec: tt.codec, Config: tt.config}); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func FuzzReorderDepth(f *testing.F) {
	f.Add(true, []byte{1, 100, 0, 31, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1f})
	f.Add(false, append([]byte{1}, make([]byte, 30)...))
	f.Fuzz(func(t *testing.T, avc bool, config []byte) {
		codec := map[bool]string{true: "h264", false: "hevc"}[avc]
		if n := ReorderDepth(&container.Description{Codec: codec, Config: config}); n < 0 || n > MaxReorder {
			t.Errorf("%d", n)
		}
	})
}
