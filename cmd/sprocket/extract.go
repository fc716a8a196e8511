package main

import (
	"cmp"
	"context"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/seek"
)

// sink takes the decoded frames of a job.
type sink interface {
	// put takes some frames, each number once. It is called by several goroutines, and b is lent.
	put(b *sprocket.FrameBatch) error
	// partial says whether frames are worth having when others fail.
	partial() bool
	// commit makes the output appear under its name.
	commit() error
	// abort takes back what was not committed.
	abort()
}

// maxPixels is about how many bytes of decoded frames are held at once.
const maxPixels = 512 << 20

// extract decodes frames ns and writes them to the job's output.
func (j *framesJob) extract(ctx context.Context, in *input, d *sprocket.VideoDecoder, ns []int, stderr io.Writer) error {
	workers := j.workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	out, err := j.newSink(in, d, ns)
	if err != nil {
		return err
	}
	unique := slices.Compact(slices.Sorted(slices.Values(ns)))
	most := max(1, maxPixels/workers/j.frameBytes(d))
	enough := len(unique) / (4 * workers)
	if j.together(in) {
		enough = len(unique)
	}
	chunks, err := cut(ctx, d, unique, most, enough)
	if err != nil {
		out.abort()
		return err
	}
	p := newProgress(stderr, "frame", len(unique))
	x := &extraction{j: j, d: d, out: out, p: p, chunks: chunks}
	err = x.run(ctx, min(workers, len(chunks)))
	p.end()
	if err != nil {
		out.abort()
		return err
	}
	if failed := x.failed.err(len(unique)); failed != nil && !out.partial() {
		out.abort()
		return failed
	}
	if err := out.commit(); err != nil {
		return err
	}
	return x.failed.err(len(unique))
}

// frameBytes returns about how large a frame is in memory.
func (j *framesJob) frameBytes(d *sprocket.VideoDecoder) int {
	m := d.Metadata()
	px := codec.Pixels{Width: j.options.Width, Height: j.options.Height}
	w, h := px.Scaled(min(max(m.Width, 16), 1<<15), min(max(m.Height, 16), 1<<15))
	return 3 * w * h * j.options.DType.Size()
}

// together says whether frames are asked for in as few calls as memory allows: where a call fetches what all its frames need at once, or finds
// their places by reading. The decoder then shares the work out itself.
func (j *framesJob) together(in *input) bool { return in.http != nil || j.options.Approximate }

// cut cuts frames, which are sorted, into chunks to decode apart. A chunk ends where decoding starts anew, as far as the container tells, once
// it has enough frames; elsewhere only when it has the most that memory allows, since then packets are decoded twice. It reads nothing.
func cut(ctx context.Context, d *sprocket.VideoDecoder, frames []int, most, enough int) ([][]int, error) {
	t, exact := d.Index().(*seek.Table)
	if !exact || enough >= len(frames) {
		return slices.Collect(slices.Chunk(frames, most)), nil
	}
	var chunks [][]int
	x := t.Guess()
	begin, last := 0, int64(-1)
	for i, n := range frames {
		start, err := x.Start(ctx, n)
		if err != nil {
			return nil, err
		}
		if i > begin && (start.Pos != last && i-begin >= enough || i-begin == most) {
			chunks = append(chunks, frames[begin:i])
			begin = i
		}
		last = start.Pos
	}
	return append(chunks, frames[begin:]), nil
}

// extraction decodes chunks on several goroutines.
type extraction struct {
	j   *framesJob
	d   *sprocket.VideoDecoder
	out sink
	p   *progress

	mu     sync.Mutex
	chunks [][]int // not begun
	failed failures
	err    error // of the output or the context: it ends the work
}

func (x *extraction) run(ctx context.Context, workers int) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for chunk := x.next(); chunk != nil; chunk = x.next() {
				x.decode(ctx, chunk)
				x.p.add(len(chunk))
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return x.err
}

// next returns a chunk to do, or nil when there is none, or no point in doing it.
func (x *extraction) next() []int {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil || len(x.chunks) == 0 || x.failed.count > 0 && !x.out.partial() {
		return nil
	}
	chunk := x.chunks[0]
	x.chunks = x.chunks[1:]
	return chunk
}

func (x *extraction) decode(ctx context.Context, chunk []int) {
	b, err := x.d.FramesAtSize(ctx, chunk, x.j.options.Width, x.j.options.Height)
	var e error
	if b != nil && (err == nil || x.out.partial()) {
		e = x.out.put(b)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		x.err = ctx.Err()
	case e != nil:
		x.err = cmp.Or(x.err, e)
	case b != nil && b.Errs != nil:
		for _, err := range b.Errs {
			if err != nil {
				x.failed.add(err)
			}
		}
	case err != nil:
		x.failed.add(err)
		x.failed.count += len(chunk) - 1
	}
}
