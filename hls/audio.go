package hls

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/source"
)

// packedAudio is a segment of packed audio, 3.4: ADTS or MPEG audio frames, behind an ID3 tag that tells the time of the first of them.
type packedAudio struct{}

// Name returns "packed audio".
func (packedAudio) Name() string { return "packed audio" }

// Sniff says whether a frame follows the ID3 tags, if there are any.
func (packedAudio) Sniff(head []byte) bool {
	rest, _ := skipID3(head)
	if len(rest) == 0 && len(head) > 10 {
		return true // a tag longer than what was read
	}
	_, _, _, ok := mpegts.FrameHeader(rest)
	return ok
}

// timeOwner names the private frame that holds the time.
const timeOwner = "com.apple.streaming.transportStreamTimestamp\x00"

// skipID3 returns what follows the ID3v2 tags at the beginning of b, and the time they tell in 1/90000 s; -1 when they do not.
func skipID3(b []byte) (rest []byte, pts int64) {
	pts = -1
	for len(b) >= 10 && string(b[:3]) == "ID3" {
		size := int(b[6]&0x7f)<<21 | int(b[7]&0x7f)<<14 | int(b[8]&0x7f)<<7 | int(b[9]&0x7f)
		end := min(10+size, len(b))
		if i := bytes.Index(b[10:end], []byte(timeOwner)); i >= 0 && 10+i+len(timeOwner)+8 <= end {
			pts = int64(binary.BigEndian.Uint64(b[10+i+len(timeOwner):]) & (1<<33 - 1))
		}
		if b[5]&0x10 != 0 {
			size += 10 // a footer
		}
		b = b[min(10+size, len(b)):]
	}
	return b, pts
}

// packed is an open segment of packed audio.
type packed struct {
	src    source.Source
	track  container.Track
	bare   bool // no tag tells the time of the first frame
	frames []container.PacketInfo
	next   int
}

// infoBytes is what a frame takes in memory, while the list of them grows.
const infoBytes = 256

// Open goes through all frames.
func (packedAudio) Open(ctx context.Context, src source.Source, o *container.Options) (container.Demuxer, error) {
	limits := container.Limits{}
	if o != nil {
		limits = o.Limits
	}
	limits = limits.OrDefault()
	if src.Size() > limits.HeaderBytes {
		return nil, fail("open", "packed audio", fmt.Errorf("%w: %d bytes", container.ErrLimit, src.Size()))
	}
	data, err := readAll(ctx, src)
	if err != nil {
		return nil, fail("open", "packed audio", err)
	}
	rest, pts := skipID3(data)
	off := len(data) - len(rest)
	d := &packed{src: src, bare: pts < 0}
	base := container.Ticks(max(pts, 0))
	var samples int64
	for off < len(data) {
		sound, size, length, ok := mpegts.FrameHeader(data[off:])
		if !ok { // damage, or a tag at the end
			off++
			continue
		}
		if len(d.frames) == 0 {
			d.describe(sound)
		}
		tb := container.Timebase{Num: 1, Den: int64(sound.Audio.SampleRate)}
		at := base + tb.Convert(container.Ticks(samples), d.track.Timebase)
		samples += int64(length)
		info := container.PacketInfo{
			N: int64(len(d.frames)), PTS: at, DTS: at, Duration: base + tb.Convert(container.Ticks(samples), d.track.Timebase) - at,
			Pos: int64(off), Size: min(size, len(data)-off), Key: true, Corrupt: size > len(data)-off,
		}
		off += info.Size
		if int64(len(d.frames)) >= min(limits.Packets, limits.HeaderBytes/infoBytes) {
			return nil, fail("open", "packed audio", fmt.Errorf("%w: more than %d packets", container.ErrLimit, len(d.frames)))
		}
		d.frames = append(d.frames, info)
	}
	if len(d.frames) == 0 {
		return nil, fail("open", "packed audio", fmt.Errorf("no frames: %w", container.ErrFormat))
	}
	return d, nil
}

func (d *packed) describe(sound container.Description) {
	d.track = container.Track{
		Kind: container.Audio, Timebase: ninety, Start: container.NoTicks, Duration: container.NoTicks,
		Packets: -1, Bytes: -1, Enabled: true, Default: true, Description: sound, Descriptions: []container.Description{sound},
	}
}

func (d *packed) Tracks() []container.Track { return []container.Track{d.track} }
func (d *packed) Close() error              { return nil }

func (d *packed) Next(ctx context.Context, p *container.Packet) error {
	if d.next >= len(d.frames) {
		return io.EOF
	}
	d.next++
	return d.Read(ctx, 0, d.frames[d.next-1], p)
}

func (d *packed) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	return func(yield func(container.PacketInfo, error) bool) {
		for n := max(from.N, 0); n < int64(len(d.frames)); n++ {
			if !yield(d.frames[n], nil) {
				return
			}
		}
	}
}

func (d *packed) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	p.PacketInfo = info
	p.Resize(info.Size)
	return source.ReadFull(ctx, d.src, p.Data, info.Pos)
}

// readAll reads a source whose size was checked.
func readAll(ctx context.Context, src source.Source) ([]byte, error) {
	data := make([]byte, src.Size())
	return data, source.ReadFull(ctx, src, data, 0)
}
