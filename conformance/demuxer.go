package conformance

import (
	"context"
	"errors"
	"hash/maphash"
	"reflect"
	"slices"

	"github.com/sprocket-video/sprocket/container"
)

// Bounds on what the checkers read.
const (
	maxPackets   = 1 << 22  // packets of a track that are listed
	readPackets  = 512      // packets of a track that are read
	readBytes    = 64 << 20 // bytes of a track that are read
	promptly     = 1024     // packets that a listing may still yield after its context has ended
	maxNextFails = 1000     // errors of Next in a row, beside those of Corrupt packets
)

// TestDemuxer checks that d keeps the promises of [container.SeekableDemuxer]. Size is that of the source, or negative when
// it is not known. D must be newly opened; TestDemuxer closes it.
//
// A track whose listing is container.ErrUnsupported counts as not in use. Up to 512 packets of a track are read, six times.
// The error joins a *LawError for each law that is broken.
func TestDemuxer(ctx context.Context, d container.SeekableDemuxer, size int64) error {
	c := &demuxerCheck{findings: findings{subject: "demuxer"}, d: d, size: size}
	tracks := d.Tracks()
	c.tracks = make([]trackCheck, len(tracks))
	for i := range tracks {
		c.guard("List", func() { c.list(ctx, i) })
		c.guard("Read", func() { c.read(ctx, i) })
		c.guard("a cancelled context", func() { c.cancelled(ctx, i) })
	}
	c.guard("an unknown track", func() { c.unknown(ctx) })
	c.guard("Next", func() { c.next(ctx) })
	c.guard("Close", func() { c.close(ctx) })
	return c.err(ctx)
}

type demuxerCheck struct {
	findings
	d      container.SeekableDemuxer
	size   int64
	tracks []trackCheck
}

// trackCheck is what is known about a track after it was listed.
type trackCheck struct {
	infos  []container.PacketInfo // nil when the track is not in use
	hashes map[int64]uint64       // of packets that were read
	inUse  bool
}

// collect lists a track, up to limit packets.
func collect(ctx context.Context, d container.SeekableDemuxer, track int, from int64, limit int) ([]container.PacketInfo, error) {
	var out []container.PacketInfo
	for info, err := range d.List(ctx, track, container.PacketInfo{N: from}) {
		if err != nil {
			return out, err
		}
		if out = append(out, info); len(out) == limit {
			break
		}
	}
	return out, nil
}

func (c *demuxerCheck) list(ctx context.Context, track int) {
	infos, err := collect(ctx, c.d, track, 0, maxPackets)
	if err != nil {
		if !errors.Is(err, container.ErrUnsupported) {
			c.because(err, "a track can be listed", "track %d, after %d packets", track, len(infos))
		}
		return
	}
	c.tracks[track] = trackCheck{infos: infos, inUse: true, hashes: map[int64]uint64{}}
	t := &c.d.Tracks()[track] // after listing: it may tell more then
	if !t.Timebase.Valid() {
		c.broke("a track has a valid timebase", "track %d has %v", track, t.Timebase)
	}
	if len(t.Descriptions) > 0 && !reflect.DeepEqual(t.Description, t.Descriptions[0]) {
		c.broke("a track's Description is the first of its Descriptions", "track %d", track)
	}
	c.infos(track, t, infos)
	c.relist(ctx, track, infos)
}

// infos checks the packets by themselves.
func (c *demuxerCheck) infos(track int, t *container.Track, infos []container.PacketInfo) {
	last := container.NoTicks
	for i := range infos {
		p := &infos[i]
		if p.N != int64(i) {
			c.broke("packets are numbered from 0 without gaps", "track %d: packet %d has number %d", track, i, p.N)
		}
		if p.Track != track {
			c.broke("packets name their track", "track %d: packet %d says %d", track, i, p.Track)
		}
		if p.DTS != container.NoTicks {
			if last != container.NoTicks && p.DTS < last {
				c.broke("decode times do not go backward", "track %d: packet %d has DTS %d after %d", track, i, p.DTS, last)
			}
			if last = p.DTS; p.PTS != container.NoTicks && p.DTS > p.PTS {
				c.broke("no decode time is after its presentation time", "track %d: packet %d has DTS %d, PTS %d", track, i, p.DTS, p.PTS)
			}
		}
		if p.Duration < 0 {
			c.broke("no duration is negative", "track %d: packet %d lasts %d", track, i, p.Duration)
		}
		if p.Description < 0 || p.Description >= max(len(t.Descriptions), 1) {
			c.broke("packets name a description of their track", "track %d: packet %d says %d of %d", track, i, p.Description, len(t.Descriptions))
		}
		if inside := p.Pos >= 0 && p.Size >= 0 && (c.size < 0 || p.Pos <= c.size && int64(p.Size) <= c.size-p.Pos); !inside && !p.Corrupt {
			c.broke("packets are inside the source or marked Corrupt", "track %d: packet %d is %d bytes at %d of %d", track, i, p.Size, p.Pos, c.size)
		}
	}
}

// relist checks that the listing is the same again, from every place.
func (c *demuxerCheck) relist(ctx context.Context, track int, infos []container.PacketInfo) {
	n := int64(len(infos))
	if n == maxPackets {
		return
	}
	same := func(from int64, limit int) bool {
		got, err := collect(ctx, c.d, track, from, limit)
		want := infos[min(max(from, 0), n):]
		want = want[:min(limit, len(want))]
		return err == nil && len(got) == len(want) && slices.Equal(got, want)
	}
	if !same(0, maxPackets) {
		c.broke("a second listing is equal to the first", "track %d", track)
	}
	for _, i := range append(sample(len(infos), 40), len(infos), len(infos)+1, 1<<40) {
		limit := maxPackets
		if n > 10_000 {
			limit = 1000
		}
		if !same(int64(i), limit) {
			c.broke("a listing from packet N is the rest of the whole one", "track %d: from packet %d of %d", track, i, n)
		}
	}
	if n > 0 && !same(0, 1) {
		c.broke("a listing can be left at any packet", "track %d", track)
	}
}

func (c *demuxerCheck) cancelled(ctx context.Context, track int) {
	t := &c.tracks[track]
	if len(t.infos) == 0 {
		return
	}
	const law = "a context that has ended stops the call with its error"
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := collect(done, c.d, track, 0, maxPackets); !errors.Is(err, context.Canceled) {
		c.because(err, law, "List of track %d", track)
	}
	var p container.Packet
	for _, info := range t.infos[:min(len(t.infos), 16)] {
		if info.Size == 0 || info.Corrupt {
			continue
		}
		if err := c.d.Read(done, track, info, &p); !errors.Is(err, context.Canceled) {
			c.because(err, law, "Read of track %d packet %d", track, info.N)
		}
		break
	}
	half, cancel := context.WithCancel(ctx)
	defer cancel()
	after := 0
	for _, err := range c.d.List(half, track, container.PacketInfo{}) {
		if cancel(); err != nil {
			break
		}
		if after++; after > promptly+1 {
			c.broke(law, "List of track %d yields %d packets more", track, promptly)
			break
		}
	}
}

func (c *demuxerCheck) unknown(ctx context.Context) {
	const law = "an unknown track is an error"
	for _, track := range []int{-1, len(c.tracks), 1 << 30} {
		if infos, err := collect(ctx, c.d, track, 0, 1); err == nil {
			c.broke(law, "List of track %d of %d gave %d packets", track, len(c.tracks), len(infos))
		}
		var p container.Packet
		if err := c.d.Read(ctx, track, container.PacketInfo{Size: 1}, &p); err == nil {
			c.broke(law, "Read of track %d of %d", track, len(c.tracks))
		}
	}
}

func (c *demuxerCheck) close(ctx context.Context) {
	before := len(c.d.Tracks())
	if err := c.d.Close(); err != nil {
		c.because(err, "Close succeeds", "the first time")
	}
	if after := len(c.d.Tracks()); after != before {
		c.broke("Tracks answers after Close", "%d tracks became %d", before, after)
	}
	// What they answer is not laid down; that they do is.
	for i := range c.tracks {
		_, _ = collect(ctx, c.d, i, 0, 1)
		if t := &c.tracks[i]; len(t.infos) > 0 {
			_ = c.d.Read(ctx, i, t.infos[0], &container.Packet{})
		}
	}
}

// seed makes digests comparable within the process.
var seed = maphash.MakeSeed()

func digest(b []byte) uint64 { return maphash.Bytes(seed, b) }
