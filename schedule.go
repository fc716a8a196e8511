package sprocket

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/seek"
)

// piecesPerWorker is how many runs there should be for each worker, so that they finish together.
const piecesPerWorker = 4

// minThreaded is how many packets a run has at least that is decoded by several threads: the first pictures of a decoder with
// threads come late, and short runs lose by it.
const minThreaded = 96

// plan returns the runs for the frames, cut for the workers there are, the longest first, and how many threads each decoder is to
// use: one, or as many as there are workers for it where fewer long runs than workers cannot be cut.
//
// Where the source can fetch ahead the runs are guessed, and in their order: that reads nothing.
func (d *VideoDecoder) plan(ctx context.Context, ns []int) (runs []seek.Run, threads int, err error) {
	var x seek.Index = d.index
	if d.ahead != nil {
		x = d.index.Guess()
	}
	if runs, err = seek.Plan(ctx, x, ns); err != nil {
		return nil, 0, err
	}
	workers := d.workers()
	if workers > 1 {
		if runs, err = seek.Split(ctx, x, runs, piecesPerWorker*workers); err != nil {
			return nil, 0, err
		}
		if d.ahead == nil {
			slices.SortStableFunc(runs, func(a, b seek.Run) int { return cmp.Compare(b.Packets(), a.Packets()) })
		}
	}
	threads = max(d.opts.Threads, 1)
	short := func(r seek.Run) bool { return r.Packets() < minThreaded }
	if n := len(runs); d.opts.Threads == 0 && n > 0 && n < workers && d.mayThread() && !slices.ContainsFunc(runs, short) {
		threads = workers / n
	}
	return runs, threads, nil
}

// mayThread says whether decoders may have threads although the options ask for none: where they tell of damage all the same.
func (d *VideoDecoder) mayThread() bool {
	t, ok := d.backend.(codec.Threader)
	return ok && t.TellsWithThreads(d.info)
}

// schedule is the runs of one call, handed out to its workers.
type schedule struct {
	d       *VideoDecoder
	runs    []seek.Run
	px      *codec.Pixels // the form that sink makes
	threads int
	final   int64 // the last packet of all
	sink    func(seek.Frame, codec.VideoFrame) error
	settle  func(run *seek.Run, out outcome)

	ahead     *lookahead // nil where the source gains nothing from it
	confirmed sync.Mutex // guards confirm
	confirm   func() (seek.Run, error, bool)

	mu      sync.Mutex
	next    int // the run to hand out next
	workers int // at work
	wg      sync.WaitGroup
}

// decodeRuns decodes runs on as many workers as there are to use, the first of them in the caller's goroutine.
// Sink and settle, which is told what became of each run, are called by all of them.
//
// Where the source can fetch ahead, what the runs need is sent for at once, and each is confirmed when it is handed out. So
// looking at a key packet costs no request of its own.
func (d *VideoDecoder) decodeRuns(ctx context.Context, runs []seek.Run, px *codec.Pixels, threads int, sink func(seek.Frame, codec.VideoFrame) error, settle func(*seek.Run, outcome)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &schedule{d: d, runs: runs, px: px, threads: threads, sink: sink, settle: settle, workers: 1}
	for i := range runs {
		s.final = max(s.final, runs[i].Last)
	}
	if d.ahead != nil {
		s.ahead = d.lookAhead(ctx, runs)
		defer s.ahead.close()
		var stop func()
		s.confirm, stop = onDemand(seek.Confirm(ctx, awaited{d.index, d.index.Guess(), s.ahead}, runs))
		defer stop()
	}
	for ctx.Err() == nil && s.more() {
		if err := d.budget.acquire(ctx, threads); err != nil {
			break
		}
		s.hire(ctx, cancel)
		if run := s.take(cancel); run != nil {
			s.work(ctx, cancel, run)
		}
		d.budget.release(threads)
	}
	s.wg.Wait()
	return context.Cause(ctx)
}

func (s *schedule) more() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next < len(s.runs)
}

// take returns the next run, and nil when there is none.
func (s *schedule) take(cancel context.CancelCauseFunc) *seek.Run {
	s.mu.Lock()
	if s.next == len(s.runs) {
		s.mu.Unlock()
		return nil
	}
	s.next++
	run := &s.runs[s.next-1]
	s.mu.Unlock()
	if s.confirm == nil {
		return run
	}
	s.d.budget.release(s.threads)
	defer s.d.budget.force(s.threads)
	s.confirmed.Lock()
	defer s.confirmed.Unlock()
	r, err, ok := s.confirm() // there may be fewer than were guessed
	if err != nil {
		cancel(err)
	}
	if err != nil || !ok {
		return nil
	}
	return &r
}

// hire starts more workers while there are runs for them and nobody else wants what they take of the budget.
func (s *schedule) hire(ctx context.Context, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := min(s.d.workers(), len(s.runs)-s.next+s.workers-1) // a run for the caller is still to be taken
	for s.workers < most && s.d.budget.try(s.threads) {
		s.workers++
		s.wg.Go(func() { s.help(ctx, cancel) })
	}
}

// help is a worker beyond the first: it works until there are no more runs or another call waits for what it takes.
func (s *schedule) help(ctx context.Context, cancel context.CancelCauseFunc) {
	left := false
	for run := s.take(cancel); run != nil && ctx.Err() == nil; run = s.take(cancel) {
		s.work(ctx, cancel, run)
		if left = s.d.budget.yield(s.threads); left {
			break
		}
	}
	if !left {
		s.d.budget.release(s.threads)
	}
	s.mu.Lock()
	s.workers--
	s.mu.Unlock()
}

func (s *schedule) work(ctx context.Context, cancel context.CancelCauseFunc, run *seek.Run) {
	out, err := s.d.decodeRun(ctx, s.ahead, run, s.px, s.threads, s.threads, run.Last == s.final, s.sink)
	if err != nil {
		cancel(err)
		return
	}
	s.settle(run, out)
}
