// Command fuzzcorpus breaks the files of a folder in many ways and sees what becomes of those who open them.
//
// Each trial is one mutation of one file: flipped bits, lying sizes and counts, stretches cut, moved or set to ones. It is opened, listed, read,
// indexed and located in, by every format of the module, in a child process: a crash ends the child, a hang is ended with it, and memory can be
// measured to the page. A file may cost 64 MiB and twice its size.
//
// It is a program, not a fuzz target, because of those three: "go test -fuzz" sees crashes, but its workers share memory and time with what
// mutates for them; and it goes to every file in turn, where coverage would lead it to the few that teach it most.
//
// Same seed, same trials. What fails is printed with what repeats it:
//
//	go run ./internal/fuzzcorpus -corpus DIR -file mp4/a.mp4 -seed 7 -number 123 [-save broken.mp4]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
)

func main() {
	child := flag.Bool("child", false, "do the trials that come in on standard input")
	dir := flag.String("corpus", testmedia.FindCorpus(), "the folder of files to break")
	limit := flag.Duration("time", 3*time.Minute, "how long to go on")
	seed := flag.Uint64("seed", uint64(time.Now().Unix()), "what the mutations are made from")
	workers := flag.Int("workers", runtime.GOMAXPROCS(0), "child processes")
	hang := flag.Duration("hang", time.Minute, "how long one trial may take")
	file := flag.String("file", "", "only this file of the corpus")
	number := flag.Int("number", -1, "only this mutation")
	save := flag.String("save", "", "write the mutated file there, and do nothing else")
	flag.Parse()
	if *child {
		if err := serve(os.Stdin, os.Stdout, exercise); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	if err := run(*dir, *file, *save, *number, *limit, &parent{seed: *seed, workers: *workers, hang: *hang, out: os.Stdout}); err != nil {
		fmt.Fprintln(os.Stderr, "fuzzcorpus:", err)
		os.Exit(1)
	}
}

func run(dir, file, save string, number int, limit time.Duration, p *parent) error {
	if dir == "" {
		return fmt.Errorf("no corpus: set SPROCKET_CORPUS or give -corpus")
	}
	p.dir = dir
	if save != "" {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		b, what := mutate(p.seed, file, max(number, 0), b)
		fmt.Fprintln(p.out, what)
		return os.WriteFile(save, b, 0o666)
	}
	names, err := find(dir)
	if err != nil {
		return err
	}
	if file != "" {
		names = []string{file}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no file that a format recognises", dir)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	from, to := 0, 1<<30
	if number >= 0 {
		from, to = number, number+1
	}
	fmt.Fprintf(p.out, "%d files, seed %d, %v\n", len(names), p.seed, limit)
	if err := p.run(ctx, names, from, to, time.Now().Add(limit)); err != nil {
		return err
	}
	p.report()
	if p.failures > 0 {
		return fmt.Errorf("%d of %d trials failed", p.failures, p.trials)
	}
	return nil
}

// find returns the files of a folder that a format recognises, and all that were made to break one.
func find(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		known := strings.HasPrefix(name, "fuzz/")
		if !known && !strings.HasPrefix(name, "_") && !strings.HasPrefix(name, "expected/") {
			known, err = recognised(path)
		}
		if known {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

func recognised(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, container.HeadSize)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, err
	}
	return slices.ContainsFunc(sprocket.Formats(), func(f container.Format) bool { return f.Sniff(head[:n]) }), nil
}
