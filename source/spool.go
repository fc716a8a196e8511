package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool keeps all of a stream in a temporary file.
type spool struct {
	f    *os.File
	name string // to be removed at the end; "" once it is
	buf  []byte
	size int64
	most int64
}

// maxSpool is how many bytes a temporary file may have, unless told otherwise.
const maxSpool = 64 << 30

func newSpool(dir string, most int64) (*spool, error) {
	f, err := os.CreateTemp(dir, "sprocket-*.spool")
	if err != nil {
		return nil, err
	}
	s := &spool{f: f, name: f.Name(), most: most}
	if os.Remove(s.name) == nil { // elsewhere than on Unix an open file may have to stay
		s.name = ""
	}
	return s, nil
}

func (s *spool) space() []byte {
	if s.buf == nil {
		s.buf = make([]byte, blockSize)
	}
	return s.buf
}

func (s *spool) add(n int) error {
	if int64(n) > s.most-s.size {
		return fmt.Errorf("source: more than %d bytes: %w", s.most, ErrTooLarge)
	}
	if _, err := s.f.WriteAt(s.buf[:n], s.size); err != nil {
		return err
	}
	s.size += int64(n)
	return nil
}

func (s *spool) begin() int64 { return 0 }

func (s *spool) read(p []byte, off int64) (int, error) {
	n, err := s.f.ReadAt(p, off)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // somebody cut the file
	}
	return n, err
}

func (s *spool) held() int64 { return int64(len(s.buf)) }

func (s *spool) close() error {
	err := s.f.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
		s.name = ""
	}
	return err
}

// Spooled is a source over what a reader gave, in a temporary file. It is safe for concurrent use.
type Spooled struct {
	stream *Stream
	*io.SectionReader
}

// Spool reads r to its end into a temporary file, which is a source then. The file is gone after Close, after an error, and, where the
// system allows, as soon as the program ends. Window of the options is not used. Spool does not close r.
func Spool(ctx context.Context, r io.Reader, o *StreamOptions) (*Spooled, error) {
	var opts StreamOptions
	if o != nil {
		opts = *o
	}
	opts.Spool = true
	s, err := NewStream(r, &opts)
	if err != nil {
		return nil, err
	}
	for err == nil { // nobody else has the stream
		err = s.pull(ctx)
	}
	f, ok := s.kept.(*spool)
	if err != io.EOF || !ok {
		_ = s.Close() // the first error is the one to report
		return nil, err
	}
	f.buf = nil
	return &Spooled{s, io.NewSectionReader(f.f, 0, f.size)}, nil
}

// Close removes the temporary file. Reads after it fail; Size still answers.
func (s *Spooled) Close() error { return s.stream.Close() }
