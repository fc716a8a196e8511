// Package source is bytes at offsets: files, memory and sections of them, files on servers; cached, and counted where a budget is kept.
//
// Everything that reads media in this module reads through [Source]. There is no shared file offset anywhere,
// so one source serves any number of goroutines.
package source

import (
	"context"
	"fmt"
	"io"
)

// Source is random access to a known number of bytes.
// It must be safe for concurrent use. *bytes.Reader, *strings.Reader and *io.SectionReader are sources as they are.
type Source interface {
	io.ReaderAt

	// Size returns the number of bytes there are.
	Size() int64
}

// ContextReaderAt is implemented by sources whose reads can be cancelled.
type ContextReaderAt interface {
	// ReadAtContext is ReadAt that gives up when ctx ends.
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
}

// Versioned is implemented by sources that can tell one state of their bytes from another.
type Versioned interface {
	// Version names the state of the bytes: an ETag, or size and modification time. It is compared, never parsed.
	Version() string
}

// ReadFull reads exactly len(p) bytes at off.
// A source that ends early gives io.ErrUnexpectedEOF, also when not a single byte was there.
// A read that makes no progress and reports no error gives io.ErrNoProgress.
func ReadFull(ctx context.Context, s io.ReaderAt, p []byte, off int64) error {
	n, err := ReadSome(ctx, s, p, off)
	if err != nil {
		return err
	}
	if n < len(p) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// ReadSome reads up to len(p) bytes at off and returns how many there were.
// It returns fewer than len(p), without an error, only where the source ends.
func ReadSome(ctx context.Context, s io.ReaderAt, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("source: read at negative offset %d", off)
	}
	cr, cancels := s.(ContextReaderAt)
	for n := 0; n < len(p); {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var k int
		var err error
		if cancels {
			k, err = cr.ReadAtContext(ctx, p[n:], off+int64(n))
		} else {
			k, err = s.ReadAt(p[n:], off+int64(n))
		}
		if k < 0 || k > len(p)-n {
			return n, fmt.Errorf("source: reader returned %d bytes for %d", k, len(p)-n)
		}
		n += k
		switch {
		case err == io.EOF, n == len(p):
			return n, nil
		case err != nil:
			return n, err
		case k == 0:
			return n, io.ErrNoProgress
		}
	}
	return len(p), nil
}
