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

// exercise does with a file what programs do: reads it as a stream; opens it, finds times without listing, lists and reads its packets, builds the
// index of each track and asks it, stores and loads the index. It returns an error when an answer breaks a law; that the file is refused is none.
func exercise(ctx context.Context, file []byte) (t tally, err error) {
	if err := stream(ctx, file); err != nil {
		return t, fmt.Errorf("as a stream: %w", err)
	}
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
		return t, next(ctx, d, 32)
	}
	for track := range min(len(d.Tracks()), 8) {
		// First, for what leads through a file matters only until it is listed.
		err := locate(ctx, s, track)
		if err == nil {
			err = estimate(ctx, s, track)
		}
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
	return t, next(ctx, d, 32)
}

// stream reads a file as it comes.
func stream(ctx context.Context, file []byte) (err error) {
	src, err := source.NewStream(bytes.NewReader(file), &source.StreamOptions{Window: 1 << 20})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	d, err := container.OpenStream(ctx, src, sprocket.Formats(), nil)
	if err != nil {
		return located("open", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return next(ctx, d, 1<<12)
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

// next reads up to n packets as they come.
func next(ctx context.Context, d container.Demuxer, n int) error {
	var p container.Packet
	for range n {
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

// estimate makes an approximate index of a track, asks it for frames by number and by time, and makes an excerpt of them.
func estimate(ctx context.Context, d container.SeekableDemuxer, track int) error {
	e, err := seek.Guess(ctx, d, track)
	if err != nil {
		return located("guess", err)
	}
	var found []seek.Located
	add := func(op string, l seek.Located, err error) error {
		if errors.Is(err, seek.ErrRange) {
			return nil
		}
		if err != nil {
			return located(op, err)
		}
		found = append(found, l)
		return nil
	}
	n := e.Len()
	for _, k := range []int{0, n / 3, n - 1, -1, n + 1000} {
		l, err := e.Number(ctx, k)
		if err := add("number", l, err); err != nil {
			return err
		}
	}
	told := e.Told()
	for _, pts := range []container.Ticks{0, told.Start, told.Duration / 3, told.Duration, 1 << 62, -1 << 62} {
		l, err := e.At(ctx, pts)
		if err := add("at", l, err); err != nil {
			return err
		}
		if err == nil && l.PTS > pts {
			return fmt.Errorf("at %d: a frame of %d", pts, l.PTS)
		}
	}
	x, err := e.Excerpt(ctx, found)
	// Where times jump all is listed in the end, and then what was found before may have another time, or be none.
	listed := e.Kind() == seek.Exact
	if err != nil && !(listed && errors.Is(err, seek.ErrRange)) {
		return located("excerpt", err)
	}
	if err != nil {
		return nil
	}
	for i, n := range x.Numbers {
		if f, err := x.Table.Frame(n); err != nil || f.PTS != found[i].PTS && !listed {
			return fmt.Errorf("excerpt: frame %d is at %d, not %d: %v", n, f.PTS, found[i].PTS, err)
		}
	}
	return nil
}

// index builds the index of a track, asks it, and stores and loads it.
func index(ctx context.Context, src *bytes.Reader, d container.SeekableDemuxer, track int) (built bool, err error) {
	verified, _, err := seek.BuildVerified(ctx, d, track, nil)
	if err != nil {
		return false, located("verify", err)
	}
	packets := verified.Packets()
	verified = nil // nobody holds both
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
	if packets != x.Packets() {
		return true, fmt.Errorf("verified: %d packets, not %d", packets, x.Packets())
	}
	frames := x.Len()
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
