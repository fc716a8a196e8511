package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// tally counts what was done.
type tally struct {
	Opened  bool
	Tracks  int
	Packets int64
	Indices int
}

// exercise does with a file what programs do: opens it, lists and reads its packets, builds the index of each track and asks it,
// stores and loads the index. It returns an error when an answer breaks a law; that the file is refused is none.
func exercise(ctx context.Context, file []byte) (t tally, err error) {
	src := bytes.NewReader(file)
	d, err := container.Open(ctx, src, sprocket.Formats(), nil)
	if err != nil {
		return t, located("open", err)
	}
	defer func() {
		if e := d.Close(); err == nil && e != nil {
			err = fmt.Errorf("close: %w", e)
		}
	}()
	t.Opened, t.Tracks = true, len(d.Tracks())
	s, ok := d.(container.SeekableDemuxer)
	if !ok {
		return t, next(ctx, d)
	}
	for track := range min(len(d.Tracks()), 8) {
		// First, for what leads through a file matters only until it is listed.
		err := locate(ctx, s, track)
		if err == nil {
			var n int64
			n, err = listAndRead(ctx, s, track)
			t.Packets += n
		}
		var built bool
		if err == nil {
			built, err = index(ctx, src, s, track)
		}
		if built {
			t.Indices++
		}
		if err != nil {
			return t, fmt.Errorf("track %d: %w", track, err)
		}
	}
	if w, ok := d.(container.Warner); ok {
		for _, w := range w.Warnings() {
			if err := located("warning", w); err != nil {
				return t, err
			}
		}
	}
	return t, next(ctx, d)
}

// located returns an error when err does not say where in the input it happened, or not what can be done about it.
func located(op string, err error) error {
	var e *container.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %q (%T) does not say where", op, err, err)
	}
	for _, sentinel := range []error{container.ErrFormat, container.ErrCorrupt, container.ErrUnsupported, container.ErrLimit, container.ErrNotSeekable, io.ErrUnexpectedEOF,
		source.ErrNoNames, // what a playlist names is elsewhere, and a file alone leads nowhere
	} {
		if errors.Is(err, sentinel) {
			return nil
		}
	}
	return fmt.Errorf("%s: %q wraps none of the sentinels", op, err)
}

// next reads a few packets as they come.
func next(ctx context.Context, d container.Demuxer) error {
	var p container.Packet
	for range 32 {
		err := d.Next(ctx, &p)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if e := located("next", err); e != nil {
				return e
			}
		}
	}
	return nil
}

// listAndRead lists a track and reads some of its packets: of each 1, 2, 4, 8, …, and then one in 256.
func listAndRead(ctx context.Context, d container.SeekableDemuxer, track int) (n int64, err error) {
	var p container.Packet
	for info, err := range d.List(ctx, track, container.PacketInfo{}) {
		if err != nil {
			return n, located("list", err)
		}
		if info.N != n || info.Track != track || info.Size < 0 || info.Pos < 0 || info.DTS != container.NoTicks && info.PTS != container.NoTicks && info.DTS > info.PTS {
			return n, fmt.Errorf("packet %d: %+v", n, info)
		}
		if n&(n-1) == 0 || n%256 == 0 {
			if err := d.Read(ctx, track, info, &p); err != nil {
				if e := located("read", err); e != nil {
					return n, e
				}
			} else if len(p.Data) != info.Size {
				return n, fmt.Errorf("packet %d: %d bytes were read, %d listed", n, len(p.Data), info.Size)
			}
		}
		n++
	}
	if says := d.Tracks()[track].Packets; says >= 0 && says != n {
		return n, fmt.Errorf("%d packets listed, the track says %d", n, says)
	}
	for info, err := range d.List(ctx, track, container.PacketInfo{N: n / 2}) {
		if err == nil && info.N != n/2 {
			err = fmt.Errorf("listing from packet %d begins with %d", n/2, info.N)
		}
		if err != nil {
			return n, err
		}
		break
	}
	return n, nil
}

// locate asks where times are.
func locate(ctx context.Context, d container.SeekableDemuxer, track int) error {
	e, ok := d.(container.EstimatingDemuxer)
	if !ok {
		return nil
	}
	est, err := e.Estimate(ctx, track)
	if err != nil {
		return located("estimate", err)
	}
	for _, pts := range []container.Ticks{0, est.Start, est.Duration / 2, est.Duration, 1 << 62, -1 << 62} {
		at, err := e.Locate(ctx, track, pts)
		if err != nil {
			return located("locate", err)
		}
		n := 0
		for _, err := range e.Follow(ctx, track, at) {
			if err != nil {
				return located("follow", err)
			}
			if n++; n == 16 {
				break
			}
		}
	}
	return nil
}

// index builds the index of a track, asks it, and stores and loads it.
func index(ctx context.Context, src *bytes.Reader, d container.SeekableDemuxer, track int) (built bool, err error) {
	if _, err := seek.Verify(ctx, d, track, nil); err != nil {
		return false, located("verify", err)
	}
	x, err := seek.Build(ctx, d, track)
	if err != nil {
		return false, located("build", err)
	}
	if err := ask(ctx, x); err != nil {
		return true, err
	}
	id, err := seek.Identify(ctx, src)
	if err != nil {
		return true, fmt.Errorf("identify: %w", err)
	}
	stored, err := x.AppendIndex(ctx, nil, id)
	if err != nil {
		return true, located("store", err)
	}
	frames, packets := x.Len(), x.Packets()
	x = nil // nobody holds both
	loaded, err := seek.LoadIndex(stored, container.Limits{})
	if err != nil {
		return true, fmt.Errorf("what was stored cannot be loaded: %w", err)
	}
	y, _, err := loaded.Table(ctx, src, container.Limits{})
	if err != nil {
		return true, fmt.Errorf("stored index: %w", err)
	}
	if y.Len() != frames || y.Packets() != packets {
		return true, fmt.Errorf("stored index: %d frames of %d packets, not %d of %d", y.Len(), y.Packets(), frames, packets)
	}
	return true, nil
}

// ask asks an index about some frames.
func ask(ctx context.Context, x *seek.Table) error {
	step := max(1, x.Len()/16)
	var ns []int
	for n := 0; n < x.Len(); n += step {
		f, err := x.Frame(n)
		if err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
		found, err := x.Search(f.PTS)
		if err != nil {
			return fmt.Errorf("search %d: %w", f.PTS, err)
		}
		if g, err := x.Frame(found); err != nil || g.PTS != f.PTS {
			return fmt.Errorf("search %d: frame %d, not %d", f.PTS, found, n)
		}
		ns = append(ns, n)
	}
	runs, err := seek.Plan(ctx, x, ns)
	if err != nil {
		return located("plan", err)
	}
	frames := 0
	for _, r := range runs {
		frames += len(r.Frames)
		if r.Last < r.Start.N {
			return fmt.Errorf("plan: a run from packet %d to %d", r.Start.N, r.Last)
		}
	}
	if frames != len(ns) {
		return fmt.Errorf("plan: %d frames, not %d", frames, len(ns))
	}
	return nil
}
