package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// childEnv makes the test binary a child that does the work of this name.
const childEnv = "FUZZCORPUS_WORK"

// kept keeps what the works below take.
var kept []byte

func works() map[string]work {
	take := func(n int, touch bool) work {
		return func(context.Context, []byte) (tally, error) {
			kept = make([]byte, n)
			for i := 0; touch && i < n; i += 512 {
				kept[i] = 1
			}
			return tally{}, nil
		}
	}
	return map[string]work{
		"exercise": exercise,
		"panic":    func(context.Context, []byte) (tally, error) { panic("a bug of the demuxer") },
		"hang": func(context.Context, []byte) (tally, error) {
			for {
				time.Sleep(time.Hour)
			}
		},
		"law":       func(context.Context, []byte) (tally, error) { return tally{}, errors.New("a law is broken") },
		"within":    take(60<<20, true),
		"touched":   take(66<<20, true),
		"untouched": take(66<<20, false),
		"wild":      take(8<<30, false),
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := serve(os.Stdin, os.Stdout, works()[name]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// What goes wrong in a child is found, told, and does not stop the others.
func TestFaultsAreFound(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.mp4"), make([]byte, 1000), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ work, want string }{
		{"panic", "a bug of the demuxer"},
		{"hang", "no answer after 500ms"},
		{"law", "a law is broken"},
		{"within", ""},
		{"touched", "bytes of memory, 67110864 are allowed"},
		{"untouched", "bytes of memory, 67110864 are allowed"},
		{"wild", "out of memory"},
	} {
		t.Run(c.work, func(t *testing.T) {
			if (runtime.GOOS != "linux" || raceEnabled) && slices.Contains([]string{"within", "touched", "untouched", "wild"}, c.work) {
				t.Skip("memory is measured on Linux only, and without the race detector's")
			}
			var out bytes.Buffer
			p := &parent{dir: dir, workers: 1, hang: time.Minute, out: &out, env: childEnv + "=" + c.work}
			if c.work == "hang" {
				p.hang = 500 * time.Millisecond
			}
			if err := p.run(t.Context(), []string{"a.mp4"}, 3, 5, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			p.report()
			failures := 2
			if c.want == "" {
				failures = 0
			}
			if p.trials != 2 || p.failures != failures || !strings.Contains(out.String(), c.want) {
				t.Errorf("%d of %d trials failed, want %d, with %q:\n%s", p.failures, p.trials, failures, c.want, &out)
			}
			if c.want != "" && !strings.Contains(out.String(), `-file "a.mp4" -seed 0 -number 4`) {
				t.Errorf("it is not said how to repeat it:\n%s", &out)
			}
		})
	}
}

// The same seed, file and number give the same bytes, others do not; number 0 is the file.
func TestMutationsCanBeRepeated(t *testing.T) {
	file := testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{{Constant: 100, Count: 50}}})
	whole := slices.Clone(file)
	if got, _ := mutate(1, "a", 0, file); !bytes.Equal(got, file) {
		t.Error("number 0 is not the file")
	}
	kinds := map[string]bool{}
	seen := map[string]bool{}
	for n := range 400 {
		a, what := mutate(1, "a", n, file)
		b, _ := mutate(1, "a", n, file)
		if !bytes.Equal(a, b) {
			t.Fatalf("number %d, %s: two results", n, what)
		}
		for _, k := range []string{"flipped", "removed", "inserted", "swapped", "cut", "set to", "has size", "has type", "copied"} {
			kinds[k] = kinds[k] || strings.Contains(what, k)
		}
		seen[string(a)] = true
	}
	if len(seen) < 380 || len(kinds) != 9 {
		t.Errorf("%d results of 400 differ, of kinds %v", len(seen), kinds)
	}
	for k, ok := range kinds {
		if !ok {
			t.Errorf("nothing was %s", k)
		}
	}
	if other, _ := mutate(2, "a", 1, file); seen[string(other)] {
		t.Error("another seed gives the same")
	}
	if !bytes.Equal(file, whole) {
		t.Error("the file itself was changed")
	}
}

// A short run over the corpus, the same each time.
func TestCorpusSlice(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine, and the race detector's memory counts")
	}
	dir := testmedia.Corpus(t)
	names, err := find(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := &parent{dir: dir, seed: 3, workers: 2, hang: 2 * time.Minute, out: &out, env: childEnv + "=exercise"}
	last := 4
	if testing.Short() {
		last = 2
	}
	if err := p.run(t.Context(), names, 1, last, time.Now().Add(5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	p.report()
	t.Logf("%s", &out)
	if p.failures > 0 {
		t.Errorf("%d of %d trials failed", p.failures, p.trials)
	}
	if p.opened < p.trials/3 || p.indices == 0 {
		t.Errorf("only %d of %d files opened, %d indices", p.opened, p.trials, p.indices)
	}
}
