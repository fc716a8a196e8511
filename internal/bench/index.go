package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/source"
)

// packetArgs are the cheapest way to have ffprobe list all packets of the video.
func packetArgs(file string) []string {
	return []string{"ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets",
		"-show_entries", "packet=pts,dts,size,pos,flags", "-of", "csv=p=0", file}
}

func benchIndex(ctx context.Context, b *bench) error {
	file, err := b.longMovie(ctx)
	if err != nil {
		return err
	}
	frames, err := checkPackets(ctx, file)
	if err != nil {
		return err
	}
	fmt.Printf("  %d packets: times, places, sizes and flags are those of ffprobe\n", frames)
	c := &child{task: "index", file: file, frames: frames, program: b.bare(ctx)}
	return b.compare(ctx, []side{
		c.process("sprocket: open and exact index, whole process"),
		c.inside("sprocket: open and exact index, the calls alone"),
		program("ffprobe -show_packets", packetArgs(file)...),
		program("ffprobe -show_streams", "ffprobe", "-v", "error", "-show_streams", file),
	}, []target{{of: 0, to: 2, want: 40}, {of: 0, to: 3}, {of: 1, to: 3, want: 3}})
}

// openVideoTrack opens a movie for its first video track alone.
func openVideoTrack(ctx context.Context, src source.Source) (container.SeekableDemuxer, int, error) {
	track := -1
	d, err := container.Open(ctx, src, []container.Format{mp4.Format}, &container.Options{Select: func(tracks []container.Track) []int {
		for i := range tracks {
			if tracks[i].Kind == container.Video {
				track = i
				return []int{i}
			}
		}
		return []int{}
	}})
	if err != nil {
		return nil, 0, err
	}
	seekable, ok := d.(container.SeekableDemuxer)
	if !ok || track < 0 {
		return nil, 0, errors.New("no seekable video")
	}
	return seekable, track, nil
}

// checkPackets compares all packets of the video with what ffprobe lists, and returns their number.
func checkPackets(ctx context.Context, file string) (n int, err error) {
	f, err := source.OpenFile(file)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read
	d, track, err := openVideoTrack(ctx, f)
	if err != nil {
		return 0, err
	}
	args := packetArgs(file)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
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
	lines := bufio.NewScanner(pipe)
	for info, err := range d.List(ctx, track, container.PacketInfo{}) {
		if err != nil {
			return n, err
		}
		if !lines.Scan() {
			return n, fmt.Errorf("ffprobe ends before packet %d: %w", n, lines.Err())
		}
		if err := samePacket(&info, lines.Text()); err != nil {
			return n, err
		}
		n++
	}
	if lines.Scan() {
		return n, fmt.Errorf("ffprobe has more than %d packets", n)
	}
	return n, lines.Err()
}

func samePacket(info *container.PacketInfo, line string) error {
	fields := strings.Split(strings.TrimSuffix(line, ","), ",")
	if len(fields) < 5 || len(fields[4]) < 2 {
		return fmt.Errorf("ffprobe says %q", line)
	}
	for i, have := range []int64{int64(info.PTS), int64(info.DTS), int64(info.Size), info.Pos} {
		if strconv.FormatInt(have, 10) != fields[i] {
			return fmt.Errorf("packet %d: pts %d, dts %d, size %d, pos %d; ffprobe says %s", info.N, info.PTS, info.DTS, info.Size, info.Pos, line)
		}
	}
	if key, discard := fields[4][0] == 'K', fields[4][1] == 'D'; key != info.Key || discard != info.Discard {
		return fmt.Errorf("packet %d: key %t, discard %t; ffprobe says %s", info.N, info.Key, info.Discard, line)
	}
	return nil
}
