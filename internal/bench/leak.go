package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/codec/ffmpeg"
)

// benchLeak opens short clips again and again, decodes a few frames of each, and looks at the memory of this process, which must not
// grow after the first tenth.
func benchLeak(ctx context.Context, b *bench) error {
	files, err := b.loaderClips(ctx)
	if err != nil {
		return err
	}
	j := job{Workers: 2}
	one := func(i int) error {
		return j.open(ctx, files[i%len(files)], func(d *sprocket.VideoDecoder) error {
			_, err := d.Sample(ctx, sprocket.Sampling{Uniform: 3})
			return err
		})
	}
	var early float64
	for i := range b.opens {
		if err := one(i); err != nil {
			return err
		}
		if i == b.opens/10 {
			if early, err = resident(); err != nil {
				return err
			}
		}
	}
	late, err := resident()
	if err != nil {
		return err
	}
	b.addCount(count{"resident memory", early, fmt.Sprintf("MB after %d opens", b.opens/10)})
	b.addCount(count{"resident memory", late, fmt.Sprintf("MB after %d opens", b.opens)})
	if live := ffmpeg.Live(); live != (ffmpeg.Counts{}) {
		return fmt.Errorf("left in C memory: %+v", live)
	}
	if late > early*1.1+4 {
		return fmt.Errorf("memory grew from %.1f to %.1f MB", early, late)
	}
	return nil
}

// resident returns the megabytes of this process that are in memory once garbage is given back.
func resident() (float64, error) {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("%s has no such file: %w", runtime.GOOS, err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm is %q", text)
	}
	pages, err := strconv.Atoi(fields[1])
	return float64(pages*os.Getpagesize()) / 1e6, err
}
