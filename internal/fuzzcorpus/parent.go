package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// parent has children try mutations, and keeps count.
type parent struct {
	dir     string
	seed    uint64
	workers int
	hang    time.Duration
	out     io.Writer
	env     string // added to the environment of the children

	mu       sync.Mutex // guards out and what follows
	trials   int
	failures int
	opened   int
	packets  int64
	indices  int
	children int
	fullest  result // by memory, as a share of its ceiling
	slowest  result
	of       [2]trial // fullest and slowest
}

// run tries the mutations numbered from to to-1 of all files, each number of all files before the next, until it is late.
func (p *parent) run(ctx context.Context, names []string, from, to int, late time.Time) error {
	var next atomic.Int64
	next.Store(int64(from) * int64(len(names)))
	errs := make([]error, p.workers)
	var wg sync.WaitGroup
	for w := range p.workers {
		wg.Go(func() {
			var c *child
			defer func() {
				if c != nil {
					c.stop()
				}
			}()
			for time.Now().Before(late) && ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(to)*int64(len(names)) {
					return
				}
				t := trial{Dir: p.dir, Name: names[i%int64(len(names))], Seed: p.seed, N: int(i / int64(len(names)))}
				if c, errs[w] = p.try(ctx, c, t); errs[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// try does one trial. It returns the child for the next one, or nil when that needs a new one.
func (p *parent) try(ctx context.Context, c *child, t trial) (*child, error) {
	if c == nil {
		var err error
		if c, err = startChild(ctx, p.env); err != nil {
			return nil, err
		}
		p.mu.Lock()
		p.children++
		p.mu.Unlock()
	}
	r, fault := c.do(t, p.hang)
	if ctx.Err() != nil {
		c.stop()
		return nil, nil
	}
	p.note(t, r, fault)
	if fault != "" || r.Retire {
		c.stop()
		return nil, nil
	}
	return c, nil
}

// note counts a result, and prints what is wrong with it. A fault is why there is none.
func (p *parent) note(t trial, r result, fault string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trials++
	if r.Tally.Opened {
		p.opened++
	}
	p.packets += r.Tally.Packets
	p.indices += r.Tally.Indices
	if r.Memory*max(p.fullest.Ceiling, 1) > p.fullest.Memory*r.Ceiling || p.fullest.Ceiling == 0 {
		p.fullest, p.of[0] = r, t
	}
	if r.Took > p.slowest.Took {
		p.slowest, p.of[1] = r, t
	}
	if fault == "" {
		fault = r.Err
	}
	if fault == "" {
		return
	}
	p.failures++
	fmt.Fprintf(p.out, "FAIL -file %q -seed %d -number %d\n  %s\n  %s\n", t.Name, t.Seed, t.N, r.Mutation, bytes.ReplaceAll([]byte(fault), []byte("\n"), []byte("\n  ")))
}

func (p *parent) report() {
	fmt.Fprintf(p.out, "%d trials in %d processes: %d opened, %d refused; %d packets listed, %d indices built; %d failed\n",
		p.trials, p.children, p.opened, p.trials-p.opened, p.packets, p.indices, p.failures)
	if p.fullest.Ceiling > 0 {
		fmt.Fprintf(p.out, "most memory: %.1f of %.1f MiB, %s number %d\n",
			float64(p.fullest.Memory)/(1<<20), float64(p.fullest.Ceiling)/(1<<20), p.of[0].Name, p.of[0].N)
	}
	fmt.Fprintf(p.out, "slowest: %v, %s number %d\n", p.slowest.Took.Round(time.Millisecond), p.of[1].Name, p.of[1].N)
}

// child is a process that does trials.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr opening
}

func startChild(ctx context.Context, env string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, "-child")}
	c.cmd.Env = append(os.Environ(), env)
	c.cmd.Stderr = &c.stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.cmd.Start()
}

// do has the child do a trial. A fault is why there is no result; the child is over then.
func (c *child) do(t trial, hang time.Duration) (r result, fault string) {
	line, err := json.Marshal(t)
	if err != nil {
		return r, err.Error()
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return r, c.fault("the process is gone", err)
	}
	// A Go program that is sent SIGQUIT prints what all its goroutines are at, and ends.
	var hung atomic.Bool
	timer := time.AfterFunc(hang, func() {
		hung.Store(true)
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended just now
	})
	answer, err := c.out.ReadBytes('\n')
	if !timer.Stop() && hung.Load() {
		return r, c.fault(fmt.Sprintf("no answer after %v", hang), err)
	}
	if err != nil {
		return r, c.fault("the process died", err)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, err.Error()
	}
	return r, ""
}

func (c *child) fault(what string, err error) string {
	_ = c.in.Close() // it is over anyway
	if e := c.cmd.Wait(); e != nil {
		err = e
	}
	return fmt.Sprintf("%s: %v\n%s", what, err, c.stderr.text())
}

func (c *child) stop() {
	_ = c.in.Close() // the child ends when there are no more trials
	_ = c.cmd.Wait() // it has answered all it was asked
}

// opening keeps the first bytes that are written to it: where a crash is told.
type opening struct {
	mu sync.Mutex
	b  []byte
}

const maxOpening = 4 << 10

func (t *opening) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p[:min(len(p), maxOpening-len(t.b))]...)
	return len(p), nil
}

func (t *opening) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
