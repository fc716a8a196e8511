package source

import (
	"context"
	"fmt"
	"io"
	"io/fs"
)

// Seeker is a source over an io.ReadSeeker. It is safe for concurrent use: reads wait for each other, because they share the offset
// of what they read. Nobody else may move that meanwhile.
type Seeker struct {
	turn chan struct{} // holds a token while someone reads; guards rs
	rs   io.ReadSeeker
	size int64
}

// NewSeeker makes a source over rs, from its very beginning to its end, which it finds by seeking. It does not close rs.
func NewSeeker(rs io.ReadSeeker) (*Seeker, error) {
	size, err := rs.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("source: seek to the end: %w", err)
	}
	if size < 0 {
		return nil, fmt.Errorf("source: the end is at %d", size)
	}
	return &Seeker{turn: make(chan struct{}, 1), rs: rs, size: size}, nil
}

// ReadAt reads as io.ReaderAt says.
func (s *Seeker) ReadAt(p []byte, off int64) (int, error) {
	return s.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is ReadAt that does not wait for its turn when ctx ends. A read that has begun is not given up.
func (s *Seeker) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("source: read at negative offset %d", off)
	}
	if off >= s.size {
		return 0, io.EOF
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-s.turn }()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	switch at, err := s.rs.Seek(off, io.SeekStart); {
	case err != nil:
		return 0, fmt.Errorf("source: seek to %d: %w", off, err)
	case at != off:
		return 0, fmt.Errorf("source: seek to %d led to %d", off, at)
	}
	short := int64(len(p)) > s.size-off
	if short {
		p = p[:s.size-off]
	}
	n, err := io.ReadFull(s.rs, p)
	if err == io.ErrUnexpectedEOF || err == nil && short {
		err = io.EOF
	}
	return n, err
}

// Size returns the size in bytes that was found at first.
func (s *Seeker) Size() int64 { return s.size }

// FSFile is a source over an open file of an fs.FS.
type FSFile struct {
	Source
	file    fs.File
	version string
}

// OpenFS opens a file of fsys, in which it must be possible to read at an offset or to seek: else it gives ErrNotSeekable, and
// what fsys.Open returns can be read as a [Stream], or with [Spool]. It is safe for concurrent use as far as the
// file's ReadAt is; files that seek are read as a [Seeker].
func OpenFS(fsys fs.FS, name string) (*FSFile, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	out := &FSFile{file: f}
	if err := out.open(); err != nil {
		_ = f.Close() // the first error is the one to report
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return out, nil
}

func (f *FSFile) open() error {
	st, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errNotRegular
	}
	if t := st.ModTime(); !t.IsZero() {
		f.version = fmt.Sprintf("%d-%d", st.Size(), t.UnixNano())
	}
	switch r := f.file.(type) {
	case io.ReaderAt:
		f.Source = io.NewSectionReader(r, 0, st.Size())
	case io.ReadSeeker:
		f.Source, err = NewSeeker(r)
	default:
		err = fmt.Errorf("the file has neither ReadAt nor Seek: read it as a stream or spool it: %w", ErrNotSeekable)
	}
	return err
}

// ReadAtContext reads at an offset; ctx is heeded where the file is read as a Seeker.
func (f *FSFile) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if c, ok := f.Source.(ContextReaderAt); ok {
		return c.ReadAtContext(ctx, p, off)
	}
	return f.ReadAt(p, off)
}

// Version names the file's state by size and modification time; it is "" where the file system tells no time.
func (f *FSFile) Version() string { return f.version }

// Close closes the file. Size and Version still answer.
func (f *FSFile) Close() error { return f.file.Close() }
