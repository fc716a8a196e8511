package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// framesFlags are the flags of the frames command, as given.
type framesFlags struct {
	at, times, rng string
	every, count   int

	output, size, layout, dtype, index string
	track, workers                     int
	stats, verify, approximate         bool
}

// selectors are the flags that say which frames. Exactly one must be given.
var selectors = []string{"at", "times", "range", "every", "count"}

func newFrames() *cobra.Command {
	var f framesFlags
	var spool *bool
	cmd := &cobra.Command{
		Use:   "frames SOURCE (--at LIST | --times LIST | --range A:B[:S] | --every N | --count N) -o OUT",
		Short: "Take frames out as pictures or as a tensor",
		Long: `Frames decodes the frames asked for, and only what they need, and writes them to OUT:

  DIR            one PNG a frame, frame-000123.png
  x.npy          a NumPy array of all frames, in the order asked for
  x.safetensors  the tensors frames, index (frame numbers) and pts_seconds
  x.png          a contact sheet
  x.rgb          raw rgb24 pixels, frame after frame

Frames are numbered from 0 in presentation order; negative numbers count from the end. The frame at a time is the one that
is being shown then. Nothing is written when a frame fails, but into a DIR go the good ones.

Of a movie in a pipe (SOURCE -) frames go into a DIR as they come, for --every, --at, --times and --range that do not count from the end. For all else
the input must fit into 16 MiB of memory, or be put into a temporary file: give --spool.`,
		Example: "  sprocket frames clip.mp4 --at 0,10,-1 -o frames/\n" +
			"  sprocket frames clip.mp4 --times 1.5,2s,00:01:02.5 -o x.npy --size 224x224\n" +
			"  sprocket frames clip.mp4 --count 16 -o sheet.png",
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := f.job(cmd)
			if err != nil {
				return err
			}
			var in *input
			var onward *forward
			if j.pick != nil {
				in, onward, err = openForward(cmd.Context(), args[0], cmd.InOrStdin(), *spool)
			} else {
				in, err = openKnown(cmd.Context(), args[0], cmd.InOrStdin(), *spool, j.options.Index)
			}
			if err != nil {
				return err
			}
			if onward != nil {
				err = j.runForward(cmd.Context(), onward, cmd.ErrOrStderr())
				return about(args[0], cmp.Or(err, onward.Close()))
			}
			err = j.run(cmd.Context(), in, cmd.ErrOrStderr())
			if e := in.close(); err == nil {
				err = e
			}
			return about(args[0], err)
		},
	}
	spool = spoolFlag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.at, "at", "", "frame numbers, as `LIST` 0,10,-1")
	fs.StringVar(&f.times, "times", "", "times, as `LIST` 1.5,2s,00:01:02.5")
	fs.StringVar(&f.rng, "range", "", "frames `A:B[:S]` from A, before B, every S-th, as a slice of Python")
	fs.IntVar(&f.every, "every", 0, "frames 0, `N`, 2N, …")
	fs.IntVar(&f.count, "count", 0, "`N` frames spread evenly from the first to the last")
	fs.StringVarP(&f.output, "output", "o", "", "where to: `OUT`")
	fs.IntVar(&f.track, "track", 0, "the video track with this `ID`")
	fs.StringVar(&f.size, "size", "", "scale to `WxH`; a zero keeps the aspect")
	fs.StringVar(&f.layout, "layout", "nchw", "order of the axes of a tensor: nchw or nhwc")
	fs.StringVar(&f.dtype, "dtype", "uint8", "elements of a tensor: uint8, or float32 from 0 to 1")
	fs.StringVar(&f.index, "index", "", "open with the index in `FILE`, made by \"sprocket index\", instead of the file's own tables; or the frames of custom_frame_mappings of TorchCodec")
	fs.BoolVar(&f.verify, "verify-keys", false, "read the head of every packet, to see at which decoding can start")
	fs.BoolVar(&f.approximate, "approximate", false, "find frames by time, without a list of all packets: numbers are estimates where that saves reading")
	fs.IntVar(&f.workers, "workers", 0, "decoders at work at once (default: one a processor)")
	fs.BoolVar(&f.stats, "stats", false, "say at the end what it cost, on standard error")
	for name, values := range map[string][]string{"layout": {"nchw", "nhwc"}, "dtype": {"uint8", "float32"}} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// framesJob is what the flags of the frames command ask for.
type framesJob struct {
	choose  func(context.Context, *sprocket.VideoDecoder) ([]int, error)
	pick    *picker // chooses frames as they go by; nil where the job needs to know more than that
	output  string
	kind    outputKind
	options sprocket.VideoOptions
	workers int
	stats   bool
}

// job checks the flags.
func (f *framesFlags) job(cmd *cobra.Command) (*framesJob, error) {
	j := &framesJob{output: f.output, workers: f.workers, stats: f.stats}
	if err := checkTrack(cmd, f.track); err != nil {
		return nil, err
	}
	var given []string
	for _, name := range selectors {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) != 1 {
		return nil, usagef("which frames? give one of --at, --times, --range, --every and --count%s", prefixed(", not ", strings.Join(given, " and ")))
	}
	var err error
	if j.choose, err = f.chooser(given[0]); err != nil {
		return nil, usagef("%s: %w", given[0], err)
	}
	if cmd.Flags().Changed("workers") && f.workers <= 0 {
		return nil, usagef("--workers %d: it must be positive", f.workers)
	}
	if j.kind, err = kindOf(f.output); err != nil {
		return nil, err
	}
	for _, name := range []string{"layout", "dtype"} {
		if cmd.Flags().Changed(name) && !j.kind.tensor() {
			return nil, usagef("--%s is for .npy and .safetensors only", name)
		}
	}
	j.options = sprocket.VideoOptions{Track: f.track, VerifyKeys: f.verify}
	o := &j.options
	if f.size != "" {
		if o.Width, o.Height, err = parseSize(f.size); err != nil {
			return nil, usagef("--size: %w", err)
		}
	}
	switch f.layout {
	case "nchw":
	case "nhwc":
		o.Layout = tensor.NHWC
	default:
		return nil, usagef("--layout %s: it is nchw or nhwc", f.layout)
	}
	switch f.dtype {
	case "uint8":
	case "float32":
		o.DType = tensor.Float32
	default:
		return nil, usagef("--dtype %s: it is uint8 or float32", f.dtype)
	}
	if !j.kind.tensor() {
		o.Layout = tensor.NHWC
	}
	if f.approximate && (f.index != "" || f.verify) {
		return nil, usagef("--approximate with --index or --verify-keys: those know all packets")
	}
	o.Approximate = f.approximate
	if f.index != "" && f.verify {
		return nil, usagef("--verify-keys with --index: verify when it is made, with \"sprocket index --verify-keys\"")
	}
	if f.index != "" {
		if o.Index, o.FrameMappings, err = loadIndex(f.index); err != nil {
			return nil, err
		}
	}
	if j.kind == toDir && f.index == "" && !f.verify && !f.approximate {
		j.pick = f.picker(given[0])
	}
	return j, nil
}

// chooser returns a function that gives the numbers of the frames asked for, none of them negative.
func (f *framesFlags) chooser(flag string) (func(context.Context, *sprocket.VideoDecoder) ([]int, error), error) {
	numbers := func(of func(n int) []int) func(context.Context, *sprocket.VideoDecoder) ([]int, error) {
		return func(ctx context.Context, d *sprocket.VideoDecoder) ([]int, error) {
			return resolve(ctx, d.Index(), of(d.Len()))
		}
	}
	switch flag {
	case "--at":
		ns, err := parseNumbers(f.at)
		return numbers(func(int) []int { return ns }), err
	case "--times":
		ts, err := parseTimes(f.times)
		return func(ctx context.Context, d *sprocket.VideoDecoder) ([]int, error) {
			return numbersAt(ctx, d.Index(), ts)
		}, err
	case "--range":
		r, err := parseSlice(f.rng)
		return numbers(r.numbers), err
	case "--every":
		if f.every <= 0 {
			return nil, fmt.Errorf("%d is not positive", f.every)
		}
		return numbers(slice{step: f.every}.numbers), nil
	}
	if f.count <= 0 {
		return nil, fmt.Errorf("%d is not positive", f.count)
	}
	return numbers(func(n int) []int { return spreadOver(f.count, n) }), nil
}

// resolve returns numbers that may count from the end as numbers from the start. An approximate index says which numbers it gives the frames.
func resolve(ctx context.Context, x seek.Index, ns []int) ([]int, error) {
	e, approximate := x.(*seek.Estimate)
	out := make([]int, len(ns))
	// What is counted while others are looked for is known the second time.
	for range 2 {
		for i, n := range ns {
			var err error
			if !approximate {
				out[i], err = seek.Resolve(x, n)
			} else {
				var l seek.Located
				l, err = e.Number(ctx, n)
				out[i] = l.N
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// numbersAt returns the numbers of the frames played at the times.
func numbersAt(ctx context.Context, x seek.Index, ts []time.Duration) ([]int, error) {
	e, approximate := x.(*seek.Estimate)
	ns := make([]int, len(ts))
	for range 2 { // see resolve
		for i, t := range ts {
			at := x.Timebase().Ticks(t)
			var err error
			if !approximate {
				ns[i], err = x.Search(at)
			} else {
				var l seek.Located
				l, err = e.At(ctx, at)
				ns[i] = l.N
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return ns, nil
}

// outputKind is the form of the output, told by its name.
type outputKind int

const (
	toDir outputKind = iota
	toNPY
	toSafetensors
	toSheet
	toRaw
)

var outputKinds = map[string]outputKind{"": toDir, ".npy": toNPY, ".safetensors": toSafetensors, ".png": toSheet, ".rgb": toRaw}

func (k outputKind) tensor() bool { return k == toNPY || k == toSafetensors }

// kindOf tells the form from a name. What is a directory, or ends like one, is a directory.
func kindOf(name string) (outputKind, error) {
	if name == "" {
		return 0, usagef("where to? give -o OUT: a DIR, x.npy, x.safetensors, x.png or x.rgb")
	}
	if st, err := os.Stat(name); err == nil && st.IsDir() || os.IsPathSeparator(name[len(name)-1]) {
		return toDir, nil
	}
	extension := filepath.Ext(name)
	if base := filepath.Base(name); base == "." || base == ".." {
		extension = ""
	}
	kind, ok := outputKinds[strings.ToLower(extension)]
	if !ok || name == "-" {
		return 0, usagef("-o %s: the form is not known; give a DIR, x.npy, x.safetensors, x.png or x.rgb", source.RedactURL(name))
	}
	return kind, nil
}

// run does the work on an input.
func (j *framesJob) run(ctx context.Context, in *input, stderr io.Writer) (err error) {
	start := time.Now()
	if j.options.Workers = 1; j.together(in) {
		j.options.Workers = j.workers
	}
	d, err := openVideo(ctx, in, &j.options)
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
	ns, err := j.choose(ctx, d)
	if err != nil {
		if errors.Is(err, seek.ErrRange) {
			return &usageError{about(in.name, err)}
		}
		return err
	}
	if len(ns) == 0 {
		return usagef("%s: no frame is in this range of %d frames", in.name, d.Len())
	}
	if j.kind == toSheet {
		if len(ns) > maxThumbnails {
			return usagef("%d pictures are too many for a contact sheet: %d at most", len(ns), maxThumbnails)
		}
		j.shrink(d, len(ns))
	}
	err = j.extract(ctx, in, d, ns, stderr)
	if j.stats && err == nil {
		writeStats(stderr, d.Stats(), time.Since(start))
		if in.http != nil {
			fmt.Fprintf(stderr, "http: %s; %s waited for by decoders\n", reportHTTP(in.http), formatElapsed(d.Stats().Waited))
		}
	}
	return err
}

// shrink makes n frames thumbnails, unless a size was asked for: theirs depends on the video.
func (j *framesJob) shrink(d *sprocket.VideoDecoder, n int) {
	if j.options.Width == 0 && j.options.Height == 0 {
		m := d.Metadata()
		j.options.Width, j.options.Height = thumbnailSize(&m, n)
	}
}

// noFrames is the error of a track that shows nothing, with the first fault of the file, which may be the reason.
func noFrames(track int, faults []error) error {
	if len(faults) > 0 {
		return fmt.Errorf("track %d has no frames: %w", track, faults[0])
	}
	return fmt.Errorf("track %d has no frames", track)
}

// maxWarnings is how many faults of a file are told by commands other than inspect.
const maxWarnings = 3

// warn tells the faults of a file that did not stop the work.
func warn(w io.Writer, name string, faults []error) {
	for i, err := range faults {
		if i == maxWarnings {
			fmt.Fprintf(w, "sprocket: %s: warning: %d more; see \"sprocket inspect\"\n", printable(name), len(faults)-i)
			return
		}
		fmt.Fprintf(w, "sprocket: %s: warning: %s\n", printable(name), oneLine(err))
	}
}

func writeStats(w io.Writer, s sprocket.Stats, took time.Duration) {
	fmt.Fprintf(w, "%s in %s: opened in %s with %s of %s\n", plural(s.Frames, "frame", "frames"), formatElapsed(took),
		formatElapsed(s.OpenTime), plural(s.Open.Reads, "read", "reads"), formatBytes(s.Open.Bytes))
	fmt.Fprintf(w, "read %s of %s in %s; decoded %s, skipped %d packets nobody needed; %s opened\n",
		plural(s.Packets, "packet", "packets"), formatBytes(s.Bytes), plural(s.Runs, "run", "runs"),
		plural(s.Decoded, "picture", "pictures"), s.Skipped, plural(s.Decoders, "decoder", "decoders"))
	fmt.Fprintf(w, "source: %s of %s in all; index: %s in memory\n", plural(s.Source.Reads, "read", "reads"), formatBytes(s.Source.Bytes),
		formatBytes(int64(s.Index)))
}
