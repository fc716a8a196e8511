package conformance

import (
	"context"
	"math/rand/v2"

	"github.com/sprocket-video/sprocket/seek"
)

// plans makes plans for frames wanted at random, and for all of a short track.
func (c *indexCheck) plans(ctx context.Context) {
	n := len(c.all)
	if n == 0 {
		return
	}
	r := rand.New(rand.NewPCG(3, 5))
	for _, k := range []int{1, 2, 5, 20, 100} {
		wanted := make([]int, k)
		for i := range wanted {
			wanted[i] = r.IntN(2*n) - n
		}
		c.plan(ctx, wanted)
	}
	c.plan(ctx, sample(n, 1000))
	c.plan(ctx, nil)
	for _, bad := range []int{n, -n - 1} {
		_, err := seek.Plan(ctx, c.x, []int{0, bad})
		c.wantRange(err, "Plan of frame %d of %d", bad, n)
	}
}

// plan checks the plan for some frames: each is in one run, which begins where it can be decoded from and ends with the packet of
// its last frame; runs do not touch.
func (c *indexCheck) plan(ctx context.Context, wanted []int) {
	runs, err := seek.Plan(ctx, c.x, wanted)
	if err != nil {
		c.because(err, "frames of the track can be planned", "%d of them", len(wanted))
		return
	}
	in := map[int]int{}
	for i := range runs {
		run := &runs[i]
		if i > 0 && run.Start.N <= runs[i-1].Last+1 {
			c.broke("runs are in decode order and do not touch", "one starts at packet %d, the one before ends at packet %d", run.Start.N, runs[i-1].Last)
		}
		last := int64(-1)
		for k, f := range run.Frames {
			in[f.N]++
			last = max(last, f.Packet)
			if k > 0 && f.N <= run.Frames[k-1].N {
				c.broke("the frames of a run are in presentation order", "frame %d after frame %d", f.N, run.Frames[k-1].N)
			}
			if k >= 64 && k < len(run.Frames)-1 {
				continue // a start costs a look at a packet
			}
			if start, err := c.x.Start(ctx, f.N); err != nil || f.Packet < run.Start.N || start.N < run.Start.N {
				c.because(err, "a run begins at or before the start of each of its frames", "frame %d starts at packet %d, its run at packet %d", f.N, start.N, run.Start.N)
			}
		}
		if last != run.Last {
			c.broke("a run ends with the last packet that is wanted", "it ends with packet %d, wanted is packet %d", run.Last, last)
		}
	}
	distinct := map[int]bool{}
	for _, n := range wanted {
		if n < 0 {
			n += len(c.all)
		}
		if distinct[n] = true; in[n] != 1 {
			c.broke("each frame wanted is in one run", "frame %d is in %d", n, in[n])
		}
	}
	if len(in) != len(distinct) {
		c.broke("no frame is planned that is not wanted", "%d are, of %d", len(in), len(distinct))
	}
}
