package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
	"github.com/sprocket-video/sprocket/seek"
)

func newInspect() *cobra.Command {
	var asJSON, verify, approximate bool
	var spool *bool
	cmd := &cobra.Command{
		Use:   "inspect SOURCE",
		Short: "Tell what is in a media file and what it costs to get at it",
		Long: "Inspect lists the tracks, their codecs, times, rates and GOP structure, the index and what it cost to build,\n" +
			"and the faults of the file. It reads the container's tables and the first bytes of a few key packets, with --verify those of all\n" +
			"packets of video; it decodes nothing.",
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			if verify && approximate {
				return usagef("--verify with --approximate: it takes all packets")
			}
			m, err := openMedia(cmd.Context(), args[0], cmd.InOrStdin(), *spool, nil)
			if err != nil {
				return err
			}
			r, err := inspect(cmd.Context(), m, verify, approximate)
			if err != nil {
				_ = m.Close() // the first error is the one to report
				return about(args[0], err)
			}
			if err := m.Close(); err != nil {
				return about(args[0], err)
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				err = e.Encode(r)
			} else {
				_, err = cmd.OutOrStdout().Write(r.appendText(nil))
			}
			if err != nil {
				return err
			}
			return r.fault()
		},
	}
	spool = spoolFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&approximate, "approximate", false, "guess an approximate index, where that saves reading, instead of listing all packets")
	cmd.Flags().BoolVar(&verify, "verify", false, "read the head of every packet of video, to see whether the file tells the truth about it")
	return cmd
}

// fault returns the first error of a track, for the exit status.
func (r *report) fault() error {
	for i := range r.Tracks {
		if t := &r.Tracks[i]; t.Error != "" {
			return fmt.Errorf("%s: track %d: %s", r.Source, t.ID, t.Error)
		}
	}
	return nil
}

// inspect looks at all tracks. What is wrong with one track is in its report; err is what stopped the work.
func inspect(ctx context.Context, m *media, verify, approximate bool) (*report, error) {
	r := &report{
		Source: printable(m.name), Bytes: m.Size(), Format: m.format,
		Open: cost{m.opened, m.took.Seconds()}, Tracks: []trackReport{}, Warnings: []string{},
	}
	begin, end := math.Inf(1), math.Inf(-1)
	if m.format == "mp4" {
		begin = 0 // ISO/IEC 14496-12, 8.6.6: where the presentation begins
	}
	for i := range m.demuxer.Tracks() {
		look := func() (trackReport, error) { return m.inspectTrack(ctx, i, verify) }
		if approximate {
			look = func() (trackReport, error) { return m.guessTrack(ctx, i) }
		}
		t, err := look()
		if err != nil {
			return nil, err
		}
		r.Tracks = append(r.Tracks, t)
		if t.Start != nil && t.Duration != nil {
			begin, end = min(begin, *t.Start), max(end, *t.Start+*t.Duration)
		}
	}
	if begin <= end {
		end -= begin
		r.Duration = &end
	}
	for _, err := range m.faults() {
		r.Warnings = append(r.Warnings, oneLine(err))
	}
	if m.http != nil {
		r.HTTP = reportHTTP(m.http)
	}
	return r, nil
}

func (m *media) inspectTrack(ctx context.Context, track int, verify bool) (trackReport, error) {
	if v := m.demuxer.Tracks()[track].Variant; v != (container.Variant{}) {
		// To list the packets of every variant is to fetch all there is.
		return describe(&m.demuxer.Tracks()[track]), ctx.Err()
	}
	// The index first: a demuxer that lists at the first question reads for it.
	before, start := m.Counts(), time.Now()
	x, indexErr := seek.Build(ctx, m.demuxer, track)
	spent := since(m.Counter, before, start)

	t := &m.demuxer.Tracks()[track]
	r := describe(t)
	size := m.Size()
	if _, elsewhere := m.demuxer.(container.Scattered); elsewhere {
		size = math.MaxInt64
	}
	s, err := scanPackets(ctx, m.demuxer, track, size)
	if e := r.note(ctx, err); e != nil {
		return r, e
	}
	r.addScan(s)
	if e := r.note(ctx, indexErr); e != nil || indexErr != nil {
		return r, e
	}
	r.Index = &indexReport{Kind: x.Kind().String(), Method: "packets", Why: "all packets are listed", Bytes: x.Bytes(), Cost: spent}
	if x.Packets() > 0 {
		r.Index.BytesPerPacket = float64(x.Bytes()) / float64(x.Packets())
	}
	end := r.addTimes(x)
	if t.Kind != container.Video {
		return r, nil
	}
	r.Frames = known(x.Len(), true)
	r.Video.setRate(x)
	r.Video.Reorder = s.reorder
	if s.haveKey {
		s.closeGOP(end)
		r.GOP = &s.gop
		r.GOP.Keys = m.lookAtKeys(ctx, track, s.lookAt)
		r.GOP.Structure = structure(s, &r.GOP.Keys)
	}
	var keys *keyReport
	if r.GOP != nil {
		keys = &r.GOP.Keys
	}
	r.Lints = lints(t, s, x, keys)
	if verify {
		r.Verify, err = m.verify(ctx, track)
		if e := r.note(ctx, err); e != nil {
			return r, e
		}
	}
	return r, ctx.Err()
}

// note keeps an error of the track, and returns one that must end the work.
func (r *trackReport) note(ctx context.Context, err error) error {
	if err != nil && r.Error == "" {
		r.Error = oneLine(err)
	}
	return ctx.Err()
}

// describe says what the headers tell.
func describe(t *container.Track) trackReport {
	r := trackReport{
		ID: t.ID, Kind: t.Kind, Codec: t.Codec, FourCC: printable(t.FourCC), Enabled: t.Enabled, Default: t.Default,
		Language: printable(t.Language), Handler: printable(t.Handler), Timebase: t.Timebase,
		Descriptions: len(t.Descriptions), ConfigBytes: len(t.Config), Encryption: encryption(t.Encryption),
		Header: headerReport{
			Packets: known(t.Packets, t.Packets >= 0), Start: seconds(t.Timebase, t.Start),
			Duration: seconds(t.Timebase, t.Duration), BitRate: positive(t.BitRate),
		},
	}
	if t.Variant != (container.Variant{}) {
		r.Variant = &variantReport{t.Variant.Bandwidth, t.Variant.AverageBandwidth, t.Variant.FrameRate, printable(t.Variant.Codecs), printable(t.Variant.Name), printable(t.Variant.Group)}
	}
	switch v, a := &t.Video, &t.Audio; t.Kind {
	case container.Video:
		r.Video = &videoReport{
			Width: v.Width, Height: v.Height, DisplayWidth: v.Width, DisplayHeight: v.Height,
			Rotation: t.Orientation.Degrees, Mirror: t.Orientation.Mirror,
			PixelAspect: known(v.PixelAspect.String(), v.PixelAspect.Num > 0 && v.PixelAspect.Den > 0),
			BitDepth:    positive(v.BitDepth), Chroma: text(v.Chroma),
			Profile: known(v.Profile, v.Profile >= 0), ProfileName: profileName(t.Codec, v.Profile),
			Level: known(v.Level, v.Level >= 0), LevelName: levelName(t.Codec, v.Level),
			Color: colorNames(v.Color),
		}
		if t.Orientation.Swaps() {
			r.Video.DisplayWidth, r.Video.DisplayHeight = v.Height, v.Width
		}
	case container.Audio:
		r.Audio = &audioReport{
			SampleRate: a.SampleRate, Channels: a.Channels, BitsPerSample: positive(a.BitsPerSample),
			Profile: known(a.Profile, a.Profile >= 0), ProfileName: profileName(t.Codec, a.Profile),
		}
	}
	return r
}

func (r *trackReport) addScan(s *scan) {
	r.Packets, r.Keys, r.Discarded, r.Corrupt, r.BeyondEnd = s.packets, s.keys, s.discarded, s.corrupt, s.beyondEnd
	r.Disposable = known(s.disposable, s.tellsDisposable)
	r.PayloadBytes = s.bytes
	r.sizes = s.bins.means()
}

// addTimes says when the track begins and how long it lasts, and returns the end.
func (r *trackReport) addTimes(x *seek.Table) container.Ticks {
	if x.Len() == 0 {
		return container.NoTicks
	}
	first, err1 := x.Frame(0)
	last, err2 := x.Frame(x.Len() - 1)
	if err := errors.Join(err1, err2); err != nil { // both are in range
		return container.NoTicks
	}
	end := last.PTS + last.Duration
	r.StartTicks, r.Start = ticks(first.PTS), seconds(r.Timebase, first.PTS)
	r.DurationTicks, r.Duration = ticks(end-first.PTS), seconds(r.Timebase, end-first.PTS)
	if r.Duration != nil && *r.Duration > 0 {
		r.BitRate = known(int64(float64(r.PayloadBytes)*8 / *r.Duration), true)
	}
	return end
}

// keyHead is how much of a key packet is read to classify it.
const keyHead = 2048

// lookAtKeys reads the heads of key packets to see what they really are.
func (m *media) lookAtKeys(ctx context.Context, track int, keys []container.PacketInfo) keyReport {
	var r keyReport
	t := &m.demuxer.Tracks()[track]
	before, start := m.Counts(), time.Now()
	heads := make([]container.PacketInfo, len(keys))
	for i := range keys {
		heads[i] = keys[i].Head(keyHead)
	}
	container.Prefetch(ctx, m.demuxer, track, heads)
	var p container.Packet
	for i, info := range keys {
		if info.Description >= len(t.Descriptions) || t.Descriptions[info.Description].Encryption.Scheme != "" {
			continue
		}
		d := &t.Descriptions[info.Description]
		err := m.demuxer.Read(ctx, track, heads[i], &p)
		b := bitstream.Inspect(d, p.Data)
		if err == nil && b.Class == bitstream.Short {
			err = m.demuxer.Read(ctx, track, info, &p)
			b = bitstream.Inspect(d, p.Data)
		}
		class := b.Class
		r.Count++
		if err == nil && class != bitstream.IDR && class != bitstream.NotKey && (b.RecoveryFrames > 0 || info.Roll != 0) {
			r.Slow++
		}
		switch {
		case err != nil:
			r.Unreadable++
		case class == bitstream.IDR:
			r.IDR++
		case class == bitstream.Open:
			r.Open++
		case class == bitstream.Recovery:
			r.Recovery++
		case class == bitstream.NotKey:
			r.NotKey++
		default:
			r.Unknown++
		}
	}
	r.Cost = since(m.Counter, before, start)
	return r
}

// structure names what kind of GOPs a track has, as far as its order and the key packets looked at tell.
func structure(s *scan, k *keyReport) string {
	sure := k.Count - k.Unknown - k.Unreadable
	switch {
	case s.keys == s.packets && k.NotKey == 0:
		return "intra"
	case sure == 0 || k.NotKey > 0:
		return "unknown"
	case k.IDR == sure || s.gop.Leading == 0:
		return "closed"
	}
	return "open"
}
