package mpegts

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// long is a stream of gigabytes, made of one group of pictures again and again, with other times each time.
type long struct {
	group  []byte
	stamps []stampAt // in group
	groups int64
	first  int64 // DTS of the first picture
	length int64 // of a group, in ticks
	reads  atomic.Int64
	most   atomic.Int64
}

type stampAt struct {
	off  int   // of a time stamp's five bytes
	time int64 // less first
}

// newLong returns a stream of groups of about a MiB, whose first decode time is first.
func newLong(groups, first int64) *long {
	const pictures = 50
	l := &long{groups: groups, first: first, length: pictures * 3600}
	ts := &tm.TS{}
	tables(ts)
	for len(ts.Bytes()) < 16*188 { // so that the counters go on from group to group
		tables(ts)
	}
	n := 0
	for i, u := range gop(pictures, pictures, 0) {
		size := 110 * 184 // with its header, in 110 transport packets, and what the adaptation field takes
		if i == pictures-1 {
			size += (16 - (n+110)%16) * 184
		}
		for len(u.data) < size-40 {
			u.data = append(u.data, 0x55)
		}
		p := ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data, Random: u.key})
		at := len(ts.Bytes()) + 4 + 9
		if p[0][3]&0x20 != 0 {
			at += 1 + int(p[0][4])
		}
		l.stamps = append(l.stamps, stampAt{at, u.pts}, stampAt{at + 5, u.dts})
		ts.Packets(p...)
		n += len(p)
	}
	if n%16 != 0 {
		panic("the counters do not go on")
	}
	l.group = ts.Bytes()
	return l
}

func (l *long) Size() int64 { return l.groups * int64(len(l.group)) }

func (l *long) ReadAt(p []byte, off int64) (int, error) {
	l.reads.Add(1)
	l.most.Store(max(l.most.Load(), int64(len(p))))
	n := 0
	size := int64(len(l.group))
	for n < len(p) && off < l.Size() {
		g, at := off/size, int(off%size)
		k := copy(p[n:], l.group[at:])
		for _, s := range l.stamps {
			t := l.first + g*l.length + s.time
			b := [5]byte{byte(t>>30&7)<<1 | 1, byte(t >> 22), byte(t>>15&127)<<1 | 1, byte(t >> 7), byte(t&127)<<1 | 1}
			for i, v := range b {
				if j := s.off + i - at; j >= 0 && j < k {
					if i == 0 {
						v |= p[n+j] & 0xf0
					}
					p[n+j] = v
				}
			}
		}
		n += k
		off += int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// TestLocateReadsLittle: a time in 4 GB is found in at most six reads of 512 KiB, before and behind the wrap of time stamps.
func TestLocateReadsLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through gigabytes")
	}
	const groups = 4200
	l := newLong(groups, wrap-groups/2*50*3600)
	if l.Size() < 4<<30 {
		t.Fatalf("%d bytes", l.Size())
	}
	d, err := Open(t.Context(), l, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Estimate(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := container.Ticks(groups * l.length); e.Exact || e.Start != container.Ticks(l.first+3600) || e.Duration != want || e.Packets != groups*50 {
		t.Errorf("estimate %+v, want a duration of %d", e, want)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var total int64
	const lookups = 200
	for range lookups {
		g, in := rng.Int64N(groups), rng.Int64N(l.length)
		at := container.Ticks(l.first + g*l.length + 3600 + in) // from the key packet's PTS on
		l.reads.Store(0)
		l.most.Store(0)
		p, err := d.Locate(t.Context(), 0, at)
		if err != nil {
			t.Fatal(err)
		}
		n := l.reads.Load()
		total += n
		if n > 6 || l.most.Load() > 512<<10 {
			t.Errorf("group %d + %d: %d reads, of up to %d bytes", g, in, n, l.most.Load())
		}
		if want := container.Ticks(l.first + g*l.length + 3600); p.PTS != want || !p.Key || p.N != -1 {
			t.Errorf("group %d + %d: PTS %d (off by %d), key %t, N %d", g, in, p.PTS, p.PTS-want, p.Key, p.N)
		}
		var pk container.Packet
		if err := d.Read(t.Context(), 0, p, &pk); err != nil || len(pk.Data) < 20_000 || pk.Data[4] != 9 {
			t.Errorf("group %d: packet of %d bytes: %v", g, len(pk.Data), err)
		}
		k := 0
		for q, err := range d.Follow(t.Context(), 0, p) {
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 && q.Pos != p.Pos || q.N != int64(k-1) || q.DTS != p.DTS+container.Ticks(3600*k) {
				t.Fatalf("group %d: packet %d behind is at %d, N %d, DTS %d", g, k, q.Pos, q.N, q.DTS)
			}
			if k++; k == 60 {
				break
			}
		}
	}
	t.Logf("%.2f reads on average", float64(total)/lookups)
	if d.listed.Load() {
		t.Error("the stream was listed")
	}
}

// TestLocateIsAsListed: what Locate and Follow give is what List gives, at every time of a small stream.
func TestLocateIsAsListed(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	ts.Raw([]byte("not in step with what follows"))
	units, aac := gop(2000, 40, wrap-2_000_000), sound(2000)
	clip(ts, units[:700], aac[:700])
	ts.Raw([]byte("nor is this"))
	clip(ts, units[700:], nil)
	exact := open(t, ts.Bytes(), nil)
	want := all(t, exact, 0)
	src := source.Count(readerOf(ts.Bytes()))
	d, err := Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	for at := want[0].PTS - 5000; at < want[len(want)-1].PTS+9000; at += 97_777 {
		w := want[0]
		for _, p := range want {
			if p.Key && p.PTS <= at {
				w = p
			}
		}
		got, err := d.Locate(t.Context(), 0, at)
		if err != nil {
			t.Fatal(err)
		}
		w.Duration, got.Duration = 0, 0
		n := w.N
		if w.N = -1; got != w {
			t.Fatalf("at %d: %+v, want %+v", at, got, w)
		}
		k := n
		got.N = n
		for p, err := range d.Follow(t.Context(), 0, got) {
			q := want[k]
			q.Duration, p.Duration = 0, 0
			if err != nil || p != q {
				t.Fatalf("behind %d: %+v, want %+v, %v", n, p, q, err)
			}
			if k++; k > n+50 {
				break
			}
		}
		if k < min(n+50, int64(len(want))) {
			t.Fatalf("packet %d is not followed by all: %d", n, k)
		}
	}
	if d.listed.Load() {
		t.Error("the stream was listed")
	}
	if _, err := d.list(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	p, err := d.Locate(t.Context(), 0, want[777].PTS)
	if err != nil || p.N < 0 {
		t.Errorf("listed: packet %d, %v", p.N, err)
	}
}

func TestLocateListsWhereTimesJump(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	for i := range 4 {
		clip(ts, gop(400, 40, 10_000_000-int64(i)*2_000_000), nil)
	}
	d := open(t, ts.Bytes(), nil)
	exact := open(t, ts.Bytes(), nil)
	want := all(t, exact, 0)
	for _, n := range []int{30, 500, 900, 1500} {
		p, err := d.Locate(t.Context(), 0, want[n].PTS)
		if err != nil || p.PTS > want[n].PTS || !p.Key {
			t.Errorf("packet %d: %+v, %v", n, p, err)
		}
	}
}

// TestExcerptsKnowWherePacketsLie: a look that begins in the middle of a transport packet does not take its place for one where packets
// begin; what is found behind it is read and followed as listed.
func TestExcerptsKnowWherePacketsLie(t *testing.T) {
	for _, stride := range []int{188, 192} {
		ts := &tm.TS{Stride: stride}
		tables(ts)
		units, aac := gop(120, 20, 0), sound(120)
		clip(ts, units[:70], aac[:70])
		places := 1
		if stride == 192 {
			ts.Raw([]byte("out of step"))
			places++
		}
		clip(ts, units[70:], nil)
		d, exact := open(t, ts.Bytes(), nil), open(t, ts.Bytes(), nil)
		want := all(t, exact, 0)
		for i, p := range want {
			for _, off := range []int64{p.Pos - 1, p.Pos + 1, p.Pos + p.Extent()/2} {
				x := d.excerptOf(0, off)
				if err := x.read(t.Context(), reach); err != nil {
					t.Fatal(err)
				}
			}
			if b := content(t, d, p); !bytes.Equal(b, units[i].data) {
				t.Fatalf("stride %d: packet %d has other bytes", stride, i)
			}
			n := 0
			for q, err := range d.Follow(t.Context(), 0, p) {
				if err != nil || q.Pos != want[i+n].Pos || q.N != want[i+n].N {
					t.Fatalf("stride %d: packet %d behind %d: %+v, want %+v, %v", stride, n, i, q, want[i+n], err)
				}
				if n++; n == 3 {
					break
				}
			}
			if n < min(3, len(want)-i) {
				t.Fatalf("stride %d: %d packets follow packet %d", stride, n, i)
			}
		}
		for _, p := range all(t, exact, 1) { // every second one begins in the middle of a PES packet
			n := 0
			for q, err := range d.Follow(t.Context(), 1, p) {
				if p.Duration, q.Duration = 0, 0; err != nil || q != p {
					t.Fatalf("stride %d: %+v, want %+v, %v", stride, q, p, err)
				}
				n++
				break
			}
			if n == 0 {
				t.Fatalf("stride %d: nothing follows sound %d", stride, p.N)
			}
		}
		if n := len(d.places()); n != places {
			t.Errorf("stride %d: transport packets are said to lie anew at %d places, want %d", stride, n, places)
		}
	}
}

func TestFollowOfNoPacketYieldsNone(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	clip(ts, gop(6000, 20, 0), nil)
	d := open(t, ts.Bytes(), nil)
	src := source.Count(readerOf(ts.Bytes()))
	d.src = src
	size := int64(len(ts.Bytes()))
	for _, pos := range []int64{-1, 0, 188*50 + 77, size - 1, size, 1 << 40} {
		for p, err := range d.Follow(t.Context(), 0, container.PacketInfo{Pos: pos}) {
			t.Fatalf("at %d: %+v, %v", pos, p, err)
		}
	}
	if n := src.Counts().Bytes; n > 5*reach {
		t.Errorf("%d bytes of %d were read", n, size)
	}
}

// TestExcerptsHoldListedPackets: wherever a look begins, also in the middle of a unit of several slices, all packets that it finds are in the list,
// and few are missing.
func TestExcerptsHoldListedPackets(t *testing.T) {
	for _, delimited := range []bool{true, false} {
		for _, aligned := range []bool{true, false} {
			var data [][]byte
			for i := range 60 {
				var u []byte
				if delimited {
					u = append(u, tm.AUD...)
				}
				if i%5 == 0 {
					u = append(u, avc.Sets()...)
				}
				for k := range uint32(3) {
					u = append(u, avc.Slice(tm.Slice{IDR: i%5 == 0, Number: uint32(i % 5), Order: uint32(i % 5 * 2), IDRCount: uint32(i / 5 & 1), First: 4 * k, Size: 230 + i})...)
				}
				data = append(data, u)
			}
			if !aligned { // as many bytes in pieces of another size
				whole := slices.Concat(data...)
				data = nil
				for i := 0; i < len(whole); i += 555 {
					data = append(data, whole[i:min(i+555, len(whole))])
				}
			}
			ts := &tm.TS{}
			videoOnly(ts)
			for i, u := range data {
				ts.Packets(ts.PES(videoPID, tm.PES{PTS: int64(i) * 3600, DTS: -1, Data: u})...)
			}
			file := ts.Bytes()
			d := open(t, file, nil)
			listed := map[int64]container.PacketInfo{}
			var list []container.PacketInfo
			for _, p := range all(t, open(t, file, nil), 0) {
				listed[p.Pos] = p
				list = append(list, p)
			}
			if len(list) != 60 {
				t.Fatalf("delimited %t, aligned %t: %d packets", delimited, aligned, len(list))
			}
			for off := int64(0); off < int64(len(file)); off += 94 {
				x := d.excerptOf(0, off)
				if err := x.read(t.Context(), reach); err != nil {
					t.Fatal(err)
				}
				for i := range x.units {
					u := &x.units[i]
					if p := listed[u.pos]; int64(p.Size) != u.size || p.Key != u.key || p.Corrupt != u.corrupt {
						t.Fatalf("delimited %t, aligned %t, from %d: a packet of %d bytes at %d, key %t, corrupt %t, is not %+v", delimited, aligned, off, u.size, u.pos, u.key, u.corrupt, p)
					}
				}
				missing := 0
				for _, p := range list {
					if p.Pos >= off {
						missing++
					}
				}
				if missing -= len(x.units); missing > 3 || aligned && missing > 0 {
					t.Fatalf("delimited %t, aligned %t, from %d: %d packets are missing", delimited, aligned, off, missing)
				}
			}
		}
	}
}

// TestLooksSeeEveryKeyPacket: a key packet belongs to the look that holds the transport packet it begins in, also where what tells that it is one lies
// behind the end. The transport packet at the end belongs to the next one.
func TestLooksSeeEveryKeyPacket(t *testing.T) {
	ts := &tm.TS{}
	videoOnly(ts)
	for _, u := range gop(40, 8, 0) {
		at := bytes.LastIndex(u.data, startCode)
		u.data = slices.Concat(u.data[:at], []byte{0, 0, 1, 6}, bytes.Repeat([]byte{0x55}, 700), u.data[at:])
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data})...)
	}
	file := ts.Bytes()
	list := all(t, open(t, file, nil), 0)
	d := open(t, file, nil)
	for end := int64(1000); end < int64(len(file)); end += 47 {
		var want container.PacketInfo
		for _, p := range list {
			if p.Key && p.Pos < end/188*188 {
				want = p
			}
		}
		w, err := d.look(t.Context(), 0, d.first, end, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		if !w.has || w.key.Pos < want.Pos {
			t.Fatalf("up to %d: %t, %+v, want %+v", end, w.has, w.key, want)
		}
	}
}
