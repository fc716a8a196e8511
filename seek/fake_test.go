package seek

import (
	"context"
	"io"
	"iter"

	"github.com/sprocket-video/sprocket/container"
)

// fake is a demuxer of one H.264 track whose packets are made of infos. The bytes of packet n are data[n], or those of an IDR.
type fake struct {
	track container.Track
	infos []container.PacketInfo
	data  map[int64][]byte
	lost  map[int64]error // packets that cannot be read, and why
	reads int
}

// cut is the error of a packet that the source ends before.
var cut = &container.Error{Format: "fake", Op: "read", Offset: 0, Err: io.ErrUnexpectedEOF}

var (
	idr         = []byte{0, 0, 0, 2, 0x65, 0x88}
	inter       = []byte{0, 0, 0, 2, 0x41, 0x88}
	recovery    = []byte{0, 0, 0, 5, 0x06, 6, 1, 0x84, 0x80, 0, 0, 0, 2, 0x41, 0x88}       // recovery_frame_cnt 0
	recoveryIn3 = []byte{0, 0, 0, 5, 0x06, 6, 1, 0x24, 0x80, 0, 0, 0, 2, 0x41, 0x88}       // recovery_frame_cnt 3
	avcC        = []byte{1, 100, 0, 31, 0xff, 0xe1, 0, 0}                                  // four-byte lengths
	hvcC        = append([]byte{1}, append(make([]byte, 20), []byte{0x0f, 0, 0, 0}...)...) // four-byte lengths, one temporal layer
)

func newFake(codec string, infos ...container.PacketInfo) *fake {
	d := container.Description{Codec: codec, Config: avcC}
	if codec == "hevc" {
		d.Config = hvcC
	}
	f := &fake{data: map[int64][]byte{}, infos: infos}
	f.track = container.Track{Kind: container.Video, Timebase: container.Timebase{Num: 1, Den: 1000}, Packets: int64(len(infos)), Description: d, Descriptions: []container.Description{d}}
	for i := range f.infos {
		f.infos[i].N = int64(i)
	}
	return f
}

func (f *fake) Tracks() []container.Track                           { return []container.Track{f.track} }
func (f *fake) Next(ctx context.Context, p *container.Packet) error { return io.EOF }
func (f *fake) Close() error                                        { return nil }

func (f *fake) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		for n := from.N; n < int64(len(f.infos)); n++ {
			if !yield(f.infos[n], nil) {
				return
			}
		}
	}
}

func (f *fake) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	f.reads++
	p.PacketInfo = info
	if err := f.lost[info.N]; err != nil {
		return err
	}
	data, ok := f.data[info.N]
	if !ok {
		data = idr
	}
	p.Data = append(p.Data[:0], data...)
	return nil
}

// gop appends packets in decode order with the PTS given; the first is a key packet.
func gop(infos []container.PacketInfo, pts ...container.Ticks) []container.PacketInfo {
	for i, t := range pts {
		infos = append(infos, container.PacketInfo{PTS: t, DTS: t, Duration: 10, Size: 6, Key: i == 0})
	}
	return infos
}
