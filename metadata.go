package sprocket

import (
	"sync/atomic"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// Metadata describes a video track. What the index tells is exact; what only headers tell says so in its name.
type Metadata struct {
	Track    int    // the container's ID
	Codec    string // FFmpeg's name, "h264"
	FourCC   string // the container's name, "avc1"
	Language string

	Width, Height int // as the headers tell them, turned for display, not scaled
	PixelAspect   container.Ratio
	Orientation   container.Orientation
	Color         container.Color
	BitDepth      int    // of a sample; 0 when the headers do not tell
	Chroma        string // "4:2:0"; "" when the headers do not tell

	Timebase   container.Timebase
	Frames     int           // number of frames
	Estimated  bool          // Frames, End, Duration, AverageFPS and BitRate are estimates: the index is approximate. Of a playlist Begin is one too, until a frame was asked for by number
	KeyFrames  int64         // number of key packets; -1 when the index is approximate
	Begin      time.Duration // PTS of the first frame
	End        time.Duration // end of the last frame
	Duration   time.Duration // from Begin to End
	AverageFPS float64       // Frames a second of Duration; 0 when that is 0
	BitRate    int64         // payload bits a second; 0 when unknown

	HeaderPackets  int64         // packets as the headers count them, discarded ones included; -1 when they do not
	HeaderBegin    time.Duration // as the headers tell it; 0 when they do not
	HeaderDuration time.Duration // as the headers tell it; 0 when they do not
}

// Metadata returns what is known about the track, from its tables.
func (d *VideoDecoder) Metadata() Metadata {
	t := d.described()
	tb := t.Timebase
	m := Metadata{
		Track: t.ID, Codec: t.Codec, FourCC: t.FourCC, Language: t.Language,
		Width: t.Video.Width, Height: t.Video.Height, PixelAspect: t.Video.PixelAspect,
		Orientation: t.Orientation, Color: t.Video.Color, BitDepth: t.Video.BitDepth, Chroma: t.Video.Chroma,
		Timebase: tb, Frames: d.Len(), KeyFrames: -1, BitRate: t.BitRate,
		HeaderPackets: t.Packets,
	}
	if d.index != nil {
		m.KeyFrames = d.index.KeyPackets()
	}
	m.Estimated = d.guess != nil && d.guess.Kind() == seek.Approximate
	if t.Orientation.Swaps() {
		m.Width, m.Height = m.Height, m.Width
		m.PixelAspect.Num, m.PixelAspect.Den = m.PixelAspect.Den, m.PixelAspect.Num
	}
	if t.Start != container.NoTicks {
		m.HeaderBegin = tb.Duration(t.Start)
	}
	if t.Duration != container.NoTicks {
		m.HeaderDuration = tb.Duration(t.Duration)
	}
	if m.Frames == 0 {
		return m
	}
	x := d.Index()
	first, _ := x.Frame(0) // there are frames, so there is a first and a last
	last, _ := x.Frame(m.Frames - 1)
	m.Begin = tb.Duration(first.PTS)
	m.End = tb.Duration(last.PTS + last.Duration)
	m.Duration = m.End - m.Begin
	if ticks := last.PTS + last.Duration - first.PTS; ticks > 0 {
		seconds := tb.Seconds(ticks)
		m.AverageFPS = float64(m.Frames) / seconds
		if t.Bytes > 0 {
			m.BitRate = int64(float64(t.Bytes) * 8 / seconds)
		}
	}
	return m
}

// Stats says what a decoder has cost so far.
type Stats struct {
	Open     source.Counts     // reads of Open
	OpenTime time.Duration     // parsing and indexing
	Source   source.Counts     // all reads, those of Open included
	HTTP     source.HTTPStats  // requests, those of Open included, when Open was given a URL
	Blocks   source.CacheStats // of the cache of bytes above them
	Waited   time.Duration     // by decoders, together, for packets that were on their way

	Runs     int64 // stretches of packets decoded
	Packets  int64 // packets read
	Bytes    int64 // their bytes
	Skipped  int64 // packets not decoded, and read only where the container does not tell, because nobody needed them
	Resumed  int64 // runs that went on where a decoder was, instead of at a key packet
	Hits     int64 // frames that came from the cache
	Decoded  int64 // pictures that came out of decoders
	Frames   int64 // frames returned
	Decoders int64 // decoders opened
	Index    int   // bytes of memory of the index
}

type counters struct {
	open                                   source.Counts
	openTime                               time.Duration
	runs, packets, bytes, skipped, decoded atomic.Int64
	frames, opened, resumed, hits, waited  atomic.Int64
}

// Stats returns the counts so far.
func (d *VideoDecoder) Stats() Stats {
	s := d.stats
	var index int
	if d.guess != nil {
		index = d.guess.Bytes()
	} else {
		index = d.index.Bytes()
	}
	var http source.HTTPStats
	var blocks source.CacheStats
	if d.remote != nil {
		http, blocks = d.remote.HTTP.Stats(), d.remote.Stats()
	}
	return Stats{
		HTTP: http, Blocks: blocks, Waited: time.Duration(s.waited.Load()),
		Open: s.open, OpenTime: s.openTime, Source: d.src.Counts(),
		Runs: s.runs.Load(), Packets: s.packets.Load(), Bytes: s.bytes.Load(), Skipped: s.skipped.Load(), Resumed: s.resumed.Load(), Hits: s.hits.Load(),
		Decoded: s.decoded.Load(), Frames: s.frames.Load(), Decoders: s.opened.Load(), Index: index,
	}
}
