//go:build cgo

package sprocket_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/source"
)

// packetsOf returns the configuration and the packets of the video of a file.
func packetsOf(t *testing.T, name string) (config []byte, packets [][]byte) {
	t.Helper()
	f, err := source.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := mp4.Open(t.Context(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		var p container.Packet
		if err := d.Read(t.Context(), 0, info, &p); err != nil {
			t.Fatal(err)
		}
		packets = append(packets, p.Data)
	}
	return d.Tracks()[0].Config, packets
}

// twoDescriptions is a track of ten packets of one clip, then ten of another, each with a sample description of its own: the second
// of the type given, with more boxes.
func twoDescriptions(t *testing.T, typ string, boxes ...[]byte) []byte {
	t.Helper()
	x264 := []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "5", "-sc_threshold", "0"}
	configA, a := packetsOf(t, makeClip(t, "96x64", "10", x264...))
	configB, b := packetsOf(t, makeClip(t, "128x96", "10", append(x264, "-profile:v", "baseline")...))
	all := append(a, b...)
	var sizes []uint32
	for _, p := range all {
		sizes = append(sizes, uint32(len(p)))
	}
	file := testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{{
		Timescale: 25,
		Entries: [][]byte{
			testmedia.VideoEntry("avc1", 96, 64, testmedia.Box("avcC", configA)),
			testmedia.VideoEntry(typ, 128, 96, append(boxes, testmedia.Box("avcC", configB))...),
		},
		Sizes: sizes, Deltas: []testmedia.Run{{Count: 20, Value: 1}}, Sync: []uint32{1, 6, 11, 16}, PerChunk: 10,
		Replace: map[string][]byte{"stsc": testmedia.U32(0, 2, 1, 10, 1, 2, 10, 2)},
	}}})
	d, err := mp4.Open(t.Context(), bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		copy(file[info.Pos:], all[info.N])
	}
	return file
}

// Each sample description gets a decoder of its own, whichever way its frames are reached.
func TestSeveralSampleDescriptions(t *testing.T) {
	file := twoDescriptions(t, "avc1")
	d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file), &sprocket.VideoOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if len(d.Track().Descriptions) != 2 || d.Len() != 20 {
		t.Fatalf("%d descriptions, %d frames: %v", len(d.Track().Descriptions), d.Len(), d.Warnings())
	}
	var want []string
	for f, err := range d.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		w := 96
		if f.N >= 10 {
			w = 128
		}
		if f.Shape()[2] != w {
			t.Errorf("frame %d has shape %v, want %d columns", f.N, f.Shape(), w)
		}
		want = append(want, sum(f.Bytes()))
	}
	for _, n := range []int{19, 0, 12, 9, 10, 5} {
		if f, err := d.FrameAt(t.Context(), n); err != nil || sum(f.Bytes()) != want[n] {
			t.Errorf("FrameAt(%d): another picture, or %v", n, err)
		}
	}
	if _, err := d.FramesAt(t.Context(), []int{3, 13}); err == nil || !strings.Contains(err.Error(), "frame 13: its shape is [3 96 128]") {
		t.Errorf("a batch of two sizes: %v", err)
	}
	same, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file), &sprocket.VideoOptions{Width: 64, Height: 48})
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	if b, err := same.FramesInRange(t.Context(), 0, sprocket.End, 1); err != nil || len(b.Frames) != 20 {
		t.Errorf("scaled to one size: %v", err)
	}
}

// The part of a track that is in the clear comes out; each frame of the part that is not is an error that says so.
func TestFramesInTheClearBesideEncryptedOnes(t *testing.T) {
	sinf := testmedia.Box("sinf", testmedia.Box("frma", []byte("avc1")), testmedia.FullBox("schm", 0, 0, []byte("cenc"), testmedia.U32(0x10000)),
		testmedia.Box("schi", testmedia.FullBox("tenc", 0, 0, []byte{0, 0, 1, 8}, make([]byte, 16))))
	clear, mixed := twoDescriptions(t, "avc1"), twoDescriptions(t, "encv", sinf)
	var want []string
	d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(clear), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for f, err := range d.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, sum(f.Bytes()))
	}
	check := func(how string, n int, f *sprocket.Frame, err error) {
		t.Helper()
		switch {
		case n < 10 && (err != nil || sum(f.Bytes()) != want[n]):
			t.Errorf("%s: frame %d is another picture, or %v", how, n, err)
		case n >= 10 && (!errors.Is(err, container.ErrUnsupported) || !strings.Contains(err.Error(), `sample description 2: encrypted with scheme "cenc"`)):
			t.Errorf("%s: frame %d: %v, want ErrUnsupported", how, n, err)
		}
	}
	e, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(mixed), &sprocket.VideoOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	n := 0
	for f, err := range e.Frames(t.Context()) {
		check("Frames", n, f, err)
		n++
	}
	if n != 20 {
		t.Errorf("Frames gives %d, want 20", n)
	}
	for _, n := range []int{19, 0, 12, 9, 10, 5} {
		f, err := e.FrameAt(t.Context(), n)
		check("FrameAt", n, f, err)
	}
	s, err := sprocket.OpenStream(t.Context(), bytes.NewReader(mixed), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n = 0
	for f, err := range s.Frames(t.Context()) {
		check("a stream's Frames", n, f, err)
		n++
	}
	if n != 20 {
		t.Errorf("a stream's Frames gives %d, want 20", n)
	}
}

// What movies of the corpus have in the clear, beside a sample description of what is encrypted, comes out; what is encrypted does not.
func TestClearPartsOfTheCorpus(t *testing.T) {
	dir := filepath.Join(testmedia.Corpus(t), "mp4")
	open := func(names ...string) *sprocket.VideoDecoder {
		var all []byte
		for _, name := range names {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(all), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() }) // only its answers count
		return d
	}
	const both = "shaka/clear-encrypted/"
	clear := open(both+"clear-v-init.mp4", both+"clear-v-s1.mp4", both+"clear-v-s2.mp4")
	mixed := open(both+"enc-v-init.mp4", both+"enc-v-s1.mp4", both+"enc-v-s2.mp4")
	if clear.Len() != 192 || mixed.Len() != 192 {
		t.Fatalf("%d and %d frames, want 192", clear.Len(), mixed.Len())
	}
	for n := range 192 {
		want, err := clear.FrameAt(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := mixed.FrameAt(t.Context(), n); err != nil || sum(f.Bytes()) != sum(want.Bytes()) {
			t.Errorf("frame %d is another picture than in the clear, or %v", n, err)
		}
	}
	sintel := open("shaka-loose/encrypted-sintel-video-init.mp4", "shaka-loose/encrypted-sintel-video-segment.mp4")
	refused := 0
	for _, err := range sintel.Frames(t.Context()) {
		if errors.Is(err, container.ErrUnsupported) {
			refused++
		}
	}
	if refused != 240 {
		t.Errorf("%d frames are refused, want 240", refused)
	}
}
