package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sprocket-video/sprocket/source"
)

// outFile is a file that appears under its name only when it is whole.
type outFile struct {
	*os.File
	name string // the final one
	done bool
}

// createFile creates a file beside the one it will become.
func createFile(name string) (*outFile, error) {
	dir, base := filepath.Split(name)
	for i := range 1000 {
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%d-%d.tmp", base, os.Getpid(), i))
		f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, outputError(name, err)
		}
		return &outFile{File: f, name: name}, nil
	}
	return nil, outputError(name, fs.ErrExist)
}

// commit closes the file and gives it its name, in place of any file that has it.
func (f *outFile) commit() error {
	f.done = true
	err := f.Close()
	if err == nil {
		err = os.Rename(f.Name(), f.name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to report
		return outputError(f.name, err)
	}
	return nil
}

// abort removes the file. It does nothing after commit.
func (f *outFile) abort() {
	if !f.done {
		f.done = true
		_ = f.Close() // it goes away
		_ = os.Remove(f.Name())
	}
}

// outputError says that the output is at fault, and its name; not that of a temporary file.
func outputError(name string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return &writeError{name, err}
}

// writeError is an error of an output.
type writeError struct {
	name string
	err  error
}

func (e *writeError) Error() string {
	return fmt.Sprintf("write %s: %v", source.RedactURL(e.name), e.err)
}
func (e *writeError) Unwrap() error { return e.err }
