package mp4

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

func TestDescriptions(t *testing.T) {
	asc := []byte{0x12, 0x10}
	esds := tm.FullBox("esds", 0, 0, []byte{3, 22, 0, 1, 0, 4, 17, 0x40, 0x15, 0, 0, 0, 0, 1, 0xf4, 0, 0, 0, 0xfa, 0, 5, 2}, asc)
	color := tm.Box("colr", []byte("nclx"), tm.U16(9, 16, 9), []byte{0x80})
	key := []byte("0123456789abcdef")
	protection := tm.Box("sinf", tm.Box("frma", []byte("avc1")), tm.FullBox("schm", 0, 0, []byte("cenc"), tm.U32(1)),
		tm.Box("schi", tm.FullBox("tenc", 0, 0, []byte{0, 0, 1, 8}, key)))
	v2 := append(tm.AudioEntry("lpcm", 3, 16, 1)[:36], tm.U32(72)...)
	v2 = append(append(v2, tm.U64(math.Float64bits(96000))...), tm.U32(6, 0x7f000000, 24, 4|8, 18, 1)...)
	copy(v2, tm.U32(uint32(len(v2))))
	v2[17] = 2
	v1 := tm.AudioEntry("mp4a", 2, 16, 44100, tm.U32(1024, 0, 0, 2), tm.Box("wave", tm.Box("frma", []byte("mp4a")), esds, tm.U32(8, 0)))
	v1[17] = 1
	for _, test := range []struct {
		name  string
		entry []byte
		sound bool
		check func(container.Description) bool
	}{
		{"colour and pixel shape", tm.VideoEntry("hvc1", 1920, 1080, color, tm.Box("pasp", tm.U32(4, 2))), false, func(d container.Description) bool {
			return d.Codec == "hevc" && d.Video.Width == 1920 && d.Video.Height == 1080 && d.Video.PixelAspect == container.Ratio{Num: 2, Den: 1} &&
				d.Video.Color == container.Color{Primaries: 9, Transfer: 16, Matrix: 9, Range: container.RangeFull}
		}},
		{"protected", tm.VideoEntry("encv", 16, 16, protection), false, func(d container.Description) bool {
			return d.Codec == "h264" && d.FourCC == "avc1" && d.Encryption.Scheme == "cenc" && string(d.Encryption.KeyID[:]) == string(key)
		}},
		{"AV1", tm.VideoEntry("av01", 16, 16, tm.Box("av1C", []byte{0x81, 8, 0x4c, 0, 10, 1})), false, func(d container.Description) bool {
			return d.Codec == "av1" && len(d.Config) == 6 && d.Video.BitDepth == 10 && d.Video.Chroma == "4:2:0" && d.Video.Level == 8
		}},
		{"AAC", tm.AudioEntry("mp4a", 2, 16, 48000, esds), true, func(d container.Description) bool {
			return d.Codec == "aac" && bytes.Equal(d.Config, asc) && d.Audio.SampleRate == 44100 && d.Audio.Channels == 2 && d.BitRate == 64000 && d.Audio.Profile == 2
		}},
		{"QuickTime AAC", v1, true, func(d container.Description) bool {
			return d.Codec == "aac" && bytes.Equal(d.Config, asc) && d.Audio.SampleRate == 44100
		}},
		{"QuickTime PCM version 2", v2, true, func(d container.Description) bool {
			return d.Codec == "pcm_s24le" && d.Audio.SampleRate == 96000 && d.Audio.Channels == 6 && d.Audio.FrameBytes == 18
		}},
		{"Opus", tm.AudioEntry("Opus", 2, 16, 48000, tm.Box("dOps", []byte{0, 2, 1, 2, 0, 0, 0xbb, 0x80, 0, 3, 0})), true, func(d container.Description) bool {
			return d.Codec == "opus" && string(d.Config) == "OpusHead\x01\x02\x02\x01\x80\xbb\x00\x00\x03\x00\x00"
		}},
		{"unknown", tm.VideoEntry("zzzz", 4, 4), false, func(d container.Description) bool { return d.Codec == "" && d.FourCC == "zzzz" }},
		{"big-endian 24 bits", tm.AudioEntry("twos", 1, 24, 48000), true, func(d container.Description) bool { return d.Codec == "pcm_s24be" }},
	} {
		handler := "vide"
		if test.sound {
			handler = "soun"
		}
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{{Handler: handler, Sizes: ones(1), Entries: [][]byte{test.entry}}}}))
		if tr := d.Tracks()[0]; !test.check(tr.Description) || len(d.Warnings()) > 0 {
			t.Errorf("%s: %+v, %v", test.name, tr.Description, d.Warnings())
		}
	}
}

func TestSampleDescriptionOfPacket(t *testing.T) {
	track := tm.Track{Sizes: ones(6), PerChunk: 2, Entries: [][]byte{tm.VideoEntry("avc1", 16, 16), tm.VideoEntry("avc1", 32, 32)},
		Replace: map[string][]byte{"stsc": tm.U32(0, 2, 1, 2, 1, 2, 2, 2)}}
	var got []int
	d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{track}}))
	for _, p := range packets(t, d, 0) {
		got = append(got, p.Description)
	}
	if want := []int{0, 0, 1, 1, 1, 1}; !slices.Equal(got, want) || len(d.Tracks()[0].Descriptions) != 2 {
		t.Errorf("descriptions %v of %d, want %v of 2", got, len(d.Tracks()[0].Descriptions), want)
	}
}

func TestOrientation(t *testing.T) {
	for _, test := range []struct {
		m    [4]int32
		want container.Orientation
	}{
		{[4]int32{1, 0, 0, 1}, container.Orientation{}},
		{[4]int32{0, 1, -1, 0}, container.Orientation{Degrees: 90}},
		{[4]int32{-1, 0, 0, -1}, container.Orientation{Degrees: 180}},
		{[4]int32{0, -1, 1, 0}, container.Orientation{Degrees: 270}},
		{[4]int32{-1, 0, 0, 1}, container.Orientation{Mirror: true}},
		{[4]int32{1, 0, 0, -1}, container.Orientation{Mirror: true, Degrees: 180}},
		{[4]int32{0, 1, 1, 0}, container.Orientation{Mirror: true, Degrees: 270}},
		{[4]int32{0, -1, -1, 0}, container.Orientation{Mirror: true, Degrees: 90}},
		{[4]int32{2, 0, 0, 2}, container.Orientation{}},
	} {
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{{Sizes: ones(1), Matrix: test.m}}}))
		if got := d.Tracks()[0].Orientation; got != test.want {
			t.Errorf("%v: %+v, want %+v", test.m, got, test.want)
		}
	}
}

func TestTrackHeaders(t *testing.T) {
	elng := tm.FullBox("elng", 0, 0, []byte("de-CH\x00"))
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{
		{ID: 7, Sizes: ones(1), Disabled: true, Language: "deu", Timescale: 90000},
		{ID: 9, Sizes: ones(1)},
		{ID: 4, Handler: "soun", Sizes: ones(1)},
		{ID: 5, Handler: "tmcd", Sizes: ones(1), Entries: [][]byte{tm.Box("tmcd", make([]byte, 26))}},
	}})
	d := mustOpen(t, file)
	tr := d.Tracks()
	if tr[0].ID != 7 || tr[0].Language != "deu" || tr[0].Enabled || tr[0].Default || tr[0].Handler != "test" || tr[0].Timebase.Den != 90000 {
		t.Errorf("track 0 = %+v", tr[0])
	}
	if !tr[1].Enabled || !tr[1].Default || tr[1].Language != "" {
		t.Errorf("track 1 = %+v", tr[1])
	}
	if tr[2].Kind != container.Audio || !tr[2].Default {
		t.Errorf("track 2 = %+v", tr[2])
	}
	if tr[3].Kind != container.Data || tr[3].FourCC != "tmcd" || tr[3].Packets != 1 {
		t.Errorf("track 3 = %+v", tr[3])
	}
	var tk trak
	o := opener{limits: container.Limits{}.OrDefault()}
	o.readTrak(box{body: tm.Box("mdia", tm.FullBox("mdhd", 0, 0, tm.U32(0, 0, 10, 0, 0x55c40000)), elng)}, &tk)
	if tk.language != "de-CH" {
		t.Errorf("language %q, want de-CH", tk.language)
	}
}

// A chunk whose sample description is not there has the first, as a fragment has.
func TestChunksOfASampleDescriptionThereIsNot(t *testing.T) {
	one := tm.VideoEntry("avc1", 16, 16)
	for _, test := range []struct {
		entries     [][]byte
		description uint32 // of the second chunk, from 1
		want        int
		warnings    int
	}{
		{[][]byte{one}, 1, 0, 0},
		{[][]byte{one}, 2, 0, 1},
		{[][]byte{one}, 0, 0, 0},
		{[][]byte{one}, math.MaxUint32, 0, 1},
		{[][]byte{one, one}, 2, 1, 0},
		{[][]byte{one, one}, 3, 0, 1},
	} {
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{{Sizes: ones(4), Chunks: []uint32{2, 2}, Entries: test.entries,
			Replace: map[string][]byte{"stsc": tm.U32(0, 2, 1, 2, 1, 2, 2, test.description)}}}}))
		if n := len(d.Warnings()); n != test.warnings {
			t.Errorf("description %d of %d: %d warnings, want %d: %v", test.description, len(test.entries), n, test.warnings, d.Warnings())
		}
		for i, p := range packets(t, d, 0) {
			want := 0
			if i >= 2 {
				want = test.want
			}
			if p.Description != want {
				t.Errorf("description %d of %d: packet %d has %d, want %d", test.description, len(test.entries), i, p.Description, want)
			}
		}
	}
}
