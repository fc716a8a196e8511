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

// TestGuessedFramesOfATransportStreamAreTheExactOnes: what is found by bisection is what a list of all packets tells.
func TestGuessedFramesOfATransportStreamAreTheExactOnes(t *testing.T) {
	ts := &tm.TS{}
	ts.Packets(ts.PAT(0, 0x100)...)
	ts.Packets(ts.PMT(0x100, 0, 0x101, tm.TSStream{PID: 0x101, Type: 0x1b})...)
	a := tm.AVC{Width: 4, Height: 4}
	const first = 1<<33 - 3_000_000
	for i := range 3000 {
		k := i % 30
		shown := k // P before B
		if k%2 == 1 && k < 29 {
			shown = k + 1
		} else if k > 0 && k < 29 {
			shown = k - 1
		}
		data := append([]byte(nil), tm.AUD...)
		if k == 0 {
			data = append(data, a.Sets()...)
		}
		data = append(data, a.Slice(tm.Slice{IDR: k == 0, NoRef: k > 0 && k%2 == 0, Number: uint32(k+1) / 2, Order: uint32(2 * shown), IDRCount: uint32(i / 30 & 1), Size: 900 + 71*(i%13)})...)
		dts := first + int64(i)*3600
		pts := dts + int64(shown-k+1)*3600
		ts.Packets(ts.PES(0x101, tm.PES{PTS: pts & (1<<33 - 1), DTS: dts & (1<<33 - 1), Data: data, Random: k == 0})...)
	}
	open := func() *mpegts.Demuxer {
		d, err := mpegts.Open(t.Context(), bytes.NewReader(ts.Bytes()), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	exact, err := seek.Build(t.Context(), open(), 0)
	if err != nil {
		t.Fatal(err)
	}
	x, err := seek.Guess(t.Context(), open(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 3000; i += 37 {
		n := (i * 1201) % exact.Len()
		want, err := exact.Frame(n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.At(t.Context(), want.PTS+1000)
		if err != nil || got.PTS != want.PTS || got.Duration != want.Duration || got.Key != want.Key {
			t.Fatalf("frame %d: %+v, want %+v, %v", n, got.Frame, want, err)
		}
	}
	if x.Kind() != seek.Approximate {
		t.Error("everything was listed")
	}
}
