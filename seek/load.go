package seek

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/column"
	"github.com/sprocket-video/sprocket/internal/transport"
	"github.com/sprocket-video/sprocket/source"
)

// StoredIndex is an index that was read back: everything about one track but its packets' bytes. It is safe for concurrent use, and one
// may serve any number of sources that are copies of each other.
type StoredIndex struct {
	header header
	bytes  int64 // of its stored form

	mu      sync.Mutex
	columns [numFields]values // until packets is there
	packets *storedPackets    // nil until a source vouched for them
}

// storedPackets are the packets of a stored index, as columns.
type storedPackets struct {
	pos, dts column.Column
	offsets  mostly // PTS less DTS
	sizes    []uint32
	spans    []uint32 // nil when all are 0
	flags    []uint16
	extra    mostly   // duration less the step of DTS to the packet
	descs    []uint16 // nil when all are 0
	rolls    mostly
}

// LoadIndex reads a stored index: see [Table.AppendIndex]. What is damaged gives an error that wraps container.ErrCorrupt.
func LoadIndex(data []byte, limits container.Limits) (*StoredIndex, error) {
	fail := func(off int, err error) error {
		return &container.Error{Format: "index", Op: "load", Offset: int64(off), Err: err}
	}
	if len(data) < len(magic)+4 || string(data[:len(magic)]) != magic {
		return nil, fail(0, container.ErrFormat)
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fail(len(body), fmt.Errorf("checksum does not match: %w", container.ErrCorrupt))
	}
	rest := body[len(magic):]
	chunk := func() ([]byte, bool) {
		n, k := binary.Uvarint(rest)
		if k <= 0 || n > uint64(len(rest)-k) {
			return nil, false
		}
		c := rest[k : k+int(n)]
		rest = rest[k+int(n):]
		return c, true
	}
	s := &StoredIndex{bytes: int64(len(data))}
	h, ok := chunk()
	if !ok {
		return nil, fail(len(magic), container.ErrCorrupt)
	}
	if err := json.Unmarshal(h, &s.header); err != nil {
		return nil, fail(len(magic), fmt.Errorf("%v: %w", err, container.ErrCorrupt))
	}
	if s.header.Packets < 0 || s.header.Packets > min(limits.OrDefault().Packets, math.MaxInt32) {
		return nil, fail(len(magic), fmt.Errorf("%d packets: %w", s.header.Packets, container.ErrLimit))
	}
	if !s.header.Track.Timebase.Valid() || len(s.header.Track.Descriptions) > math.MaxUint16 {
		return nil, fail(len(magic), fmt.Errorf("timebase %v, %d descriptions: %w", s.header.Track.Timebase, len(s.header.Track.Descriptions), container.ErrCorrupt))
	}
	if t := s.header.Track.Transport; t != nil && !legal(t) {
		return nil, fail(len(magic), fmt.Errorf("transport packets of PID %d, %d bytes apart: %w", t.PID, t.PacketSize, container.ErrCorrupt))
	}
	for i := range s.columns {
		at := len(body) - len(rest)
		if i == fieldRoll && len(rest) == 0 {
			s.columns[i] = values{left: uint64(s.header.Packets)} // zeros
			break
		}
		c, ok := chunk()
		if !ok || len(c) == 0 {
			return nil, fail(at, container.ErrCorrupt)
		}
		s.columns[i] = values{packed: c[0] == packedValues, data: bytes.Clone(c[1:])}
		if n := s.columns[i].len(); n != uint64(s.header.Packets) {
			return nil, fail(at, fmt.Errorf("column %d has %d values for %d packets: %w", i, n, s.header.Packets, container.ErrCorrupt))
		}
	}
	return s, nil
}

// legal says whether transport packets can lie so.
func legal(t *container.Transport) bool {
	switch t.PacketSize {
	case 188, 192, 204:
	default:
		return false
	}
	return t.PID >= 0 && t.PID <= transport.NullPID && len(t.Grid) > 0 && t.Grid[0] >= 0 && slices.IsSorted(t.Grid)
}

// freePackets is how many packets an index may tell of whatever the size of its source.
const freePackets = 1 << 20

// vouched says whether a source of size bytes can have so many packets. Columns that repeat a value tell of any number in a few bytes. Beyond the first
// a packet takes some bytes in the source, or in the index: media whose packets are of less than 8 bytes each, hours of them, and all alike, is not there.
func vouched(packets, size, index int64) bool { return packets-freePackets <= size/8+index }

// decoded returns the packets, for a source that is the one that was indexed.
func (s *StoredIndex) decoded() (*storedPackets, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packets != nil {
		return s.packets, nil
	}
	fail := func(err error) (*storedPackets, error) {
		return nil, &container.Error{Format: "index", Op: "load", Offset: -1, Err: err}
	}
	if h := &s.header; !vouched(h.Packets, h.Identity.Size, s.bytes) {
		return fail(fmt.Errorf("%d packets in a source of %d bytes: %w", h.Packets, h.Identity.Size, container.ErrLimit))
	}
	p := &storedPackets{sizes: make([]uint32, 0, s.header.Packets), flags: make([]uint16, 0, s.header.Packets)}
	if err := p.fill(&s.header, s.columns); err != nil {
		return fail(err)
	}
	s.packets, s.columns = p, [numFields]values{}
	return p, nil
}

// fill decodes the columns.
func (s *storedPackets) fill(h *header, cols [numFields]values) error {
	var pos, dts column.Builder
	var offsets, extra, rolls mostlyBuilder
	var last container.PacketInfo
	for n := range h.Packets {
		var v [numFields]int64
		for i := range cols {
			if !cols[i].next(&v[i]) {
				return fmt.Errorf("column %d ends at packet %d of %d: %w", i, n, h.Packets, container.ErrCorrupt)
			}
		}
		p := container.PacketInfo{DTS: last.DTS + container.Ticks(v[fieldDTS]), Size: int(v[fieldSize]), Span: v[fieldSpan], Description: int(v[fieldDesc]), Roll: int(v[fieldRoll])}
		p.Pos = last.Pos + last.Extent() + v[fieldPos]
		if !h.holds(&p) || v[fieldFlags] < 0 || v[fieldFlags] >= numFlags {
			return fmt.Errorf("packet %d: %w", n, container.ErrCorrupt)
		}
		pos.Append(p.Pos)
		dts.Append(int64(p.DTS))
		s.sizes = append(s.sizes, uint32(p.Size))
		s.flags = append(s.flags, uint16(v[fieldFlags]))
		s.spans = sparse(s.spans, int(n), uint32(p.Span), 0)
		offsets.append(v[fieldPTS])
		extra.append(v[fieldDuration])
		rolls.append(v[fieldRoll])
		s.descs = sparse(s.descs, int(n), uint16(v[fieldDesc]), 0)
		last = p
	}
	s.pos, s.dts = pos.Build(), dts.Build()
	s.offsets, s.extra, s.rolls = offsets.build(), extra.build(), rolls.build()
	return nil
}

// mostly is a column of which nothing but the first value is held while all are like it.
type mostly struct {
	first int64
	all   column.Column
}

func (m *mostly) at(i int) int64 {
	if m.all.Len() == 0 {
		return m.first
	}
	return m.all.At(i)
}

// mostlyBuilder collects the values of a mostly.
type mostlyBuilder struct {
	first int64
	n     int
	all   column.Builder
}

func (b *mostlyBuilder) append(v int64) {
	if b.n == 0 {
		b.first = v
	}
	if held := b.all.Len() > 0; held || v != b.first {
		for i := 0; !held && i < b.n; i++ {
			b.all.Append(b.first)
		}
		b.all.Append(v)
	}
	b.n++
}

func (b *mostlyBuilder) build() mostly { return mostly{b.first, b.all.Build()} }

// sparse appends v as value n of a column that stays nil while all values are usual.
func sparse[T comparable](c []T, n int, v, usual T) []T {
	if c == nil && v != usual {
		c = make([]T, n, n+n/4+16)
		for i := range c {
			c[i] = usual
		}
	}
	if c == nil {
		return nil
	}
	return append(c, v)
}

// values reads a stored column.
type values struct {
	packed bool
	data   []byte
	last   int64
	left   uint64
}

// len returns how many values there are. It goes through what is stored and holds nothing.
func (c *values) len() (n uint64) {
	if !c.packed {
		for _, b := range c.data {
			if b < 0x80 { // the last byte of a value
				n++
			}
		}
		return n
	}
	var v int64
	for k := *c; k.next(&v); k.left = 0 {
		if k.left >= math.MaxInt64-n {
			return math.MaxUint64
		}
		n += k.left + 1
	}
	return n
}

func (c *values) next(v *int64) bool {
	if c.left == 0 {
		x, k := binary.Varint(c.data)
		if k <= 0 {
			return false
		}
		c.data, c.last, c.left = c.data[k:], x, 1
		if c.packed {
			n, k := binary.Uvarint(c.data)
			if k <= 0 || n == 0 {
				return false
			}
			c.data, c.left = c.data[k:], n
		}
	}
	c.left--
	*v = c.last
	return true
}

// Identity returns the identity of the source that was indexed.
func (s *StoredIndex) Identity() Identity { return s.header.Identity }

// Expect returns what [source.HTTPOptions.Expect] should be for the source that was indexed. A nil index expects nothing.
func (s *StoredIndex) Expect() *source.Expect {
	if s == nil {
		return nil
	}
	id := s.header.Identity
	return &source.Expect{Size: id.Size, Version: id.Version, Head: id.Head}
}

// Table returns the index for src, without reading anything when src has the version that was indexed: see [Identity.Check].
// The demuxer it returns has the one track, and reads packets out of src.
func (s *StoredIndex) Table(ctx context.Context, src source.Source, limits container.Limits) (*Table, container.SeekableDemuxer, error) {
	if err := s.header.Identity.Check(ctx, src); err != nil {
		return nil, nil, err
	}
	packets, err := s.decoded()
	if err != nil {
		return nil, nil, err
	}
	d := &storedDemuxer{s: packets, src: src, tracks: []container.Track{s.header.Track}, n: s.header.Packets, limits: limits.OrDefault()}
	t, err := Build(ctx, d, 0)
	if err != nil {
		return nil, nil, err
	}
	return t, d, nil
}

// info returns packet n.
func (s *storedPackets) info(n int64) container.PacketInfo {
	p := container.PacketInfo{N: n, DTS: container.Ticks(s.dts.At(int(n))), Pos: s.pos.At(int(n)), Size: int(s.sizes[n])}
	p.PTS = p.DTS + container.Ticks(s.offsets.at(int(n)))
	step := container.Ticks(0)
	if n > 0 {
		step = p.DTS - container.Ticks(s.dts.At(int(n-1)))
	}
	p.Duration = step + container.Ticks(s.extra.at(int(n)))
	p.Roll = int(s.rolls.at(int(n)))
	if s.descs != nil {
		p.Description = int(s.descs[n])
	}
	if s.spans != nil {
		p.Span = int64(s.spans[n])
	}
	f := s.flags[n]
	p.Key, p.Discard, p.Corrupt = f&flagKey != 0, f&flagDiscard != 0, f&flagCorrupt != 0
	switch {
	case f&flagNeeded != 0:
		p.Disposable = container.Needed
	case f&flagUnneeded != 0:
		p.Disposable = container.Unneeded
	}
	return p
}

// storedDemuxer reads the packets that a stored index tells of.
type storedDemuxer struct {
	s      *storedPackets
	n      int64 // of them
	src    source.Source
	tracks []container.Track
	limits container.Limits
	next   int64 // of Next
}

func (d *storedDemuxer) Tracks() []container.Track { return d.tracks }
func (d *storedDemuxer) Close() error              { return nil }

func (d *storedDemuxer) Next(ctx context.Context, p *container.Packet) error {
	if d.next >= d.n {
		return io.EOF
	}
	d.next++
	return d.Read(ctx, 0, d.s.info(d.next-1), p)
}

func (d *storedDemuxer) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		for n := max(from.N, 0); n < d.n; n++ {
			if n%1024 == 0 && ctx.Err() != nil {
				yield(container.PacketInfo{}, ctx.Err())
				return
			}
			if !yield(d.s.info(n), nil) {
				return
			}
		}
	}
}

func (d *storedDemuxer) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	fail := func(err error) error {
		return &container.Error{Format: "index", Op: "read", Path: fmt.Sprintf("packet %d", info.N), Offset: info.Pos, Err: err}
	}
	if int64(info.Size) > d.limits.PacketBytes {
		return fail(fmt.Errorf("%w: %d bytes", container.ErrLimit, info.Size))
	}
	if size := d.src.Size(); info.Size < 0 || info.Pos < 0 || info.Pos > size || int64(info.Size) > size-info.Pos {
		return fail(fmt.Errorf("the source ends at %d: %w", size, io.ErrUnexpectedEOF))
	}
	p.PacketInfo = info
	p.Resize(info.Size)
	var err error
	if t := d.tracks[0].Transport; t != nil {
		err = transport.Read(ctx, d.src, t, &info, p.Data)
	} else {
		err = source.ReadFull(ctx, d.src, p.Data, info.Pos)
	}
	if err != nil {
		p.Data = p.Data[:0]
		return fail(err)
	}
	return nil
}

// known returns what the stored index tells about a packet that Build and Start would otherwise read from its bytes.
func (d *storedDemuxer) known(n int64) (hidden, start, told bool) {
	f := d.s.flags[n]
	return f&flagHidden != 0, f&flagStart != 0, f&(flagStart|flagNoStart) != 0
}
