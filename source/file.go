package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// File is a source over one open file. It reads with pread only, so goroutines and child processes share no offset.
type File struct {
	f       *os.File
	size    int64
	modTime time.Time
	web     *web // what the file names on servers is opened with
	ref     bool // it was opened by a name in another file, which closes web
}

var errNotRegular = errors.New("not a regular file")

// OpenFile opens the named file. The size is taken once: a file that grows later still has the size it was opened with.
func OpenFile(name string) (*File, error) {
	// Opening a named pipe waits for its writer, so look first.
	if st, err := os.Stat(name); err == nil && !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	if err != nil {
		_ = f.Close() // nothing was read, and err is the one to report
		return nil, err
	}
	return &File{f: f, size: st.Size(), modTime: st.ModTime(), web: &web{}}, nil
}

// ReadAt reads as io.ReaderAt says.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	if off < 0 || int64(len(p)) <= f.size-off {
		return f.f.ReadAt(p, off)
	}
	n, err := f.f.ReadAt(p[:f.size-off], off)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// Size returns the size in bytes at the time of opening.
func (f *File) Size() int64 { return f.size }

// Version names the file's state by size and modification time.
func (f *File) Version() string { return fmt.Sprintf("%d-%d", f.size, f.modTime.UnixNano()) }

// Close closes the file. Reads after it fail; Size and Version still answer.
func (f *File) Close() error {
	if !f.ref {
		f.web.close()
	}
	return f.f.Close()
}
