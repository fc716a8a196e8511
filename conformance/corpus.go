package conformance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

// Options say how Run works. The zero value is the default, and so is nil.
type Options struct {
	// Pixels bounds what is decoded of each file, each way, in pixels; at least one frame is. Zero is DefaultPixels; AllPixels is no bound.
	Pixels int64
	// Workers is how many files are checked at once. Zero means GOMAXPROCS.
	Workers int
	// Timeout bounds the work on one file. Zero means five minutes.
	Timeout time.Duration
	// Stored compares with the packets stored beside the files even where ffprobe could be run.
	Stored bool
	// FFprobe is the program to compare packets with. Empty looks for ffprobe in PATH.
	FFprobe string
	// Backend decodes. Nil takes the first registered one that supports a track.
	Backend codec.Backend
	// Formats are tried in order. Nil means sprocket.Formats().
	Formats []container.Format
	// Progress, when not nil, is called after each file, by one goroutine at a time.
	Progress func(done, total int)
}

// DefaultPixels is how many pixels of a file Run decodes each way: two and a half seconds of 1080p at 20 frames a second.
const DefaultPixels = 100 << 20

// AllPixels makes Run decode every frame.
const AllPixels = math.MaxInt64

// Run checks every media file below dir and reports on each.
//
// Packets are compared with ffprobe's: run, where it is in PATH, unless dir has an answer stored by another version, which
// then counts; else stored in _ffprobe/NAME.json.gz. Where expected/B/A/NAME.0.dump lies beside A/B/NAME, every sample in it is
// compared. Demuxer and index are put to the laws of TestDemuxer and TestIndex. Frames are decoded linearly, forward, backward and
// shuffled, in native planes, and compared with each other and with _framemd5/NAME.framemd5.gz. All of these are optional.
//
// Differences that are known and explained are listed in known.tsv, of this package, with the clause that decides.
// What is wrong with a file is in its row: the error is only of the folder itself, or the context's.
func Run(ctx context.Context, dir string, o *Options) (*Report, error) {
	r := &runner{dir: dir}
	if o != nil {
		r.Options = *o
	}
	if r.Pixels <= 0 {
		r.Pixels = DefaultPixels
	}
	if r.Workers <= 0 {
		r.Workers = runtime.GOMAXPROCS(0)
	}
	if r.Timeout <= 0 {
		r.Timeout = 5 * time.Minute
	}
	if r.Formats == nil {
		r.Formats = sprocket.Formats()
	}
	var err error
	if r.known, err = knownDifferences(); err != nil {
		return nil, err
	}
	r.findProbe(ctx)
	start := time.Now()
	names, skipped, err := r.files(ctx)
	if err != nil {
		return nil, err
	}
	rows := r.checkAll(ctx, names)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rep := &Report{Dir: dir, Pixels: r.Pixels, FFprobe: r.probeVersion, Skipped: skipped, Rows: rows, Seconds: time.Since(start).Seconds()}
	rep.count()
	return rep, nil
}

type runner struct {
	Options
	dir          string
	known        map[string][]knownRow // by file
	probeVersion string                // of ffprobe; "" when there is none
}

// files returns the media files below the folder, by name with slashes, and how many files are no media.
// Folders whose names begin with "_" or "." hold no media; neither does "expected".
func (r *runner) files(ctx context.Context) (names []string, skipped int, err error) {
	err = filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		base := e.Name()
		switch {
		case e.IsDir():
			if name != "." && (base[0] == '_' || base[0] == '.' || name == "expected") {
				return fs.SkipDir
			}
		case e.Type().IsRegular() && r.isMedia(path, name):
			names = append(names, name)
		default:
			skipped++
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("conformance: %s: no media files: %w", r.dir, os.ErrNotExist)
	}
	slices.Sort(names)
	return names, skipped, err
}

// checkAll checks the files, several at once.
func (r *runner) checkAll(ctx context.Context, names []string) []Row {
	rows := make([]Row, len(names))
	next := make(chan int)
	var mu sync.Mutex
	done := 0
	var wg sync.WaitGroup
	for range min(r.Workers, len(names)) {
		wg.Go(func() {
			for i := range next {
				rows[i] = r.check(ctx, names[i])
				mu.Lock()
				if done++; r.Progress != nil {
					r.Progress(done, len(names))
				}
				mu.Unlock()
			}
		})
	}
	for i := range names {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return rows
}

// check checks one file. A panic is a failed row.
func (r *runner) check(ctx context.Context, name string) (row Row) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	start := time.Now()
	c := &fileCheck{r: r, row: Row{File: name, Verdict: Passed}, claimed: map[int]bool{}}
	defer func() {
		if v := recover(); v != nil {
			c.fail("panic: %v in %s", v, panicSite())
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			c.row.Verdict, c.row.Reason = Failed, fmt.Sprintf("not done after %v", r.Timeout)
		}
		c.row.Seconds = time.Since(start).Seconds()
		row = c.row
	}()
	c.run(ctx)
	return
}
