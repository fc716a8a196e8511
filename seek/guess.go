package seek

import (
	"context"
	"iter"

	"github.com/sprocket-video/sprocket/container"
)

// Guess returns the table as it is when every key packet of which nothing else is known is taken to be one that decoding can start at.
// It reads no media data, so what is planned by it can be fetched all at once, before [Confirm] makes it sure.
func (t *Table) Guess() Index { return guess{t} }

type guess struct{ *Table }

// Start returns the packet at which decoding probably begins.
func (g guess) Start(ctx context.Context, n int) (container.PacketInfo, error) {
	return g.start(ctx, n, func(_ context.Context, info container.PacketInfo) (bool, error) {
		ok, known := g.looked(info)
		return ok || !known, nil
	})
}

// Confirm yields the runs that x makes of those planned, and perhaps split, by a guess. It asks x for the start of no run before the
// run ahead of it was taken, and yields one as soon as the start of the next is known. Guesses that were right come out
// as they are. Where one was wrong the runs are those that Plan and Split make, but for streams whose later frames need packets before
// those that earlier ones start at: then a packet may be in two runs.
func Confirm(ctx context.Context, x Index, guessed []Run) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		var p planner
		for i := range guessed {
			for k, f := range guessed[i].Frames {
				var cut *Run
				if k == 0 {
					cut = &guessed[i]
				}
				if err := p.add(ctx, x, f, cut); err != nil {
					yield(Run{}, err)
					return
				}
				for len(p.runs) > 1 {
					if !yield(p.runs[0], nil) {
						return
					}
					p.runs = p.runs[1:]
				}
			}
		}
		for _, r := range p.runs {
			if !yield(r, nil) {
				return
			}
		}
	}
}
