//go:build cgo

package sprocket_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/seek"
)

// fragmented makes a fragmented clip.
func fragmented(t testing.TB, frames, flags string, args ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fragmented.mp4")
	run(t, slices.Concat([]string{"-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30000/1001", "-frames:v", frames}, args,
		[]string{"-movflags", flags, name})...)
	return name
}

var approximateClips = []struct {
	name, flags string
	args        []string
}{
	{"sidx, B-frames", "+dash+frag_keyframe+global_sidx", []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "12"}},
	{"tfra, open GOPs", "+frag_keyframe+empty_moov", []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "12", "-x264-params", "open-gop=1:b-pyramid=normal"}},
	{"nothing, open GOPs of HEVC", "+frag_keyframe+empty_moov+skip_trailer", []string{"-pix_fmt", "yuv420p", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12:min-keyint=12:open-gop=1:bframes=3"}},
	{"a frame a fragment, negative offsets", "+frag_every_frame+empty_moov+default_base_moof+negative_cts_offsets", []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "12"}},
	{"an edit list", "+frag_keyframe+delay_moov", []string{"-ss", "0.3", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "30"}},
	{"intra refresh", "+frag_keyframe+empty_moov", []string{"-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "intra-refresh=1:keyint=15"}},
	{"variable rate", "+frag_keyframe+empty_moov", []string{"-vf", "select='not(mod(n,3))+gt(n,60)'", "-vsync", "vfr", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "9"}},
	{"MPEG-4", "+frag_keyframe+empty_moov+default_base_moof+global_sidx", []string{"-c:v", "mpeg4", "-bf", "2", "-g", "10"}},
}

// TestApproximateFramesAreTheExactOnes asks for every frame by its time, and between times, forward, backward and shuffled.
func TestApproximateFramesAreTheExactOnes(t *testing.T) {
	for _, c := range approximateClips {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := fragmented(t, "100", c.flags, c.args...)
			for _, err := range open(t, name, nil).Frames(t.Context()) {
				if err != nil {
					t.Fatalf("the clip is not whole: %v", err)
				}
			}
			sameAsExact(t, name)
		})
	}
}

func TestApproximateFramesOfTheCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("long: decodes every fragmented clip of the corpus several times")
	}
	dir := testmedia.Corpus(t)
	n := 0
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !slices.Contains([]string{".mp4", ".mov", ".m4s", ".cmfv"}, strings.ToLower(filepath.Ext(name))) {
			return err
		}
		d, err := sprocket.Open(t.Context(), name, &sprocket.VideoOptions{Approximate: true})
		if err != nil {
			return nil // no video, or one that cannot be had: not what this test is about
		}
		defer d.Close()
		if d.Index().Kind() == seek.Exact || d.Len() > 500 || d.Metadata().Width > 640 {
			return nil
		}
		n++
		t.Run(filepath.Base(name), func(t *testing.T) { sameAsExact(t, name) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d fragmented clips", n)
	if n < 5 {
		t.Errorf("only %d fragmented clips were found", n)
	}
}

type pictured struct {
	sprocket.FrameInfo
	sum string
	err error
}

func picture(f *sprocket.Frame, err error) pictured {
	if err != nil {
		return pictured{err: err}
	}
	return pictured{f.FrameInfo, sum(f.Bytes()), nil}
}

func (p pictured) same(q pictured) bool {
	if p.err != nil || q.err != nil {
		return errors.Is(p.err, sprocket.ErrDamaged) == errors.Is(q.err, sprocket.ErrDamaged) && (p.err == nil) == (q.err == nil)
	}
	return p.sum == q.sum && p.Ticks == q.Ticks && p.DurationTicks == q.DurationTicks && p.Key == q.Key && (p.Estimated || p.N == q.N)
}

func sameAsExact(t *testing.T, name string) {
	exact := open(t, name, nil)
	var want []pictured
	for f, err := range exact.Frames(t.Context()) {
		want = append(want, picture(f, err))
	}
	x := exact.Index()
	limit := min(len(want), 60)
	type ask struct {
		at time.Duration
		n  int
	}
	var asks []ask
	for n := range limit {
		f, _ := x.Frame(n)
		k, _ := x.Search(f.PTS) // the last of equals
		begin, end := x.Timebase().Duration(f.PTS), x.Timebase().Duration(f.PTS+f.Duration)
		asks = append(asks, ask{begin, k})
		if mid := begin + (end-begin)/2; mid > begin && end > begin {
			k, _ := x.Search(x.Timebase().Ticks(mid))
			asks = append(asks, ask{mid, k})
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	orders := map[string]func([]ask){"forward": func([]ask) {}, "backward": slices.Reverse[[]ask], "shuffled": func(s []ask) {
		r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	}}
	for order, put := range orders {
		d := open(t, name, &sprocket.VideoOptions{Approximate: true})
		mine := slices.Clone(asks)
		put(mine)
		var ts []time.Duration
		for _, a := range mine {
			if got := picture(d.FramePlayedAt(t.Context(), a.at)); !got.same(want[a.n]) {
				t.Fatalf("%s: at %v: %+v (%v), want %+v", order, a.at, got, got.err, want[a.n])
			}
			ts = append(ts, a.at)
		}
		if b, err := d.FramesPlayedAt(t.Context(), ts[:min(len(ts), 40)]); err == nil {
			for i, f := range b.Frames {
				if got := (pictured{f, sum(b.Index(i).Bytes()), nil}); !got.same(want[mine[i].n]) {
					t.Fatalf("%s: together, at %v: %+v, want %+v", order, ts[i], got, want[mine[i].n])
				}
			}
		} else if !errors.Is(err, sprocket.ErrDamaged) {
			t.Fatal(err)
		}
	}
	d := open(t, name, &sprocket.VideoOptions{Approximate: true})
	if d.Index().Kind() != seek.Approximate || !d.Metadata().Estimated {
		t.Errorf("the index is %v", d.Index().Kind())
	}
	if f, err := d.FrameAt(t.Context(), -1); !picture(f, err).same(want[len(want)-1]) {
		t.Errorf("FrameAt(-1) = %+v, want %+v", picture(f, err), want[len(want)-1])
	}
	n := 0
	for f, err := range d.Frames(t.Context()) {
		got := picture(f, err)
		if n >= len(want) || !got.same(want[n]) || got.Estimated {
			t.Fatalf("frame %d: %+v, want %+v", n, got, want[min(n, len(want)-1)])
		}
		n++
	}
	if n != len(want) || d.Len() != n {
		t.Errorf("%d frames, Len %d, want %d", n, d.Len(), len(want))
	}
	// By now all are counted.
	for range 10 {
		n := r.IntN(len(want))
		if got := picture(d.FrameAt(t.Context(), n)); !got.same(want[n]) || got.Estimated {
			t.Errorf("frame %d: %+v, want %+v", n, got, want[n])
		}
	}
}

func TestApproximateRanges(t *testing.T) {
	name := fragmented(t, "100", approximateClips[1].flags, approximateClips[1].args...)
	exact := open(t, name, nil)
	end := exact.Metadata().End
	for _, c := range []struct {
		start, stop time.Duration
	}{{0, time.Second}, {1500 * time.Millisecond, 1700 * time.Millisecond}, {time.Second, time.Second}, {end - 1, end}, {end, end}, {2 * time.Second, end}, {2 * time.Second, end + 1}, {-1, 1}, {5, 4}} {
		d := open(t, name, &sprocket.VideoOptions{Approximate: true})
		calls := []func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error){
			func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
				return d.FramesPlayedInRange(t.Context(), c.start, c.stop)
			},
			func(d *sprocket.VideoDecoder) (*sprocket.FrameBatch, error) {
				return d.FramesPlayedAtRate(t.Context(), c.start, c.stop, 20)
			},
		}
		for k, call := range calls {
			want, wantErr := call(exact)
			got, err := call(d)
			if (err == nil) != (wantErr == nil) || errors.Is(err, seek.ErrRange) != errors.Is(wantErr, seek.ErrRange) {
				t.Errorf("call %d, %v to %v: %v, want %v", k, c.start, c.stop, err, wantErr)
				continue
			}
			if err == nil && (len(got.Frames) != len(want.Frames) || sum(got.Bytes()) != sum(want.Bytes())) {
				t.Errorf("call %d, %v to %v: %d frames, want %d", k, c.start, c.stop, len(got.Frames), len(want.Frames))
			}
		}
	}
}

// TestApproximateNumbers has a constant rate: then the estimates are right.
func TestApproximateNumbers(t *testing.T) {
	name := fragmented(t, "300", approximateClips[0].flags, approximateClips[0].args...)
	exact, d := open(t, name, nil), open(t, name, &sprocket.VideoOptions{Approximate: true})
	if d.Len() != exact.Len() {
		t.Errorf("Len is %d, want %d", d.Len(), exact.Len())
	}
	ns := []int{200, 7, 201, 200, 299, -1, -20, 150}
	b, err := d.FramesAt(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	want, err := exact.FramesAt(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range b.Frames {
		if w := want.Frames[i]; f.N != w.N || f.Ticks != w.Ticks || f.Estimated != (ns[i] != 7) || sum(b.Index(i).Bytes()) != sum(want.Index(i).Bytes()) {
			t.Errorf("frame %d: %+v, want %+v", ns[i], f, w)
		}
	}
	r, err := d.FramesInRange(t.Context(), 100, 140, 3)
	if err != nil || len(r.Frames) != 14 || r.Frames[13].N != 139 {
		t.Errorf("%v", err)
	}
	var e *seek.RangeError
	if _, err := d.FrameAt(t.Context(), 301); !errors.As(err, &e) {
		t.Errorf("frame 301: %v", err)
	}
}

// TestApproximateWhereAllIsListed opens a movie with tables: its index is exact.
func TestApproximateWhereAllIsListed(t *testing.T) {
	name := makeClip(t, "64x48", "30", "-c:v", "libx264", "-preset", "ultrafast")
	d := open(t, name, &sprocket.VideoOptions{Approximate: true})
	f, err := d.FrameAt(t.Context(), 20)
	if err != nil || f.Estimated || d.Index().Kind() != seek.Exact || d.Metadata().Estimated {
		t.Errorf("%+v, %v, %v", f, err, d.Index().Kind())
	}
	if _, err := sprocket.Open(t.Context(), name, &sprocket.VideoOptions{Approximate: true, VerifyKeys: true}); err == nil {
		t.Error("Approximate with VerifyKeys")
	}
}

func TestApproximateIsSafeForConcurrentUse(t *testing.T) {
	name := fragmented(t, "100", approximateClips[1].flags, approximateClips[1].args...)
	exact, d := open(t, name, nil), open(t, name, &sprocket.VideoOptions{Approximate: true, Workers: 2})
	var want []pictured
	for f, err := range exact.Frames(t.Context()) {
		want = append(want, picture(f, err))
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 5))
			for range 12 {
				k := r.IntN(len(want))
				if got := picture(d.FramePlayedAt(t.Context(), want[k].PTS)); !got.same(want[k]) {
					t.Errorf("at %v: %+v, want %+v", want[k].PTS, got, want[k])
				}
			}
			n := 0
			for f, err := range d.Frames(t.Context()) {
				if got := picture(f, err); !got.same(want[n]) {
					t.Errorf("frame %d: %+v, want %+v", n, got, want[n])
				}
				if n++; n == 30 {
					break
				}
			}
		})
	}
	wg.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.FramePlayedAt(t.Context(), 0); !errors.Is(err, sprocket.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := d.FramesPlayedAt(t.Context(), []time.Duration{0}); !errors.Is(err, sprocket.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestApproximateRequests opens a long fragmented file on a server, and takes a frame near its end.
func TestApproximateRequests(t *testing.T) {
	args := []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-b:v", "1500k", "-vf", "noise=alls=60:allf=t"}
	for _, c := range []struct {
		name, method, flags string
		open, frame         int   // requests
		bytes               int64 // at most, of both, without the packets of the run
	}{
		// The head, and what lies behind the last fragment that the index tells of; the fragment's headers with the head of the key
		// packet, and the packets.
		{"sidx", "sidx", "+frag_keyframe+dash+global_sidx", 2, 2, 100 << 10},
		{"tfra", "tfra", "+frag_keyframe+empty_moov", 2, 2, 140 << 10},
		// One for each fragment on the way.
		{"neither", "headers", "+frag_keyframe+empty_moov+skip_trailer", 2, 60, 900 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := fragmented(t, "1800", c.flags, args...)
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			server := count(t, name)
			d := open(t, server.url, &sprocket.VideoOptions{Approximate: true})
			e, ok := d.Index().(*seek.Estimate)
			if !ok || e.Told().Method != c.method {
				t.Fatalf("%T %+v", d.Index(), e)
			}
			requests, bytes := server.take()
			if requests != c.open {
				t.Errorf("opening took %d requests, want %d", requests, c.open)
			}
			before := d.Stats().Bytes
			const at = 58200 * time.Millisecond
			f, err := d.FramePlayedAt(t.Context(), at)
			if err != nil || f.PTS > at || f.PTS+f.Duration <= at {
				t.Fatalf("%+v, %v", f, err)
			}
			more, n := server.take()
			run := d.Stats().Bytes - before
			t.Logf("%d bytes in the file; opened with %d requests, %d bytes; a frame took %d requests, %d bytes, its run has %d", st.Size(), requests, bytes, more, n, run)
			if more > c.frame {
				t.Errorf("a frame took %d requests, want %d", more, c.frame)
			}
			if bytes+n-run > c.bytes {
				t.Errorf("%d bytes beside those of the run, want at most %d", bytes+n-run, c.bytes)
			}
			if n, err := open(t, name, nil).Index().Search(f.Ticks); err != nil || !f.Estimated || f.N != n {
				t.Errorf("frame %d, estimated %t, want %d", f.N, f.Estimated, n)
			}
			// Its neighbour costs no header any more.
			if _, err := d.FramePlayedAt(t.Context(), at+40*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if more, _ := server.take(); more != 0 {
				t.Errorf("the next frame took %d requests", more)
			}
		})
	}
}

func TestApproximateStopsWithItsContext(t *testing.T) {
	name := fragmented(t, "100", approximateClips[2].flags, approximateClips[2].args...)
	d := open(t, name, &sprocket.VideoOptions{Approximate: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.FramePlayedAt(ctx, 3*time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if f, err := d.FramePlayedAt(t.Context(), 3*time.Second); err != nil || f.Ticks == container.NoTicks {
		t.Errorf("and then: %v", err)
	}
}

// TestApproximateSamplesAreTheExactOnes has a variable rate, where estimated numbers are wrong.
func TestApproximateSamplesAreTheExactOnes(t *testing.T) {
	c := approximateClips[6]
	name := fragmented(t, "100", c.flags, c.args...)
	o := &sprocket.TimeClips{Every: 300 * time.Millisecond, Frames: 3, Step: 50 * time.Millisecond, End: 2 * time.Second}
	want, err := open(t, name, nil).ClipsAtRegularTimes(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(t, name, &sprocket.VideoOptions{Approximate: true}).ClipsAtRegularTimes(t.Context(), o)
	if err != nil || sum(got.Bytes()) != sum(want.Bytes()) {
		t.Errorf("clips: %v, frames %+v, want %+v", err, got, want.Frames)
	}
	for _, fps := range []float64{7, 100} {
		want, err := open(t, name, nil).Sample(t.Context(), sprocket.Sampling{FPS: fps})
		if err != nil {
			t.Fatal(err)
		}
		got, err := open(t, name, &sprocket.VideoOptions{Approximate: true}).Sample(t.Context(), sprocket.Sampling{FPS: fps})
		if err != nil || sum(got.Bytes()) != sum(want.Bytes()) {
			t.Errorf("%v a second: %v, want %d frames", fps, err, len(want.Frames))
		}
	}
}
