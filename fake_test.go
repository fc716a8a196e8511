package sprocket

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// clip is a made-up stream: format, demuxer and decoder in one, so that everything between them can be tested alone.
// Its pictures are 4×2 pixels whose first bytes are a hash of all the packets they depend on, so a picture decoded from the
// wrong start, or after a missing reference, is a different picture.
type clip struct {
	track   container.Track
	infos   []container.PacketInfo
	packets [][]byte
	broken  map[int64]bool // packets the decoder refuses
	lossy   map[int64]bool // packets whose pictures it conceals
	live    atomic.Int64   // decoders open
	width   func(n int64) int

	working, most *atomic.Int64 // Decode calls now and at most at once, of several clips; nil when nobody counts
}

// work counts a call in, and out.
func (c *clip) work() func() {
	if c.working == nil {
		return func() {}
	}
	n := c.working.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	return func() { c.working.Add(-1) }
}

var avcC = []byte{1, 100, 0, 31, 0xff, 0xe1, 0, 0}

const (
	nalIDR  = 0x65
	nalP    = 0x41
	nalB    = 0x01 // no other packet needs it
	nalOpen = 0xff // a recovery point, then an I picture
)

func newClip() *clip {
	d := container.Description{Codec: "h264", FourCC: "avc1", Config: avcC, Video: container.Picture{Width: 4, Height: 2}}
	return &clip{
		track: container.Track{
			ID: 7, Kind: container.Video, Timebase: container.Timebase{Num: 1001, Den: 30000}, Start: container.NoTicks,
			Duration: container.NoTicks, Packets: -1, Description: d, Descriptions: []container.Description{d},
		},
		broken: map[int64]bool{}, lossy: map[int64]bool{},
		width: func(int64) int { return 4 },
	}
}

// add appends a packet in decode order.
func (c *clip) add(nal byte, pts container.Ticks) {
	n := len(c.infos)
	data := []byte{0, 0, 0, 3, nal, 0x88, byte(n)}
	if nal == nalOpen {
		data = []byte{0, 0, 0, 5, 0x06, 6, 1, 0x84, 0x80, 0, 0, 0, 3, nalP, 0x88, byte(n)}
	}
	c.infos = append(c.infos, container.PacketInfo{
		N: int64(n), PTS: pts, DTS: pts, Duration: 1, Size: len(data), Key: nal == nalIDR || nal == nalOpen,
	})
	c.packets = append(c.packets, data)
}

// gops makes a clip of n GOPs of ten frames: I P B B P B B P B B. With open, all but the first are I B P B B P B B P B,
// the first B shown before the I.
func gops(n int, open bool) *clip {
	c := newClip()
	for g := range n {
		base := container.Ticks(10 * g)
		add := func(nal byte, pts ...container.Ticks) {
			c.add(nal, base+pts[0])
			for _, p := range pts[1:] {
				c.add(nalB, base+p)
			}
		}
		if g > 0 && open {
			add(nalOpen, 1, 0)
			add(nalP, 4, 2, 3)
			add(nalP, 7, 5, 6)
			add(nalP, 9, 8)
			continue
		}
		add(nalIDR, 0)
		add(nalP, 3, 1, 2)
		add(nalP, 6, 4, 5)
		add(nalP, 9, 7, 8)
	}
	return c
}

func (c *clip) Name() string           { return "clip" }
func (c *clip) Sniff(head []byte) bool { return true }
func (c *clip) Open(ctx context.Context, src source.Source, o *container.Options) (container.Demuxer, error) {
	if o.Select != nil {
		o.Select(c.Tracks())
	}
	return c, nil
}

func (c *clip) Tracks() []container.Track                           { return []container.Track{c.track} }
func (c *clip) Next(ctx context.Context, p *container.Packet) error { return io.EOF }
func (c *clip) Close() error                                        { return nil }

func (c *clip) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		for _, info := range c.infos[min(from.N, int64(len(c.infos))):] {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (c *clip) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	p.PacketInfo = info
	p.Data = append(p.Data[:0], c.packets[info.N][:info.Size]...)
	return nil
}

// backend decodes clips. It is apart from clip because both have an Open.
type backend struct{ *clip }

func (b backend) Name() string                    { return "fake" }
func (b backend) Supports(*container.Track) error { return nil }

func (b backend) TellsWithThreads(*container.Track) bool { return true }
func (b backend) OpenVideo(_ context.Context, _ *container.Track, o *codec.VideoOptions) (codec.VideoDecoder, error) {
	b.live.Add(1)
	return &fakeDecoder{clip: b.clip, threads: max(1, o.Threads)}, nil
}

// fakeDecoder reorders by PTS, two pictures deep. With threads it decodes as many packets late as there are threads but one, and names
// the packet that came then when one is broken.
type fakeDecoder struct {
	clip    *clip
	threads int
	late    []container.Packet
	ref     [2]uint64 // the last two references
	held    []picture
	out     picture
	flushed bool
}

type picture struct {
	clip    *clip
	info    container.PacketInfo
	hash    uint64
	damaged bool
}

// mix hashes numbers (FNV-1a).
func mix(vs ...uint64) uint64 {
	h := uint64(14695981039346656037)
	for _, v := range vs {
		for range 8 {
			h = (h ^ v&0xff) * 1099511628211
			v >>= 8
		}
	}
	return h
}

func (d *fakeDecoder) Decode(ctx context.Context, p *container.Packet, emit func(codec.VideoFrame) error) error {
	if d.flushed {
		panic("decode after flush")
	}
	defer d.clip.work()()
	if d.threads > 1 {
		d.late = append(d.late, container.Packet{PacketInfo: p.PacketInfo, Data: slices.Clone(p.Data)})
		if len(d.late) < d.threads {
			return nil
		}
		return d.decodeLate(p.N, emit)
	}
	return d.decode(p, p.N, emit)
}

// decodeLate decodes the packet that waited longest.
func (d *fakeDecoder) decodeLate(now int64, emit func(codec.VideoFrame) error) error {
	p := d.late[0]
	d.late = slices.Delete(d.late, 0, 1)
	return d.decode(&p, now, emit)
}

// decode decodes a packet, and names the packet now if it is broken.
func (d *fakeDecoder) decode(p *container.Packet, now int64, emit func(codec.VideoFrame) error) error {
	if d.clip.broken[p.N] {
		return &codec.Error{Backend: "fake", Op: "decode", Packet: now, PTS: p.PTS, Err: codec.ErrDecode}
	}
	pic := picture{clip: d.clip, info: p.PacketInfo, damaged: d.clip.lossy[p.N]}
	n := uint64(p.N)
	switch p.Data[4] {
	case nalIDR:
		pic.hash = mix(1, n)
		d.ref = [2]uint64{0, pic.hash}
	case 0x06: // the recovery point itself needs nothing; what is shown before it needs what came before
		pic.hash = mix(2, n)
		d.ref = [2]uint64{d.ref[1], pic.hash}
	case nalP:
		pic.hash = mix(3, n, d.ref[1])
		d.ref = [2]uint64{d.ref[1], pic.hash}
	default:
		pic.hash = mix(4, n, d.ref[0], d.ref[1])
	}
	d.held = append(d.held, pic)
	return d.release(2, emit)
}

func (d *fakeDecoder) release(keep int, emit func(codec.VideoFrame) error) error {
	for len(d.held) > keep {
		i := 0
		for k := range d.held {
			if d.held[k].info.PTS < d.held[i].info.PTS {
				i = k
			}
		}
		d.out = d.held[i]
		d.held = slices.Delete(d.held, i, i+1)
		if err := emit(&d.out); err != nil {
			return err
		}
	}
	return nil
}

func (d *fakeDecoder) Flush(ctx context.Context, emit func(codec.VideoFrame) error) error {
	d.flushed = true
	var first error
	for len(d.late) > 0 {
		if err := d.decodeLate(-1, emit); errors.Is(err, codec.ErrDecode) {
			first = cmp.Or(first, err)
		} else if err != nil {
			return err
		}
	}
	if err := d.release(0, emit); err != nil {
		return err
	}
	return first
}

func (d *fakeDecoder) Reset() error {
	*d = fakeDecoder{clip: d.clip, threads: d.threads, held: d.held[:0]}
	return nil
}

func (d *fakeDecoder) Close() error {
	d.clip.live.Add(-1)
	return nil
}

func (p *picture) Packet() int64       { return p.info.N }
func (p *picture) Size() (int, int)    { return p.clip.width(p.info.N), 2 }
func (p *picture) PixelFormat() string { return "fake" }
func (p *picture) Depth() int          { return 8 }
func (p *picture) Damaged() bool       { return p.damaged }
func (p *picture) AppendRaw(b []byte) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(b, p.hash), nil
}

func (p *picture) Convert(dst *tensor.Tensor, px *codec.Pixels) error {
	if w, h := p.Size(); dst.Len() != 3*w*h {
		return fmt.Errorf("destination %v for %d×%d", dst.Shape(), w, h)
	}
	binary.LittleEndian.PutUint64(dst.Bytes(), p.hash)
	return nil
}

// hash returns what the fake decoder wrote into a frame.
func hash(t *tensor.Tensor) uint64 { return binary.LittleEndian.Uint64(t.Bytes()) }
