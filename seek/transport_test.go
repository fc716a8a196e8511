package seek_test

import (
	"bytes"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// TestStoredIndexOfATransportStreamReadsPackets: with a stored index a transport stream is not gone through again.
func TestStoredIndexOfATransportStreamReadsPackets(t *testing.T) {
	ts := &tm.TS{Stride: 192}
	ts.Packets(ts.PAT(0, 0x100)...)
	ts.Packets(ts.PMT(0x100, 0, 0x101, tm.TSStream{PID: 0x101, Type: 0x1b})...)
	a := tm.AVC{Width: 4, Height: 4}
	for i := range 200 {
		data := append([]byte(nil), tm.AUD...)
		if i%20 == 0 {
			data = append(data, a.Sets()...)
		}
		data = append(data, a.Slice(tm.Slice{IDR: i%20 == 0, Number: uint32(i % 20), Order: uint32(i % 20 * 2), Size: 50 + 31*i})...)
		ts.Packets(ts.PES(0x101, tm.PES{PTS: (1<<33 - 360_000 + int64(i)*3600) & (1<<33 - 1), DTS: -1, Data: data, Random: i%20 == 0})...)
		if i == 77 {
			ts.Raw([]byte("out of step from here on"))
		}
	}
	src := source.Count(bytes.NewReader(ts.Bytes()))
	d, err := mpegts.Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := seek.Build(t.Context(), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	id, err := seek.Identify(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x.AppendIndex(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes for %d packets", len(b), x.Packets())
	s, err := seek.LoadIndex(b, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	again := source.Count(bytes.NewReader(ts.Bytes()))
	y, stored, err := s.Table(t.Context(), again, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	before := again.Counts()
	var p, q container.Packet
	n := int64(0)
	for info, err := range stored.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := stored.Read(t.Context(), 0, info, &p); err != nil {
			t.Fatal(err)
		}
		for w, err := range d.List(t.Context(), 0, info) {
			if err != nil || w != info {
				t.Fatalf("packet %d is %+v, want %+v, %v", info.N, info, w, err)
			}
			if err := d.Read(t.Context(), 0, w, &q); err != nil || !bytes.Equal(p.Data, q.Data) {
				t.Fatalf("packet %d has other bytes, %v", info.N, err)
			}
			break
		}
		n++
	}
	if after := again.Counts(); n != 200 || after.Reads-before.Reads != n {
		t.Errorf("%d packets in %d reads", n, after.Reads-before.Reads)
	}
	for i := range x.Len() {
		f, _ := x.Frame(i)
		g, _ := y.Frame(i)
		a, err := x.Start(t.Context(), i)
		c, err2 := y.Start(t.Context(), i)
		if f != g || a != c || err != nil || err2 != nil {
			t.Fatalf("frame %d: %+v from %+v, want %+v from %+v", i, g, c, f, a)
		}
	}
}
