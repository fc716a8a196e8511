package main

import (
	"bufio"
	"cmp"
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
	var spool *bool
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
			in, onward, err := openForward(cmd.Context(), args[0], cmd.InOrStdin(), *spool)
			if err != nil {
				return err
			}
			if onward != nil {
				d, seq, err := listForward(cmd.Context(), onward, pick)
				if err = cmp.Or(wrong, err); err == nil {
					err = writePackets(cmd.OutOrStdout(), d.Tracks(), seq, asJSON)
					warn(cmd.ErrOrStderr(), onward.name, faults(d))
				}
				return about(args[0], cmp.Or(err, onward.Close()))
			}
			m := &media{input: in}
			if err := m.open(cmd.Context(), pick); err != nil {
				_ = in.close() // the first error is the one to report
				return about(args[0], err)
			}
			if wrong == nil {
				wrong = m.writePackets(cmd.Context(), cmd.OutOrStdout(), chosen, asJSON)
				warn(cmd.ErrOrStderr(), m.name, m.faults())
			}
			if err := m.Close(); wrong == nil {
				wrong = err
			}
			return about(args[0], wrong)
		},
	}
	spool = spoolFlag(cmd)
	cmd.Flags().IntVar(&trackID, "track", 0, "only the track with this `ID`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// writePackets lists the packets of a track, or of all when track is negative.
func (m *media) writePackets(ctx context.Context, out io.Writer, track int, asJSON bool) error {
	return writePackets(out, m.demuxer.Tracks(), m.packets(ctx, track), asJSON)
}

// writePackets lists packets of tracks.
func writePackets(out io.Writer, tracks []container.Track, packets iter.Seq2[container.PacketInfo, error], asJSON bool) error {
	l := &packetLines{}
	for i := range tracks {
		id := strconv.Itoa(tracks[i].ID)
		l.ids = append(l.ids, id)
		l.begin = append(l.begin, `{"track":`+id+`,"n":`)
	}
	w := bufio.NewWriterSize(out, 256<<10)
	write := l.appendColumns
	if asJSON {
		write = l.appendJSON
	} else {
		fmt.Fprintf(w, "%5s %8s %12s %12s %8s %12s %9s %s\n", "track", "n", "pts", "dts", "dur", "pos", "size", "flags")
	}
	for p, err := range packets {
		if err != nil {
			_ = w.Flush() // what was good is printed; the first error is the one to report
			return err
		}
		if w.Available() < maxPacketLine {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if _, err := w.Write(write(w.AvailableBuffer(), &p)); err != nil {
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
		var queues []*queue
		for i := range m.demuxer.Tracks() {
			q := &queue{track: i}
			if q.fill(ctx, m.demuxer) {
				queues = append(queues, q)
			}
		}
		for len(queues) > 0 {
			first := 0
			for i := range queues {
				if queues[i].pos() < queues[first].pos() {
					first = i
				}
			}
			q := queues[first]
			if len(q.infos) == 0 {
				yield(container.PacketInfo{}, q.err)
				return
			}
			if !yield(q.infos[0], nil) {
				return
			}
			if q.infos = q.infos[1:]; len(q.infos) == 0 && q.err == nil && !q.fill(ctx, m.demuxer) {
				queues = append(queues[:first], queues[first+1:]...)
			}
		}
	}
}

// queue is the next packets of a track. Behind them stands an error, if there was one.
type queue struct {
	track int
	infos []container.PacketInfo
	next  int64 // number of the packet behind infos
	err   error
	store []container.PacketInfo
}

// queueLength makes beginning to list cheap beside listing.
const queueLength = 1024

// fill lists the next packets. It returns false at the end.
func (q *queue) fill(ctx context.Context, d container.SeekableDemuxer) bool {
	q.store = q.store[:0]
	for p, err := range d.List(ctx, q.track, container.PacketInfo{Track: q.track, N: q.next}) {
		if err != nil {
			q.err = err
			break
		}
		q.next = p.N + 1
		if q.store = append(q.store, p); len(q.store) == queueLength {
			break
		}
	}
	q.infos = q.store
	return len(q.infos) > 0 || q.err != nil
}

// pos returns where the next packet is. An error comes first.
func (q *queue) pos() int64 {
	if len(q.infos) == 0 {
		return -1
	}
	return q.infos[0].Pos
}

// packetLines formats packets without reflection: a long file has millions of them.
type packetLines struct {
	ids   []string // of tracks
	begin []string // of the JSON of their packets
}

// maxPacketLine is more than any line is long.
const maxPacketLine = 512

func (l *packetLines) appendJSON(b []byte, p *container.PacketInfo) []byte {
	b = strconv.AppendInt(append(b, l.begin[p.Track]...), p.N, 10)
	b = appendTicks(append(b, `,"pts":`...), p.PTS, "null")
	b = appendTicks(append(b, `,"dts":`...), p.DTS, "null")
	b = strconv.AppendInt(append(b, `,"dur":`...), int64(p.Duration), 10)
	b = strconv.AppendInt(append(b, `,"pos":`...), p.Pos, 10)
	b = strconv.AppendInt(append(b, `,"size":`...), int64(p.Size), 10)
	b = strconv.AppendBool(append(b, `,"key":`...), p.Key)
	b = strconv.AppendBool(append(b, `,"discard":`...), p.Discard)
	switch p.Disposable {
	case container.Unneeded:
		return append(b, `,"disposable":true}`+"\n"...)
	case container.Needed:
		return append(b, `,"disposable":false}`+"\n"...)
	}
	return append(b, `,"disposable":null}`+"\n"...)
}

func appendTicks(b []byte, t container.Ticks, none string) []byte {
	if t == container.NoTicks {
		return append(b, none...)
	}
	return strconv.AppendInt(b, int64(t), 10)
}

func (l *packetLines) appendColumns(b []byte, p *container.PacketInfo) []byte {
	id := l.ids[p.Track]
	b = append(append(b, "     "[min(len(id), 5):]...), id...)
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
