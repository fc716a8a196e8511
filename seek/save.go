package seek

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// A stored index is, in this order:
//
//	magic     8 bytes
//	header    uvarint length, JSON
//	columns   one per field: uvarint length, then values
//	checksum  CRC-32C of all before it, little endian
//
// Values are zigzag varints, each followed by how often it is repeated, or not, whichever is shorter; the first byte of a column
// says which. See fields for what the columns hold.
const (
	magic   = "sprkidx\x02"
	headLen = 64 << 10 // bytes of the source that Identity.Head is of, and Identity.Tail
)

// Identity tells one source from another, and one state of it from a later one.
type Identity struct {
	Size    int64  `json:"size"`              // bytes
	Version string `json:"version,omitempty"` // source.Versioned: ETag, or size and time; "" when it has none
	Head    string `json:"head,omitempty"`    // SHA-256 of the first 64 KiB, in hex; "" when it was not read
	Tail    string `json:"tail,omitempty"`    // SHA-256 of the last 64 KiB, as far as they lie behind the first; "" when there are none, or they were not read
}

// Identify returns the identity of a source. It reads the first and the last 64 KiB.
func Identify(ctx context.Context, src source.Source) (Identity, error) {
	id := Identity{Size: src.Size(), Version: versionOf(src)}
	var err error
	if id.Head, err = sum(ctx, src, 0, min(headLen, max(id.Size, 0))); err == nil {
		id.Tail, err = tail(ctx, src)
	}
	if err != nil {
		return Identity{}, err
	}
	return id, nil
}

// tail returns what Identity.Tail should be.
func tail(ctx context.Context, src source.Source) (string, error) {
	size := src.Size()
	from := max(size-headLen, headLen)
	if from >= size {
		return "", nil
	}
	return sum(ctx, src, from, size-from)
}

// sum returns the SHA-256 of n bytes at off, in hex.
func sum(ctx context.Context, src source.Source, off, n int64) (string, error) {
	b := make([]byte, n)
	if err := source.ReadFull(ctx, src, b, off); err != nil {
		return "", fmt.Errorf("seek: identify: %w", err)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:]), nil
}

func versionOf(src source.Source) string {
	if v, ok := src.(source.Versioned); ok {
		return v.Version()
	}
	return ""
}

// Check returns nil when src is the source that id was taken of, and an error that wraps ErrMismatch when it is not. Where size and
// version say so it reads nothing; a source with another version, or none, is read at its head: a copy of a file is the same file. One with another
// version, which may have been changed in place, is read at its end too. What has changed between is not seen.
func (id Identity) Check(ctx context.Context, src source.Source) error {
	if src.Size() != id.Size {
		return fmt.Errorf("seek: the source has %d bytes, the indexed one had %d: %w", src.Size(), id.Size, ErrMismatch)
	}
	v := versionOf(src)
	if v != "" && v == id.Version {
		return nil
	}
	if id.Head == "" {
		return fmt.Errorf("seek: the source's version is %q, the indexed one's was %q: %w", v, id.Version, ErrMismatch)
	}
	if now, err := sum(ctx, src, 0, min(headLen, max(id.Size, 0))); err != nil {
		return err
	} else if now != id.Head {
		return fmt.Errorf("seek: the first %d bytes of the source have changed: %w", min(headLen, id.Size), ErrMismatch)
	}
	if v == "" || id.Version == "" || id.Tail == "" {
		return nil
	}
	if now, err := tail(ctx, src); err != nil {
		return err
	} else if now != id.Tail {
		return fmt.Errorf("seek: the last %d bytes of the source have changed: %w", min(headLen, id.Size-headLen), ErrMismatch)
	}
	return nil
}

// header is the JSON at the beginning of a stored index.
type header struct {
	Identity Identity        `json:"identity"`
	Track    container.Track `json:"track"`
	Packets  int64           `json:"packets"`
}

// holds says whether the columns can hold a packet: what is stored can be loaded.
func (h *header) holds(p *container.PacketInfo) bool {
	return p.Size >= 0 && int64(p.Size) <= math.MaxUint32 &&
		p.Pos >= 0 && p.Pos <= math.MaxInt64/2 &&
		(p.Span == 0 || p.Span >= int64(p.Size) && p.Span <= math.MaxUint32) &&
		p.Description >= 0 && p.Description < max(len(h.Track.Descriptions), 1) &&
		p.Roll >= math.MinInt16 && p.Roll <= math.MaxInt16
}

// fields are the columns, in the order they are stored. Each is a function of a packet and the one before it, so that
// most values are small or repeat.
const (
	fieldFlags    = iota // see the flag constants
	fieldDTS             // less the DTS before
	fieldPTS             // less DTS
	fieldDuration        // less the step of DTS to this packet, which for the first is 0: of a constant rate, 0
	fieldSize
	fieldPos  // less the end of the packet before
	fieldSpan // 0 where it is the size
	fieldDesc // sample description
	fieldRoll // not there where all are 0
	numFields
)

// The flags of a packet.
const (
	flagKey = 1 << iota
	flagDiscard
	flagNeeded
	flagUnneeded
	flagHidden // a leading picture that cannot be decoded: not a frame
	flagStart  // a key packet whose bytes were read: decoding can start there
	flagNoStart
	flagCorrupt
	flagSecond // the second field of the frame that the packet before it begins: not a frame
	numFlags
)

// Storable returns nil when an index of the demuxer's tracks can be stored: see [Table.AppendIndex]. Where the packets lie in other sources than the one
// that was opened it returns an error that wraps container.ErrUnsupported.
func Storable(d container.Demuxer) error {
	if _, elsewhere := d.(container.Scattered); !elsewhere {
		return nil
	}
	return &container.Error{Format: "index", Op: "store", Offset: -1, Err: fmt.Errorf(
		"the packets are not in this source but in the segments that it lists, and a playlist's own list of segments is its index: %w", container.ErrUnsupported)}
}

// AppendIndex appends the index to b in its stored form: see [LoadIndex]. The identity is that of the source the table's demuxer reads.
// Of a playlist no index can be stored: see [Storable]; nor one of some frames alone, by [BuildMapped]: the mappings
// are its stored form.
//
// Every key packet is classified first, which reads the head of each that was not used as a start before: opened from the
// stored index, a track then needs no read but those of the packets it decodes.
func (t *Table) AppendIndex(ctx context.Context, b []byte, id Identity) ([]byte, error) {
	if err := Storable(t.demuxer); err != nil {
		return b, err
	}
	if t.mapped {
		return b, &container.Error{Format: "index", Op: "store", Offset: -1, Err: fmt.Errorf("an index of some frames of a track, by frame mappings: %w", container.ErrUnsupported)}
	}
	head := header{Identity: id, Track: t.demuxer.Tracks()[t.track], Packets: t.packets}
	h, err := json.Marshal(head)
	if err != nil {
		return b, fmt.Errorf("seek: store: %w", err)
	}
	var cols [numFields]runs
	rolls := false
	var last container.PacketInfo
	unknown := func(p *container.PacketInfo) bool {
		_, known := t.looked(*p)
		return !known && t.isKey(p.N)
	}
	for info, err := range fetched(ctx, t.demuxer, t.track, t.demuxer.List(ctx, t.track, container.PacketInfo{}), false, unknown) {
		if err != nil {
			return b, err
		}
		if !head.holds(&info) {
			return b, &container.Error{Format: "index", Op: "store", Path: fmt.Sprintf("packet %d", info.N), Offset: info.Pos, Err: fmt.Errorf(
				"%w: %d bytes, over %d, of sample description %d, roll distance %d", container.ErrLimit, info.Size, info.Extent(), info.Description, info.Roll)}
		}
		info.Key = t.isKey(info.N) // as it was corrected
		flags, err := t.flags(ctx, info)
		if err != nil {
			return b, err
		}
		cols[fieldFlags].add(flags)
		cols[fieldDTS].add(int64(info.DTS - last.DTS))
		cols[fieldPTS].add(int64(info.PTS - info.DTS))
		step := info.DTS - last.DTS
		if info.N == 0 {
			step = 0
		}
		cols[fieldDuration].add(int64(info.Duration - step))
		cols[fieldSize].add(int64(info.Size))
		cols[fieldPos].add(info.Pos - (last.Pos + last.Extent()))
		cols[fieldSpan].add(info.Span)
		cols[fieldDesc].add(int64(info.Description))
		cols[fieldRoll].add(int64(info.Roll))
		rolls = rolls || info.Roll != 0
		last = info
	}
	start := len(b)
	b = append(b, magic...)
	b = binary.AppendUvarint(b, uint64(len(h)))
	b = append(b, h...)
	for i := range cols {
		if i == fieldRoll && !rolls {
			break
		}
		c := cols[i].encode()
		b = binary.AppendUvarint(b, uint64(len(c)))
		b = append(b, c...)
	}
	if !vouched(t.packets, id.Size, int64(len(b)-start)+4) {
		return b[:start], &container.Error{Format: "index", Op: "store", Offset: -1, Err: fmt.Errorf("%d packets in a source of %d bytes: %w", t.packets, id.Size, container.ErrLimit)}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli)), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// flags returns what is stored about a packet in bits.
func (t *Table) flags(ctx context.Context, info container.PacketInfo) (int64, error) {
	var f int64
	if info.Discard {
		f |= flagDiscard
	}
	if info.Corrupt {
		f |= flagCorrupt
	}
	switch info.Disposable {
	case container.Needed:
		f |= flagNeeded
	case container.Unneeded:
		f |= flagUnneeded
	}
	if _, hidden := t.hidden[uint32(info.N)]; hidden {
		f |= flagHidden
	}
	if t.second(info.N) {
		f |= flagSecond
	}
	if !info.Key {
		return f, nil
	}
	start, err := t.canStart(ctx, info)
	if err != nil {
		return 0, err
	}
	if start {
		return f | flagKey | flagStart, nil
	}
	return f | flagKey | flagNoStart, nil
}

// runs encodes a column in both ways at once.
type runs struct {
	plain, packed []byte
	last          int64
	count         uint64 // how often last came so far
}

func (r *runs) add(v int64) {
	r.plain = binary.AppendVarint(r.plain, v)
	if r.count > 0 && v == r.last {
		r.count++
		return
	}
	r.end()
	r.last, r.count = v, 1
}

func (r *runs) end() {
	if r.count > 0 {
		r.packed = binary.AppendVarint(r.packed, r.last)
		r.packed = binary.AppendUvarint(r.packed, r.count)
	}
}

const (
	plainValues byte = iota
	packedValues
)

// encode returns the shorter form.
func (r *runs) encode() []byte {
	r.end()
	if len(r.packed) < len(r.plain) {
		return append([]byte{packedValues}, r.packed...)
	}
	return append([]byte{plainValues}, r.plain...)
}
