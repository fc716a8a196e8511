package main

import (
	"context"
	"iter"
	"runtime"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/tensor"
)

// oneThread decodes and converts on one thread, as NHWC uint8.
var oneThread = sprocket.VideoOptions{Layout: tensor.NHWC, Workers: 1, Threads: 1}

// batchLen is how many frames are asked for at once.
const batchLen = 60

func newBatch(d *sprocket.VideoDecoder) *tensor.Tensor {
	m := d.Metadata()
	return tensor.New(tensor.Uint8, batchLen, m.Height, m.Width, 3)
}

func benchAllocs(ctx context.Context, b *bench) error {
	file, err := b.clip(ctx)
	if err != nil {
		return err
	}
	d, err := sprocket.Open(ctx, file, &oneThread)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
	// What a call costs whatever it is asked for is left out: the difference of a long one and a short one counts.
	const few = 10
	batch := newBatch(d)
	read := func(n int) error {
		numbers := make([]int, n)
		for i := range numbers {
			numbers[i] = i
		}
		_, err := d.ReadFramesAt(ctx, batch.Slice(0, n), numbers)
		return err
	}
	long, err := allocated(func() error { return read(batchLen) })
	if err != nil {
		return err
	}
	short, err := allocated(func() error { return read(few) })
	if err != nil {
		return err
	}
	b.addCount(count{"ReadFramesAt", (long.mallocs - short.mallocs) / (batchLen - few), "allocations for one more frame"})
	b.addCount(count{"ReadFramesAt", (long.bytes - short.bytes) / (batchLen - few), "bytes for one more frame"})
	for _, w := range []struct {
		name, unit string
		walk       func() error
	}{
		{"Frames", "with its tensor", func() error { return walk(d.Frames(ctx)) }},
		{"FramesInto", "in memory used again", func() error { return walk(d.FramesInto(ctx, nil)) }},
	} {
		got, err := allocated(w.walk)
		if err != nil {
			return err
		}
		n := float64(d.Len())
		b.addCount(count{w.name, got.mallocs / n, "allocations a frame, " + w.unit})
		b.addCount(count{w.name, got.bytes / n, "bytes a frame, " + w.unit})
	}
	return nil
}

type allocation struct{ mallocs, bytes float64 }

// allocated returns what do allocates the second time: the first one fills what is kept between calls.
func allocated(do func() error) (allocation, error) {
	if err := do(); err != nil {
		return allocation{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := do()
	runtime.ReadMemStats(&after)
	return allocation{float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)}, err
}

func walk(frames iter.Seq2[*sprocket.Frame, error]) error {
	for _, err := range frames {
		if err != nil {
			return err
		}
	}
	return nil
}
