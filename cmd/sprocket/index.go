package main

import (
	"bytes"
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// indexFlags are the flags of the index command, as given.
type indexFlags struct {
	output, format string
	track          int
	verify, guess  bool
	spool          *bool
}

func newIndex() *cobra.Command {
	var f indexFlags
	cmd := &cobra.Command{
		Use:   "index SOURCE -o FILE",
		Short: "Store an index, to open the file without reading its headers",
		Long: `Index stores where every packet of a track is, and which of them decoding can start at.

With "frames --index FILE" the file's own tables are not read any more: only the packets that are decoded are. The index knows the
file it was made of by its size, its time, and its first 64 KiB; a file that has changed is refused. A playlist needs none: its list of
segments is its index.

--format torchcodec writes the custom_frame_mappings of TorchCodec, as JSON: times and key flags of the frames, without decoding them.`,
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkTrack(cmd, f.track); err != nil {
				return err
			}
			if f.output == "" {
				return usagef("where to? give -o FILE")
			}
			if f.guess {
				return usagef("--approximate: such an index is made at opening, by a few reads, and grows as it is used: give --approximate to frames or inspect; what is stored is exact")
			}
			if f.format != "sprocket" && f.format != "torchcodec" {
				return usagef("--format %s: it is sprocket or torchcodec", f.format)
			}
			return f.run(cmd.Context(), args[0], cmd.InOrStdin(), cmd.ErrOrStderr())
		},
	}
	f.spool = spoolFlag(cmd)
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", "", "where to: `FILE`")
	fs.IntVar(&f.track, "track", 0, "the track with this `ID` (default: the default video track)")
	fs.BoolVar(&f.verify, "verify-keys", false, "read the head of every packet, to see at which decoding can start")
	fs.BoolVar(&f.guess, "approximate", false, "refused: an approximate index costs a few reads when a file is opened, and is not stored")
	fs.StringVar(&f.format, "format", "sprocket", "form of the index: sprocket or torchcodec")
	if err := cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"sprocket", "torchcodec"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (f *indexFlags) run(ctx context.Context, name string, stdin io.Reader, stderr io.Writer) (err error) {
	chosen := -1
	var wrong error
	m, err := openMedia(ctx, name, stdin, *f.spool, func(tracks []container.Track) []int {
		if chosen, wrong = f.choose(tracks); wrong != nil {
			return []int{}
		}
		return []int{chosen}
	})
	if err != nil {
		return err
	}
	defer func() {
		if e := m.Close(); err == nil {
			err = e
		}
	}()
	if wrong != nil {
		return wrong
	}
	data, err := f.build(ctx, m, chosen)
	if err != nil {
		return about(name, err)
	}
	warn(stderr, m.name, m.faults())
	out, err := createFile(f.output)
	if err != nil {
		return err
	}
	defer out.abort()
	if _, err := out.Write(data); err != nil {
		return outputError(f.output, err)
	}
	return out.commit()
}

// choose returns the index of the track with the ID given, or of the default video track, or of the only track.
func (f *indexFlags) choose(tracks []container.Track) (int, error) {
	if f.track != 0 {
		return trackByID(tracks, f.track)
	}
	for i := range tracks {
		if tracks[i].Kind == container.Video && tracks[i].Default || len(tracks) == 1 {
			return i, nil
		}
	}
	return 0, usagef("no video track: say which with --track")
}

func (f *indexFlags) build(ctx context.Context, m *media, track int) ([]byte, error) {
	if f.format == "sprocket" {
		if err := seek.Storable(m.demuxer); err != nil {
			return nil, err // before all segments are fetched
		}
	}
	var table *seek.Table
	var err error
	if f.verify {
		table, _, err = seek.BuildVerified(ctx, m.demuxer, track, nil)
	} else {
		table, err = seek.Build(ctx, m.demuxer, track)
	}
	if err != nil {
		return nil, err
	}
	if table.Len() == 0 {
		return nil, noFrames(m.demuxer.Tracks()[track].ID, m.faults())
	}
	if f.format == "torchcodec" {
		return table.AppendFrameMappings(nil), nil
	}
	id, err := seek.Identify(ctx, m.Counter)
	if err != nil {
		return nil, err
	}
	return table.AppendIndex(ctx, nil, id)
}

// loadIndex reads a stored index, or the frame mappings of TorchCodec, which are JSON.
func loadIndex(name string) (*seek.StoredIndex, []byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, about(name, err)
	}
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] == '{' {
		return nil, data, nil
	}
	x, err := seek.LoadIndex(data, container.Limits{})
	return x, nil, about(name, err)
}
