package sprocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// job is the consumer of one run: it gives the wanted pictures to sink as they come out.
type job struct {
	d     *VideoDecoder
	w     *worker
	run   *seek.Run
	order []int32 // indices into run.Frames, by packet
	done  []bool  // pictures that came out
	left  int     // pictures that did not
	stay  bool    // pictures that come out after the last wanted one are kept: they may be asked for next
	extra bool    // such pictures came out and were not kept
	errs  []error // per frame; nil until one fails
	bad   []int64 // packets that are damaged
	late  bool    // so are others, unknown: the decoder told it at its end
	sink  func(f seek.Frame, v codec.VideoFrame) error
}

func (d *VideoDecoder) newJob(w *worker, run *seek.Run, stay bool, sink func(seek.Frame, codec.VideoFrame) error) *job {
	n := len(run.Frames)
	j := &job{d: d, w: w, run: run, stay: stay, sink: sink, order: make([]int32, n), done: make([]bool, n), left: n}
	for i := range j.order {
		j.order[i] = int32(i)
	}
	slices.SortFunc(j.order, func(a, b int32) int { return cmp.Compare(run.Frames[a].Packet, run.Frames[b].Packet) })
	return j
}

// outcome is what became of a run.
type outcome struct {
	errs  []error // per frame of the run; nil when all frames came out
	clean bool    // and nothing was damaged
}

// decodeRun decodes a run: on from where a warm worker is, or from its start. Share is what is taken of the budget for it.
//
// Stay says that what follows the run may be asked for next. Where the run itself follows what was decoded before, a few packets
// more are then decoded, until its pictures come out, instead of making the decoder give up what it holds: it can go on.
// Over a network nothing is read that was not asked for.
//
// Only what is clean is believed of a decoder that went on or that has threads, which tell late what went wrong: otherwise
// the run is decoded again, from its start, by one thread. So the same frames come out whatever was decoded before.
func (d *VideoDecoder) decodeRun(ctx context.Context, ahead *lookahead, run *seek.Run, px *codec.Pixels, threads, share int, stay bool, sink func(seek.Frame, codec.VideoFrame) error) (outcome, error) {
	w, follows := d.resume(run, px)
	resumed := w != nil
	if !resumed {
		var err error
		if w, err = d.acquire(ctx, run.Start.Description, threads); err != nil {
			return outcome{}, err
		}
	}
	out, err := d.decode(ctx, w, ahead, run, share, stay && follows && px == &d.pixels && d.ahead == nil, sink)
	again := err == nil && !out.clean && (resumed || w.threads > 1)
	d.rest(w)
	if resumed {
		d.stats.resumed.Add(1)
	}
	if !again {
		return out, err
	}
	if w, err = d.acquire(ctx, run.Start.Description, 1); err != nil {
		return outcome{}, err
	}
	defer d.rest(w)
	return d.decode(ctx, w, ahead, run, share, false, sink)
}

// maxStay bounds how many packets are decoded to push a picture out of the decoder: as many as libavcodec can hold back, and some.
const maxStay = 32

// decode decodes a run with w. An error ends the call.
func (d *VideoDecoder) decode(ctx context.Context, w *worker, ahead *lookahead, run *seek.Run, share int, stay bool, sink func(seek.Frame, codec.VideoFrame) error) (outcome, error) {
	from, end := w.begin(run, stay), run.Last
	if stay {
		end += maxStay + int64(w.threads)
	}
	w.share, w.ahead = share, ahead
	j := d.newJob(w, run, stay, sink)
	if err := j.unstash(); err != nil {
		return outcome{}, err
	}
	if err := d.feed(ctx, w, from, run.Last, end, j); err != nil {
		return outcome{}, err
	}
	drained := !j.enough() || j.extra || len(j.bad) > 0
	if drained {
		err := w.dec.Flush(ctx, w.emit)
		j.late = errors.Is(err, codec.ErrDecode)
		if err != nil && !j.late {
			return outcome{}, err
		}
	}
	clean := j.left == 0 && len(j.bad) == 0 && !j.late
	// At the end of the track everything that is left comes out, and is kept.
	w.warm = clean && !j.extra && (!drained || stay && w.last == d.index.Packets()-1)
	w.useful = w.warm && (w.useful || stay)
	w.passed = max(w.passed, run.Frames[len(run.Frames)-1].PTS)
	for i, f := range run.Frames {
		if !j.done[i] {
			j.fail(i, fmt.Errorf("no picture came out of packet %d: %w", f.Packet, codec.ErrDecode))
		} else if !d.opts.KeepDamaged {
			bad, err := d.taint(ctx, j.bad, f)
			if err != nil {
				return outcome{}, err
			}
			if bad >= 0 {
				j.fail(i, fmt.Errorf("it is made from packet %d: %w", bad, ErrDamaged))
			}
		}
	}
	return outcome{errs: j.errs, clean: clean}, nil
}

// taint returns the first of the bad packets that the picture of f may be made from, or -1: one that is decoded before it, not
// before its start, and that other packets need.
func (d *VideoDecoder) taint(ctx context.Context, bad []int64, f seek.Frame) (int64, error) {
	for _, n := range bad {
		if n >= f.Packet {
			continue
		}
		start, err := d.index.Start(ctx, f.N)
		if err != nil {
			return -1, err
		}
		if n < start.N {
			continue
		}
		needed, err := d.needed(ctx, n)
		if err != nil {
			return -1, err
		}
		if needed {
			return n, nil
		}
	}
	return -1, nil
}

// needed says whether other packets may refer to packet n. What cannot be read may be.
func (d *VideoDecoder) needed(ctx context.Context, n int64) (bool, error) {
	for info, err := range d.demuxer.List(ctx, d.track, container.PacketInfo{N: n}) {
		if err != nil {
			return true, err
		}
		if d.unneeded(&info) {
			return false, nil
		}
		var p container.Packet
		if err := d.demuxer.Read(ctx, d.track, info, &p); err != nil {
			return true, ctx.Err()
		}
		return !d.disposable(&p), nil
	}
	return true, nil
}

// find returns the index in run.Frames of the frame of a packet.
func (j *job) find(packet int64) (int, bool) {
	k, ok := slices.BinarySearchFunc(j.order, packet, func(i int32, n int64) int { return cmp.Compare(j.run.Frames[i].Packet, n) })
	if !ok {
		return 0, false
	}
	return int(j.order[k]), true
}

func (j *job) wants(packet int64) bool {
	_, ok := j.takes(packet)
	return ok
}

// takes returns the index in run.Frames of the frame that a packet, be it of its second field, is of.
func (j *job) takes(packet int64) (int, bool) {
	i, ok := j.find(packet)
	if !ok && packet > 0 {
		i, ok = j.find(packet - 1)
		ok = ok && j.run.Frames[i].Last() == packet
	}
	return i, ok
}

func (j *job) feeding(int64) {}

func (j *job) enough() bool { return j.left == 0 && j.w.settled(j.run.Last) }

func (j *job) failed(packet int64, err error) {
	j.bad = append(j.bad, packet)
	if i, ok := j.takes(packet); ok {
		j.fail(i, err)
	}
}

func (j *job) emit(v codec.VideoFrame) error {
	damaged := v.Damaged()
	if damaged {
		j.bad = append(j.bad, v.Packet())
	}
	i, ok := j.find(v.Packet())
	if !ok || j.done[i] {
		if j.left == 0 && !ok {
			return j.spare(v)
		}
		return nil
	}
	j.done[i] = true
	j.left--
	if damaged && !j.d.opts.KeepDamaged {
		j.fail(i, ErrDamaged)
		return nil
	}
	return j.sink(j.run.Frames[i], v)
}

// fail notes the first error of a frame.
func (j *job) fail(i int, err error) {
	if j.errs == nil {
		j.errs = make([]error, len(j.run.Frames))
	}
	if j.errs[i] == nil {
		j.errs[i] = j.d.frameError(j.run.Frames[i], err)
	}
}
