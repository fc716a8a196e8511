package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/source"
)

// broadcast returns 200 s of 720p at 20 Mb/s with two tracks of sound, 530 MB, whose time stamps wrap in the middle. Ten seconds of it are
// encoded.
func (b *bench) broadcast(ctx context.Context) (string, error) {
	return b.media(ctx, "broadcast-1.ts", func(ctx context.Context, name string) error {
		dir, err := os.MkdirTemp(b.cache, "clip-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // in the cache directory; what stays is harmless
		clip := filepath.Join(dir, "clip.ts")
		if err := command(ctx, nil, "ffmpeg", "-v", "error",
			"-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30,noise=alls=40:allf=t", "-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "10",
			"-map", "0", "-map", "1", "-map", "1", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60", "-pix_fmt", "yuv420p",
			"-b:v", "20M", "-maxrate", "20M", "-bufsize", "20M", "-x264opts", "nal-hrd=cbr", "-c:a:0", "aac", "-c:a:1", "ac3", clip); err != nil {
			return err
		}
		return command(ctx, nil, "ffmpeg", "-v", "error", "-stream_loop", "19", "-i", clip, "-map", "0", "-c", "copy",
			"-output_ts_offset", "95343", "-f", "mpegts", name) // 2^33 ticks are 95443.7 s
	})
}

func benchTransport(ctx context.Context, b *bench) error {
	file, err := b.broadcast(ctx)
	if err != nil {
		return err
	}
	packets, err := checkTransport(ctx, file)
	if err != nil {
		return err
	}
	fmt.Printf("  %d packets of three tracks: times, places, sizes and key flags are those of ffprobe\n", packets)
	c := &child{task: "ts", file: file, frames: packets, program: b.bare(ctx)}
	err = b.compare(ctx, []side{
		c.process("sprocket: open and list all packets, whole process"),
		c.inside("sprocket: open and list all packets, the calls alone"),
		program("ffprobe -show_packets", "ffprobe", "-v", "error", "-show_packets", "-show_entries", "packet=pts,dts,size,pos,flags", "-of", "csv=p=0", file),
	}, []target{{of: 0, to: 2, want: 4}})
	if err != nil {
		return err
	}
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	calls := b.report.Timings[len(b.report.Timings)-2]
	b.addCount(count{Name: "bytes a second, by the calls alone", Value: float64(st.Size()) / calls.Min / 1e9, Unit: "GB/s"})
	return nil
}

func childTransport(ctx context.Context, file string) (int, time.Duration, error) {
	start := time.Now()
	f, err := source.OpenFile(file)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = f.Close() }() // only read
	d, err := mpegts.Open(ctx, f, nil)
	if err != nil {
		return 0, 0, err
	}
	n := 0
	for i := range d.Tracks() {
		for _, err := range d.List(ctx, i, container.PacketInfo{}) {
			if err != nil {
				return 0, 0, err
			}
			n++
		}
	}
	return n, time.Since(start), nil
}

// checkTransport compares all packets of all tracks with what ffprobe lists, and returns their number.
func checkTransport(ctx context.Context, file string) (n int, err error) {
	f, err := source.OpenFile(file)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read
	d, err := mpegts.Open(ctx, f, nil)
	if err != nil {
		return 0, err
	}
	for i := range d.Tracks() {
		k, err := checkTrack(ctx, d, i, file)
		if n += k; err != nil {
			return n, fmt.Errorf("track %d: %w", i, err)
		}
	}
	return n, nil
}

func checkTrack(ctx context.Context, d *mpegts.Demuxer, track int, file string) (n int, err error) {
	cmd := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-select_streams", strconv.Itoa(track), "-show_packets",
		"-show_entries", "packet=pts,dts,size,pos,flags", "-of", "csv=p=0", file)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_, _ = io.Copy(io.Discard, pipe) // so that ffprobe can end
		err = errors.Join(err, cmd.Wait())
	}()
	scanner := bufio.NewScanner(pipe)
	line := ""
	next := func() bool { // side data leave empty lines
		for scanner.Scan() {
			if line = scanner.Text(); line != "" {
				return true
			}
		}
		return false
	}
	for info, err := range d.List(ctx, track, container.PacketInfo{}) {
		if err != nil {
			return n, err
		}
		if !next() {
			return n, fmt.Errorf("ffprobe ends before packet %d: %w", n, scanner.Err())
		}
		if err := sameUnit(&info, line); err != nil {
			return n, err
		}
		n++
	}
	if next() {
		return n, fmt.Errorf("ffprobe has more than %d packets", n)
	}
	return n, scanner.Err()
}

// sameUnit compares a packet with a line of ffprobe's, which tells the place of the transport packet, and of the first packet in a PES packet only.
// Sounds' times are within a tick: ffprobe adds up rounded durations.
func sameUnit(info *container.PacketInfo, line string) error {
	f := strings.Split(strings.TrimSuffix(line, ","), ",")
	if len(f) < 5 || len(f[4]) < 1 {
		return fmt.Errorf("ffprobe says %q", line)
	}
	const wrap = 1 << 33
	for i, have := range []container.Ticks{info.PTS, info.DTS} {
		t, err := strconv.ParseInt(f[i], 10, 64)
		if d := (int64(have) - t + 1) & (wrap - 1); err != nil || d > 2 {
			return fmt.Errorf("packet %d: pts %d, dts %d; ffprobe says %s", info.N, info.PTS, info.DTS, line)
		}
	}
	pos, err := strconv.ParseInt(f[3], 10, 64)
	if f[2] != strconv.Itoa(info.Size) || err == nil && (info.Pos < pos || info.Pos >= pos+188) || (f[4][0] == 'K') != info.Key {
		return fmt.Errorf("packet %d: size %d, pos %d, key %t; ffprobe says %s", info.N, info.Size, info.Pos, info.Key, line)
	}
	return nil
}
