package source

import (
	"fmt"
	"io"
	"os"
	"time"
)

// File is a source over one open file. It reads with pread only, so goroutines and child processes share no offset.
type File struct {
	f       *os.File
	size    int64
	modTime time.Time
}

// OpenFile opens the named file. The size is taken once: a file that grows later still has the size it was opened with.
func OpenFile(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close() // the stat error is the one to report
		return nil, err
	}
	if !st.Mode().IsRegular() {
		_ = f.Close() // nothing was read
		return nil, fmt.Errorf("open %s: not a regular file", name)
	}
	return &File{f: f, size: st.Size(), modTime: st.ModTime()}, nil
}

// ReadAt reads as io.ReaderAt says.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	return f.f.ReadAt(p, off)
}

// Size returns the size in bytes at the time of opening.
func (f *File) Size() int64 { return f.size }

// Version names the file's state by size and modification time.
func (f *File) Version() string { return fmt.Sprintf("%d-%d", f.size, f.modTime.UnixNano()) }

// Close closes the file. Reads after it fail; Size and Version still answer.
func (f *File) Close() error { return f.f.Close() }
