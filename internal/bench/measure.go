package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// side is one of the things compared.
type side struct {
	name string
	run  func(ctx context.Context) (time.Duration, error) // does the work once and says how long it took
	cpu  func() time.Duration                             // what that took of processors; nil: what its processes took
}

// timing is how long one side took over all rounds.
type timing struct {
	Name   string  `json:"name"`
	Min    float64 `json:"min_seconds"`
	Median float64 `json:"median_seconds"`
	Max    float64 `json:"max_seconds"`
}

// ratio is how often faster one side is than another, by the best time of each: whatever else the machine does only adds.
// Least, Median and Most are of the rounds, in each of which both sides ran in turn.
type ratio struct {
	Of     string  `json:"of"`
	To     string  `json:"to"`
	Value  float64 `json:"value"`
	Least  float64 `json:"least"`
	Median float64 `json:"median"`
	Most   float64 `json:"most"`
	Want   float64 `json:"want,omitempty"` // at least; 0 when nothing is asked
}

// count is something counted, not timed.
type count struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

type machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	FFmpeg string `json:"ffmpeg"`
}

func (m machine) String() string {
	return fmt.Sprintf("%s/%s, %d CPUs, %s, FFmpeg %s", m.OS, m.Arch, m.CPUs, m.Go, m.FFmpeg)
}

// report is everything measured.
type report struct {
	Workload string   `json:"workload"`
	About    string   `json:"about"`
	CPU      bool     `json:"processor_time"` // the times are of processors, not of the clock
	Machine  machine  `json:"machine"`
	Timings  []timing `json:"timings"`
	Ratios   []ratio  `json:"ratios"`
	Counts   []count  `json:"counts"`

	groups []chartGroup // of the chart; nil is one of all timings
}

// missed returns the number of ratios below what is wanted.
func (r *report) missed() int {
	n := 0
	for _, x := range r.Ratios {
		if x.Value < x.Want {
			n++
		}
	}
	return n
}

// target asks that side of be at least want times as fast as side to. Sides are numbers in the list compared.
type target struct {
	of, to int
	want   float64
}

// compare runs the sides in turn, as many rounds as asked, and prints and keeps the times and the ratios.
func (b *bench) compare(ctx context.Context, sides []side, targets []target) error {
	times := make([][]float64, len(sides))
	for range b.rounds {
		for i, s := range sides {
			before := cpuTime(syscall.RUSAGE_CHILDREN)
			took, err := s.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			switch {
			case b.cpu && s.cpu != nil:
				took = s.cpu()
			case b.cpu:
				took = cpuTime(syscall.RUSAGE_CHILDREN) - before
			}
			times[i] = append(times[i], took.Seconds())
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "min\tmedian\tmax\t\t")
	for i, s := range sides {
		t := timing{Name: s.name, Min: slices.Min(times[i]), Median: median(times[i]), Max: slices.Max(times[i])}
		b.report.Timings = append(b.report.Timings, t)
		fmt.Fprintf(w, "%s\t%s\t%s\t\t  %s\n", seconds(t.Min), seconds(t.Median), seconds(t.Max), t.Name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, t := range targets {
		value := slices.Min(times[t.to]) / slices.Min(times[t.of])
		rounds := make([]float64, b.rounds)
		for i := range rounds {
			rounds[i] = times[t.to][i] / times[t.of][i]
		}
		b.addRatio(ratio{
			Of: sides[t.of].name, To: sides[t.to].name, Want: t.want,
			Value: value, Least: slices.Min(rounds), Median: median(rounds), Most: slices.Max(rounds),
		})
	}
	return nil
}

func (b *bench) addRatio(r ratio) {
	b.report.Ratios = append(b.report.Ratios, r)
	verdict := ""
	if r.Want > 0 {
		verdict = fmt.Sprintf(" (wanted %g: yes)", r.Want)
		if r.Value < r.Want {
			verdict = fmt.Sprintf(" (wanted %g: NO)", r.Want)
		}
	}
	fmt.Printf("%6.2fx (%.2f %.2f %.2f)  %s, against %s%s\n", r.Value, r.Least, r.Median, r.Most, r.Of, r.To, verdict)
}

func (b *bench) addCount(c count) {
	b.report.Counts = append(b.report.Counts, c)
	fmt.Printf("  %s: %.4g %s\n", c.Name, c.Value, c.Unit)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.1f ms", 1000*s)
	}
	return fmt.Sprintf("%.2f s", s)
}

// program returns the side that is a whole run of a program, its output thrown away.
func program(name string, args ...string) side {
	return side{name: name, run: func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		err := command(ctx, nil, args...)
		return time.Since(start), err
	}}
}

// command runs a program. A nil out throws the output away.
func command(ctx context.Context, out io.Writer, args ...string) error {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}
