package container

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sprocket-video/sprocket/source"
)

// What a caller can do about an error. Every error of a demuxer wraps one of these, io.ErrUnexpectedEOF,
// a context error, or what the source below it returned.
var (
	// ErrFormat: the bytes are not of this format. Try another one.
	ErrFormat = errors.New("not this format")
	// ErrCorrupt: the format is right and what it says is not. Other parts may still be good.
	ErrCorrupt = errors.New("corrupt")
	// ErrUnsupported: valid, but this library cannot do it.
	ErrUnsupported = errors.New("unsupported")
	// ErrLimit: a limit of the caller's was reached. Raise it in Options.Limits if the input is trusted.
	ErrLimit = errors.New("over the limit")
	// ErrNotSeekable: the operation needs random access and the source has none.
	ErrNotSeekable = source.ErrNotSeekable
)

// Error says where in the input something went wrong.
type Error struct {
	Format string // format name: "mp4"
	Op     string // what was being done: "open", "list", "read"
	Path   string // the place by name: "moov/trak[1]/stbl/stts"; may be empty
	Offset int64  // the place in bytes from the start of the source; -1 when there is none
	Err    error  // why
}

// Error returns "mp4: open: moov/trak[1]/stts at byte 1234: entry count 70000 does not fit: corrupt".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Format, e.Op)
	if e.Path != "" {
		fmt.Fprintf(&b, ": %s", e.Path)
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns why.
func (e *Error) Unwrap() error { return e.Err }
