// Command bench measures this library against FFmpeg's tools on the same files, in turn, and prints ratios.
// Before a pair is timed, what the two give is compared and must be the same.
//
//	go run ./internal/bench [-run index,rgb,random,allocs] [-n 5] [-json FILE] [-strict]
//
// The media are made with ffmpeg, once, and kept in the user's cache directory: about 240 MB.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// workload is one comparison.
type workload struct {
	name, about string
	run         func(ctx context.Context, b *bench) error
}

var workloads = []workload{
	{"index", "open a 10 h MP4 and index every packet of its video", benchIndex},
	{"rgb", "decode all frames of a 60 s clip to RGB", benchRGB},
	{"random", "decode 20 frames all over the clip to RGB", benchRandom},
	{"allocs", "Go allocations for each decoded frame", benchAllocs},
}

// bench is what workloads share.
type bench struct {
	cache  string // directory of the media
	rounds int
	report report
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == childArg {
		return runChild(ctx, args[1:])
	}
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("run", strings.Join(names, ","), "the workloads to run")
	flags.IntVar(&b.rounds, "n", 5, "how often each side of a comparison runs")
	flags.StringVar(&b.cache, "cache", "", "directory for the media; default below the user's cache directory")
	jsonName := flags.String("json", "", "write the results to this file")
	strict := flags.Bool("strict", false, "fail when a ratio is not what it should be")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || b.rounds < 1 {
		return fmt.Errorf("arguments %q, %d rounds", flags.Args(), b.rounds)
	}
	for name := range strings.SplitSeq(*only, ",") {
		if !slices.Contains(names, name) {
			return fmt.Errorf("no workload %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	if b.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		b.cache = filepath.Join(dir, "sprocket-bench")
	}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return err
	}
	var err error
	if b.report.Machine, err = describeMachine(ctx); err != nil {
		return err
	}
	fmt.Println(b.report.Machine)
	for _, w := range workloads {
		if !slices.Contains(strings.Split(*only, ","), w.name) {
			continue
		}
		fmt.Printf("\n%s: %s\n", w.name, w.about)
		if err := w.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	if *jsonName != "" {
		text, err := json.MarshalIndent(&b.report, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(*jsonName, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if missed := b.report.missed(); *strict && missed > 0 {
		return fmt.Errorf("%d ratios are not what they should be", missed)
	}
	return nil
}

func describeMachine(ctx context.Context) (machine, error) {
	m := machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	out, err := exec.CommandContext(ctx, "ffmpeg", "-version").Output()
	if err != nil {
		return m, fmt.Errorf("needs ffmpeg: %w", err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	if fields := strings.Fields(first); len(fields) > 2 {
		m.FFmpeg = fields[2]
	}
	if _, err := exec.LookPath("ffprobe"); err != nil {
		return m, fmt.Errorf("needs ffprobe: %w", err)
	}
	return m, nil
}
