package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sprocket-video/sprocket"
)

// randomFrames are frames all over the clip, the same in each run.
func randomFrames() []int {
	rng := rand.New(rand.NewPCG(1, 1))
	numbers := make([]int, 20)
	for i := range numbers {
		numbers[i] = rng.IntN(clipFrames)
	}
	return numbers
}

func benchRandom(ctx context.Context, b *bench) error {
	file, err := b.clip(ctx)
	if err != nil {
		return err
	}
	theirs := sha256.New()
	if err := seekEach(ctx, file, theirs); err != nil {
		return err
	}
	ours := sha256.New()
	if err := readRandom(ctx, file, ours); err != nil {
		return err
	}
	if got, want := ours.Sum(nil), theirs.Sum(nil); !bytes.Equal(got, want) {
		return fmt.Errorf("the frames have the hash %x, those of ffmpeg %x", got, want)
	}
	n := len(randomFrames())
	fmt.Printf("  %d frames: the RGB bytes are those of ffmpeg\n", n)
	c := &child{task: "random", file: file, frames: n}
	return b.compare(ctx, []side{
		c.process("sprocket: 20 random frames, one worker, whole process"),
		c.inside("sprocket: 20 random frames, one worker, the calls alone"),
		{"ffmpeg -ss for each", func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			err := seekEach(ctx, file, nil)
			return time.Since(start), err
		}},
	}, []target{{of: 0, to: 2}})
}

// seekEach runs ffmpeg for each frame.
func seekEach(ctx context.Context, file string, h hash.Hash) error {
	for _, n := range randomFrames() {
		// Half a frame early: ffmpeg takes the first frame that is not before the time.
		at := strconv.FormatFloat(max(0, (float64(n)-0.5)/clipRate), 'f', 6, 64)
		args := append([]string{"ffmpeg", "-v", "error", "-ss", at}, rgbArgs(file)[3:]...)
		args = append(args[:len(args)-1], "-frames:v", "1", "-")
		if h == nil {
			if err := command(ctx, nil, args...); err != nil {
				return err
			}
			continue
		}
		if err := command(ctx, h, args...); err != nil {
			return err
		}
	}
	return nil
}

// readRandom reads the frames in one call.
func readRandom(ctx context.Context, file string, h hash.Hash) error {
	d, err := sprocket.Open(ctx, file, &oneThread)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
	batch, err := d.FramesAt(ctx, randomFrames())
	if err != nil {
		return err
	}
	if h != nil {
		h.Write(batch.Bytes())
	}
	return nil
}

func childRandom(ctx context.Context, file string) (int, time.Duration, error) {
	start := time.Now()
	err := readRandom(ctx, file, nil)
	return len(randomFrames()), time.Since(start), err
}
