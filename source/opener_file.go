package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
)

// web opens what local files name on servers. It is shared by a file and all that was opened from it.
type web struct {
	mu   sync.Mutex
	http *HTTP // whose client is used; nil until it is wanted
}

// open opens a URL.
func (w *web) open(ctx context.Context, ref string, o RefOptions) (Source, error) {
	u, err := parseURL(ref)
	if err != nil {
		return nil, &HTTPError{Op: "open", URL: RedactURL(ref), Off: -1, Err: err}
	}
	w.mu.Lock()
	if w.http == nil {
		w.http = &HTTP{net: systemNetwork(), stats: new(httpStats)}
		w.http.opts.fill()
		w.http.makeClient()
	}
	h := w.http
	w.mu.Unlock()
	return h.part(ctx, u, nil, o)
}

func (w *web) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.http != nil {
		w.http.closeIdle()
	}
}

// OpenRef opens a path relative to the file's folder, a file URL of this machine, or an http or https URL: see [Opener]. A path is taken as it is
// written, and where there is no such file, with its percent escapes decoded.
func (f *File) OpenRef(ctx context.Context, ref string, o RefOptions) (Source, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if IsURL(ref) {
		return f.web.open(ctx, ref, o)
	}
	path := ref
	if scheme, rest, ok := strings.Cut(ref, ":"); ok && strings.EqualFold(scheme, "file") {
		u, err := url.Parse(ref)
		if err != nil || u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(rest, "/") {
			return nil, fmt.Errorf("source: %s: not a file of this machine: %w", ref, ErrRefused)
		}
		path = u.Path
	} else if strings.HasPrefix(rest, "//") && ok {
		return nil, fmt.Errorf("source: scheme %q: %w", scheme, ErrRefused)
	}
	child, err := f.openPath(path)
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(path, "%") {
		if decoded, e := url.PathUnescape(path); e == nil {
			child, err = f.openPath(decoded)
		}
	}
	if err != nil {
		return nil, err
	}
	if o.Len == 0 {
		return child, nil
	}
	return &filePart{child, io.NewSectionReader(child, o.Off, max(0, min(o.Len, child.size-o.Off)))}, nil
}

func (f *File) openPath(path string) (*File, error) {
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.f.Name()), path)
	}
	child, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	child.web = f.web
	child.ref = true
	return child, nil
}

// filePart is a stretch of a file.
type filePart struct {
	*File
	part *io.SectionReader
}

func (p *filePart) ReadAt(b []byte, off int64) (int, error) { return p.part.ReadAt(b, off) }
func (p *filePart) Size() int64                             { return p.part.Size() }
