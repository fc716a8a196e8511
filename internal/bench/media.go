package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// The clip of the workloads that decode.
const (
	clipRate   = 30
	clipFrames = 60 * clipRate
)

// Seconds of the clip that the long movie repeats, and how often.
const (
	loopSeconds = 60
	loops       = 600
)

// longMovie returns 10 hours of 64x64 at 30 frames a second with sound: 1 080 000 video and about 1 550 000 audio packets.
// Only a minute of it is encoded, and copied on from there.
func (b *bench) longMovie(ctx context.Context) (string, error) {
	return b.media(ctx, "ten-hours-1.mp4", func(ctx context.Context, name string) error {
		dir, err := os.MkdirTemp(b.cache, "clip-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // in the cache directory; what stays is harmless
		clip := filepath.Join(dir, "clip.mp4")
		if err := command(ctx, nil, "ffmpeg", "-v", "error",
			"-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=44100",
			"-t", strconv.Itoa(loopSeconds), "-c:v", "libx264", "-crf", "35", "-bf", "3", "-pix_fmt", "yuv420p",
			"-c:a", "aac", "-b:a", "24k", clip); err != nil {
			return err
		}
		return command(ctx, nil, "ffmpeg", "-v", "error", "-stream_loop", strconv.Itoa(loops-1), "-i", clip, "-c", "copy", name)
	})
}

// clip returns a minute of moving pictures, 640x360 at 30 frames a second, with B-frames.
func (b *bench) clip(ctx context.Context) (string, error) {
	return b.media(ctx, "clip-640x360-2.mp4", func(ctx context.Context, name string) error {
		return command(ctx, nil, "ffmpeg", "-v", "error",
			"-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30,noise=alls=6:allf=t", "-t", "60",
			"-c:v", "libx264", "-preset", "veryfast", "-crf", "27", "-bf", "3", "-g", "60", "-pix_fmt", "yuv420p", name)
	})
}

// media returns the named file of the cache, made first if it is not there.
func (b *bench) media(ctx context.Context, name string, produce func(ctx context.Context, name string) error) (string, error) {
	final := filepath.Join(b.cache, name)
	if st, err := os.Stat(final); err == nil && st.Size() > 0 {
		return final, nil
	}
	fmt.Printf("  making %s: ", name)
	start := time.Now()
	// The name at last keeps a file that was begun from being taken for a whole one.
	part := filepath.Join(b.cache, "part-"+name)
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := produce(ctx, part); err != nil {
		fmt.Println("no")
		return "", err
	}
	if err := os.Rename(part, final); err != nil {
		return "", err
	}
	st, err := os.Stat(final)
	if err != nil {
		return "", err
	}
	fmt.Printf("%.0f MB in %.0f s, kept\n", float64(st.Size())/1e6, time.Since(start).Seconds())
	return final, nil
}
