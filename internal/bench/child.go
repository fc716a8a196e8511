package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// This program runs itself for each measurement of the library, so that both sides are whole processes that begin with nothing.
const childArg = "child"

// children are what a child process can do. Each returns the number of frames, and how long the library's calls took.
var children = map[string]func(ctx context.Context, file string) (int, time.Duration, error){
	"index":  childOpening("index"),
	"guess":  childOpening("guess"),
	"stored": childOpening("stored"),
	"ts":     childTransport,
}

func runChild(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "job" {
		return childJob(ctx, args[1])
	}
	if len(args) != 2 || children[args[0]] == nil {
		return fmt.Errorf("child %q", args)
	}
	frames, took, err := children[args[0]](ctx, args[1])
	if err != nil {
		return err
	}
	fmt.Println(frames, took.Nanoseconds())
	return nil
}

// child is one task of the library on one file.
type child struct {
	task, file string
	program    string        // that does it; "" is this one
	frames     int           // expected
	calls      time.Duration // what the library's calls took in the process run last
}

// process is the side that is the whole process.
func (c *child) process(name string) side {
	return side{name: name, run: func(ctx context.Context) (time.Duration, error) {
		self := c.program
		if self == "" {
			var err error
			if self, err = os.Executable(); err != nil {
				return 0, err
			}
		}
		var out bytes.Buffer
		start := time.Now()
		if err := command(ctx, &out, self, childArg, c.task, c.file); err != nil {
			return 0, err
		}
		took := time.Since(start)
		frames, nanos, _ := strings.Cut(strings.TrimSpace(out.String()), " ")
		if frames != strconv.Itoa(c.frames) {
			return 0, fmt.Errorf("%s frames, want %d", frames, c.frames)
		}
		n, err := strconv.ParseInt(nanos, 10, 64)
		c.calls = time.Duration(n)
		return took, err
	}}
}

// inside is the side that is the library's calls in the process just run.
func (c *child) inside(name string) side {
	return side{name: name, run: func(context.Context) (time.Duration, error) { return c.calls, nil }}
}

// bare returns this program built without cgo, as it is for who needs no decoder: it has no libraries to load, which takes longer than many an
// index. It returns "" where it cannot be built.
func (b *bench) bare(ctx context.Context) string {
	name := filepath.Join(b.cache, "bench-without-cgo")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", name, "github.com/sprocket-video/sprocket/internal/bench")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Printf("  with FFmpeg's libraries linked in, for go build says: %s\n", tail(out))
		return ""
	}
	return name
}
