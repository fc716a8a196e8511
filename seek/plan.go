package seek

import (
	"context"
	"fmt"
	"slices"

	"github.com/sprocket-video/sprocket/container"
)

// Run is a stretch of packets to decode in one go, and the frames wanted from it.
type Run struct {
	Start  container.PacketInfo // the first packet to decode
	Last   int64                // the N of the last packet to decode
	Frames []Frame              // the frames wanted, in presentation order, each once
}

// Packets returns how many packets the run spans.
func (r *Run) Packets() int64 { return r.Last - r.Start.N + 1 }

// Plan returns the fewest runs that give the frames wanted, in decode order.
//
// Frames may be in any order and repeated; negative numbers count from the end. No packet is in two runs. A run ends with the
// packet of its last wanted frame, so it is over before its decoder has seen the next key packet.
//
// Of an approximate index there are no plans: see [Estimate.Excerpt].
func Plan(ctx context.Context, x Index, frames []int) ([]Run, error) {
	if x.Kind() == Approximate {
		return nil, fmt.Errorf("seek: a plan by an approximate index: %w", container.ErrUnsupported)
	}
	wanted := make([]int, len(frames))
	for i, n := range frames {
		w, err := Resolve(x, n)
		if err != nil {
			return nil, err
		}
		wanted[i] = w
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)

	var p planner
	for _, n := range wanted {
		f, err := x.Frame(n)
		if err != nil {
			return nil, err
		}
		if err := p.add(ctx, x, f, nil); err != nil {
			return nil, err
		}
	}
	return p.runs, nil
}

// planner makes runs of frames that come in presentation order.
type planner struct {
	runs []Run
}

// add takes the next frame. With cut a new run begins with it, if it begins where cut does.
func (p *planner) add(ctx context.Context, x Index, f Frame, cut *Run) error {
	k := len(p.runs) - 1
	if k >= 0 && cut == nil && p.runs[k].reaches(x, f) {
		p.runs[k].take(f)
		return nil
	}
	start, err := x.Start(ctx, f.N)
	if err != nil {
		return err
	}
	p.runs = append(p.runs, Run{Start: start, Last: f.Last(), Frames: []Frame{f}})
	if cut == nil || cut.Start.N != start.N {
		p.runs = joinLast(p.runs)
	}
	return nil
}

func (r *Run) take(f Frame) {
	r.Frames = append(r.Frames, f)
	r.Last = max(r.Last, f.Last())
}

// reaches says whether f can be had by decoding on, without first asking where decoding could start anew:
// it is in the run, it is the next packet, or no key packet lies between.
func (r *Run) reaches(x Index, f Frame) bool {
	if f.Packet < r.Start.N || f.PTS < r.Start.PTS {
		return false
	}
	if f.Packet <= r.Last+1 {
		return true
	}
	_, ok := x.(keyer)
	return ok && !keyBetween(x, r.Last, f.Packet)
}

// keyer is an index that knows where key packets are.
type keyer interface{ keyBetween(a, b int64) bool }

// keyBetween says whether the index knows of a key packet behind packet a, up to and including b.
func keyBetween(x Index, a, b int64) bool {
	k, ok := x.(keyer)
	return ok && a < b && k.keyBetween(a, b)
}

// joinLast joins the last run with those before it that it touches or overlaps.
func joinLast(runs []Run) []Run {
	for k := len(runs) - 1; k > 0; k-- {
		a, b := &runs[k-1], &runs[k]
		if b.Start.N > a.Last+1 {
			break
		}
		if b.Start.N < a.Start.N {
			a.Start = b.Start
		}
		a.Last = max(a.Last, b.Last)
		a.Frames = append(a.Frames, b.Frames...)
		runs = runs[:k]
	}
	return runs
}

// Resolve turns a frame number that may count from the end into one from the start.
// It returns a *RangeError when there is no such frame.
func Resolve(x Index, n int) (int, error) {
	k := n
	if k < 0 {
		k += x.Len()
	}
	if k < 0 || k >= x.Len() {
		return 0, &RangeError{Asked: fmt.Sprintf("frame %d", n), Have: fmt.Sprintf("%d frames", x.Len())}
	}
	return k, nil
}
