package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// input is an open SOURCE.
type input struct {
	name string
	*source.Counter
	close func() error
	http  *source.Remote // nil when the input is on no server
}

// openInput opens what SOURCE names, so that it can be read anywhere: with spool by way of a temporary file where need be.
func openInput(ctx context.Context, name string, stdin io.Reader, spool bool) (*input, error) {
	return openKnown(ctx, name, stdin, spool, nil)
}

// openKnown is openInput of a source that is to be what a stored index, unless that is nil, was made of.
func openKnown(ctx context.Context, name string, stdin io.Reader, spool bool, index *seek.StoredIndex) (*input, error) {
	if isPipe(name, stdin) {
		if spool {
			return spoolInput(ctx, name, stdin)
		}
		return holdInput(ctx, name, stdin)
	}
	if name == "-" {
		return openStdin(stdin)
	}
	if source.SchemeOf(name) != "" {
		url, err := locate(ctx, name)
		if err != nil {
			return nil, err
		}
		r, err := source.OpenURL(ctx, url, &source.RemoteOptions{HTTP: source.HTTPOptions{Expect: index.Expect(), Spool: spool}})
		if errors.Is(err, source.ErrNoRanges) {
			return nil, about(name, fmt.Errorf("%w (give --spool)", err))
		}
		if err != nil {
			return nil, about(name, err)
		}
		return &input{source.RedactURL(name), source.Count(r), r.Close, r}, nil
	}
	f, err := source.OpenFile(name)
	if err != nil {
		return nil, about(name, err)
	}
	return &input{name: name, Counter: source.Count(f), close: f.Close}, nil
}

// openStdin reads a standard input that is a file, in place.
func openStdin(stdin io.Reader) (*input, error) {
	f, ok := stdin.(*os.File)
	if !ok {
		return nil, about("-", container.ErrNotSeekable)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, about("-", err)
	}
	return &input{name: "-", Counter: source.Count(io.NewSectionReader(f, 0, st.Size())), close: func() error { return nil }}, nil
}

// about says which input an error is about, once. Errors of usage and of the output are not about the input.
func about(name string, err error) error {
	var usage *usageError
	var input *inputError
	var write *writeError
	if err == nil || errors.As(err, &usage) || errors.As(err, &input) || errors.As(err, &write) {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) && path.Path == name {
		err = path.Err
	}
	return &inputError{source.RedactURL(name), err}
}

// inputError is an error of an input.
type inputError struct {
	name string
	err  error
}

func (e *inputError) Error() string {
	text := strings.TrimPrefix(strings.TrimPrefix(e.err.Error(), "sprocket: "), "http: ")
	return e.name + ": " + strings.TrimPrefix(text, "open "+e.name+": ")
}

func (e *inputError) Unwrap() error { return e.err }

// media is an input whose tracks and packets are known.
type media struct {
	*input
	demuxer container.SeekableDemuxer
	format  string
	opened  source.Counts // what opening read
	took    time.Duration // and how long it took
}

// openMedia opens an input without any codec. Tables are kept of the tracks that pick returns; nil is all.
func openMedia(ctx context.Context, name string, stdin io.Reader, spool bool, pick func([]container.Track) []int) (*media, error) {
	in, err := openInput(ctx, name, stdin, spool)
	if err != nil {
		return nil, err
	}
	m := &media{input: in}
	if err := m.open(ctx, pick); err != nil {
		_ = in.close() // the first error is the one to report
		return nil, about(name, err)
	}
	return m, nil
}

func (m *media) open(ctx context.Context, pick func([]container.Track) []int) error {
	start := time.Now()
	d, err := container.Open(ctx, m.Counter, container.Noting(&m.format, sprocket.Formats()), &container.Options{Select: pick, Progress: indexing(os.Stderr)})
	m.took = time.Since(start)
	m.opened = m.Counts()
	if err != nil {
		return err
	}
	var ok bool
	if m.demuxer, ok = d.(container.SeekableDemuxer); !ok {
		_ = d.Close() // nothing was read
		return container.ErrNotSeekable
	}
	return nil
}

func (m *media) faults() []error { return faults(m.demuxer) }

// faults returns what is wrong with a container that did not stop the work.
func faults(d container.Demuxer) []error {
	if w, ok := d.(container.Warner); ok {
		return w.Warnings()
	}
	return nil
}

// Close closes the demuxer and the input.
func (m *media) Close() error { return errors.Join(m.demuxer.Close(), m.input.close()) }

// trackByID returns the index of the track with an ID, or a usage error that lists those there are.
func trackByID(tracks []container.Track, id int, kinds ...container.Kind) (int, error) {
	var have []string
	for i := range tracks {
		t := &tracks[i]
		if t.ID == id && (len(kinds) == 0 || t.Kind == kinds[0]) {
			return i, nil
		}
		have = append(have, fmt.Sprintf("%d (%v)", t.ID, t.Kind))
	}
	what := "track"
	if len(kinds) > 0 {
		what = kinds[0].String() + " track"
	}
	return 0, usagef("--track %d: no %s has this ID; tracks: %s", id, what, strings.Join(have, ", "))
}

// openVideo opens the video decoder of an input. Close both: the decoder first.
func openVideo(ctx context.Context, in *input, o *sprocket.VideoOptions) (*sprocket.VideoDecoder, error) {
	if o.Progress == nil {
		o.Progress = indexing(os.Stderr)
	}
	d, err := sprocket.OpenVideo(ctx, in.Counter, o)
	if err == nil {
		return d, nil
	}
	if o.Track != 0 { // is it the input's fault, or the flag's?
		if c, e := container.Open(ctx, in.Counter, sprocket.Formats(), &container.Options{Select: func([]container.Track) []int { return []int{} }}); e == nil {
			_, wrong := trackByID(c.Tracks(), o.Track, container.Video)
			if e := errors.Join(wrong, c.Close()); e != nil {
				return nil, e
			}
		}
	}
	return nil, about(in.name, err)
}
