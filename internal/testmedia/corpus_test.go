package testmedia

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheCorpusIsFoundFromBelow(t *testing.T) {
	root := t.TempDir()
	corpus, below := filepath.Join(root, "shared", "corpus"), filepath.Join(root, "checkout", "a", "b")
	for _, dir := range []string{corpus, below} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SPROCKET_CORPUS", "")
	t.Chdir(below)
	if got := FindCorpus(); got == corpus {
		t.Errorf("FindCorpus() = %q, which has no manifest", got)
	}
	if err := os.WriteFile(filepath.Join(corpus, "MANIFEST.tsv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := FindCorpus(); got != corpus {
		t.Errorf("FindCorpus() = %q, want %q", got, corpus)
	}
	t.Setenv("SPROCKET_CORPUS", below)
	if got := FindCorpus(); got != below {
		t.Errorf("FindCorpus() = %q, want %q", got, below)
	}
}
