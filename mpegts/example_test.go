package mpegts_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/source"
)

// recording returns a stream of pictures, 25 a second.
func recording(pictures int) []byte {
	ts, avc := &tm.TS{}, tm.AVC{Width: 4, Height: 4}
	ts.Packets(ts.PAT(0, 0x100)...)
	ts.Packets(ts.PMT(0x100, 0, 0x101, tm.TSStream{PID: 0x101, Type: 0x1b})...)
	for i := range pictures {
		data := append([]byte(nil), tm.AUD...)
		if i%25 == 0 {
			data = append(data, avc.Sets()...)
		}
		data = append(data, avc.Slice(tm.Slice{IDR: i%25 == 0, Number: uint32(i % 25), Order: uint32(i % 25 * 2), Size: 500})...)
		ts.Packets(ts.PES(0x101, tm.PES{PTS: int64(i) * 3600, DTS: -1, Data: data})...)
	}
	return ts.Bytes()
}

// list goes through the packets of the first track, and prints their number and what was read for it.
func list(ctx context.Context, d *mpegts.Demuxer, src *source.Counter) {
	n := 0
	for _, err := range d.List(ctx, 0, container.PacketInfo{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n++
	}
	fmt.Println(n, "packets,", src.Counts().Bytes, "bytes read")
}

// A stream that is still being recorded is listed onward: what was listed is not read again.
func ExampleDemuxer_Extend() {
	ctx := context.Background()
	file := recording(500)
	begun := source.Count(bytes.NewReader(file[:len(file)*3/5]))
	d, err := mpegts.Open(ctx, begun, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	list(ctx, d, begun)
	grown := source.Count(bytes.NewReader(file))
	if d, err = d.Extend(ctx, grown); err != nil {
		fmt.Println(err)
		return
	}
	list(ctx, d, grown)
	// Output:
	// 300 packets, 234961 bytes read
	// 500 packets, 112951 bytes read
}
