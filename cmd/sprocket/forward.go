package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// maxHeld bounds what is kept in memory of a standard input that is a pipe, where a command must go back in it.
const maxHeld = 16 << 20

// spoolFlag adds the flag of commands that may need to go back in their input.
func spoolFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("spool", false, "put a pipe, or a response without ranges, into a temporary file first")
}

// forward is an input that is read once, from front to back.
type forward struct {
	name string
	*source.Stream
	close func() error // of what lies below
}

func (f *forward) Close() error { return errors.Join(f.Stream.Close(), f.close()) }

// isPipe says whether a SOURCE is a standard input that cannot seek.
func isPipe(name string, stdin io.Reader) bool {
	if name != "-" {
		return false
	}
	if f, ok := stdin.(*os.File); ok {
		st, err := f.Stat()
		return err != nil || !st.Mode().IsRegular()
	}
	return true
}

// openForward opens what can only be read from front to back: a pipe, or a URL whose server has no ranges for a file that is too large to be
// kept. Everything else is an input as usual. One of the two results is nil.
func openForward(ctx context.Context, name string, stdin io.Reader, spool bool) (*input, *forward, error) {
	var r io.Reader = stdin
	end := func() error { return nil }
	if spool || !isPipe(name, stdin) {
		in, err := openInput(ctx, name, stdin, spool)
		if err == nil || spool || !errors.Is(err, source.ErrNoRanges) {
			return in, nil, err
		}
		url, err := locate(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		body, err := source.OpenBody(ctx, url, nil)
		if err != nil {
			return nil, nil, about(name, err)
		}
		r, end = body, body.Close
	}
	s, err := source.NewStream(r, nil)
	if err != nil {
		return nil, nil, errors.Join(about(name, err), end())
	}
	if name == "-" && !streamable(ctx, s) {
		in, err := holdStream(ctx, name, s)
		return in, nil, errors.Join(err, s.Close())
	}
	return nil, &forward{source.RedactURL(name), s, end}, nil
}

// streamable says whether a stream is, as far as its beginning tells, of a format that is read as it comes, or of none that is known.
func streamable(ctx context.Context, s *source.Stream) bool {
	head := make([]byte, 2<<10)
	n, err := source.ReadSome(ctx, s, head, 0)
	if err != nil {
		return true // who opens it is told the same
	}
	for _, f := range sprocket.Formats() {
		if f.Sniff(head[:n]) {
			_, ok := f.(container.StreamFormat)
			return ok
		}
	}
	return true
}

// spoolInput puts what r gives into a temporary file.
func spoolInput(ctx context.Context, name string, r io.Reader) (*input, error) {
	s, err := source.Spool(ctx, r, nil)
	if err != nil {
		return nil, about(name, err)
	}
	return &input{name: source.RedactURL(name), Counter: source.Count(s), close: s.Close}, nil
}

// holdInput keeps what a pipe gives in memory.
func holdInput(ctx context.Context, name string, r io.Reader) (*input, error) {
	s, err := source.NewStream(r, &source.StreamOptions{Window: -1})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // it holds memory only
	return holdStream(ctx, name, s)
}

// holdStream keeps in memory what a stream gives from its beginning on.
func holdStream(ctx context.Context, name string, s *source.Stream) (*input, error) {
	var all bytes.Buffer
	piece := make([]byte, 64<<10)
	for all.Len() <= maxHeld {
		n, err := source.ReadSome(ctx, s, piece, int64(all.Len()))
		all.Write(piece[:n])
		if err != nil {
			return nil, about(name, err)
		}
		if n < len(piece) {
			return &input{name: name, Counter: source.Count(bytes.NewReader(all.Bytes())), close: func() error { return nil }}, nil
		}
	}
	return nil, about(name, fmt.Errorf("more than %s from a pipe, in which this must go back: give --spool: %w", formatBytes(maxHeld), container.ErrNotSeekable))
}

// withHint adds what to do where an input cannot be read forward.
func withHint(err error) error {
	if errors.Is(err, container.ErrNotSeekable) {
		return fmt.Errorf("%w (give --spool)", err)
	}
	return err
}

// openVideoStream opens the video of a forward input.
func openVideoStream(ctx context.Context, in *forward, o *sprocket.VideoOptions) (*sprocket.VideoStream, error) {
	s, err := sprocket.OpenStream(ctx, in.Stream, o)
	return s, withHint(err)
}

// listForward opens the container of a forward input, and yields its packets as they are stored.
func listForward(ctx context.Context, in *forward, pick func([]container.Track) []int) (container.Demuxer, iter.Seq2[container.PacketInfo, error], error) {
	d, err := container.OpenStream(ctx, in.Stream, sprocket.Formats(), &container.Options{Select: pick})
	if err != nil {
		return nil, nil, withHint(err)
	}
	return d, func(yield func(container.PacketInfo, error) bool) {
		defer func() { _ = d.Close() }() // it holds memory only, and still tells of its tracks and faults
		var p container.Packet
		for {
			err := d.Next(ctx, &p)
			if err == io.EOF || !yield(p.PacketInfo, withHint(err)) || err != nil {
				return
			}
		}
	}, nil
}

// picker chooses frames as they go by.
type picker struct {
	every       int // each so many from start to stop, which may be sprocket.End
	start, stop int
	numbers     []int           // or these, sorted
	times       []time.Duration // or those played then, sorted
}

// picker returns what chooses the frames the flags ask for, or nil when that takes to know how many there are.
func (f *framesFlags) picker(flag string) *picker {
	switch flag {
	case "--every":
		return &picker{every: f.every, stop: sprocket.End}
	case "--range":
		r, err := parseSlice(f.rng)
		p := &picker{every: r.step, stop: sprocket.End}
		if err != nil || r.start != nil && *r.start < 0 || r.stop != nil && *r.stop < 0 {
			return nil
		}
		if r.start != nil {
			p.start = *r.start
		}
		if r.stop != nil {
			p.stop = *r.stop
		}
		return p
	case "--at":
		ns, err := parseNumbers(f.at)
		if slices.Sort(ns); err != nil || ns[0] < 0 {
			return nil
		}
		return &picker{numbers: slices.Compact(ns)}
	case "--times":
		ts, err := parseTimes(f.times)
		if err != nil {
			return nil
		}
		slices.Sort(ts)
		return &picker{times: ts}
	}
	return nil
}

// wants says whether a frame is asked for. It is asked once for each, in order.
func (p *picker) wants(f sprocket.FrameInfo, tb container.Timebase) bool {
	switch {
	case p.every > 0:
		return f.N >= p.start && f.N < p.stop && (f.N-p.start)%p.every == 0
	case len(p.numbers) > 0:
		if p.numbers[0] != f.N {
			return false
		}
		p.numbers = p.numbers[1:]
		return true
	}
	found := false
	for len(p.times) > 0 {
		t := tb.Ticks(p.times[0])
		if t < f.Ticks || t >= f.Ticks+f.DurationTicks {
			break
		}
		found = true
		p.times = p.times[1:]
	}
	return found
}

// over says whether no frame from n on is asked for.
func (p *picker) over(n int) bool {
	return p.every > 0 && n >= p.stop || p.every == 0 && len(p.numbers) == 0 && len(p.times) == 0
}

// missed returns an error when frames that were asked for did not come among the n there were.
func (p *picker) missed(n int, end time.Duration) error {
	switch {
	case len(p.numbers) > 0:
		return &seek.RangeError{Asked: fmt.Sprintf("frame %d", p.numbers[0]), Have: fmt.Sprintf("%d frames", n)}
	case len(p.times) > 0:
		return &seek.RangeError{Asked: fmt.Sprintf("time %v", p.times[0]), Have: fmt.Sprintf("frames up to %v", end)}
	}
	return nil
}

// runForward does the work on a forward input: pictures go into the directory as they come.
func (j *framesJob) runForward(ctx context.Context, in *forward, stderr io.Writer) (err error) {
	start := time.Now()
	s, err := openVideoStream(ctx, in, &j.options)
	if err != nil {
		return err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	out, err := newDirSink(j.output)
	if err != nil {
		return err
	}
	p := newProgress(stderr, "frame", 0)
	defer p.end()
	w := &forwardFrames{j: j, out: out, p: p, tb: s.Track().Timebase}
	for f, err := range s.Frames(ctx) {
		if err = w.take(f, err); err != nil {
			return cmp.Or(ctx.Err(), err)
		}
		if j.pick.over(w.n) {
			break
		}
	}
	warn(stderr, in.name, s.Warnings())
	if j.stats {
		writeStats(stderr, s.Stats(), time.Since(start))
	}
	if err := w.failed.err(w.given + w.failed.count); err != nil {
		return err
	}
	if w.n == 0 {
		return noFrames(s.Track().ID, s.Warnings())
	}
	if err := j.pick.missed(w.n, w.end); err != nil {
		return &usageError{about(in.name, err)}
	}
	if w.given == 0 {
		return usagef("%s: no frame is in this range of %d frames", in.name, w.n)
	}
	return nil
}

// forwardFrames takes the frames of a forward input one after the other.
type forwardFrames struct {
	j   *framesJob
	out *dirSink
	p   *progress
	tb  container.Timebase

	n, given int           // frames that came, and that were written
	end      time.Duration // of the last one
	failed   failures      // of those that were asked for
}

// take writes a frame that is asked for, or notes why there is none. An error ends the work.
func (w *forwardFrames) take(f *sprocket.Frame, err error) error {
	var failed *sprocket.FrameError
	switch {
	case err == nil:
	case !errors.As(err, &failed):
		return err
	case failed.N < 0: // no frame, and a file would have one
		w.failed.add(err)
		return nil
	default:
		f = &sprocket.Frame{FrameInfo: failed.FrameInfo}
	}
	w.n, w.end = f.N+1, f.PTS+f.Duration
	switch want := w.j.pick.wants(f.FrameInfo, w.tb); {
	case want && failed != nil:
		w.failed.add(err)
	case want:
		if err := w.out.write(f.N, f.Tensor); err != nil {
			return err
		}
		w.given++
		w.p.add(1)
	}
	return nil
}
