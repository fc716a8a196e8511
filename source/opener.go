package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

var (
	// ErrRefused: a name may not be opened from where it was found.
	ErrRefused = errors.New("refused")
	// ErrTooLarge: what a name stands for has more bytes than RefOptions.Max, or a stream more than StreamOptions.MaxSpool.
	ErrTooLarge = errors.New("too large")
	// ErrNoNames: the source cannot open what its bytes name.
	ErrNoNames = errors.New("the source has no place from which names could be followed")
)

// Opener is implemented by sources that can open what their bytes name, as a playlist names its segments. It is safe for
// concurrent use.
type Opener interface {
	// OpenRef opens ref, a relative or absolute reference found in this source. What it returns is an Opener too, from whose
	// place further names are seen, and an io.Closer where it must be closed.
	//
	// A file opens paths, relative to its folder, and what is written as an absolute http or https URL. A source on a server
	// opens http and https alone: RFC 3986 says how a name is resolved, and HTTPOptions which addresses are refused.
	OpenRef(ctx context.Context, ref string, o RefOptions) (Source, error)
}

// RefOptions say which part of what is named is wanted. The zero value is all of it.
type RefOptions struct {
	// Off and Len are the bytes that are wanted; they make the returned source. A Len of zero is all there is, and then Off is zero.
	Off, Len int64
	// Max is how many bytes may be kept in memory of what lies on a server. Zero means 256 MiB. More is ErrTooLarge.
	Max int64
	// RetryTime bounds for how long a server is asked again. Zero is what the source was opened with.
	RetryTime time.Duration
}

func (o *RefOptions) fill() error {
	orDefault(&o.Max, 256<<20)
	if o.Off < 0 || o.Len < 0 || o.Off > 0 && o.Len == 0 || o.Off > 1<<62 || o.Len > 1<<62 {
		return fmt.Errorf("source: %d bytes at %d", o.Len, o.Off)
	}
	return nil
}

// OpenRef opens what src names as ref: see [Opener]. A source that is none gives ErrNoNames.
func OpenRef(ctx context.Context, src Source, ref string, o RefOptions) (Source, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if opener, ok := src.(Opener); ok {
		return opener.OpenRef(ctx, ref, o)
	}
	return nil, ErrNoNames
}

// CloseRef closes what OpenRef returned.
func CloseRef(src Source) error {
	if c, ok := src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Held returns how many bytes of memory a source takes up that OpenRef returned: none where it is a file, else its size.
func Held(src Source) int64 {
	switch src := src.(type) {
	case *counted:
		return Held(src.src)
	case *Counter:
		return Held(src.src)
	case *File, *filePart:
		return 0
	}
	return src.Size()
}

// QueryParam returns a parameter of the query in the URL of src. The last one counts. ok is false where there is none, and for what lies on no
// server.
func QueryParam(src Source, name string) (value string, ok bool) {
	if q, is := src.(interface {
		QueryParam(name string) (string, bool)
	}); is {
		return q.QueryParam(name)
	}
	return "", false
}

// OpenRef opens what the source below names, and counts what is read of it.
func (c *Counter) OpenRef(ctx context.Context, ref string, o RefOptions) (Source, error) {
	src, err := OpenRef(ctx, c.src, ref, o)
	if err != nil {
		return nil, err
	}
	return &counted{&Counter{src: src, counts: c.counts}}, nil
}

// QueryParam returns a parameter of the query in the URL of the source below.
func (c *Counter) QueryParam(name string) (string, bool) { return QueryParam(c.src, name) }

// counted is what a counter opened, and has to be closed.
type counted struct{ *Counter }

func (s *counted) Close() error { return CloseRef(s.src) }

// OpenRef opens what the source below names. It goes past the cache.
func (c *Cache) OpenRef(ctx context.Context, ref string, o RefOptions) (Source, error) {
	return OpenRef(ctx, c.src, ref, o)
}

// QueryParam returns a parameter of the query in the URL of the source below.
func (c *Cache) QueryParam(name string) (string, bool) { return QueryParam(c.src, name) }
