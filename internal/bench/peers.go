package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed peers
var peerFiles embed.FS

// doer is who can do jobs: this library with some workers, or a peer.
type doer struct {
	name string
	ours bool
	args func(j job) []string // of the process
}

// ours returns this library with so many workers.
func ours(workers int) doer {
	name := "sprocket, " + strconv.Itoa(workers) + " workers"
	if workers == 1 {
		name = "sprocket, one worker"
	}
	return doer{name: name, ours: true, args: func(j job) []string {
		self, _ := os.Executable() // an empty name fails when it is run
		j.Workers = workers
		return []string{self, childArg, "job", encode(j)}
	}}
}

func encode(j job) string {
	text, _ := json.Marshal(&j) // strings and numbers always can be
	return string(text)
}

// findPeers looks for the peers that are there, once, and says which are not.
func (b *bench) findPeers(ctx context.Context) ([]doer, error) {
	if b.peersDir != "" {
		return b.peers, nil
	}
	dir, err := os.MkdirTemp("", "sprocket-peers-")
	if err != nil {
		return nil, err
	}
	b.peersDir = dir
	if err := os.CopyFS(dir, peerFiles); err != nil {
		return nil, err
	}
	at := func(name string) string { return filepath.Join(dir, "peers", name) }
	for _, p := range []struct{ name, module, script string }{
		{"PyAV, one thread", "av", "pyav.py"},
		{"OpenCV, its own threads", "cv2", "opencv.py"},
		{"TorchCodec, one thread", "torchcodec.decoders", "torch_codec.py"},
		{"decord, one thread", "decord", "decord_.py"},
	} {
		python := findPython(ctx, p.module)
		if python == "" {
			fmt.Printf("  no %s here: no Python has %s\n", strings.Split(p.name, ",")[0], p.module)
			continue
		}
		b.peers = append(b.peers, doer{name: p.name, args: func(j job) []string { return []string{python, at(p.script), encode(j)} }})
	}
	if err := b.findFFMS2(ctx, at("ffms2.c"), at("ffms2")); err != nil {
		fmt.Printf("  no FFMS2 here: %v\n", err)
	}
	return b.peers, nil
}

// findPython returns the first Python that has a module: that of the system, whose packages are built with the system's FFmpeg, or
// the one in the path.
func findPython(ctx context.Context, module string) string {
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(ctx, python, "-c", "import "+module).Run() == nil {
			return python
		}
	}
	return ""
}

func (b *bench) findFFMS2(ctx context.Context, source, program string) error {
	flags, err := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", "ffms2", "libswscale", "libavutil").Output()
	if err != nil {
		return errors.New("pkg-config does not know it")
	}
	if err := command(ctx, nil, append([]string{"cc", "-O2", "-o", program, source}, strings.Fields(string(flags))...)...); err != nil {
		return err
	}
	b.peers = append(b.peers, doer{name: "FFMS2, one thread", args: func(j job) []string {
		n, hash := max(j.Every, j.N), "0"
		if j.Hash {
			hash = "1"
		}
		args := append([]string{program, j.Task, strconv.Itoa(n), hash}, j.Files...)
		args = append(args, "--")
		for _, n := range j.Numbers {
			args = append(args, strconv.Itoa(n))
		}
		return args
	}})
	return nil
}

// do has a job done in a process.
func (w doer) do(ctx context.Context, j job) (done, error) {
	args := w.args(j)
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &log
	start := time.Now()
	var raw *hashed // of a program that prints pixels instead of their hash
	if !w.ours && strings.HasSuffix(args[0], "ffms2") {
		raw = newHashed()
		cmd.Stdout = raw
	}
	if err := cmd.Run(); err != nil {
		return done{}, fmt.Errorf("%s: %w: %s", w.name, err, tail(log.Bytes()))
	}
	text := out.String()
	if raw != nil {
		text = log.String()
	}
	d, err := parseDone(text)
	if err != nil {
		return done{}, fmt.Errorf("%s: %w", w.name, err)
	}
	if raw != nil && j.Hash {
		d.hash = raw.sum()
	}
	if d.wall > time.Since(start) {
		return done{}, fmt.Errorf("%s: took %v in a process of %v", w.name, d.wall, time.Since(start))
	}
	return d, nil
}

func tail(b []byte) []byte {
	b = bytes.TrimSpace(b)
	return b[max(0, len(b)-500):]
}
