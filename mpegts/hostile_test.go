package mpegts

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

var smallLimits = container.Limits{Tracks: 16, Packets: 1 << 16, HeaderBytes: 4 << 20, PacketBytes: 1 << 20}

// exercise opens anything, lists what there is, reads some of it and looks for times; what it gets must make sense.
func exercise(t *testing.T, file []byte) {
	t.Helper()
	src := bytes.NewReader(file)
	d, err := Open(t.Context(), src, &container.Options{Limits: smallLimits})
	if err != nil {
		located(t, err)
		return
	}
	defer func() { _ = d.Close() }() // only its answers count
	for i := range d.Tracks() {
		e, err := d.Estimate(t.Context(), i)
		if err != nil {
			located(t, err)
		}
		p, err := d.Locate(t.Context(), i, e.Start)
		if err != nil {
			located(t, err)
			continue
		}
		n := 0
		for q, err := range d.Follow(t.Context(), i, p) {
			if err != nil {
				located(t, err)
				break
			}
			inside(t, file, q)
			if n++; n == 20 {
				break
			}
		}
	}
	var pk container.Packet
	for i := range d.Tracks() {
		last := container.NoTicks
		n := int64(0)
		for p, err := range d.List(t.Context(), i, container.PacketInfo{}) {
			if err != nil {
				located(t, err)
				break
			}
			inside(t, file, p)
			if p.N != n || p.Track != i || p.DTS > p.PTS || p.DTS < last || p.Duration < 0 || p.Description >= len(d.Tracks()[i].Descriptions) {
				t.Fatalf("track %d packet %d, after DTS %d: %+v", i, n, last, p)
			}
			last = p.DTS
			if n++; n <= 50 {
				if err := d.Read(t.Context(), i, p, &pk); err == nil && len(pk.Data) != p.Size {
					t.Fatalf("packet of %d bytes has %d", p.Size, len(pk.Data))
				} else if err != nil {
					located(t, err)
					if !p.Corrupt && int64(p.Size) <= smallLimits.PacketBytes {
						t.Fatalf("%+v: %v", p, err)
					}
				}
			}
		}
	}
	for range 2000 {
		if err := d.Next(t.Context(), &pk); err == io.EOF {
			break
		}
	}
}

func inside(t *testing.T, file []byte, p container.PacketInfo) {
	t.Helper()
	if p.Pos < 0 || p.Size <= 0 || p.Pos+p.Extent() > int64(len(file)) || p.Span != 0 && p.Span < int64(p.Size) {
		t.Fatalf("%+v is not inside %d bytes", p, len(file))
	}
}

func located(t *testing.T, err error) {
	t.Helper()
	var e *container.Error
	if !errors.As(err, &e) {
		t.Fatalf("error without a place: %v", err)
	}
}

// hostile are streams made to do harm.
func hostile() map[string][]byte {
	out := map[string][]byte{}
	build := func(name string, f func(ts *tm.TS)) {
		ts := &tm.TS{}
		f(ts)
		out[name] = ts.Bytes()
	}
	build("one clip", func(ts *tm.TS) { tables(ts); clip(ts, gop(60, 20, wrap-90_000), sound(60)) })
	build("sync bytes only", func(ts *tm.TS) { ts.Raw(bytes.Repeat([]byte{0x47}, 100_000)) })
	build("a table that lists itself", func(ts *tm.TS) {
		ts.Packets(ts.PAT(0, 0, mapPID, mapPID, 0x1fff)...)
		ts.Packets(ts.PMT(mapPID, 0, mapPID, tm.TSStream{PID: mapPID, Type: 0x1b}, tm.TSStream{PID: 0, Type: 0x0f}, tm.TSStream{PID: 0x1fff, Type: 2})...)
		clip(ts, gop(10, 10, 0), nil)
	})
	build("ten thousand tracks", func(ts *tm.TS) {
		var all []tm.TSStream
		for i := range 180 {
			all = append(all, tm.TSStream{PID: 0x200 + i, Type: 0x1b})
		}
		for v := range byte(30) {
			ts.Packets(ts.PAT(v, mapPID+int(v))...)
			ts.Packets(ts.PMT(mapPID+int(v), v, 0, all...)...)
		}
		clip(ts, gop(10, 10, 0), nil)
	})
	build("descriptors that end elsewhere", func(ts *tm.TS) {
		ts.Packets(ts.PAT(0, mapPID)...)
		ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: 6, Descriptors: []byte{5, 200, 'H', 'E'}})...)
		clip(ts, gop(10, 10, 0), nil)
	})
	build("PES packet without end", func(ts *tm.TS) {
		tables(ts)
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: 0, DTS: -1, Data: append(gop(1, 1, 0)[0].data, bytes.Repeat([]byte{1}, 2<<20)...)})...)
	})
	build("PES packets of nothing", func(ts *tm.TS) {
		tables(ts)
		for range 500 {
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: 0, DTS: -1})...)
			ts.Packets(ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: 0, DTS: -1})...)
		}
	})
	build("start codes only", func(ts *tm.TS) {
		tables(ts)
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: 0, DTS: -1, Data: bytes.Repeat([]byte{0, 0, 1}, 100_000)})...)
	})
	build("slices only", func(ts *tm.TS) {
		tables(ts)
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: 0, DTS: -1, Data: bytes.Repeat([]byte{0, 0, 1, 0x65, 0x88, 0x84}, 100_000)})...)
	})
	build("headers of sound only", func(ts *tm.TS) {
		tables(ts)
		ts.Packets(ts.PES(soundPID, tm.PES{PTS: 0, DTS: -1, Data: bytes.Repeat([]byte{0xff, 0xf1, 0x4c, 0x80, 0, 0xff, 0xfc}, 100_000)})...)
	})
	build("times at random", func(ts *tm.TS) {
		tables(ts)
		rng := rand.New(rand.NewPCG(3, 4))
		for _, u := range gop(400, 20, 0) {
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: rng.Int64N(wrap), DTS: rng.Int64N(wrap), Data: u.data})...)
		}
	})
	build("out of step at every packet", func(ts *tm.TS) {
		tables(ts)
		for _, u := range gop(100, 20, 0) {
			for _, p := range ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data}) {
				ts.Packets(p)
				ts.Raw([]byte{0x47, 0x47, 0x47})
			}
		}
	})
	build("a track that the last packet tells of", func(ts *tm.TS) {
		tables(ts)
		clip(ts, gop(150, 20, 0), sound(150))
		ts.Packets(append([]byte{0x48}, ts.Split(videoPID, []byte{0}, false)[0][1:]...)) // so that the end decides whether packets go on
		ts.Packets(ts.PMT(mapPID, 1, videoPID, tm.TSStream{PID: videoPID, Type: 0x1b}, tm.TSStream{PID: 0x1f0, Type: 0x0f})...)
	})
	return out
}

func TestHostileStreams(t *testing.T) {
	for name, file := range hostile() {
		t.Run(name, func(t *testing.T) { exercise(t, file) })
	}
}

func TestBrokenStreams(t *testing.T) {
	all := hostile()
	whole := [][]byte{all["one clip"], all["a track that the last packet tells of"]} // one that fits into the head, and one that does not
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	for seed := range uint64(rounds) {
		rng := rand.New(rand.NewPCG(seed, 7))
		file := bytes.Clone(whole[seed%2])
		for range 1 + rng.IntN(60) {
			switch i := rng.IntN(len(file)); rng.IntN(4) {
			case 0:
				file = append(file[:i], file[min(i+rng.IntN(400), len(file)):]...)
			case 1:
				file[i] = byte(rng.Uint32())
			case 2: // headers
				file[i/188*188+rng.IntN(min(20, len(file)-i/188*188))] = byte(rng.Uint32())
			case 3:
				file = file[:len(file)-rng.IntN(100)]
			}
			if len(file) < 1000 {
				break
			}
		}
		exercise(t, file)
	}
}

// TestMemoryIsBounded: streams of nothing but the smallest packets, or of headers alone, take no more memory than the limits say.
func TestMemoryIsBounded(t *testing.T) {
	repeated := func(streamType byte, first, unit []byte) []byte {
		ts := &tm.TS{}
		ts.Packets(ts.PAT(0, mapPID)...)
		ts.Packets(ts.PMT(mapPID, 0, videoPID, tm.TSStream{PID: videoPID, Type: streamType})...)
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: 0, DTS: -1, Data: append(first, bytes.Repeat(unit, (7<<20)/len(unit))...)})...)
		return ts.Bytes()
	}
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"frames of sound", repeated(0x0f, nil, []byte{0xff, 0xf1, 0x4c, 0x80, 0, 0xff, 0xfc}), container.ErrLimit},
		{"sequence extensions", repeated(0x02, nil, []byte{0, 0, 1, 0xb5, 0x10}), nil},
		{"sequence extensions behind a header", repeated(0x02, []byte{0, 0, 1, 0xb3, 4, 0, 0x40, 0x13, 0xff, 0xff, 0xe0, 0}, []byte{0, 0, 1, 0xb5, 0x10}), nil},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		d, err := Open(t.Context(), bytes.NewReader(c.file), &container.Options{Limits: container.Limits{HeaderBytes: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		err = nil
		for _, e := range d.List(t.Context(), 0, container.PacketInfo{}) {
			err = e
		}
		runtime.ReadMemStats(&after)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: listing gave %v, want %v", c.name, err, c.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes were allocated", c.name, n)
		}
	}
}

// TestDescriptionsAreBounded: of a stream that refers to all the parameter sets there can be, each time with another sequence, the first ones are kept.
func TestDescriptionsAreBounded(t *testing.T) {
	st := newStream(videoPID, 0, byType[0x1b], &timeline{})
	for i := range maxDescs {
		st.describe(container.Description{Codec: "h264", Config: append(bytes.Repeat([]byte{1}, 200<<10), byte(i))})
	}
	n := 0
	for _, d := range st.descs {
		n += len(d.Config)
	}
	if n > maxConfigs || len(st.descs) < 2 {
		t.Errorf("%d descriptions of %d bytes", len(st.descs), n)
	}
}

// TestScanDoesNotAllocate: going through packets takes no memory but the list's.
func TestScanDoesNotAllocate(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	clip(ts, gop(4000, 40, 0), sound(4000))
	file := ts.Bytes()
	d := open(t, file, nil)
	w := d.newWalk(map[int]bool{})
	for _, b := range w.builders { // room for all
		b.pos.Grow(8000)
		b.dts.Grow(8000)
		b.l.sizes, b.l.spans, b.l.offsets = make([]uint32, 0, 8000), make([]uint32, 0, 8000), make([]int32, 0, 8000)
		b.l.flags = make([]uint8, 0, 8000)
	}
	half := len(file) / 2 / 188 * 188
	w.s.feed(file[:half], 0, false)
	before := w.builders[0].l.n
	off := int64(half)
	allocs := testing.AllocsPerRun(1, func() { // it runs twice
		n := int64((len(file) - half) / 2 / 188 * 188)
		w.s.feed(file[off:off+n], off, false)
		off += n
	})
	if n := w.builders[0].l.n - before; n < 1900 || allocs > 2 {
		t.Errorf("%d packets, %v allocations", n, allocs)
	}
}
