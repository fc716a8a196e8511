package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
)

// Names of the sides that are asked for something.
const (
	oneWorker  = "sprocket, one worker"
	twoWorkers = "sprocket, 2 workers"
	wholeOne   = "sprocket, one worker, whole process"
)

func wholeProcess() entrant {
	e := entrant{doer: ours(1), whole: true}
	e.name = wholeOne
	return e
}

// ffmpegRGB is ffmpeg on one thread, converting as this library does, by swscale with flags 0. Filter, if any, comes first.
func ffmpegRGB(name, file, filter string, args ...string) entrant {
	if filter != "" {
		filter += ","
	}
	all := []string{"ffmpeg", "-v", "error", "-threads", "1", "-i", file, "-map", "0:v:0", "-vsync", "passthrough",
		"-filter_threads", "1", "-vf", filter + "scale=flags=0", "-f", "rawvideo", "-pix_fmt", "rgb24"}
	return entrant{doer: doer{name: name}, program: append(append(all, args...), "-")}
}

// tutorialEvery is how many frames lie between those that TorchCodec's tutorial on parallel decoding takes.
const tutorialEvery = 12

func benchTutorial(ctx context.Context, b *bench) error {
	file, err := b.tutorial(ctx)
	if err != nil {
		return err
	}
	workers := []int{1, 2}
	if n := allWorkers(); n > 2 {
		workers = append(workers, n)
	}
	entrants, err := b.all(ctx, workers...)
	if err != nil {
		return err
	}
	const linear = "ffmpeg -threads 1, all frames decoded"
	entrants = slices.Insert(entrants, len(workers), wholeProcess(),
		ffmpegRGB(linear, file, `select=not(mod(n\,`+strconv.Itoa(tutorialEvery)+`))`))
	return b.race(ctx, job{Task: "every", Files: []string{file}, Every: tutorialEvery, GOP: 250}, entrants,
		[]goal{{wholeOne, linear, 1.4}, {twoWorkers, oneWorker, 1.8}})
}

// randomFrames are n frames all over the file, the same in each run, in order: peers that go back seek more.
func randomFrames(n, of int) []int {
	numbers := rand.New(rand.NewPCG(1, uint64(n))).Perm(of)[:n]
	slices.Sort(numbers)
	return numbers
}

func benchRandom(n int) func(ctx context.Context, b *bench) error {
	return func(ctx context.Context, b *bench) error {
		file, err := b.longGOP(ctx)
		if err != nil {
			return err
		}
		entrants, err := b.all(ctx, slices.Compact([]int{1, allWorkers()})...)
		if err != nil {
			return err
		}
		j := job{Task: "frames", Files: []string{file}, Numbers: randomFrames(n, longGOPs*longGOPFrames), GOP: longGOPFrames}
		goals := []goal{{oneWorker, "PyAV, one thread", 1.3}, {oneWorker, "OpenCV, its own threads", 0}, {oneWorker, "FFMS2, one thread", 0}}
		if w := allWorkers(); w > 1 {
			goals = append(goals, goal{ours(w).name, "OpenCV, its own threads", 1.3})
		}
		return b.race(ctx, j, entrants, goals)
	}
}

func benchFirst(ctx context.Context, b *bench) error {
	file, err := b.longGOP(ctx)
	if err != nil {
		return err
	}
	entrants, err := b.all(ctx, slices.Compact([]int{1, allWorkers()})...)
	if err != nil {
		return err
	}
	const n, linear = 100, "ffmpeg -threads 1 -frames:v 100"
	entrants = slices.Insert(entrants, 1, wholeProcess(), ffmpegRGB(linear, file, "", "-frames:v", strconv.Itoa(n)))
	return b.race(ctx, job{Task: "first", Files: []string{file}, N: n, GOP: longGOPFrames}, entrants,
		[]goal{{wholeOne, linear, 0}, {oneWorker, "PyAV, one thread", 0}})
}

func benchRGB(ctx context.Context, b *bench) error {
	file, err := b.clip(ctx)
	if err != nil {
		return err
	}
	entrants, err := b.all(ctx, 1)
	if err != nil {
		return err
	}
	const linear = "ffmpeg -threads 1 to RGB"
	entrants = slices.Insert(entrants, 1, wholeProcess(), ffmpegRGB(linear, file, ""))
	return b.race(ctx, job{Task: "all", Files: []string{file}, GOP: 60}, entrants,
		[]goal{{wholeOne, linear, 0.95}, {oneWorker, "PyAV, one thread", 0}})
}

// loaderOpens is how many clips a data loader goes through.
const loaderOpens = 200

// shortClips returns the names of so many clips: a few files, again and again.
func (b *bench) loaderClips(ctx context.Context) ([]string, error) {
	dir, err := b.shortClips(ctx)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.mp4"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no clips in %s: %w", dir, err)
	}
	return slices.Repeat(files, loaderOpens/len(files)+1)[:loaderOpens], nil
}

func benchLoader(ctx context.Context, b *bench) error {
	files, err := b.loaderClips(ctx)
	if err != nil {
		return err
	}
	entrants, err := b.all(ctx, slices.Compact([]int{1, allWorkers()})...)
	if err != nil {
		return err
	}
	return b.race(ctx, job{Task: "uniform", Files: files, N: 10, GOP: 24}, entrants, []goal{{oneWorker, "PyAV, one thread", 0}})
}

func benchOpen(ctx context.Context, b *bench) error {
	files, err := b.loaderClips(ctx)
	if err != nil {
		return err
	}
	entrants, err := b.all(ctx, 1)
	if err != nil {
		return err
	}
	return b.race(ctx, job{Task: "open", Files: files}, entrants, []goal{{oneWorker, "PyAV, one thread", 0}, {oneWorker, "OpenCV, its own threads", 0}})
}
