package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/sprocket-video/sprocket"
	_ "github.com/sprocket-video/sprocket/codec/ffmpeg" // decodes
	"github.com/sprocket-video/sprocket/tensor"
)

// job is what this library and its peers are asked to do, each in a process of its own. Peers read it as JSON.
type job struct {
	Task    string   `json:"task"`  // a key of tasks
	Files   []string `json:"files"` // one, but for uniform and open
	Numbers []int    `json:"numbers"`
	Every   int      `json:"every"`
	N       int      `json:"n"`
	GOP     int      `json:"gop"`  // frames from key frame to key frame, for peers that do not know
	Hash    bool     `json:"hash"` // of all RGB bytes
	Workers int      `json:"workers"`
}

// done is what came of a job.
type done struct {
	frames    int
	wall, cpu time.Duration // of the library's calls
	hash      string
}

// tasks do jobs with this library. Each gives the RGB bytes of frames to out.
var tasks = map[string]func(ctx context.Context, j *job, out *output) error{
	"all": allFrames,
	"every": func(ctx context.Context, j *job, out *output) error {
		return rangeOf(ctx, j, sprocket.End, j.Every, out)
	},
	"first":   firstFrames,
	"frames":  someFrames,
	"uniform": uniformFrames,
	"open":    openOnly,
}

type output struct {
	frames int
	hash   hash.Hash // nil when nobody asks
}

func (o *output) give(frames int, b []byte) {
	o.frames += frames
	if o.hash != nil {
		o.hash.Write(b)
	}
}

func (j *job) options() *sprocket.VideoOptions {
	o := &sprocket.VideoOptions{Layout: tensor.NHWC, Workers: j.Workers}
	if j.Workers == 1 {
		o.Threads = 1
	}
	return o
}

// run does the job in this process.
func (j *job) run(ctx context.Context) (done, error) {
	task := tasks[j.Task]
	if task == nil || len(j.Files) == 0 {
		return done{}, fmt.Errorf("job %+v", j)
	}
	out := &output{}
	if j.Hash {
		out.hash = sha256.New()
	}
	start, used := time.Now(), cpuTime(syscall.RUSAGE_SELF)
	err := task(ctx, j, out)
	d := done{frames: out.frames, wall: time.Since(start), cpu: cpuTime(syscall.RUSAGE_SELF) - used, hash: "-"}
	if j.Hash {
		d.hash = fmt.Sprintf("%x", out.hash.Sum(nil))
	}
	return d, err
}

// cpuTime returns what this process, or its children that have ended, took of processors.
func cpuTime(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (d done) String() string {
	return fmt.Sprintln(d.frames, d.wall.Nanoseconds(), d.cpu.Nanoseconds(), d.hash)
}

// parseDone reads the last line that a process printed.
func parseDone(text string) (d done, err error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var wall, cpu int64
	if _, err := fmt.Sscan(lines[len(lines)-1], &d.frames, &wall, &cpu, &d.hash); err != nil {
		return done{}, fmt.Errorf("%q: %w", text, err)
	}
	d.wall, d.cpu = time.Duration(wall), time.Duration(cpu)
	return d, nil
}

func (j *job) open(ctx context.Context, name string, use func(*sprocket.VideoDecoder) error) error {
	d, err := sprocket.Open(ctx, name, j.options())
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
	return use(d)
}

func allFrames(ctx context.Context, j *job, out *output) error {
	return j.open(ctx, j.Files[0], func(d *sprocket.VideoDecoder) error {
		for f, err := range d.FramesInto(ctx, nil) {
			if err != nil {
				return err
			}
			out.give(1, f.Bytes())
		}
		return nil
	})
}

// firstFrames takes frames one by one, as the peers do, or all at once where there are workers to share them out to.
func firstFrames(ctx context.Context, j *job, out *output) error {
	if j.Workers > 1 {
		return rangeOf(ctx, j, j.N, 1, out)
	}
	return j.open(ctx, j.Files[0], func(d *sprocket.VideoDecoder) error {
		for f, err := range d.FramesInto(ctx, nil) {
			if err != nil {
				return err
			}
			out.give(1, f.Bytes())
			if f.N == j.N-1 {
				break
			}
		}
		return nil
	})
}

func rangeOf(ctx context.Context, j *job, stop, step int, out *output) error {
	return j.open(ctx, j.Files[0], func(d *sprocket.VideoDecoder) error {
		b, err := d.FramesInRange(ctx, 0, stop, step)
		if err == nil {
			out.give(len(b.Frames), b.Bytes())
		}
		return err
	})
}

func someFrames(ctx context.Context, j *job, out *output) error {
	return j.open(ctx, j.Files[0], func(d *sprocket.VideoDecoder) error {
		b, err := d.FramesAt(ctx, j.Numbers)
		if err == nil {
			out.give(len(b.Frames), b.Bytes())
		}
		return err
	})
}

func uniformFrames(ctx context.Context, j *job, out *output) error {
	for _, name := range j.Files {
		if err := j.open(ctx, name, func(d *sprocket.VideoDecoder) error {
			b, err := d.Sample(ctx, sprocket.Sampling{Uniform: j.N})
			if err == nil {
				out.give(len(b.Frames), b.Bytes())
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func openOnly(ctx context.Context, j *job, out *output) error {
	for _, name := range j.Files {
		if err := j.open(ctx, name, func(d *sprocket.VideoDecoder) error {
			out.give(1, fmt.Append(nil, d.Metadata().Frames))
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// childJob does the job that a child process is given.
func childJob(ctx context.Context, text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	d, err := j.run(ctx)
	if err != nil {
		return err
	}
	fmt.Print(d)
	return nil
}

// allWorkers is what Workers zero means.
func allWorkers() int { return runtime.GOMAXPROCS(0) }
