// Package container is the vocabulary of the demuxers: tracks, packets, times, formats, limits and errors.
package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"time"

	"github.com/sprocket-video/sprocket/source"
)

// Demuxer takes a container apart. Next is for one goroutine at a time.
type Demuxer interface {
	// Tracks returns the tracks in the container's order. The slice is shared and read-only.
	Tracks() []Track
	// Next reads the next packet of any track in use, in storage or arrival order, into p, whose Data it reuses.
	// It returns io.EOF, bare, after the last one.
	Next(ctx context.Context, p *Packet) error
	// Close releases what the demuxer holds, not the source. Tracks still answers after it.
	Close() error
}

// SeekableDemuxer knows where every packet is. List and Read are safe for concurrent use.
type SeekableDemuxer interface {
	Demuxer
	// List yields the packets of a track in decode order, beginning with number from.N.
	// The infos are values. After an error it stops.
	List(ctx context.Context, track int, from PacketInfo) iter.Seq2[PacketInfo, error]
	// Read reads the packet that info describes into p, whose Data it reuses.
	Read(ctx context.Context, track int, info PacketInfo, p *Packet) error
}

// EstimatingDemuxer knows its way without listing every packet. Its methods are safe for concurrent use.
//
// A packet that was not counted has no number: whoever works with such packets knows them by Pos and PTS.
type EstimatingDemuxer interface {
	SeekableDemuxer
	// Estimate returns what is known of a track at the cost of a few reads.
	Estimate(ctx context.Context, track int) (Estimate, error)
	// Locate returns a key packet whose PTS is not after pts: the last one that what was read tells of. Where there is none it
	// returns the first packet of the track, key or not. It reads only the headers near that packet, or, where nothing leads there,
	// those on the way, or all of them. The packet's N is -1 when the packets before it have not been counted.
	Locate(ctx context.Context, track int, pts Ticks) (PacketInfo, error)
	// Follow yields the packets of a track in decode order, beginning with from, which Locate or Follow returned; the caller may
	// have set its N. Their N count on from there. They are those that List yields, and all of them, but for their N, for
	// discarded packets before the first that is shown, and for a DTS that may differ by what Estimate.Reorder stands for.
	Follow(ctx context.Context, track int, from PacketInfo) iter.Seq2[PacketInfo, error]
}

// Estimate is what is known of a whole track.
type Estimate struct {
	Method   string // where it comes from: "packets" when all were listed, else "sidx", "tfra", "headers"
	Exact    bool   // all packets were listed: List reads nothing more
	Start    Ticks  // PTS of the first frame, about; NoTicks when not known
	Duration Ticks  // about; NoTicks when not known
	Packets  int64  // about how many; -1 when not known
	Points   int    // places that Locate can go to at once; 0 when it must go through the headers
	Apart    bool   // each of them costs a request of its own, the first too: only what is asked for should be looked for
	// Reorder is how many packets may still come, behind one with a DTS after some time, before one that is presented not after
	// that time. Zero: none, the DTS that Follow gives never are after the PTS of any packet behind.
	Reorder int
}

// Scattered is implemented by demuxers whose packets lie in other sources than the one that was opened. The Pos of a packet then tells nothing of that
// source: it is for the demuxer, and for what Prefetcher returns.
type Scattered interface {
	// Prefetcher returns what can be told what will be read of a track, by Pos; nil where nothing gains from it.
	Prefetcher(track int) source.Prefetcher
}

// Prefetching is implemented by demuxers whose packets lie in the source that was opened, at Pos.
type Prefetching interface {
	// Ahead returns what can be told what will be read of that source; nil where nothing gains from it.
	Ahead() source.Prefetcher
}

// PrefetcherOf returns what can be told what will be read of a track, by Pos: nil where the demuxer does not know, or nothing gains from it.
func PrefetcherOf(d Demuxer, track int) source.Prefetcher {
	switch d := d.(type) {
	case Scattered:
		return d.Prefetcher(track)
	case Prefetching:
		return d.Ahead()
	}
	return nil
}

// Prefetch makes reads of packets fast, where the source gains from knowing what will be read. Whoever reads them meets the errors.
func Prefetch(ctx context.Context, d Demuxer, track int, packets []PacketInfo) {
	p := PrefetcherOf(d, track)
	if p == nil || len(packets) == 0 {
		return
	}
	var before int64 // the header of the transport packet that a packet begins in
	if t := d.Tracks()[track].Transport; t != nil {
		before = int64(t.PacketSize)
	}
	ranges := make([]source.Range, len(packets))
	for i := range packets {
		from := max(packets[i].Pos-before, 0)
		ranges[i] = source.Range{Off: from, Len: packets[i].Pos + packets[i].Extent() - from}
	}
	_ = source.PrefetchAll(ctx, p, ranges) // see above
}

// Warner is implemented by demuxers that found faults which did not stop them.
type Warner interface {
	// Warnings returns located errors, in the order they were met.
	Warnings() []error
}

// Format is one container format, a value to be listed.
type Format interface {
	// Name returns the format's short name, "mp4".
	Name() string
	// Sniff says whether a source that begins with head may be of this format.
	Sniff(head []byte) bool
	// Open parses what is needed to list packets. The caller keeps the source open as long as the demuxer is used.
	Open(ctx context.Context, src source.Source, o *Options) (Demuxer, error)
}

// Noting returns the formats again, each of which sets *name to its own when it opens a source.
func Noting(name *string, formats []Format) []Format {
	out := make([]Format, len(formats))
	for i, f := range formats {
		out[i] = notingFormat{f, name}
	}
	return out
}

type notingFormat struct {
	Format
	name *string
}

func (f notingFormat) Open(ctx context.Context, src source.Source, o *Options) (Demuxer, error) {
	d, err := f.Format.Open(ctx, src, o)
	if err == nil {
		*f.name = f.Name()
	}
	return d, err
}

// Options say how to open a container. The zero value is the default, and so is nil.
type Options struct {
	// Head holds the first bytes of the source, if the caller has read them already.
	Head []byte
	// Select is given all tracks and returns the indices of those whose packets will be asked for.
	// Tables of the others are not kept. Nil selects all.
	Select func([]Track) []int
	// Near is a time at which packets will be asked for first. It changes no answer: where one of many places must be looked at to see what the tracks are, the
	// one of that time is.
	Near time.Duration
	// Limits bound what hostile input can cost.
	Limits Limits
	// Logger receives debug messages. Nil discards them.
	Logger *slog.Logger
	// Progress, when not nil, is told now and then how many bytes of the source were gone through, by a demuxer that must go
	// through all of it to list packets. It is called by the goroutine that lists, and must be quick.
	Progress func(done, total int64)
}

// Limits bound what an input can make the library do. A zero field is its default.
type Limits struct {
	Tracks      int   // tracks of one container; default 1024
	Packets     int64 // packets of one track; default 1<<28
	HeaderBytes int64 // bytes of headers and tables held at once; default 1 GiB
	PacketBytes int64 // bytes of one packet; default 256 MiB
}

// OrDefault returns the limits with the defaults filled in.
func (l Limits) OrDefault() Limits {
	if l.Tracks == 0 {
		l.Tracks = 1024
	}
	if l.Packets == 0 {
		l.Packets = 1 << 28
	}
	if l.HeaderBytes == 0 {
		l.HeaderBytes = 1 << 30
	}
	if l.PacketBytes == 0 {
		l.PacketBytes = 256 << 20
	}
	return l
}

// HeadSize is how many bytes Open looks at before it chooses a format.
const HeadSize = 64 << 10

// Open opens src with the first of formats that recognises it.
// It reads the first HeadSize bytes, once, and hands them on.
func Open(ctx context.Context, src source.Source, formats []Format, o *Options) (Demuxer, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Head == nil {
		opts.Head = make([]byte, min(HeadSize, max(src.Size(), 0)))
		n, err := source.ReadSome(ctx, src, opts.Head, 0)
		if err != nil {
			return nil, fmt.Errorf("container: open: %w", err)
		}
		opts.Head = opts.Head[:n]
	}
	if len(opts.Head) == 0 {
		return nil, &Error{Format: "container", Op: "open", Offset: 0, Err: io.ErrUnexpectedEOF}
	}
	var refused error
	for _, f := range formats {
		if !f.Sniff(opts.Head) {
			continue
		}
		d, err := f.Open(ctx, src, &opts)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, ErrFormat) {
			return nil, err
		}
		if refused != nil {
			err = fmt.Errorf("%w; %w", refused, err)
		}
		refused = err
	}
	if refused != nil {
		return nil, refused
	}
	return nil, &Error{Format: "container", Op: "open", Offset: 0, Err: fmt.Errorf("%w: begins with %q", ErrFormat, opts.Head[:min(16, len(opts.Head))])}
}
