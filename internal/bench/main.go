// Command bench measures this library against what else is on the machine, on the same files, in turn, and prints ratios: FFmpeg's
// tools, and PyAV, OpenCV, FFMS2, TorchCodec and decord where they are installed. Before sides are timed, what they give is
// compared, and must be the same bytes.
//
//	go run ./internal/bench [-only tutorial,random,...] [-n 5] [-cpu] [-out DIR] [-strict]
//
// A ratio is of the best times of both sides; in brackets are the least, the median and the largest of the rounds.
// The media are made with ffmpeg, once, and kept in the user's cache directory: about 1.7 GB.
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
	{"fragments", "open the same 10 h, as it is and in fragments, by an exact, a stored and an approximate index", benchFragments},
	{"ts", "list every packet of a 530 MB transport stream", benchTransport},
	{"tutorial", "every 12th of 17 250 frames, 640x360", benchTutorial},
	{"random", "10 random frames of a 1080p60 file with a key frame every 600", benchRandom(10)},
	{"random100", "100 random frames of the same file", benchRandom(100)},
	{"first", "the first 100 frames of the same file", benchFirst},
	{"all", "all frames of a 60 s clip, 640x360", benchRGB},
	{"loader", "10 uniform frames of each of 200 short clips", benchLoader},
	{"open", "open 200 short clips", benchOpen},
	{"leak", "resident memory over many opens", benchLeak},
	{"allocs", "Go allocations for each decoded frame", benchAllocs},
	{"latency", "frames of a 60 s 1080p MP4 over a network of 50 ms a request and 100 Mbit/s", benchLatency},
}

// bench is what workloads share.
type bench struct {
	cache  string // directory of the media
	rounds int
	opens  int  // of the workload that looks for leaks
	cpu    bool // processor time instead of wall clock
	report report

	peers    []doer
	peersDir string // "" before they were looked for
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
	only := flags.String("only", strings.Join(names, ","), "the workloads to run")
	flags.IntVar(&b.rounds, "n", 5, "how often each side of a comparison runs")
	flags.StringVar(&b.cache, "cache", "", "directory for the media; default below the user's cache directory")
	flags.BoolVar(&b.cpu, "cpu", false, "compare processor time, for a machine that has other work")
	flags.IntVar(&b.opens, "opens", 2000, "how often the workload leak opens a file")
	outDir := flags.String("out", "", "write a JSON file and a chart of each workload into this directory")
	strict := flags.Bool("strict", false, "fail when a ratio is not what it should be")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || b.rounds < 1 || b.opens < 10 {
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
	machine, err := describeMachine(ctx)
	if err != nil {
		return err
	}
	fmt.Println(machine)
	defer func() {
		if b.peersDir != "" {
			_ = os.RemoveAll(b.peersDir) // temporary
		}
	}()
	missed := 0
	for _, w := range workloads {
		if !slices.Contains(strings.Split(*only, ","), w.name) {
			continue
		}
		fmt.Printf("\n%s: %s\n", w.name, w.about)
		b.report = report{Machine: machine, Workload: w.name, About: w.about, CPU: b.cpu}
		if err := w.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		missed += b.report.missed()
		if *outDir != "" {
			if err := b.report.write(*outDir); err != nil {
				return err
			}
		}
	}
	if *strict && missed > 0 {
		return fmt.Errorf("%d ratios are not what they should be", missed)
	}
	return nil
}

// write writes the report and, where something was timed, its chart.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, r.Workload)
	if err := os.WriteFile(name+".json", append(text, '\n'), 0o644); err != nil || len(r.Timings) == 0 {
		return err
	}
	groups := r.groups
	if groups == nil {
		group := chartGroup{title: r.About}
		for _, t := range r.Timings {
			group.bars = append(group.bars, timingBar(t, strings.HasPrefix(t.Name, "sprocket")))
		}
		groups = []chartGroup{group}
	}
	note := r.Machine.String()
	if r.CPU {
		note += "; processor time"
	}
	c := chart{title: r.Workload, note: note, groups: groups}
	return c.write(name + ".svg")
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
