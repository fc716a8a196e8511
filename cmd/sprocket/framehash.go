package main

import (
	"bufio"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
)

func newFramehash() *cobra.Command {
	var trackID int
	var format string
	var spool *bool
	cmd := &cobra.Command{
		Use:   "framehash SOURCE",
		Short: "Print one MD5 a decoded frame",
		Long: "Framehash decodes a video track in presentation order and prints the MD5 of every frame in its native pixel format,\n" +
			"in the form of FFmpeg's framemd5, neither turned nor scaled. Hashes and sizes equal those of\n" +
			"\"ffmpeg -noautorotate -i SOURCE -map 0:v:0 -f framemd5 -\"; times are in ticks of the track's own timebase.",
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkTrack(cmd, trackID); err != nil {
				return err
			}
			if format != "framemd5" {
				return usagef("--format %s: only framemd5 is known", format)
			}
			in, onward, err := openForward(cmd.Context(), args[0], cmd.InOrStdin(), *spool)
			if err != nil {
				return err
			}
			if onward != nil {
				err = framehashForward(cmd.Context(), onward, trackID, cmd.OutOrStdout(), cmd.ErrOrStderr())
				return about(args[0], errors.Join(err, onward.Close()))
			}
			err = framehash(cmd.Context(), in, trackID, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if e := in.close(); err == nil {
				err = e
			}
			return about(args[0], err)
		},
	}
	spool = spoolFlag(cmd)
	cmd.Flags().IntVar(&trackID, "track", 0, "the video track with this `ID`")
	cmd.Flags().StringVar(&format, "format", "framemd5", "form of the output")
	return cmd
}

// checkTrack checks the value of --track, where it is given.
func checkTrack(cmd *cobra.Command, id int) error {
	if cmd.Flags().Changed("track") && id <= 0 {
		return usagef("--track %d: IDs are positive; inspect lists them", id)
	}
	return nil
}

// framehash writes the hash of every frame. Frames that cannot be decoded are left out, and are an error at the end.
func framehash(ctx context.Context, in *input, trackID int, out, stderr io.Writer) (err error) {
	d, err := openVideo(ctx, in, &sprocket.VideoOptions{Track: trackID, Native: true, KeepDamaged: true})
	if err != nil {
		return err
	}
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	if d.Len() == 0 {
		return noFrames(d.Track().ID, d.Warnings())
	}
	warn(stderr, in.name, d.Warnings())
	_, err = hashFrames(ctx, d.Track(), d.Frames(ctx), d.Len(), out, stderr)
	return err
}

// framehashForward is framehash of an input that is read once.
func framehashForward(ctx context.Context, in *forward, trackID int, out, stderr io.Writer) (err error) {
	s, err := openVideoStream(ctx, in, &sprocket.VideoOptions{Track: trackID, Native: true, KeepDamaged: true})
	if err != nil {
		return err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	n, err := hashFrames(ctx, s.Track(), s.Frames(ctx), 0, out, stderr)
	warn(stderr, in.name, s.Warnings())
	if n == 0 && err == nil {
		err = noFrames(s.Track().ID, s.Warnings())
	}
	return err
}

// hashFrames writes the hash of every frame and returns how many there were, with those that failed. Total is about how many there will be.
func hashFrames(ctx context.Context, t container.Track, frames iter.Seq2[*sprocket.Frame, error], total int, out, stderr io.Writer) (n int, err error) {
	p := newProgress(stderr, "frame", total)
	defer p.end()
	w := bufio.NewWriterSize(out, 64<<10)
	var line []byte
	var failed failures
	began := false
	for f, err := range frames {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var lost *sprocket.FrameError
		if err != nil && !errors.As(err, &lost) {
			_ = w.Flush() // what was good is printed; the first error is the one to report
			return n, err
		}
		p.add(1)
		n++
		if err != nil {
			failed.add(err)
			continue
		}
		if !began {
			began = true
			line = appendHashHeader(line[:0], &t, f)
			if _, err := w.Write(line); err != nil {
				return n, err
			}
		}
		data := f.Bytes()
		line = fmt.Appendf(line[:0], "0, %10d, %10d, %8d, %8d, %x\n", f.Ticks, f.Ticks, f.DurationTicks, len(data), md5.Sum(data))
		if _, err := w.Write(line); err != nil {
			return n, err
		}
	}
	if err := w.Flush(); err != nil {
		return n, err
	}
	return n, failed.err(n)
}

// appendHashHeader appends what FFmpeg's framehash muxer writes first.
func appendHashHeader(b []byte, t *container.Track, f *sprocket.Frame) []byte {
	sar := t.Video.PixelAspect
	if sar.Num <= 0 || sar.Den <= 0 {
		sar.Num, sar.Den = 0, 1
	}
	b = append(b, "#format: frame checksums\n#version: 2\n#hash: MD5\n"...)
	b = fmt.Appendf(b, "#software: sprocket %s\n", version())
	b = fmt.Appendf(b, "#tb 0: %v\n#media_type 0: video\n#codec_id 0: rawvideo\n", t.Timebase)
	b = fmt.Appendf(b, "#dimensions 0: %dx%d\n#sar 0: %d/%d\n", f.NativeWidth, f.NativeHeight, sar.Num, sar.Den)
	return append(b, "#stream#, dts,        pts, duration,     size, hash\n"...)
}

// failures are the errors of some of many frames. It keeps the first.
type failures struct {
	first error
	count int
}

func (f *failures) add(err error) {
	if f.count++; f.first == nil {
		f.first = err
	}
}

func (f *failures) err(total int) error {
	if f.count > 1 {
		return fmt.Errorf("%w (and %d more of %d frames)", f.first, f.count-1, total)
	}
	return f.first
}
