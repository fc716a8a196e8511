package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
)

// ErrNotSeekable: bytes are asked for that a source which only goes forward has let go, or does not reach without letting go of
// others that are needed.
var ErrNotSeekable = errors.New("not seekable")

// StreamOptions say how a reader that cannot seek is read. The zero value is the default, and so is nil.
type StreamOptions struct {
	// Window is how many bytes, before the furthest one that was asked for, can be read again. Zero means 16 MiB; negative means none.
	// A stream holds this much and at most 192 KiB more in memory.
	Window int64
	// Spool keeps all bytes in a temporary file instead, so that all can be read again.
	Spool bool
	// Dir is where the temporary file is made. Empty means os.TempDir().
	Dir string
	// MaxSpool is how many bytes the temporary file may have. Zero means 64 GiB.
	MaxSpool int64
}

// Stream reads what an io.Reader gives: a pipe, a response. Its size is not known before its end, so it is no [Source]; but it is an
// io.ReaderAt for offsets that do not go back further than its window. It is safe for concurrent use, one read at a time.
//
// The reader's own reads run on a goroutine each, so that a read can be given up: then the goroutine lasts until the reader
// returns, which it does at the latest when its owner closes it, and the next read takes what it brought. None lasts otherwise.
type Stream struct {
	r      io.Reader
	turn   chan struct{} // holds a token while someone reads; guards what follows
	kept   store
	given  chan pulled // the result of a read of r that was given up; nil when there is none
	empty  int         // reads of r in a row that gave nothing
	err    error       // why r gives no more
	next   int64       // where Read goes on
	closed chan struct{}
	once   sync.Once

	pos, reads, held atomic.Int64
	ended            atomic.Bool // r gave io.EOF
}

// pulled is the result of one read of a reader.
type pulled struct {
	n   int
	err error
}

// store keeps what was read.
type store interface {
	space() []byte                         // where the next read goes; it is not empty
	add(n int) error                       // so many bytes of it came
	begin() int64                          // the first byte that can be read
	read(p []byte, off int64) (int, error) // some bytes, which are there
	held() int64                           // bytes of memory
	close() error
}

var errManyEmpty = fmt.Errorf("source: stream: %w", io.ErrNoProgress)

// maxEmpty is how many reads in a row may give nothing.
const maxEmpty = 100

// NewStream makes a stream of what r gives from now on. It does not close r.
func NewStream(r io.Reader, o *StreamOptions) (*Stream, error) {
	var opts StreamOptions
	if o != nil {
		opts = *o
	}
	s := &Stream{r: r, turn: make(chan struct{}, 1), closed: make(chan struct{})}
	if !opts.Spool {
		orDefault(&opts.Window, 16<<20)
		s.kept = &window{keep: opts.Window}
		return s, nil
	}
	orDefault(&opts.MaxSpool, maxSpool)
	f, err := newSpool(opts.Dir, opts.MaxSpool)
	if err != nil {
		return nil, err
	}
	s.kept = f
	return s, nil
}

// ReadAt reads as io.ReaderAt says, waiting for bytes that have not come yet.
func (s *Stream) ReadAt(p []byte, off int64) (int, error) {
	return s.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is ReadAt that gives up when ctx ends, also while the reader blocks. Nothing is lost then. Bytes that were let go
// give ErrNotSeekable.
func (s *Stream) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer func() { <-s.turn }()
	return s.readAt(ctx, p, off)
}

// Read reads on where the last Read ended, as io.Reader says: as much as is there without waiting, but at least one byte.
func (s *Stream) Read(p []byte) (int, error) {
	ctx := context.Background()
	if err := s.begin(ctx); err != nil || len(p) == 0 {
		if err == nil {
			<-s.turn
		}
		return 0, err
	}
	defer func() { <-s.turn }()
	for s.pos.Load() <= s.next {
		if err := s.pull(ctx); err != nil {
			return 0, err
		}
	}
	n, err := s.readAt(ctx, p[:min(int64(len(p)), s.pos.Load()-s.next)], s.next)
	s.next += int64(n)
	return n, err
}

// begin takes the turn.
func (s *Stream) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return fs.ErrClosed
	}
	select {
	case <-s.closed:
		<-s.turn
		return fs.ErrClosed
	default:
		return nil
	}
}

func (s *Stream) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("source: read at negative offset %d", off)
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if begin := s.kept.begin(); at < begin {
			return n, fmt.Errorf("source: byte %d of a stream was let go, those from %d on are kept: %w", at, begin, ErrNotSeekable)
		}
		if have := s.pos.Load() - at; have > 0 {
			k, err := s.kept.read(p[n:min(int64(len(p)), int64(n)+have)], at)
			if n += k; err != nil {
				return n, err
			}
			continue
		}
		if err := s.pull(ctx); err != nil {
			return n, err
		}
	}
	return n, nil
}

// pull reads once more from the reader.
func (s *Stream) pull(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	if s.given == nil {
		b, given := s.kept.space(), make(chan pulled, 1)
		s.given = given
		s.reads.Add(1)
		go func() {
			n, err := s.r.Read(b)
			if n < 0 || n > len(b) {
				n, err = 0, fmt.Errorf("source: reader returned %d bytes for %d", n, len(b))
			}
			given <- pulled{n, err}
		}()
	}
	select {
	case got := <-s.given:
		s.given = nil
		return s.take(got)
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return fs.ErrClosed
	}
}

// take keeps what a read of the reader brought.
func (s *Stream) take(got pulled) error {
	if s.empty++; got.n > 0 {
		s.empty = 0
		if err := s.kept.add(got.n); err != nil {
			s.err = err
			return err
		}
		s.pos.Add(int64(got.n))
		s.held.Store(max(s.held.Load(), s.kept.held()))
	}
	switch {
	case got.err == io.EOF:
		s.err = io.EOF
		s.ended.Store(true)
	case got.err != nil:
		s.err = fmt.Errorf("source: stream at byte %d: %w", s.pos.Load(), got.err)
	case s.empty == maxEmpty:
		s.err = errManyEmpty
	}
	if got.n > 0 {
		return nil // what came is wanted first
	}
	return s.err
}

// End returns the size of the stream. ok is false while its end has not been seen.
func (s *Stream) End() (size int64, ok bool) {
	ok = s.ended.Load()
	return s.pos.Load(), ok
}

// Reach returns how many bytes before the furthest one asked for can be read again; ok is false when all can.
func (s *Stream) Reach() (bytes int64, ok bool) {
	w, ok := s.kept.(*window)
	if !ok {
		return 0, false
	}
	return w.keep, true
}

// Counts returns how often the reader was read, and the bytes it gave.
func (s *Stream) Counts() Counts { return Counts{Reads: s.reads.Load(), Bytes: s.pos.Load()} }

// Held returns the most bytes that were held in memory.
func (s *Stream) Held() int64 { return s.held.Load() }

// Close lets go of what is kept and removes the temporary file. Reads that wait, and later ones, fail with fs.ErrClosed. It does not close the
// reader.
func (s *Stream) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		s.turn <- struct{}{} // whoever reads gives up at once
		err = s.kept.close()
		<-s.turn
	})
	return err
}
