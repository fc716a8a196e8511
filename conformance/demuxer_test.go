package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/conformance"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/seek"
)

// movie is a video with reordered pictures and an edit, and a sound.
func movie() []byte {
	return testmedia.MP4(testmedia.Movie{Tracks: []testmedia.Track{
		{
			Sizes: []uint32{900, 300, 80, 70, 310, 90, 60, 800, 290, 75, 66, 320}, PerChunk: 5, Deltas: []testmedia.Run{{Count: 12, Value: 100}},
			Offsets: []testmedia.Run{{Count: 1, Value: 100}, {Count: 1, Value: 300}, {Count: 2, Value: 0}, {Count: 1, Value: 300}, {Count: 2, Value: 0}, {Count: 1, Value: 100}, {Count: 1, Value: 300}, {Count: 2, Value: 0}, {Count: 1, Value: 100}},
			Sync:    []uint32{1, 8}, Edits: []testmedia.Edit{{Duration: 900, Time: 400}},
		},
		{Handler: "soun", Constant: 20, Count: 30, PerChunk: 7, Deltas: []testmedia.Run{{Count: 30, Value: 40}}},
	}})
}

// fakes is what a saboteur may replace of a good demuxer.
type fakes struct {
	container.SeekableDemuxer
	info  func(p *container.PacketInfo)                                         // of every packet listed
	list  func(ctx context.Context, track int, from int64) (int64, error, bool) // where the list begins, or an error
	read  func(ctx context.Context, d container.SeekableDemuxer, track int, info container.PacketInfo, p *container.Packet) error
	next  func(ctx context.Context, d container.SeekableDemuxer, p *container.Packet) error
	close func() error
}

func (f *fakes) List(ctx context.Context, track int, from container.PacketInfo) iter.Seq2[container.PacketInfo, error] {
	if f.list != nil {
		n, err, ok := f.list(ctx, track, from.N)
		if ok {
			ctx = context.WithoutCancel(ctx)
		}
		if from.N = n; err != nil {
			return func(yield func(container.PacketInfo, error) bool) { yield(container.PacketInfo{}, err) }
		}
	}
	return func(yield func(container.PacketInfo, error) bool) {
		for p, err := range f.SeekableDemuxer.List(ctx, track, from) {
			if f.info != nil && err == nil {
				f.info(&p)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func (f *fakes) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	if f.read != nil {
		return f.read(ctx, f.SeekableDemuxer, track, info, p)
	}
	return f.SeekableDemuxer.Read(ctx, track, info, p)
}

func (f *fakes) Next(ctx context.Context, p *container.Packet) error {
	if f.next != nil {
		return f.next(ctx, f.SeekableDemuxer, p)
	}
	return f.SeekableDemuxer.Next(ctx, p)
}

func (f *fakes) Close() error {
	if f.close != nil {
		return f.close()
	}
	return f.SeekableDemuxer.Close()
}

func openMovie(t *testing.T) (container.SeekableDemuxer, int64) {
	t.Helper()
	file := movie()
	d, err := mp4.Open(t.Context(), bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d, int64(len(file))
}

func TestMP4DemuxerKeepsTheLaws(t *testing.T) {
	d, size := openMovie(t)
	if err := conformance.TestDemuxer(t.Context(), d, size); err != nil {
		t.Error(err)
	}
}

func TestBrokenDemuxersAreFound(t *testing.T) {
	var calls atomic.Int64
	var reads atomic.Int64
	for _, tt := range []struct {
		name, law string
		broken    fakes
	}{
		{"numbers from 1", "numbered from 0", fakes{info: func(p *container.PacketInfo) { p.N++ }}},
		{"times go back", "decode times", fakes{info: func(p *container.PacketInfo) {
			if p.N == 5 {
				p.DTS -= 1000
			}
		}}},
		{"DTS after PTS", "after its presentation time", fakes{info: func(p *container.PacketInfo) { p.DTS += 1000 }}},
		{"outside the source", "inside the source", fakes{info: func(p *container.PacketInfo) { p.Pos += 1 << 30 }}},
		{"another list each time", "second listing", fakes{info: func(p *container.PacketInfo) { p.Duration = container.Ticks(calls.Add(1)) }}},
		{"from is not heeded", "from packet N", fakes{list: func(_ context.Context, _ int, _ int64) (int64, error, bool) { return 0, nil, false }}},
		{"deaf listing", "a context that has ended", fakes{list: func(_ context.Context, _ int, from int64) (int64, error, bool) { return from, nil, true }}},
		{"unknown tracks are empty", "an unknown track", fakes{read: func(ctx context.Context, d container.SeekableDemuxer, track int, info container.PacketInfo, p *container.Packet) error {
			if track < 0 || track > 1 {
				return nil
			}
			return d.Read(ctx, track, info, p)
		}}},
		{"listing fails", "can be listed", fakes{list: func(context.Context, int, int64) (int64, error, bool) {
			return 0, errors.New("no"), false
		}}},
		{"a byte too few", "Size bytes", fakes{read: func(ctx context.Context, d container.SeekableDemuxer, track int, info container.PacketInfo, p *container.Packet) error {
			err := d.Read(ctx, track, info, p)
			p.Data = p.Data[:max(len(p.Data)-1, 0)]
			return err
		}}},
		{"memory is not overwritten", "in any order and in reused memory", fakes{read: func(ctx context.Context, d container.SeekableDemuxer, track int, info container.PacketInfo, p *container.Packet) error {
			var q container.Packet
			err := d.Read(ctx, track, info, &q)
			if cap(p.Data) < len(q.Data) {
				p.Data = q.Data
			}
			p.PacketInfo, p.Data = q.PacketInfo, p.Data[:len(q.Data)]
			return err
		}}},
		{"reads disturb each other", "from any goroutine", fakes{read: func(ctx context.Context, d container.SeekableDemuxer, track int, info container.PacketInfo, p *container.Packet) error {
			defer reads.Add(-1)
			alone := reads.Add(1) == 1
			err := d.Read(ctx, track, info, p)
			time.Sleep(20 * time.Microsecond)
			alone = alone && reads.Load() == 1
			if !alone && len(p.Data) > 0 {
				p.Data[0]++
			}
			return err
		}}},
		{"Next forgets a track", "every packet that List does", fakes{next: func(ctx context.Context, d container.SeekableDemuxer, p *container.Packet) error {
			for {
				if err := d.Next(ctx, p); err != nil || p.Track == 0 {
					return err
				}
			}
		}}},
		{"Next never ends", "comes to an end", fakes{next: func(ctx context.Context, d container.SeekableDemuxer, p *container.Packet) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return errors.New("again")
		}}},
		{"Close fails", "Close succeeds", fakes{close: func() error { return errors.New("no") }}},
		{"Close panics", "nothing panics", fakes{close: func() error { panic("closed") }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, size := openMovie(t)
			f := tt.broken
			f.SeekableDemuxer = d
			wantLaw(t, conformance.TestDemuxer(t.Context(), &f, size), tt.law)
		})
	}
}

// fakeIndex is a good index but for what is replaced.
type fakeIndex struct {
	seek.Index
	frames func(x seek.Index, n int) (seek.Frame, error)
	find   func(x seek.Index, pts container.Ticks) (int, error)
	start  func(ctx context.Context, x seek.Index, n int) (container.PacketInfo, error)
	length func(x seek.Index) int
}

func (f *fakeIndex) Frame(n int) (seek.Frame, error) {
	if f.frames != nil {
		return f.frames(f.Index, n)
	}
	return f.Index.Frame(n)
}

func (f *fakeIndex) Search(pts container.Ticks) (int, error) {
	if f.find != nil {
		return f.find(f.Index, pts)
	}
	return f.Index.Search(pts)
}

func (f *fakeIndex) Start(ctx context.Context, n int) (container.PacketInfo, error) {
	if f.start != nil {
		return f.start(ctx, f.Index, n)
	}
	return f.Index.Start(ctx, n)
}

func (f *fakeIndex) Len() int {
	if f.length != nil {
		return f.length(f.Index)
	}
	return f.Index.Len()
}

func TestTablesKeepTheLaws(t *testing.T) {
	d, _ := openMovie(t)
	for track := range d.Tracks() {
		x, err := seek.Build(t.Context(), d, track)
		if err != nil {
			t.Fatal(err)
		}
		if err := conformance.TestIndex(t.Context(), x, d, track); err != nil {
			t.Errorf("track %d: %v", track, err)
		}
	}
}

func TestBrokenIndicesAreFound(t *testing.T) {
	d, _ := openMovie(t)
	good, err := seek.Build(t.Context(), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	infos := slices.Collect(func(yield func(container.PacketInfo) bool) {
		for p := range d.List(t.Context(), 0, container.PacketInfo{}) {
			if !yield(p) {
				return
			}
		}
	})
	change := func(how func(f *seek.Frame)) func(seek.Index, int) (seek.Frame, error) {
		return func(x seek.Index, n int) (seek.Frame, error) {
			f, err := x.Frame(n)
			how(&f)
			return f, err
		}
	}
	var calls atomic.Int64
	for _, tt := range []struct {
		name, law string
		broken    fakeIndex
	}{
		{"decode order", "order of their PTS", fakeIndex{frames: func(x seek.Index, n int) (seek.Frame, error) {
			if n < 0 || n >= x.Len() {
				return x.Frame(n)
			}
			p := infos[n]
			return seek.Frame{N: n, Packet: p.N, PTS: p.PTS, Key: p.Key}, nil
		}}},
		{"numbers from 1", "knows its number", fakeIndex{frames: change(func(f *seek.Frame) { f.N++ })}},
		{"other every time", "the same every time", fakeIndex{frames: change(func(f *seek.Frame) { f.Duration = container.Ticks(calls.Add(1)) })}},
		{"gaps", "until the next one starts", fakeIndex{frames: change(func(f *seek.Frame) { f.Duration-- })}},
		{"all key", "key as its packet is", fakeIndex{frames: change(func(f *seek.Frame) { f.Key = true })}},
		{"one packet", "no packet is two frames", fakeIndex{frames: change(func(f *seek.Frame) { f.Packet = 0 })}},
		{"the last frame is lost", "every packet that is shown", fakeIndex{length: func(x seek.Index) int { return x.Len() - 1 }}},
		{"nearest", "until the next one starts", fakeIndex{find: func(x seek.Index, pts container.Ticks) (int, error) {
			n, err := x.Search(pts)
			if f, _ := x.Frame(n); err == nil && n+1 < x.Len() && pts-f.PTS > f.Duration/2 {
				n++
			}
			return n, err
		}}},
		{"the one after", "a frame's PTS is that frame", fakeIndex{find: func(x seek.Index, pts container.Ticks) (int, error) { return x.Search(pts + 1000) }}},
		{"clamped", "*seek.RangeError", fakeIndex{find: func(x seek.Index, pts container.Ticks) (int, error) {
			n, err := x.Search(pts)
			if err != nil && pts > 0 {
				return x.Len() - 1, nil
			}
			return n, err
		}}},
		{"plain range errors", "*seek.RangeError", fakeIndex{frames: func(x seek.Index, n int) (seek.Frame, error) {
			f, err := x.Frame(n)
			if err != nil {
				err = seek.ErrRange
			}
			return f, err
		}}},
		{"starts anywhere", "a start is a key packet", fakeIndex{start: func(ctx context.Context, x seek.Index, n int) (container.PacketInfo, error) {
			s, err := x.Start(ctx, n)
			if f, _ := x.Frame(n); err == nil {
				s = infos[f.Packet]
			}
			return s, err
		}}},
		{"starts at the last key", "a start is not behind its frame", fakeIndex{start: func(ctx context.Context, x seek.Index, n int) (container.PacketInfo, error) {
			_, err := x.Start(ctx, n)
			return infos[7], err
		}}},
		{"panics", "nothing panics", fakeIndex{frames: func(x seek.Index, n int) (seek.Frame, error) {
			f, _ := x.Frame(n)
			_ = infos[n]
			return f, nil
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := tt.broken
			x.Index = good
			wantLaw(t, conformance.TestIndex(t.Context(), &x, d, 0), tt.law)
		})
	}
}

// That the source ends excuses what is broken by it, and nothing else.
func TestCutSourcesExcuseNothingElse(t *testing.T) {
	d, _ := openMovie(t)
	good, err := seek.Build(t.Context(), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	test := func(fault func(n int) error) error {
		return conformance.TestIndex(t.Context(), &fakeIndex{Index: good, start: func(ctx context.Context, x seek.Index, n int) (container.PacketInfo, error) {
			if err := fault(n); err != nil && n >= 0 && n < x.Len() {
				return container.PacketInfo{}, err
			}
			return x.Start(ctx, n)
		}}, d, 0)
	}
	cut := func(n int) error {
		if n > 4 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	if err := test(cut); err == nil || !conformance.Truncated(err) {
		t.Errorf("%v, want only that the source ends", err)
	}
	if err := test(func(n int) error {
		if n == 8 {
			return errors.New("another fault")
		}
		return cut(n)
	}); conformance.Truncated(err) {
		t.Errorf("the end of the source hides %v", err)
	}
	if conformance.Truncated(nil) || conformance.Truncated(errors.New("no")) {
		t.Error("any error is taken for the end of the source")
	}
}
