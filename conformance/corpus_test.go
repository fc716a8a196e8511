package conformance_test

import (
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/source"
)

// corpus returns the folder of media made by others, or skips.
func corpus(tb testing.TB) string {
	tb.Helper()
	return testmedia.Corpus(tb)
}

// open opens a file of the corpus.
func open(tb testing.TB, name string) (*source.File, container.SeekableDemuxer) {
	tb.Helper()
	src, err := source.OpenFile(filepath.Join(corpus(tb), filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = src.Close() }) // read only
	d, err := mp4.Open(tb.Context(), src, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return src, d
}
