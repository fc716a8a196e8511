package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"runtime"
	"time"

	"github.com/sprocket-video/sprocket"
	_ "github.com/sprocket-video/sprocket/codec/ffmpeg" // decodes
	"github.com/sprocket-video/sprocket/tensor"
)

// rgbArgs have ffmpeg decode to RGB on one thread, converted as this library converts: by swscale with flags 0.
func rgbArgs(file string) []string {
	return []string{"ffmpeg", "-v", "error", "-threads", "1", "-i", file, "-map", "0:v:0", "-vsync", "passthrough",
		"-filter_threads", "1", "-vf", "scale=flags=0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"}
}

// oneThread decodes and converts on one thread, as NHWC uint8.
var oneThread = sprocket.VideoOptions{Layout: tensor.NHWC, Workers: 1, Threads: 1}

// batchLen is how many frames are asked for at once.
const batchLen = 60

func benchRGB(ctx context.Context, b *bench) error {
	file, err := b.clip(ctx)
	if err != nil {
		return err
	}
	frames, err := checkRGB(ctx, file)
	if err != nil {
		return err
	}
	fmt.Printf("  %d frames: the RGB bytes are those of ffmpeg\n", frames)
	c := &child{task: "rgb", file: file, frames: frames}
	return b.compare(ctx, []side{
		c.process("sprocket: all frames to RGB, one worker, whole process"),
		c.inside("sprocket: all frames to RGB, one worker, the calls alone"),
		program("ffmpeg -threads 1 to RGB", rgbArgs(file)...),
	}, []target{{of: 0, to: 2, want: 0.95}})
}

// checkRGB compares all frames with ffmpeg's, byte by byte, by way of a hash, and returns their number.
func checkRGB(ctx context.Context, file string) (int, error) {
	theirs := sha256.New()
	if err := command(ctx, theirs, rgbArgs(file)...); err != nil {
		return 0, err
	}
	var frames int
	for name, read := range map[string]func(context.Context, *sprocket.VideoDecoder, hash.Hash) (int, error){
		"Frames": hashFrames, "ReadFramesAt": hashBatches,
	} {
		d, err := sprocket.Open(ctx, file, &oneThread)
		if err != nil {
			return 0, err
		}
		ours := sha256.New()
		n, err := read(ctx, d, ours)
		if err := d.Close(); err != nil {
			return 0, err
		}
		if err != nil {
			return 0, err
		}
		if got, want := ours.Sum(nil), theirs.Sum(nil); !bytes.Equal(got, want) {
			return 0, fmt.Errorf("%s: %d frames have the hash %x, those of ffmpeg %x", name, n, got, want)
		}
		frames = n
	}
	return frames, nil
}

func hashFrames(ctx context.Context, d *sprocket.VideoDecoder, h hash.Hash) (int, error) {
	n := 0
	for f, err := range d.Frames(ctx) {
		if err != nil {
			return n, err
		}
		h.Write(f.Bytes())
		n++
	}
	return n, nil
}

func hashBatches(ctx context.Context, d *sprocket.VideoDecoder, h hash.Hash) (int, error) {
	return d.Len(), readBatches(ctx, d, newBatch(d), func(batch *tensor.Tensor) { h.Write(batch.Bytes()) })
}

func newBatch(d *sprocket.VideoDecoder) *tensor.Tensor {
	m := d.Metadata()
	return tensor.New(tensor.Uint8, batchLen, m.Height, m.Width, 3)
}

// readBatches reads all frames, one batch after the other into all, and gives each to use.
func readBatches(ctx context.Context, d *sprocket.VideoDecoder, all *tensor.Tensor, use func(*tensor.Tensor)) error {
	numbers := make([]int, 0, batchLen)
	for first := 0; first < d.Len(); first += len(numbers) {
		numbers = numbers[:0]
		for n := first; n < min(first+batchLen, d.Len()); n++ {
			numbers = append(numbers, n)
		}
		batch := all.Slice(0, len(numbers))
		if _, err := d.ReadFramesAt(ctx, batch, numbers); err != nil {
			return err
		}
		use(batch)
	}
	return nil
}

func childRGB(ctx context.Context, file string) (int, time.Duration, error) {
	start := time.Now()
	d, err := sprocket.Open(ctx, file, &oneThread)
	if err != nil {
		return 0, 0, err
	}
	if err := walkFrames(ctx, d); err != nil {
		return 0, 0, err
	}
	n := d.Len()
	return n, time.Since(start), d.Close()
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
	walk, err := allocated(func() error { return walkFrames(ctx, d) })
	if err != nil {
		return err
	}
	n := float64(d.Len())
	b.addCount(count{"Frames", walk.mallocs / n, "allocations a frame, with its tensor"})
	b.addCount(count{"Frames", walk.bytes / n, "bytes a frame, with its tensor"})
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

func walkFrames(ctx context.Context, d *sprocket.VideoDecoder) error {
	for _, err := range d.Frames(ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}
