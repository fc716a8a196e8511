package testmedia

import (
	"os"
	"path/filepath"
)

// FindCorpus returns the folder of media made by others, with what is known about them: SPROCKET_CORPUS, or else shared/corpus in the
// working directory or in one above it. It returns "" when there is none.
func FindCorpus() string {
	if dir := os.Getenv("SPROCKET_CORPUS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		corpus := filepath.Join(dir, "shared", "corpus")
		if _, err := os.Stat(filepath.Join(corpus, "MANIFEST.tsv")); err == nil {
			return corpus
		}
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
	}
}

// Corpus returns that folder, or skips the test.
func Corpus(tb interface {
	Helper()
	Skip(args ...any)
}) string {
	tb.Helper()
	dir := FindCorpus()
	if dir == "" {
		tb.Skip("no corpus: set SPROCKET_CORPUS")
	}
	return dir
}

// Seeds returns the files of the corpus that match one of the patterns and have at most so many bytes; none where there is no corpus.
func Seeds(most int64, patterns ...string) [][]byte {
	dir := FindCorpus()
	if dir == "" {
		return nil
	}
	var all [][]byte
	for _, pattern := range patterns {
		names, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern))) // a bad pattern matches nothing
		for _, name := range names {
			if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() || st.Size() > most {
				continue
			}
			if b, err := os.ReadFile(name); err == nil {
				all = append(all, b)
			}
		}
	}
	return all
}
