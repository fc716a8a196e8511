package seek

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// versioned is a source in memory that has a version and counts.
type versioned struct {
	*bytes.Reader
	version string
	reads   int
}

func (v *versioned) Version() string { return v.version }
func (v *versioned) ReadAt(p []byte, off int64) (int, error) {
	v.reads++
	return v.Reader.ReadAt(p, off)
}

// lay gives the packets of a fake bytes in a source, one behind the other.
func lay(f *fake) *versioned {
	var data []byte
	for i := range f.infos {
		b, ok := f.data[int64(i)]
		if !ok {
			b = idr
		}
		f.infos[i].Pos, f.infos[i].Size = int64(len(data)), len(b)
		data = append(data, b...)
	}
	return &versioned{Reader: bytes.NewReader(data), version: "1"}
}

func store(t *testing.T, f *fake, src source.Source) []byte {
	t.Helper()
	id, err := Identify(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	data, err := build(t, f).AppendIndex(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestStoredIndexAnswersAsTheOneThatWasStored(t *testing.T) {
	for seed := range uint64(200) {
		f := randomStream(rand.New(rand.NewPCG(seed, 5)))
		if seed%3 == 0 { // begin with an open key packet: there are leading pictures that cannot be decoded
			f = openGOP()
			f.infos = f.infos[4:]
			for i := range f.infos {
				f.infos[i].N = int64(i)
				f.data[int64(i)] = f.data[int64(i+4)]
			}
		}
		for i := range f.infos {
			if seed%4 == 1 && f.infos[i].Key {
				f.infos[i].Roll = int(seed)%5 - 2
			}
		}
		src := lay(f)
		data := store(t, f, src)
		want := build(t, f)
		src.reads = 0
		s, err := LoadIndex(data, container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, d, err := s.Table(t.Context(), src, container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Len() != want.Len() || got.Packets() != want.Packets() || got.KeyPackets() != want.KeyPackets() || got.ReorderDepth() != want.ReorderDepth() {
			t.Fatalf("seed %d: %d frames, %d packets, %d keys, want %d, %d, %d", seed, got.Len(), got.Packets(), got.KeyPackets(), want.Len(), want.Packets(), want.KeyPackets())
		}
		for n := range want.Len() {
			a, _ := got.Frame(n)
			b, _ := want.Frame(n)
			x, err1 := got.Start(t.Context(), n)
			y, err2 := want.Start(t.Context(), n)
			if a != b || x != y || err1 != nil || err2 != nil {
				t.Fatalf("seed %d: frame %d is %+v from %+v (%v), want %+v from %+v (%v)", seed, n, a, x, err1, b, y, err2)
			}
		}
		if src.reads != 0 {
			t.Fatalf("seed %d: planning from a stored index read %d times, want 0", seed, src.reads)
		}
		all := slices.Collect(func(yield func(container.PacketInfo) bool) {
			for p := range d.List(t.Context(), 0, container.PacketInfo{}) {
				if !yield(p) {
					return
				}
			}
		})
		if !slices.Equal(all, f.infos) {
			t.Fatalf("seed %d: packets differ", seed)
		}
		var p container.Packet
		if err := d.Read(t.Context(), 0, all[0], &p); err != nil || !bytes.Equal(p.Data, f.data[0]) && !bytes.Equal(p.Data, idr) {
			t.Fatalf("seed %d: packet 0 is %x, %v", seed, p.Data, err)
		}
	}
}

// Times that lie far apart are stored as they are.
func TestStoredIndexHoldsFarTimes(t *testing.T) {
	const far = 1 << 33
	for name, infos := range map[string][]container.PacketInfo{
		"a jump":            {{PTS: 0, DTS: 0, Duration: 10}, {PTS: far, DTS: far, Duration: 10}, {PTS: far + 10, DTS: far + 10, Duration: 10}},
		"a jump back":       {{PTS: far, DTS: far, Duration: 10}, {PTS: 0, DTS: 0, Duration: 10}},
		"a long packet":     {{PTS: 0, DTS: 0, Duration: 10}, {PTS: 10, DTS: 10, Duration: far}},
		"a long first":      {{PTS: 0, DTS: 0, Duration: far}, {PTS: far, DTS: far, Duration: 10}},
		"shown much later":  {{PTS: 0, DTS: 0, Duration: 10}, {PTS: far, DTS: 10, Duration: 10}},
		"no times but one":  {{PTS: container.NoTicks, DTS: container.NoTicks}, {PTS: 5, DTS: container.NoTicks}, {PTS: 7, DTS: 7}},
		"exactly 2^31 more": {{PTS: 0, DTS: 0, Duration: 1 << 31}, {PTS: 1 << 31, DTS: 1 << 31, Duration: 10}},
	} {
		f := newFake("h264", infos...)
		f.infos[0].Key = true
		src := lay(f)
		s, err := LoadIndex(store(t, f, src), container.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, d, err := s.Table(t.Context(), src, container.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := 0
		for p, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
			if err != nil || p != f.infos[n] {
				t.Errorf("%s: packet %d is %+v, %v, want %+v", name, n, p, err, f.infos[n])
			}
			n++
		}
	}
}

// What the columns cannot hold is told when it is stored, not when it is loaded.
func TestWhatCannotBeLoadedIsNotStored(t *testing.T) {
	for name, p := range map[string]container.PacketInfo{
		"too large":      {Size: 1 << 32},
		"too far":        {Pos: 1 << 62},
		"spread too far": {Size: 6, Span: 1 << 32},
		"no description": {Size: 6, Description: 1},
		"a long way":     {Size: 6, Roll: 1 << 15},
	} {
		p.Key = true
		data, err := build(t, newFake("h264", p)).AppendIndex(t.Context(), nil, Identity{Size: 1 << 20})
		var e *container.Error
		if !errors.Is(err, container.ErrLimit) || !errors.As(err, &e) || e.Op != "store" || len(data) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

func TestStoredIndexRefusesAnotherSource(t *testing.T) {
	f := newFake("h264", gop(nil, 0, 10, 20)...)
	src := lay(f)
	s, err := LoadIndex(store(t, f, src), container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, src.Size())
	if _, err := src.Reader.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(data)
	changed[3] ^= 1
	for _, c := range []struct {
		name  string
		src   source.Source
		match bool
	}{
		{"itself", src, true},
		{"a copy with another time", &versioned{Reader: bytes.NewReader(data), version: "2"}, true},
		{"a copy without a version", bytes.NewReader(data), true},
		{"other bytes", &versioned{Reader: bytes.NewReader(changed), version: "2"}, false},
		{"longer", bytes.NewReader(append(bytes.Clone(data), 0)), false},
	} {
		_, _, err := s.Table(t.Context(), c.src, container.Limits{})
		if (err == nil) != c.match || !c.match && !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v, want a match %v", c.name, err, c.match)
		}
	}
}

// A source with another version is read at both ends: it may be a copy, or have been changed in place.
func TestIdentityKnowsBothEnds(t *testing.T) {
	for _, size := range []int{100, headLen, headLen + 1, 2*headLen - 1, 2 * headLen, 5 * headLen} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * i >> 8)
		}
		id, err := Identify(t.Context(), &versioned{Reader: bytes.NewReader(data), version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name    string
			change  int // the byte that changes, from the end if negative; size: none
			version string
			match   bool
			reads   int
		}{
			{"the same version", -1, "1", true, 0},
			{"a copy", size, "2", true, 2},
			{"a copy without a version", size, "", true, 1},
			{"the first byte", 0, "2", false, 1},
			{"the last byte", -1, "2", false, 2},
		} {
			now := bytes.Clone(data)
			at := tt.change
			if at < 0 {
				at += size
			}
			if at < 0 || at >= size && tt.change != size {
				continue
			}
			if at < size {
				now[at] ^= 1
			}
			src := &versioned{Reader: bytes.NewReader(now), version: tt.version}
			if err := id.Check(t.Context(), src); (err == nil) != tt.match || !tt.match && !errors.Is(err, ErrMismatch) {
				t.Errorf("%d bytes, %s: %v, want a match %v", size, tt.name, err, tt.match)
			}
			if src.reads > tt.reads {
				t.Errorf("%d bytes, %s: %d reads, want at most %d", size, tt.name, src.reads, tt.reads)
			}
		}
		older := id
		older.Tail = "" // as it was stored before there was one
		if err := older.Check(t.Context(), &versioned{Reader: bytes.NewReader(data), version: "2"}); err != nil {
			t.Errorf("%d bytes, without a tail: %v", size, err)
		}
	}
}

// scattered has its packets in other sources.
type scattered struct{ *fake }

func (scattered) Prefetcher(int) source.Prefetcher { return nil }

func TestIndexOfAPlaylistIsNotStored(t *testing.T) {
	f := newFake("h264", gop(nil, 0, 10, 20)...)
	x, err := Build(t.Context(), scattered{f}, 0)
	if err != nil {
		t.Fatal(err)
	}
	before := f.reads
	data, err := x.AppendIndex(t.Context(), []byte("before"), Identity{})
	var e *container.Error
	if !errors.Is(err, container.ErrUnsupported) || !errors.As(err, &e) || e.Op != "store" || !strings.Contains(err.Error(), "list of segments is its index") {
		t.Errorf("error = %v", err)
	}
	if string(data) != "before" || f.reads != before {
		t.Errorf("%q was appended, with %d reads", data, f.reads-before)
	}
}

func TestStoredIndexIsSmall(t *testing.T) {
	var infos []container.PacketInfo
	r := rand.New(rand.NewPCG(1, 1))
	pos := int64(48)
	for i := range 50_000 {
		k := container.Ticks(i / 4 * 2048)
		size := 200 + r.IntN(1<<r.IntN(16))
		infos = append(infos, container.PacketInfo{PTS: k + []container.Ticks{1024, 2560, 1536, 2048}[i%4], DTS: container.Ticks(512 * i),
			Duration: 512, Pos: pos, Size: size, Key: i%250 == 0})
		pos += int64(size + r.IntN(1000)) // sound lies between
	}
	f := newFake("h264", infos...)
	data, err := build(t, f).AppendIndex(t.Context(), nil, Identity{Size: pos})
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(len(data)) / float64(len(infos)); got > 8 {
		t.Errorf("%.1f bytes a packet, want at most 8", got)
	}
}

// What a stored index says of a transport stream is checked before it is used to find the way in one.
func TestStoredTransportIsChecked(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    container.Transport
		ok   bool
	}{
		{"by themselves", container.Transport{PacketSize: 188, Grid: []int64{0}}, true},
		{"with time stamps", container.Transport{PacketSize: 192, PID: 0x1fff, Grid: []int64{4, 400}}, true},
		{"with error correction", container.Transport{PacketSize: 204, PID: 17, Grid: []int64{0}}, true},
		{"the largest distance", container.Transport{PacketSize: math.MaxInt64 - 1000, Grid: []int64{0}}, false},
		{"no distance", container.Transport{Grid: []int64{0}}, false},
		{"another distance", container.Transport{PacketSize: 189, Grid: []int64{0}}, false},
		{"a PID below zero", container.Transport{PacketSize: 188, PID: -1, Grid: []int64{0}}, false},
		{"a PID of 14 bits", container.Transport{PacketSize: 188, PID: 0x2000, Grid: []int64{0}}, false},
		{"nowhere", container.Transport{PacketSize: 188}, false},
		{"before the beginning", container.Transport{PacketSize: 188, Grid: []int64{-188}}, false},
		{"out of order", container.Transport{PacketSize: 188, Grid: []int64{400, 0}}, false},
	} {
		f := newFake("h264", gop(nil, 0, 10)...)
		src := lay(f)
		f.infos[1].Span = 4096 // the bytes at Pos are no sync bytes
		f.track.Transport = &tt.t
		s, err := LoadIndex(store(t, f, src), container.Limits{})
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, container.ErrCorrupt) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil {
			continue
		}
		_, d, err := s.Table(t.Context(), src, container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var p container.Packet
		for info := range d.List(t.Context(), 0, container.PacketInfo{}) {
			if err := d.Read(t.Context(), 0, info, &p); info.Span > 0 && err == nil {
				t.Errorf("%s: packet %d is %x", tt.name, info.N, p.Data)
			}
		}
	}
}

// repeated is an index, in its stored form, of so many packets that are all alike.
func repeated(t *testing.T, packets int64, id Identity, size int64) []byte {
	t.Helper()
	h, err := json.Marshal(header{Identity: id, Track: newFake("h264").track, Packets: packets})
	if err != nil {
		t.Fatal(err)
	}
	b := binary.AppendUvarint([]byte(magic), uint64(len(h)))
	b = append(b, h...)
	for i := range numFields {
		v := int64(0)
		if i == fieldSize {
			v = size
		}
		c := binary.AppendUvarint(binary.AppendVarint([]byte{packedValues}, v), uint64(packets))
		b = append(binary.AppendUvarint(b, uint64(len(c))), c...)
	}
	return sealed(b)
}

// A few bytes tell of any number of packets. Memory is taken for them only when a source can have them.
func TestStoredIndexTellsOfNoMorePacketsThanCanBe(t *testing.T) {
	for _, tt := range []struct {
		packets, size int64
		ok            bool
	}{
		{1 << 28, 1 << 20, false},
		{1<<20 + 200_000, 1 << 20, false},
		{1 << 20, 6, true},
		{1<<20 + 100_000, 1 << 20, true},
	} {
		id := Identity{Size: tt.size, Version: "1"}
		data := repeated(t, tt.packets, id, 0)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := LoadIndex(data, container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x, _, err := s.Table(t.Context(), &versioned{Reader: bytes.NewReader(make([]byte, tt.size)), version: "1"}, container.Limits{})
		runtime.ReadMemStats(&after)
		if tt.ok && (err != nil || x.Packets() != tt.packets) || !tt.ok && !errors.Is(err, container.ErrLimit) {
			t.Errorf("%d packets in %d bytes: %v", tt.packets, tt.size, err)
		}
		if took := int64(after.TotalAlloc - before.TotalAlloc); !tt.ok && took > tt.size+1<<20 {
			t.Errorf("%d packets in %d bytes: %d bytes of memory for an index of %d", tt.packets, tt.size, took, len(data))
		}
	}
}

// Columns of different lengths are found out without decoding them.
func TestStoredColumnsAreOfOneLength(t *testing.T) {
	data := repeated(t, 1000, Identity{Size: 6}, 6)
	body := bytes.Replace(data[:len(data)-4], []byte(`"packets":1000`), []byte(`"packets":1001`), 1)
	if _, err := LoadIndex(sealed(body), container.Limits{}); !errors.Is(err, container.ErrCorrupt) {
		t.Errorf("1001 packets in columns of 1000: %v", err)
	}
}

// A packet that cannot be there costs nothing.
func TestStoredIndexReadsNoMoreThanThereIs(t *testing.T) {
	for _, p := range []container.PacketInfo{{Pos: 1, Size: 200 << 20}, {Pos: 1 << 61, Size: 200 << 20}, {Pos: 7, Size: 1}} {
		p.Key = true
		f := newFake("h264", p)
		data, err := build(t, f).AppendIndex(t.Context(), nil, Identity{Size: 6, Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := LoadIndex(data, container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, d, err := s.Table(t.Context(), &versioned{Reader: bytes.NewReader(idr), version: "1"}, container.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var q container.Packet
		p.N = 0
		if err := d.Read(t.Context(), 0, p, &q); !errors.Is(err, io.ErrUnexpectedEOF) || cap(q.Data) > 0 {
			t.Errorf("%d bytes at %d: %v, in %d bytes of memory", p.Size, p.Pos, err, cap(q.Data))
		}
	}
}

func FuzzLoadIndex(f *testing.F) {
	plain := newFake("h264", gop(nil, 0, 30, 10, 20)...)
	carried := newFake("h264", gop(nil, 0, 30, 10, 20)...)
	carried.track.Transport = &container.Transport{PID: 0x100, PacketSize: 188, Grid: []int64{0}}
	for _, k := range []*fake{plain, carried} {
		x, err := Build(context.Background(), k, 0)
		if err != nil {
			f.Fatal(err)
		}
		data, err := x.AppendIndex(context.Background(), nil, Identity{Size: 1 << 20})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:len(data)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := LoadIndex(sealed(body), container.Limits{})
		if err != nil {
			return
		}
		src := bytes.NewReader(make([]byte, min(max(s.header.Identity.Size, 0), 1<<20)))
		table, d, err := s.Table(t.Context(), src, container.Limits{})
		if err != nil {
			return
		}
		var p container.Packet
		n := 0
		for info := range d.List(t.Context(), 0, container.PacketInfo{}) {
			if err := d.Read(t.Context(), 0, info, &p); err == nil && len(p.Data) != info.Size {
				t.Fatalf("packet %d: %d bytes of %d", info.N, len(p.Data), info.Size)
			}
			if n++; n == 64 {
				break
			}
		}
		for n := 0; n < table.Len(); n += 1 + table.Len()/256 {
			if _, err := table.Start(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// sealed appends the checksum.
func sealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, castagnoli))
}

func TestDamagedIndexIsRefused(t *testing.T) {
	f := newFake("h264", gop(nil, 0, 30, 10, 20)...)
	data := store(t, f, lay(f))
	for i := range data {
		broken := bytes.Clone(data)
		broken[i] ^= 4
		if _, err := LoadIndex(broken, container.Limits{}); !errors.Is(err, container.ErrCorrupt) && !errors.Is(err, container.ErrFormat) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := LoadIndex(data[:i], container.Limits{}); err == nil {
			t.Fatalf("cut at %d: no error", i)
		}
	}
	// With a right checksum what was cut is still found out.
	for i := range len(data) - 4 {
		if s, err := LoadIndex(sealed(data[:i]), container.Limits{}); err == nil {
			t.Fatalf("sealed at %d: %+v", i, s.header)
		}
	}
}
