package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// Frames over a network that is simulated, of a minute of 1080p: the first one, and 16 spread over the whole.
var (
	firstFrame   = []int{0}
	spreadFrames = func() (ns []int) {
		for i := range 16 {
			ns = append(ns, 37+i*1800/16)
		}
		return ns
	}()
	latencyOptions = sprocket.VideoOptions{Layout: tensor.NHWC}
)

func init() {
	for _, frames := range []struct {
		name string
		ns   []int
	}{{"first", firstFrame}, {"spread", spreadFrames}} {
		children["url-"+frames.name] = func(ctx context.Context, args string) (int, time.Duration, error) {
			return childURL(ctx, args, frames.ns, nil)
		}
		children["download-"+frames.name] = func(ctx context.Context, args string) (int, time.Duration, error) {
			return childDownload(ctx, args, frames.ns, nil)
		}
	}
}

// clip1080 returns a minute of 1080p at 30 frames a second and about 8 Mbit/s; the movie box is first or last.
func (b *bench) clip1080(ctx context.Context, first bool) (string, error) {
	last, err := b.media(ctx, "clip-1080p-last-1.mp4", func(ctx context.Context, name string) error {
		return command(ctx, nil, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30,noise=alls=3:allf=t", "-t", "60",
			"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-b:v", "8M", "-maxrate", "8M", "-bufsize", "16M", "-g", "60", "-pix_fmt", "yuv420p", name)
	})
	if err != nil || !first {
		return last, err
	}
	return b.media(ctx, "clip-1080p-first-1.mp4", func(ctx context.Context, name string) error {
		return command(ctx, nil, "ffmpeg", "-v", "error", "-i", last, "-c", "copy", "-movflags", "+faststart", name)
	})
}

func benchLatency(ctx context.Context, b *bench) error {
	s, err := startSlowServer(b.cache)
	if err != nil {
		return err
	}
	defer s.close()
	for _, w := range []struct {
		title, name string
		first       bool // the movie box is
		ns          []int
	}{
		{"Open and first frame, movie box first", "first", true, firstFrame},
		{"Open and first frame, movie box last", "first", false, firstFrame},
		{"16 frames spread over the file, movie box last", "spread", false, spreadFrames},
	} {
		fmt.Printf("  %s\n", w.title)
		file, err := b.clip1080(ctx, w.first)
		if err != nil {
			return err
		}
		names, err := b.latency(ctx, s, file, w.title, w.name, w.ns)
		if err != nil {
			return err
		}
		bars := b.report.timingBars(func(name string) bool { return strings.Contains(name, "sprocket") }, names...)
		for i := range bars {
			_, bars[i].label, _ = strings.Cut(bars[i].label, ": ")
			bars[i].ours = strings.HasPrefix(bars[i].label, "sprocket")
		}
		b.report.groups = append(b.report.groups, chartGroup{w.title, bars})
	}
	return nil
}

// latency compares the ways to get frames of a file by its URL, and returns the names of the timings.
func (b *bench) latency(ctx context.Context, s *slowServer, file, title, name string, ns []int) ([]string, error) {
	url := s.url + filepath.Base(file)
	index := file + ".idx"
	if err := storeIndex(ctx, url, index); err != nil {
		return nil, err
	}
	if err := checkLatency(ctx, url, index, ns); err != nil {
		return nil, err
	}
	fmt.Printf("  %d frames: the RGB bytes of all ways are the same\n", len(ns))
	each := "ffmpeg -ss for each frame"
	if len(ns) == 1 {
		each = "ffmpeg -frames:v 1"
	}
	ours := &child{task: "url-" + name, file: url, frames: len(ns)}
	known := &child{task: "url-" + name, file: url + " " + index, frames: len(ns)}
	whole := &child{task: "download-" + name, file: url, frames: len(ns)}
	sides := []side{
		known.process(title + ": sprocket, stored index"),
		ours.process(title + ": sprocket"),
		{name: title + ": " + each, run: func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			err := ffmpegFrames(ctx, url, ns, nil)
			return time.Since(start), err
		}},
		whole.process(title + ": download, then sprocket"),
	}
	var names []string
	for i := range sides {
		run := sides[i].run
		names = append(names, sides[i].name)
		counted := false
		sides[i].run = func(ctx context.Context) (time.Duration, error) {
			requests, bytes := s.requests.Load(), s.bytes.Load()
			took, err := run(ctx)
			if err == nil && !counted {
				counted = true
				b.addCount(count{names[i], float64(s.requests.Load() - requests), "requests"})
				b.addCount(count{names[i], float64(s.bytes.Load()-bytes) / 1e6, "MB"})
			}
			return took, err
		}
	}
	return names, b.compare(ctx, sides, []target{{of: 1, to: 2}, {of: 0, to: 2}, {of: 1, to: 3}})
}

// storeIndex makes a stored index of a file by its URL, as whoever will read it by that.
func storeIndex(ctx context.Context, url, name string) error {
	r, err := source.OpenRemote(ctx, url, nil)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	d, track, err := openVideoTrack(ctx, r)
	if err != nil {
		return err
	}
	x, err := seek.Build(ctx, d, track)
	if err != nil {
		return err
	}
	id, err := seek.Identify(ctx, r)
	if err != nil {
		return err
	}
	data, err := x.AppendIndex(ctx, nil, id)
	if err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// checkLatency compares the frames of all ways, byte by byte, by way of a hash.
func checkLatency(ctx context.Context, url, index string, ns []int) error {
	want := sha256.New()
	if err := ffmpegFrames(ctx, url, ns, want); err != nil {
		return err
	}
	for name, read := range map[string]func(h hash.Hash) error{
		"sprocket":     func(h hash.Hash) error { _, _, err := childURL(ctx, url, ns, h); return err },
		"stored index": func(h hash.Hash) error { _, _, err := childURL(ctx, url+" "+index, ns, h); return err },
		"download":     func(h hash.Hash) error { _, _, err := childDownload(ctx, url, ns, h); return err },
	} {
		got := sha256.New()
		if err := read(got); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			return fmt.Errorf("%s: the frames have the hash %x, those of ffmpeg %x", name, got.Sum(nil), want.Sum(nil))
		}
	}
	return nil
}

// ffmpegFrames runs ffmpeg for each frame, with as many threads as it takes by itself.
func ffmpegFrames(ctx context.Context, url string, ns []int, h hash.Hash) error {
	out := io.Writer(h)
	if h == nil {
		out = nil
	}
	for _, n := range ns {
		args := []string{"ffmpeg", "-v", "error"}
		if n > 0 { // half a frame early: ffmpeg takes the first frame that is not before the time
			args = append(args, "-ss", strconv.FormatFloat((float64(n)-0.5)/30, 'f', 6, 64))
		}
		args = append(args, "-i", url, "-map", "0:v:0", "-frames:v", "1", "-vsync", "passthrough", "-vf", "scale=flags=0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
		if err := command(ctx, out, args...); err != nil {
			return err
		}
	}
	return nil
}

// childURL reads frames of a URL, behind which, after a space, may be the name of a stored index.
func childURL(ctx context.Context, args string, ns []int, h hash.Hash) (int, time.Duration, error) {
	start := time.Now()
	url, index, known := strings.Cut(args, " ")
	o := latencyOptions
	if known {
		data, err := os.ReadFile(index)
		if err != nil {
			return 0, 0, err
		}
		if o.Index, err = seek.LoadIndex(data, container.Limits{}); err != nil {
			return 0, 0, err
		}
	}
	n, err := readNumbers(ctx, url, &o, ns, h)
	return n, time.Since(start), err
}

// childDownload fetches all of a URL, into a file, and then reads frames of that.
func childDownload(ctx context.Context, url string, ns []int, h hash.Hash) (n int, took time.Duration, err error) {
	start := time.Now()
	f, err := os.CreateTemp("", "bench-*.mp4")
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = f.Close() // it is thrown away
		_ = os.Remove(f.Name())
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	_, err = io.Copy(f, resp.Body)
	_ = resp.Body.Close() // it was read
	if err != nil {
		return 0, 0, err
	}
	n, err = readNumbers(ctx, f.Name(), &latencyOptions, ns, h)
	return n, time.Since(start), err
}

func readNumbers(ctx context.Context, name string, o *sprocket.VideoOptions, ns []int, h hash.Hash) (int, error) {
	d, err := sprocket.Open(ctx, name, o)
	if err != nil {
		return 0, err
	}
	defer func() { _ = d.Close() }() // only read
	batch, err := d.FramesAt(ctx, ns)
	if err != nil {
		return 0, err
	}
	if h != nil {
		h.Write(batch.Bytes())
	}
	return len(batch.Frames), nil
}
