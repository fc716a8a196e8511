package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// fragmented returns the long movie in fragments, one for each key frame, without encoding: with a segment index in front, and a random
// access table at the end, or with neither.
func (b *bench) fragmented(ctx context.Context, indexed bool) (string, error) {
	long, err := b.longMovie(ctx)
	if err != nil {
		return "", err
	}
	name, flags := "ten-hours-fragments-1.mp4", "+frag_keyframe+empty_moov+default_base_moof+skip_trailer"
	if indexed {
		name, flags = "ten-hours-sidx-1.mp4", "+frag_keyframe+empty_moov+default_base_moof+global_sidx"
	}
	return b.media(ctx, name, func(ctx context.Context, name string) error {
		return command(ctx, nil, "ffmpeg", "-v", "error", "-i", long, "-map", "0", "-c", "copy", "-movflags", flags, name)
	})
}

// benchFragments opens the long movie in three shapes, each in all ways.
func benchFragments(ctx context.Context, b *bench) error {
	for _, shape := range []struct {
		name       string
		media      func(context.Context) (string, error)
		fragmented bool
	}{
		{"progressive", b.longMovie, false},
		{"fragments with sidx", func(ctx context.Context) (string, error) { return b.fragmented(ctx, true) }, true},
		{"fragments without", func(ctx context.Context) (string, error) { return b.fragmented(ctx, false) }, true},
	} {
		file, err := shape.media(ctx)
		if err != nil {
			return err
		}
		if err := b.opening(ctx, shape.name, file, shape.fragmented); err != nil {
			return fmt.Errorf("%s: %w", shape.name, err)
		}
	}
	return nil
}

// opening compares the ways to open one file: time, reads and bytes.
func (b *bench) opening(ctx context.Context, shape, file string, fragmented bool) error {
	packets, err := checkPackets(ctx, file)
	if err != nil {
		return err
	}
	fmt.Printf("  %s, %d packets: times, places, sizes and flags are those of ffprobe\n", shape, packets)
	if err := storeFile(ctx, file); err != nil {
		return err
	}
	bare := b.bare(ctx)
	indexed := &child{task: "index", file: file, frames: packets, program: bare}
	stored := &child{task: "stored", file: file, frames: packets, program: bare}
	sides := []side{
		indexed.process("sprocket, exact: " + shape),
		indexed.inside("sprocket, exact, calls: " + shape),
		stored.process("sprocket, stored index: " + shape),
		stored.inside("sprocket, stored index, calls: " + shape),
	}
	targets := []target{{of: 3, to: 1}}
	tasks := []string{"index", "stored"}
	if fragmented {
		// One frame of the middle is found, by which the index is known to lead somewhere.
		guessed := &child{task: "guess", file: file, frames: 1, program: bare}
		targets = append(targets, target{of: len(sides) + 1, to: 1})
		sides = append(sides, guessed.process("sprocket, approximate: "+shape), guessed.inside("sprocket, approximate, calls: "+shape))
		tasks = append(tasks, "guess")
	}
	probe := len(sides)
	sides = append(sides, program("ffprobe -show_packets: "+shape, packetArgs(file)...))
	for i := 0; i < probe; i += 2 {
		targets = append(targets, target{of: i, to: probe})
	}
	first := len(b.report.Timings)
	if err := b.compare(ctx, sides, targets); err != nil {
		return err
	}
	group := chartGroup{title: shape}
	for i, t := range b.report.Timings[first:] {
		t.Name = strings.TrimSuffix(t.Name, ": "+shape) // the title of the group
		group.bars = append(group.bars, timingBar(t, i < probe))
	}
	b.report.groups = append(b.report.groups, group)
	return b.openingReads(ctx, shape, file, tasks)
}

// openingReads counts what each way of opening reads. That is the same in every round.
func (b *bench) openingReads(ctx context.Context, shape, file string, tasks []string) error {
	theirs, seeks, err := probeReads(ctx, file)
	if err != nil {
		return err
	}
	st, err := os.Stat(storedName(file))
	if err != nil {
		return err
	}
	b.addCount(count{"stored index, beside the media: " + shape, float64(st.Size()) / 1e6, "MB"})
	b.addCount(count{"ffprobe -show_packets reads: " + shape, float64(theirs) / 1e6, "MB"})
	b.addCount(count{"ffprobe -show_packets seeks: " + shape, float64(seeks), "seeks"})
	for _, task := range tasks {
		f, err := source.OpenFile(file)
		if err != nil {
			return err
		}
		c := source.Count(f)
		_, err = openings[task](ctx, c, file)
		_ = f.Close() // only read
		if err != nil {
			return err
		}
		got := c.Counts()
		name := "sprocket, " + task + ", bytes read: " + shape
		b.addCount(count{name, float64(got.Bytes) / 1e6, "MB"})
		b.addCount(count{"sprocket, " + task + ", reads: " + shape, float64(got.Reads), "reads"})
		if got.Bytes > 0 {
			r := float64(theirs) / float64(got.Bytes)
			b.addRatio(ratio{Of: name, To: "ffprobe -show_packets, bytes read: " + shape, Value: r, Least: r, Median: r, Most: r})
		}
	}
	return nil
}

var probeStatistics = regexp.MustCompile(`Statistics: (\d+) bytes read, (\d+) seeks`)

// probeReads returns how many bytes ffprobe reads to list the packets of the video, as it says itself.
func probeReads(ctx context.Context, file string) (n, seeks int64, err error) {
	args := packetArgs(file)
	cmd := exec.CommandContext(ctx, args[0], append([]string{"-v", "verbose"}, args[3:]...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("ffprobe: %w", err)
	}
	m := probeStatistics.FindSubmatch(log.Bytes())
	if m == nil {
		return 0, 0, fmt.Errorf("ffprobe does not say how much it read")
	}
	if n, err = strconv.ParseInt(string(m[1]), 10, 64); err != nil {
		return 0, 0, err
	}
	seeks, err = strconv.ParseInt(string(m[2]), 10, 64)
	return n, seeks, err
}

// openings are the ways to open a movie for its video. Each returns the number of frames that it found.
var openings = map[string]func(ctx context.Context, src source.Source, file string) (int, error){
	"index":  openExact,
	"guess":  openGuess,
	"stored": openStored,
}

// childOpening returns the child that opens a file in one of these ways.
func childOpening(task string) func(context.Context, string) (int, time.Duration, error) {
	return func(ctx context.Context, file string) (int, time.Duration, error) {
		start := time.Now()
		f, err := source.OpenFile(file)
		if err != nil {
			return 0, 0, err
		}
		defer func() { _ = f.Close() }() // only read
		n, err := openings[task](ctx, f, file)
		return n, time.Since(start), err
	}
}

func openExact(ctx context.Context, src source.Source, _ string) (int, error) {
	d, track, err := openVideoTrack(ctx, src)
	if err != nil {
		return 0, err
	}
	table, err := seek.Build(ctx, d, track)
	if err != nil {
		return 0, err
	}
	return table.Len(), nil
}

// openGuess finds the frame played in the middle.
func openGuess(ctx context.Context, src source.Source, _ string) (int, error) {
	d, track, err := openVideoTrack(ctx, src)
	if err != nil {
		return 0, err
	}
	guess, err := seek.Guess(ctx, d, track)
	if err != nil {
		return 0, err
	}
	at := guess.Timebase().Ticks(loops * loopSeconds * time.Second / 2)
	f, err := guess.At(ctx, at)
	if err != nil {
		return 0, err
	}
	if f.PTS > at || f.PTS+f.Duration <= at {
		return 0, fmt.Errorf("the frame at tick %d begins at %d and lasts %d", at, f.PTS, f.Duration)
	}
	return 1, nil
}

func openStored(ctx context.Context, src source.Source, file string) (int, error) {
	data, err := os.ReadFile(storedName(file))
	if err != nil {
		return 0, err
	}
	stored, err := seek.LoadIndex(data, container.Limits{})
	if err != nil {
		return 0, err
	}
	table, _, err := stored.Table(ctx, src, container.Limits{})
	if err != nil {
		return 0, err
	}
	return table.Len(), nil
}

func storedName(file string) string { return file + ".video.idx" }

// storeFile stores the index of a file beside it.
func storeFile(ctx context.Context, file string) error {
	f, err := source.OpenFile(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	d, track, err := openVideoTrack(ctx, f)
	if err != nil {
		return err
	}
	table, err := seek.Build(ctx, d, track)
	if err != nil {
		return err
	}
	id, err := seek.Identify(ctx, f)
	if err != nil {
		return err
	}
	data, err := table.AppendIndex(ctx, nil, id)
	if err != nil {
		return err
	}
	return os.WriteFile(storedName(file), data, 0o644)
}
