package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sprocket-video/sprocket/container"
)

func newPackets() *cobra.Command {
	var trackID int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "packets SOURCE",
		Short: "List the packets, one a line",
		Long: "Packets lists the packets of one track in decode order, or of all tracks merged by their place in the file.\n" +
			"Times are in ticks of the track's timebase; inspect tells it. With --json every line is an object with the keys track, n,\n" +
			"pts, dts, dur, pos, size, key, discard and disposable; a time that the file does not tell is null, and so is disposable\n" +
			"where the container says nothing about it. In the table these are -, and the flags are K, D and d.",
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			one := cmd.Flags().Changed("track")
			chosen, wrong := -1, error(nil)
			pick := func(tracks []container.Track) []int {
				if chosen, wrong = trackByID(tracks, trackID); wrong != nil {
					return []int{}
				}
				return []int{chosen}
			}
			if !one {
				pick = nil
			}
			m, err := openMedia(cmd.Context(), args[0], cmd.InOrStdin(), pick)
			if err != nil {
				return err
			}
			if wrong == nil {
				wrong = m.writePackets(cmd.Context(), cmd.OutOrStdout(), chosen, asJSON)
			}
			if err := m.Close(); wrong == nil {
				wrong = err
			}
			return about(args[0], wrong)
		},
	}
	cmd.Flags().IntVar(&trackID, "track", 0, "only the track with this `ID`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// writePackets lists the packets of a track, or of all when track is negative.
func (m *media) writePackets(ctx context.Context, out io.Writer, track int, asJSON bool) error {
	tracks := m.demuxer.Tracks()
	l := &packetLines{line: make([]byte, 0, 256)}
	for i := range tracks {
		l.ids = append(l.ids, strconv.Itoa(tracks[i].ID))
	}
	w := bufio.NewWriterSize(out, 256<<10)
	write := l.appendColumns
	if asJSON {
		write = l.appendJSON
	} else {
		fmt.Fprintf(w, "%5s %8s %12s %12s %8s %12s %9s %s\n", "track", "n", "pts", "dts", "dur", "pos", "size", "flags")
	}
	for p, err := range m.packets(ctx, track) {
		if err != nil {
			_ = w.Flush() // what was good is printed; the first error is the one to report
			return err
		}
		if _, err := w.Write(write(l.line[:0], &p)); err != nil {
			return err
		}
	}
	return w.Flush()
}

// packets yields the packets of one track in decode order, or those of all tracks merged by position.
func (m *media) packets(ctx context.Context, track int) iter.Seq2[container.PacketInfo, error] {
	if track >= 0 {
		return m.demuxer.List(ctx, track, container.PacketInfo{Track: track})
	}
	return func(yield func(container.PacketInfo, error) bool) {
		var heads []head
		for i := range m.demuxer.Tracks() {
			next, stop := iter.Pull2(m.demuxer.List(ctx, i, container.PacketInfo{Track: i}))
			defer stop()
			if h := (head{next: next}); h.advance() {
				heads = append(heads, h)
			}
		}
		for len(heads) > 0 {
			first := 0
			for i := range heads {
				if heads[i].info.Pos < heads[first].info.Pos {
					first = i
				}
			}
			h := &heads[first]
			if !yield(h.info, h.err) || h.err != nil {
				return
			}
			if !h.advance() {
				heads = append(heads[:first], heads[first+1:]...)
			}
		}
	}
}

// head is the next packet of a track.
type head struct {
	next func() (container.PacketInfo, error, bool)
	info container.PacketInfo
	err  error
}

func (h *head) advance() (ok bool) {
	h.info, h.err, ok = h.next()
	return ok
}

// packetLines formats packets without reflection: a long file has millions of them.
type packetLines struct {
	ids  []string // of tracks
	line []byte
}

func (l *packetLines) appendJSON(b []byte, p *container.PacketInfo) []byte {
	b = append(append(b, `{"track":`...), l.ids[p.Track]...)
	b = strconv.AppendInt(append(b, `,"n":`...), p.N, 10)
	b = appendTicks(append(b, `,"pts":`...), p.PTS, "null")
	b = appendTicks(append(b, `,"dts":`...), p.DTS, "null")
	b = strconv.AppendInt(append(b, `,"dur":`...), int64(p.Duration), 10)
	b = strconv.AppendInt(append(b, `,"pos":`...), p.Pos, 10)
	b = strconv.AppendInt(append(b, `,"size":`...), int64(p.Size), 10)
	b = strconv.AppendBool(append(b, `,"key":`...), p.Key)
	b = strconv.AppendBool(append(b, `,"discard":`...), p.Discard)
	b = append(b, `,"disposable":`...)
	if p.Disposable == container.DisposableUnknown {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendBool(b, p.Disposable == container.Unneeded)
	}
	return append(b, "}\n"...)
}

func appendTicks(b []byte, t container.Ticks, none string) []byte {
	if t == container.NoTicks {
		return append(b, none...)
	}
	return strconv.AppendInt(b, int64(t), 10)
}

func (l *packetLines) appendColumns(b []byte, p *container.PacketInfo) []byte {
	b = append(b, "     "[:max(0, 5-len(l.ids[p.Track]))]...)
	b = append(b, l.ids[p.Track]...)
	b = appendColumn(b, p.N, 8)
	b = appendColumn(b, int64(p.PTS), 12)
	b = appendColumn(b, int64(p.DTS), 12)
	b = appendColumn(b, int64(p.Duration), 8)
	b = appendColumn(b, p.Pos, 12)
	b = appendColumn(b, int64(p.Size), 9)
	return append(append(append(b, ' '), flags(p)...), '\n')
}

// appendColumn appends a space and a number, or a dash for NoTicks, to the right of a column.
func appendColumn(b []byte, v int64, width int) []byte {
	var number [20]byte
	text := appendTicks(number[:0], container.Ticks(v), "-")
	b = append(b, ' ')
	for range width - len(text) {
		b = append(b, ' ')
	}
	return append(b, text...)
}

// flags returns K for a key packet, D for a discarded one, d for one that is disposable, in their places.
func flags(p *container.PacketInfo) string {
	b := [3]byte{'-', '-', '-'}
	if p.Key {
		b[0] = 'K'
	}
	if p.Discard {
		b[1] = 'D'
	}
	if p.Disposable == container.Unneeded {
		b[2] = 'd'
	}
	return string(b[:])
}
