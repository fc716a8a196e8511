package mpegts

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// video appends the data of a video PID, a PES packet each.
func videoOnly(ts *tm.TS) {
	ts.Packets(ts.PAT(0, mapPID)...)
	ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: 0x1b})...)
}

// TestUnitsAreFoundWhereverPESPacketsBegin: two access units in a PES packet, one across several, and cuts in the middle of start codes. The
// first ones are one to one, so that the scan trusts the stream, and must notice that it may not.
func TestUnitsAreFoundWhereverPESPacketsBegin(t *testing.T) {
	for _, orderly := range []int{0, 20, 150, 600} {
		ts := &tm.TS{}
		videoOnly(ts)
		units := gop(800, 20, 0)
		for _, u := range units[:orderly] {
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data})...)
		}
		// The rest in pieces of 777 bytes, each with the times of the first unit that begins in it.
		var data []byte
		var begins []int
		for _, u := range units[orderly:] {
			if len(data)%777 == 776 { // its first zero would end a PES packet, and belong to the unit before
				data = append(data, 0x11)
				units[orderly+len(begins)-1].data = append(units[orderly+len(begins)-1].data, 0x11)
			}
			begins = append(begins, len(data))
			data = append(data, u.data...)
		}
		told := map[int]bool{}
		const piece = 777
		for at := 0; at < len(data); at += piece {
			p := tm.PES{PTS: -1, DTS: -1, Data: data[at:min(at+piece, len(data))]}
			if k, _ := slices.BinarySearch(begins, at); k < len(begins) && begins[k] < at+piece {
				p.PTS, p.DTS = units[orderly+k].pts, units[orderly+k].dts
				told[orderly+k] = true
			}
			ts.Packets(ts.PES(videoPID, p)...)
		}
		d := open(t, ts.Bytes(), nil)
		got := all(t, d, 0)
		if len(got) != len(units) {
			t.Fatalf("%d orderly: %d packets, want %d", orderly, len(got), len(units))
		}
		for i, p := range got {
			if b := content(t, d, p); !bytes.Equal(b, units[i].data) {
				t.Fatalf("%d orderly: packet %d has %d bytes, not the %d that were put in", orderly, i, len(b), len(units[i].data))
			}
			if int64(p.PTS) != units[i].pts {
				t.Errorf("%d orderly: packet %d, told %t: pts %d, want %d", orderly, i, told[i], p.PTS, units[i].pts)
			}
		}
	}
}

func TestDecodeTimesFollowFromThePresentationOrder(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	units := gop(100, 20, 90_000)
	for _, u := range units {
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: -1, Data: u.data})...)
	}
	same(t, open(t, ts.Bytes(), nil), 0, units)
}

func TestFieldPairsAreOnePacket(t *testing.T) {
	a := tm.AVC{Width: 4, Height: 4, Interlaced: true}
	for _, apart := range []bool{false, true} {
		ts := &tm.TS{}
		videoOnly(ts)
		var want []clipUnit
		for i := range 60 {
			var u clipUnit
			u.pts, u.dts, u.key = int64(i)*3600, int64(i)*3600, i%10 == 0
			first := slices.Clone(tm.AUD)
			if u.key {
				first = append(first, a.Sets()...)
			}
			n, order := uint32(i%10), uint32(i%10*2)
			first = append(first, a.Slice(tm.Slice{IDR: u.key, Number: n, Order: order, Field: true, IDRCount: uint32(i / 10 & 1), Size: 300})...)
			second := append(slices.Clone(tm.AUD), a.Slice(tm.Slice{Number: n, Order: order + 1, Field: true, Bottom: true, Size: 250})...)
			u.data = slices.Concat(first, second)
			if apart {
				ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: -1, Data: first})...)
				ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts + 1800, DTS: -1, Data: second})...)
			} else {
				ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: -1, Data: u.data})...)
			}
			want = append(want, u)
		}
		same(t, open(t, ts.Bytes(), nil), 0, want)
	}
}

func TestSlicesOfOnePictureAreOnePacket(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	var want []clipUnit
	for i := range 20 {
		u := clipUnit{pts: int64(i) * 3600, dts: int64(i) * 3600, key: i == 0}
		if u.key {
			u.data = avc.Sets()
		}
		for first := range uint32(3) { // no delimiters
			u.data = append(u.data, avc.Slice(tm.Slice{IDR: u.key, Number: uint32(i), Order: uint32(2 * i), First: 4 * first, Size: 200})...)
		}
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: -1, Data: u.data})...)
		want = append(want, u)
	}
	same(t, open(t, ts.Bytes(), nil), 0, want)
}

// TestPicturesThatAreAllTheSame: IDR pictures whose headers do not differ, as 7.4.3 wants of idr_pic_id, are told apart by delimiters.
func TestPicturesThatAreAllTheSame(t *testing.T) {
	for _, slicesEach := range []uint32{1, 3} {
		ts := &tm.TS{}
		videoOnly(ts)
		var want []clipUnit
		for i := range 200 {
			u := clipUnit{pts: int64(i) * 3600, dts: int64(i) * 3600, key: true, data: slices.Concat(tm.AUD, avc.Sets())}
			for k := range slicesEach {
				u.data = append(u.data, avc.Slice(tm.Slice{IDR: true, First: 4 * k, Size: 200})...)
			}
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: -1, Data: u.data})...)
			want = append(want, u)
		}
		same(t, open(t, ts.Bytes(), nil), 0, want)
	}
}

func TestOtherSizesAreOtherDescriptions(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	big := tm.AVC{Width: 8, Height: 6}
	for i := range 30 {
		a, n := avc, uint32(i%10)
		if i >= 10 && i < 20 {
			a = big
		}
		data := slices.Clone(tm.AUD)
		if n == 0 {
			data = append(data, a.Sets()...)
		}
		data = append(data, a.Slice(tm.Slice{IDR: n == 0, Number: n, Order: 2 * n, IDRCount: uint32(i / 10), Size: 100})...)
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: int64(i) * 3600, DTS: -1, Data: data})...)
	}
	d := open(t, ts.Bytes(), nil)
	for i, p := range all(t, d, 0) {
		if want := i / 10 % 2; p.Description != want {
			t.Errorf("packet %d has description %d, want %d", i, p.Description, want)
		}
	}
	if v := d.Tracks()[0].Descriptions; len(v) != 2 || v[0].Video.Width != 64 || v[1].Video.Width != 128 || v[1].Video.Height != 96 {
		t.Errorf("descriptions %+v", v)
	}
}

func TestStreamThatStartsInTheMiddle(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	units := gop(60, 20, 0)[7:]
	p := ts.PES(videoPID, tm.PES{PTS: 0, DTS: 0, Data: units[0].data})
	ts.Packets(p[1:]...) // and in the middle of a unit
	clip(ts, units[1:], nil)
	same(t, open(t, ts.Bytes(), nil), 0, units[1:])
}

// TestStreamThatStartsInTheMiddleOfAPicture: behind its first slices, which is no place for decoding to start.
func TestStreamThatStartsInTheMiddleOfAPicture(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	units := gop(300, 20, 0)
	part := avc.Slice(tm.Slice{IDR: true, First: 4, Size: 333})
	ts.Packets(ts.PES(videoPID, tm.PES{PTS: -1, DTS: -1, Data: part})...)
	clip(ts, units, nil)
	d := open(t, ts.Bytes(), nil)
	got := all(t, d, 0)
	if len(got) != 301 || got[0].Key || !got[0].Corrupt || got[0].Size != len(part) {
		t.Fatalf("%d packets, the first is %+v", len(got), got[0])
	}
	for i, p := range got[1:] {
		if int64(p.PTS) != units[i].pts || p.Corrupt || p.Key != units[i].key || p.Size != len(units[i].data) {
			t.Errorf("packet %d: %+v", i+1, p)
		}
	}
}

func TestScrambledPacketsAreListedAsEncrypted(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	for range 20 {
		for _, p := range ts.PES(videoPID, tm.PES{PTS: 1, DTS: -1, Data: bytes.Repeat([]byte{0x5a}, 1000)}) {
			p[3] |= 0x80
			for i := 4; i < len(p) && p[3]&0x20 == 0; i++ {
				p[i] ^= 0x77
			}
			ts.Packets(p)
		}
	}
	d := open(t, ts.Bytes(), nil)
	if got := all(t, d, 0); len(got) == 0 && d.Tracks()[0].Encryption.Scheme == "" {
		t.Errorf("%d packets, scheme %q", len(got), d.Tracks()[0].Encryption.Scheme)
	}
	if d.Tracks()[0].Encryption.Scheme != "dvb" {
		t.Errorf("scheme %q", d.Tracks()[0].Encryption.Scheme)
	}
}

func TestSectionsArePackets(t *testing.T) {
	ts := &tm.TS{}
	ts.Packets(ts.PAT(0, mapPID)...)
	ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: 0x1b}, tm.TSStream{PID: 0x1f0, Type: 0x86})...)
	units := gop(10, 10, 0)
	var want [][]byte
	for i, u := range units {
		clip(ts, []clipUnit{u}, nil)
		s := append([]byte{0xfc, 0x30, 0, 0}, bytes.Repeat([]byte{byte(i)}, 30+40*i)...)
		s[1], s[2] = 0x30|byte((len(s)-3)>>8), byte(len(s)-3)
		want = append(want, s)
		ts.Packets(ts.Section(0x1f0, s)...)
	}
	d := open(t, ts.Bytes(), nil)
	got := all(t, d, 1)
	if len(got) != len(want) || d.Tracks()[1].Codec != "scte_35" || d.Tracks()[1].Kind != container.Data {
		t.Fatalf("%d packets of %q", len(got), d.Tracks()[1].Codec)
	}
	for i, p := range got {
		if b := content(t, d, p); !bytes.Equal(b, want[i]) {
			t.Errorf("section %d is %x, want %x", i, b, want[i])
		}
	}
}

func TestFramesOfSoundAcrossPESPackets(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	aac := sound(200)
	data := slices.Concat(aac...)
	at, k := 0, 0
	begin := 0
	for i := 0; at < len(data); i++ {
		n := min(1000, len(data)-at)
		for k < len(aac) && begin < at {
			begin += len(aac[k])
			k++
		}
		p := tm.PES{Stream: 0xc0, PTS: -1, DTS: -1, Data: data[at : at+n]}
		if begin < at+n && i%5 == 0 { // not each PES packet has a time
			p.PTS = 90_000 + int64(k)*1920
		}
		ts.Packets(ts.PES(soundPID, p)...)
		at += n
	}
	same(t, open(t, ts.Bytes(), nil), 1, frames(aac, 90_000))
}

// TestSecondUnitInAPESPacketIsFoundByItsMissingTime: after a long stretch of one unit in each PES packet one has two.
func TestSecondUnitInAPESPacketIsFoundByItsMissingTime(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	units := gop(600, 20, 0)
	for i := 0; i < len(units); i++ {
		u := units[i]
		data := u.data
		if i == 333 {
			i++
			data = slices.Concat(data, units[i].data)
		}
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: data})...)
	}
	same(t, open(t, ts.Bytes(), nil), 0, units)
}

// TestManyBrokenPromisesAreReadThrice: however many tracks turn out to have several units in a PES packet, one after the other.
func TestManyBrokenPromisesAreReadThrice(t *testing.T) {
	const tracks = 7
	ts := &tm.TS{}
	var streams []tm.TSStream
	for i := range tracks {
		streams = append(streams, tm.TSStream{PID: videoPID + i, Type: 0x1b})
	}
	ts.Packets(ts.PAT(0, 0x20)...)
	ts.Packets(ts.PMT(0x20, 0, videoPID, streams...)...)
	units := gop(600, 20, 0)
	for i, u := range units {
		for k := range tracks {
			data := u.data
			if i == 250+40*k { // it does not begin with a unit
				data = append([]byte{0x11}, data...)
			}
			ts.Packets(ts.PES(videoPID+k, tm.PES{PTS: u.pts, DTS: u.dts, Data: data})...)
		}
	}
	src := source.Count(bytes.NewReader(ts.Bytes()))
	d, err := Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := src.Counts().Bytes
	for k := range tracks {
		if n := len(all(t, d, k)); n != len(units) {
			t.Errorf("track %d has %d packets, want %d", k, n, len(units))
		}
	}
	if n, size := src.Counts().Bytes-before, int64(len(ts.Bytes())); n > 3*size {
		t.Errorf("%d bytes of %d were read", n, size)
	}
}
