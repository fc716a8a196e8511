package mpegts

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

const (
	mapPID   = 0x100
	videoPID = 0x101
	soundPID = 0x102
)

var avc = tm.AVC{Width: 4, Height: 4}

// picture is an access unit of a clip, in decode order.
type clipUnit struct {
	pts, dts int64
	data     []byte
	key      bool
}

// gop returns n pictures, of which every size-th is an IDR and the others come in pairs, P before B, with decode times from first on.
func gop(n, size int, first int64) []clipUnit {
	const step = 3600
	var out []clipUnit
	for i := range n {
		k := i % size
		u := clipUnit{dts: first + int64(i)*step, key: k == 0}
		shown := k
		switch {
		case k%2 == 1 && k+1 < size:
			shown = k + 1
		case k%2 == 0 && k > 0:
			shown = k - 1
		}
		u.pts = first + int64(i-k+shown+1)*step
		s := tm.Slice{IDR: u.key, NoRef: k > 0 && k%2 == 0, Number: uint32(k+1) / 2, Order: uint32(2*shown) & 255, IDRCount: uint32(i/size) & 1, Size: 300 + 97*(i%11)}
		u.data = slices.Clone(tm.AUD)
		if u.key {
			u.data = append(u.data, avc.Sets()...)
			s.Size *= 4
		}
		u.data = append(u.data, avc.Slice(s)...)
		out = append(out, u)
	}
	return out
}

// sound returns n frames.
func sound(n int) [][]byte {
	var out [][]byte
	for i := range n {
		out = append(out, tm.ADTS(150+13*(i%7), byte(i)))
	}
	return out
}

func wrapped(t int64) int64 { return t & (wrap - 1) }

// tables appends the tables of a program of pictures and sound.
func tables(ts *tm.TS) {
	ts.Packets(ts.PAT(0, mapPID)...)
	ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: 0x1b}, tm.TSStream{PID: soundPID, Type: 0x0f, Descriptors: []byte{0x0a, 4, 'd', 'e', 'u', 0}})...)
}

// clip appends pictures, with two frames of sound in a PES packet for each second of them.
func clip(ts *tm.TS, units []clipUnit, frames [][]byte) {
	for i, u := range units {
		v := ts.PES(videoPID, tm.PES{PTS: wrapped(u.pts), DTS: wrapped(u.dts), Data: u.data, Random: u.key})
		var a [][]byte
		if k := i / 2 * 2; i%2 == 0 && k+2 <= len(frames) {
			a = ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: wrapped(units[0].dts + int64(k)*1920), DTS: -1, Data: slices.Concat(frames[k], frames[k+1]), Bounded: true})
		}
		ts.Mux(v, a)
	}
}

// open opens a stream that is valid.
func open(t *testing.T, file []byte, o *container.Options) *Demuxer {
	t.Helper()
	d, err := Open(t.Context(), bytes.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // only its answers count
	return d
}

// all lists a track.
func all(t *testing.T, d *Demuxer, track int) []container.PacketInfo {
	t.Helper()
	var out []container.PacketInfo
	for p, err := range d.List(t.Context(), track, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// content reads a packet.
func content(t *testing.T, d *Demuxer, p container.PacketInfo) []byte {
	t.Helper()
	var pk container.Packet
	if err := d.Read(t.Context(), p.Track, p, &pk); err != nil {
		t.Fatal(err)
	}
	return pk.Data
}

// same compares the packets of a track with the units it was made of.
func same(t *testing.T, d *Demuxer, track int, want []clipUnit) {
	t.Helper()
	got := all(t, d, track)
	if len(got) != len(want) {
		t.Fatalf("track %d has %d packets, want %d", track, len(got), len(want))
	}
	for i, p := range got {
		w := want[i]
		if int64(p.PTS) != w.pts || int64(p.DTS) != w.dts || p.Key != w.key || p.Corrupt {
			t.Errorf("packet %d: pts %d, dts %d, key %t, corrupt %t, want %d, %d, %t, false", i, p.PTS, p.DTS, p.Key, p.Corrupt, w.pts, w.dts, w.key)
		}
		if b := content(t, d, p); !bytes.Equal(b, w.data) {
			t.Errorf("packet %d has %d bytes, not the %d that were put in", i, len(b), len(w.data))
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// frames are units of sound, from first on.
func frames(f [][]byte, first int64) []clipUnit {
	var out []clipUnit
	for i, b := range f {
		out = append(out, clipUnit{pts: first + int64(i)*1920, dts: first + int64(i)*1920, data: b, key: true})
	}
	return out
}

func TestPacketsOfEveryStride(t *testing.T) {
	for _, stride := range []int{188, 192, 204} {
		t.Run(fmt.Sprint(stride), func(t *testing.T) {
			ts := &tm.TS{Stride: stride}
			tables(ts)
			units, aac := gop(300, 30, 900_000), sound(300)
			clip(ts, units, aac)
			d := open(t, ts.Bytes(), nil)
			same(t, d, 0, units)
			same(t, d, 1, frames(aac, 900_000))
			tr := d.Tracks()
			if tr[0].ID != videoPID || tr[0].Codec != "h264" || tr[0].Video.Width != 64 || tr[0].Video.Height != 64 || !tr[0].Default {
				t.Errorf("track 0 is %d %s %+v", tr[0].ID, tr[0].Codec, tr[0].Video)
			}
			if tr[1].Language != "deu" || tr[1].Audio.SampleRate != 48000 || tr[1].Audio.Channels != 2 {
				t.Errorf("track 1 is %q %+v", tr[1].Language, tr[1].Audio)
			}
			if tr[0].Start != 903_600 || tr[0].Duration != 300*3600 || tr[0].Packets != 300 {
				t.Errorf("track 0 starts at %d, lasts %d, has %d packets", tr[0].Start, tr[0].Duration, tr[0].Packets)
			}
		})
	}
}

func TestTimesGoOnOverTheWrap(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	units, aac := gop(100, 25, wrap-180_000), sound(100)
	clip(ts, units, aac)
	d := open(t, ts.Bytes(), nil)
	same(t, d, 0, units)
	same(t, d, 1, frames(aac, wrap-180_000))
}

func TestTimeBaseThatJumpsGoesOn(t *testing.T) {
	for _, jump := range []int64{-8_000_000, 90_000 * 3600} {
		ts := &tm.TS{}
		tables(ts)
		units, aac := gop(50, 25, 10_000_000), sound(50)
		clip(ts, units, aac)
		more, moreAAC := gop(50, 25, 10_000_000+jump), sound(50)
		clip(ts, more, moreAAC)
		for _, u := range more { // the step goes on
			units = append(units, clipUnit{u.pts - jump + 50*3600, u.dts - jump + 50*3600, u.data, u.key})
		}
		d := open(t, ts.Bytes(), nil)
		same(t, d, 0, units)
		// The sound is moved as far as the pictures, so that they stay together.
		same(t, d, 1, append(frames(aac, 10_000_000), frames(moreAAC, 10_000_000+50*3600)...))
	}
}

func TestDuplicatesAreNotRead(t *testing.T) {
	for _, discontinuity := range []bool{false, true} {
		ts := &tm.TS{}
		tables(ts)
		units := gop(20, 10, 0)
		for _, u := range units {
			for i, p := range ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data, Random: true}) {
				if i == 0 && discontinuity {
					p[5] |= 0x80
				}
				ts.Packets(p, p) // 2.4.3.3 allows one
			}
		}
		same(t, open(t, ts.Bytes(), nil), 0, units)
	}
}

// TestDamagedPacketMarksItsUnit: whichever transport packet of a unit is lost or has an error, the unit is marked, and all others are as they were.
func TestDamagedPacketMarksItsUnit(t *testing.T) {
	for _, long := range []bool{false, true} {
		units := gop(220, 20, 0)
		for i := range units {
			if u := &units[i]; long { // what comes before the first slice takes more than a transport packet
				at := bytes.LastIndex(u.data, startCode)
				u.data = slices.Concat(u.data[:at], []byte{0, 0, 1, 6}, bytes.Repeat([]byte{0x55}, 350), u.data[at:])
			}
		}
		for _, hit := range []int{7, 40, 167, 180} { // looked at whole and, behind the first 128, in parts
			for n, packets := 0, 1; n < packets; n++ {
				for _, lost := range []bool{false, true} {
					ts := &tm.TS{}
					tables(ts)
					for i, u := range units {
						p := ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data})
						if i == hit {
							if packets = len(p); lost {
								p = slices.Delete(p, n, n+1)
							} else {
								p[n][1] |= 0x80 // transport_error_indicator
							}
						}
						ts.Packets(p...)
					}
					t.Run(fmt.Sprintf("long %t, unit %d, packet %d, lost %t", long, hit, n, lost), func(t *testing.T) {
						want, marked, cut := units, []int{hit}, lost
						if lost && n == 0 { // what is left of the unit goes with the one before, up to the next slice
							marked = []int{hit - 1, hit}
							if !long {
								want, marked = slices.Delete(slices.Clone(units), hit, hit+1), marked[:1]
							}
						}
						d := open(t, ts.Bytes(), nil)
						damagedAs(t, d, want, marked, cut)
						if n := len(d.Warnings()); lost && n != 1 || !lost && n != 0 {
							t.Errorf("warnings %v", d.Warnings())
						}
					})
				}
			}
		}
	}
}

// TestDamagedMPEG2MarksItsUnit: there each row of a picture is a slice that does not tell its picture.
func TestDamagedMPEG2MarksItsUnit(t *testing.T) {
	for _, long := range []int{0, 350} { // bytes of user data before the picture header
		var units []clipUnit
		for i := range 200 {
			u := clipUnit{pts: int64(i) * 3600, dts: int64(i) * 3600, key: i%10 == 0}
			kind := byte(2)
			if u.key {
				kind = 1
				u.data = []byte{0, 0, 1, 0xb3, 4, 0, 0x40, 0x13, 0xff, 0xff, 0xe0, 0x18, 0, 0, 1, 0xb5, 0x14, 0x8a, 0, 1, 0, 0}
			}
			if u.data = append(u.data, 0, 0, 1, 0xb8, 0, 8, 0, 0x40); long > 0 {
				u.data = append(u.data, 0, 0, 1, 0xb2)
				u.data = append(u.data, bytes.Repeat([]byte{0x55}, long)...)
			}
			u.data = append(u.data, 0, 0, 1, 0, byte(i%10>>2), byte(i%10<<6)|kind<<3, 0xff, 0xf8, 0, 0, 1, 0xb5, 0x8f, 0xff, 0xf3, 0x41, 0x80)
			for row := range byte(4) {
				u.data = append(append(u.data, 0, 0, 1, row+1), bytes.Repeat([]byte{0x33}, 120+i%7)...)
			}
			units = append(units, u)
		}
		for _, hit := range []int{5, 10, 165, 170} {
			for n, packets := 0, 1; n < packets; n++ {
				ts := &tm.TS{}
				ts.Packets(ts.PAT(0, mapPID)...)
				ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: 0x02})...)
				for i, u := range units {
					p := ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data})
					if i == hit {
						packets = len(p)
						p = slices.Delete(p, n, n+1)
					}
					ts.Packets(p...)
				}
				t.Run(fmt.Sprintf("user data %d, unit %d, packet %d", long, hit, n), func(t *testing.T) {
					want, marked := units, []int{hit}
					if n == 0 && long == 0 { // the picture header was in it
						want, marked = slices.Delete(slices.Clone(units), hit, hit+1), []int{hit - 1}
					} else if n == 0 {
						marked = []int{hit - 1, hit}
					}
					damagedAs(t, open(t, ts.Bytes(), nil), want, marked, true)
				})
			}
		}
	}
}

// damagedAs compares the packets of track 0 with units, of which some are to be marked, and those may be cut.
func damagedAs(t *testing.T, d *Demuxer, want []clipUnit, marked []int, cut bool) {
	t.Helper()
	got := all(t, d, 0)
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i, p := range got {
		mark := slices.Contains(marked, i)
		if p.Corrupt != mark || int64(p.PTS) != want[i].pts || int64(p.DTS) != want[i].dts {
			t.Errorf("packet %d: corrupt %t, want %t, pts %d, want %d, dts %d, want %d", i, p.Corrupt, mark, p.PTS, want[i].pts, p.DTS, want[i].dts)
		}
		if b := content(t, d, p); !(cut && mark) && (!bytes.Equal(b, want[i].data) || p.Key != want[i].key) {
			t.Errorf("packet %d, key %t, has other bytes", i, p.Key)
		}
	}
}

func TestSyncIsFoundAgain(t *testing.T) {
	ts := &tm.TS{}
	ts.Raw([]byte("junk, with a G in it"))
	tables(ts)
	units := gop(40, 10, 0)
	for i, u := range units {
		p := ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data})
		if i == 10 || i == 11 {
			ts.Packets(p[0])
			ts.Raw(bytes.Repeat([]byte("Gurke"), 77)) // in the middle of a unit
			p = p[1:]
		}
		ts.Packets(p...)
	}
	d := open(t, ts.Bytes(), nil)
	same(t, d, 0, units)
	if len(d.Warnings()) != 2 || len(d.Tracks()[0].Transport.Grid) < 2 {
		t.Errorf("%d warnings, grid %v", len(d.Warnings()), d.Tracks()[0].Transport.Grid)
	}
}

func TestPacketsBeforeTheTablesAreKept(t *testing.T) {
	ts := &tm.TS{}
	units := gop(30, 10, 0)
	clip(ts, units[:10], nil)
	tables(ts)
	clip(ts, units[10:], nil)
	same(t, open(t, ts.Bytes(), nil), 0, units)
}

func TestStreamWithoutTables(t *testing.T) {
	ts := &tm.TS{}
	units, aac := gop(30, 10, 0), sound(30)
	clip(ts, units, aac)
	d := open(t, ts.Bytes(), nil)
	same(t, d, 0, units)
	same(t, d, 1, frames(aac, 0))
	if len(d.Warnings()) == 0 {
		t.Error("no warning")
	}
}

func TestTrackOfALaterTable(t *testing.T) {
	ts := &tm.TS{}
	ts.Packets(ts.PAT(0, mapPID)...)
	ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: 0x1b})...)
	units, aac := gop(60, 10, 0), sound(30)
	clip(ts, units[:30], nil)
	tables(ts)
	for i := 0; i < 30; i += 2 {
		ts.Packets(ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: int64(i) * 1920, DTS: -1, Data: slices.Concat(aac[i], aac[i+1])})...)
	}
	clip(ts, units[30:], nil)
	d := open(t, ts.Bytes(), nil)
	if n := len(d.Tracks()); n != 2 { // the head has both tables; beyond it the listing finds them
		t.Fatalf("%d tracks", n)
	}
	same(t, d, 0, units)
	same(t, d, 1, frames(aac, 0))
}

// TestCodecThatChanges: what a PID carries while a program map has another codec for it is no part of its track.
func TestCodecThatChanges(t *testing.T) {
	ts := &tm.TS{}
	var now func()
	table := func(version byte, video, sound byte) {
		now = func() {
			ts.Packets(ts.PMT(mapPID, version, videoPID, tm.TSStream{PID: videoPID, Type: video}, tm.TSStream{PID: soundPID, Type: sound})...)
		}
		now()
	}
	ts.Packets(ts.PAT(0, mapPID)...)
	units, aac := gop(480, 20, 0), sound(480)
	part := func(from, to int) {
		for i := from; i < to; i++ {
			u := units[i]
			if i%10 == 5 { // tables come again and again
				ts.Packets(ts.PAT(0, mapPID)...)
				now()
			}
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data})...)
			ts.Packets(ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: int64(i) * 1920, DTS: -1, Data: aac[i]})...)
		}
	}
	table(0, 0x1b, 0x0f)
	part(0, 160)
	table(1, 0x02, 0x06) // MPEG-2 video; the descriptors do not tell what the sound is
	part(160, 320)
	table(2, 0x1b, 0x0f)
	part(320, 480)
	d := open(t, ts.Bytes(), nil)
	same(t, d, 0, slices.Concat(units[:160], units[320:]))
	same(t, d, 1, frames(aac, 0))
	if n := len(d.Warnings()); n != 1 {
		t.Errorf("warnings %v, want one", d.Warnings())
	}
	for off := int64(0); off < d.size; off += 5000 { // nor is it found by a look, once it has come upon a table
		x := open(t, ts.Bytes(), nil).excerptOf(0, off)
		if err := x.read(t.Context(), 50_000); err != nil {
			t.Fatal(err)
		}
		for _, u := range x.units {
			listed := slices.ContainsFunc(all(t, d, 0), func(p container.PacketInfo) bool { return p.Pos == u.pos && int64(p.Size) == u.size })
			if !listed && u.pos > off+20_000 {
				t.Fatalf("from %d: a packet at %d", off, u.pos)
			}
		}
	}
}

func TestTwoPrograms(t *testing.T) {
	ts := &tm.TS{}
	ts.Packets(ts.PAT(0, 0x20, 0x30)...)
	ts.Packets(ts.PMT(0x20, 0, 0x21, tm.TSStream{PID: 0x21, Type: 0x1b})...)
	ts.Packets(ts.PMT(0x30, 0, 0x31, tm.TSStream{PID: 0x31, Type: 0x1b})...)
	a, b := gop(20, 10, 0), gop(20, 10, 5_000_000_000)
	for i := range a {
		ts.Mux(ts.PES(0x21, tm.PES{PTS: a[i].pts, DTS: a[i].dts, Data: a[i].data}), ts.PES(0x31, tm.PES{PTS: b[i].pts, DTS: b[i].dts, Data: b[i].data}))
	}
	d := open(t, ts.Bytes(), nil)
	same(t, d, 0, a)
	same(t, d, 1, b) // the clock of each is its own
}

func readerOf(b []byte) *bytes.Reader { return bytes.NewReader(b) }
