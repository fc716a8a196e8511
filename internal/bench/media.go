package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
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

// moving is a picture with motion and noise.
func moving(size string, rate int) []string {
	return []string{"ffmpeg", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=%d,noise=alls=6:allf=t", size, rate)}
}

// looped encodes so many frames, and copies them so many times.
func looped(ctx context.Context, name string, input []string, frames, times int, encoder ...string) error {
	once := name + ".once.mp4"
	defer func() { _ = os.Remove(once) }() // in the cache directory; what stays is harmless
	args := append(append(input, "-frames:v", strconv.Itoa(frames), "-c:v", "libx264", "-pix_fmt", "yuv420p"), encoder...)
	if err := command(ctx, nil, append(args, once)...); err != nil {
		return err
	}
	return command(ctx, nil, "ffmpeg", "-v", "error", "-stream_loop", strconv.Itoa(times-1), "-i", once, "-c", "copy", name)
}

// tutorial returns what TorchCodec's tutorial on parallel decoding takes: 17 250 frames of 640x360 H.264, with x264's own structure.
// 1150 of them are encoded, and repeated.
func (b *bench) tutorial(ctx context.Context) (string, error) {
	return b.media(ctx, "tutorial-640x360-1.mp4", func(ctx context.Context, name string) error {
		return looped(ctx, name, moving("640x360", 30), 1150, 15, "-preset", "medium", "-crf", "27")
	})
}

// The file of the workloads on a long GOP.
const (
	longGOPFrames = 600
	longGOPs      = 3
)

// longGOP returns half a minute of 1080p60 with a key frame every ten seconds.
func (b *bench) longGOP(ctx context.Context) (string, error) {
	return b.media(ctx, "gop-600-1080p60-1.mp4", func(ctx context.Context, name string) error {
		return looped(ctx, name, moving("1920x1080", 60), longGOPFrames, longGOPs, "-preset", "veryfast", "-crf", "27", "-bf", "3",
			"-g", strconv.Itoa(longGOPFrames), "-sc_threshold", "0")
	})
}

// shortClips returns a directory of 20 clips of 96 frames, 320x240 with four GOPs each.
func (b *bench) shortClips(ctx context.Context) (string, error) {
	return b.media(ctx, "short-320x240-1", func(ctx context.Context, name string) error {
		if err := os.Mkdir(name, 0o755); err != nil {
			return err
		}
		return command(ctx, nil, append(moving("320x240", 30), "-frames:v", strconv.Itoa(20*96), "-c:v", "libx264", "-preset", "veryfast", "-bf", "3",
			"-g", "24", "-pix_fmt", "yuv420p", "-sc_threshold", "0", "-f", "segment", "-segment_time", "3.2", "-reset_timestamps", "1",
			filepath.Join(name, "%02d.mp4"))...)
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
