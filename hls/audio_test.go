package hls

import (
	"bytes"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// TestPackedAudio lists segments of frames behind a tag that tells the time of the first.
func TestPackedAudio(t *testing.T) {
	for _, tt := range []struct {
		name              string
		header            []byte
		size              int // of a frame, its header included
		codec             string
		rate, samples, ch int
		profile           int
	}{
		{"MPEG-1 layer 3", []byte{0xff, 0xfb, 0x90, 0x00}, 417, "mp3", 44100, 1152, 2, -1},
		{"MPEG-1 layer 3, padded, mono", []byte{0xff, 0xfb, 0x92, 0xc0}, 418, "mp3", 44100, 1152, 1, -1},
		{"MPEG-2 layer 3", []byte{0xff, 0xf3, 0x84, 0x00}, 192, "mp3", 24000, 576, 2, -1},
		{"MPEG-2.5 layer 3", []byte{0xff, 0xe3, 0x48, 0x00}, 288, "mp3", 8000, 576, 2, -1},
		{"MPEG-1 layer 2", []byte{0xff, 0xfd, 0x84, 0x00}, 384, "mp2", 48000, 1152, 2, -1},
		{"MPEG-1 layer 1", []byte{0xff, 0xff, 0x18, 0x00}, 48, "mp1", 32000, 384, 2, -1},
		{"ADTS", []byte{0xff, 0xf1, 0x50, 0x80, 0x04, 0x1f, 0xfc}, 32, "aac", 44100, 1024, 2, 2},
		{"ADTS with a checksum, 7.1", []byte{0xff, 0xf0, 0x4d, 0xc0, 0x04, 0x1f, 0xfc, 0, 0}, 32, "aac", 48000, 1024, 8, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const n, pts = 1000, 123_456
			tag := bytes.TrimSuffix(frameAt(pts, 0), frameOf(0))
			data := bytes.Clone(tag)
			for range n {
				data = append(data, tt.header...)
				data = append(data, make([]byte, tt.size-len(tt.header))...)
			}
			data = append(data, "TAG of something else"...)
			d, err := container.Open(t.Context(), bytes.NewReader(data), segmentFormats(), nil)
			if err != nil {
				t.Fatal(err)
			}
			tr := d.Tracks()[0]
			if s := tr.Audio; tr.Kind != container.Audio || tr.Codec != tt.codec || s.SampleRate != tt.rate || s.Channels != tt.ch || s.Profile != tt.profile {
				t.Errorf("the track is %+v", tr)
			}
			at := func(i int) container.Ticks { // from the beginning, so that nothing adds up
				return pts + container.Timebase{Num: 1, Den: int64(tt.rate)}.Convert(container.Ticks(i*tt.samples), tr.Timebase)
			}
			seekable, ok := d.(container.SeekableDemuxer)
			if !ok {
				t.Fatalf("%T", d)
			}
			i := 0
			var p container.Packet
			for info, err := range seekable.List(t.Context(), 0, container.PacketInfo{}) {
				if err != nil {
					t.Fatal(err)
				}
				if info.PTS != at(i) || info.DTS != at(i) || info.End() != at(i+1) || info.Size != tt.size || info.Pos != int64(len(tag)+i*tt.size) || !info.Key || info.Corrupt {
					t.Fatalf("frame %d is %+v", i, info)
				}
				if err := seekable.Read(t.Context(), 0, info, &p); err != nil || !bytes.HasPrefix(p.Data, tt.header) || len(p.Data) != tt.size {
					t.Fatalf("frame %d: %d bytes, %v", i, len(p.Data), err)
				}
				i++
			}
			if i != n {
				t.Errorf("%d frames, want %d", i, n)
			}
		})
	}
}
