package sprocket

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// job is the consumer of one run: it gives the wanted pictures to sink as they come out.
type job struct {
	run   *seek.Run
	order []int32 // indices into run.Frames, by packet
	done  []bool  // pictures that came out
	errs  []error // per frame; nil until one fails
	bad   []int64 // packets that are damaged
	keep  bool    // damaged pictures are wanted
	sink  func(f seek.Frame, v codec.VideoFrame) error
}

func newJob(run *seek.Run, keep bool, sink func(seek.Frame, codec.VideoFrame) error) *job {
	j := &job{run: run, sink: sink, keep: keep, order: make([]int32, len(run.Frames)), done: make([]bool, len(run.Frames))}
	for i := range j.order {
		j.order[i] = int32(i)
	}
	slices.SortFunc(j.order, func(a, b int32) int { return cmp.Compare(run.Frames[a].Packet, run.Frames[b].Packet) })
	return j
}

// decode decodes a run. The errors are per frame of the run, or nil when all frames came out; err ends the call.
func (d *VideoDecoder) decode(ctx context.Context, w *worker, run *seek.Run, sink func(seek.Frame, codec.VideoFrame) error) (errs []error, err error) {
	j := newJob(run, d.opts.KeepDamaged, sink)
	if err := d.feed(ctx, w, run.Start, run.Last, j); err != nil {
		return nil, err
	}
	for i, f := range run.Frames {
		if !j.done[i] {
			j.fail(i, fmt.Errorf("no picture came out of packet %d: %w", f.Packet, codec.ErrDecode))
		} else if !j.keep {
			bad, err := d.taint(ctx, j.bad, f)
			if err != nil {
				return nil, err
			}
			if bad >= 0 {
				j.fail(i, fmt.Errorf("it is made from packet %d: %w", bad, ErrDamaged))
			}
		}
	}
	return j.errs, nil
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
	_, ok := j.find(packet)
	return ok
}

func (j *job) feeding(int64) {}

func (j *job) failed(packet int64, err error) {
	j.bad = append(j.bad, packet)
	if i, ok := j.find(packet); ok {
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
		return nil
	}
	j.done[i] = true
	if damaged && !j.keep {
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
		j.errs[i] = frameError(j.run.Frames[i], err)
	}
}
