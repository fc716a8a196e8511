package hls

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"

	"github.com/sprocket-video/sprocket/container"
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
	_, ok := parseFrame(rest)
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

// frame is the header of an audio frame.
type frame struct {
	size, samples, rate, channels int
	codec                         string
	config                        []byte
	header                        int // bytes of it
}

var aacRates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// parseFrame reads the header of the frame at the beginning of b.
func parseFrame(b []byte) (f frame, ok bool) {
	if len(b) < 7 || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return f, false
	}
	if b[1]&0xf6 == 0xf0 { // ADTS, ISO/IEC 14496-3, 1.A.2.2
		rate := int(b[2] >> 2 & 15)
		if rate >= len(aacRates) {
			return f, false
		}
		profile, channels := b[2]>>6, b[2]&1<<2|b[3]>>6
		f = frame{
			size: int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5]>>5), samples: 1024 * (int(b[6]&3) + 1), rate: aacRates[rate], channels: int(channels), codec: "aac", header: 7,
			config: []byte{(profile+1)<<3 | byte(rate)>>1, byte(rate)<<7 | channels<<3},
		}
		if f.channels == 7 {
			f.channels = 8
		}
		if b[1]&1 == 0 {
			f.header = 9 // with a checksum
		}
		return f, f.size >= f.header
	}
	return parseMPEGFrame(b)
}

// Bit rates in kbit/s, ISO/IEC 11172-3, 2.4.2.3 and 13818-3: by version 1 layer 1, 2, 3, then version 2 layer 1, 2 and 3.
var mpegRates = [5][15]int{
	{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

func parseMPEGFrame(b []byte) (f frame, ok bool) {
	version, layer := b[1]>>3&3, 4-int(b[1]>>1&3) // 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5
	bits, rate := int(b[2]>>4), int(b[2]>>2&3)
	if version == 1 || layer == 4 || bits == 15 || bits == 0 || rate == 3 {
		return f, false
	}
	row := layer - 1
	if version != 3 {
		row = 3
		if layer > 1 {
			row = 4
		}
	}
	f = frame{rate: [...]int{44100, 48000, 32000}[rate], channels: 2, codec: [...]string{"mp1", "mp2", "mp3"}[layer-1]}
	if b[3]>>6 == 3 {
		f.channels = 1
	}
	switch version {
	case 2:
		f.rate /= 2
	case 0:
		f.rate /= 4
	}
	padding := int(b[2] >> 1 & 1)
	rateBits := mpegRates[row][bits] * 1000
	switch {
	case layer == 1:
		f.samples, f.size = 384, (12*rateBits/f.rate+padding)*4
	case layer == 3 && version != 3:
		f.samples, f.size = 576, 72*rateBits/f.rate+padding
	default:
		f.samples, f.size = 1152, 144*rateBits/f.rate+padding
	}
	return f, f.size > 4
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
		f, ok := parseFrame(data[off:])
		if !ok { // damage, or a tag at the end
			off++
			continue
		}
		if len(d.frames) == 0 {
			d.describe(&f)
		}
		tb := container.Timebase{Num: 1, Den: int64(f.rate)}
		at := base + tb.Convert(container.Ticks(samples), d.track.Timebase)
		samples += int64(f.samples)
		info := container.PacketInfo{
			N: int64(len(d.frames)), PTS: at, DTS: at, Duration: base + tb.Convert(container.Ticks(samples), d.track.Timebase) - at,
			Pos: int64(off), Size: min(f.size, len(data)-off), Key: true, Corrupt: f.size > len(data)-off,
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

func (d *packed) describe(f *frame) {
	d.track = container.Track{
		ID: 0, Kind: container.Audio, Timebase: container.Timebase{Num: 1, Den: 90_000}, Start: container.NoTicks, Duration: container.NoTicks,
		Packets: -1, Bytes: -1, Enabled: true, Default: true,
		Description: container.Description{
			Codec: f.codec, Audio: container.Sound{SampleRate: f.rate, Channels: f.channels, Profile: -1}, Video: container.Picture{Profile: -1, Level: -1},
		},
	}
	if f.codec == "aac" {
		d.track.Audio.Profile = int(f.config[0] >> 3)
	}
	d.track.Descriptions = []container.Description{d.track.Description}
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
