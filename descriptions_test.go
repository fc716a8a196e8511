//go:build cgo

package sprocket_test

import (
	"bytes"
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

// twoDescriptions is a track of ten packets of one clip, then ten of another, each with a sample description of its own.
func twoDescriptions(t *testing.T) []byte {
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
			testmedia.VideoEntry("avc1", 128, 96, testmedia.Box("avcC", configB)),
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
	file := twoDescriptions(t)
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
