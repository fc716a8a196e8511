package sprocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
	"github.com/sprocket-video/sprocket/tensor"
)

// onward is a clip whose packets come one after the other, and nothing else of it.
type onward struct {
	clip   *clip
	next   int
	lost   map[int]bool                           // packets that cannot be read
	before func(n int, p *container.Packet) error // asked before a packet is given; an error is given instead
	depth  int
	closed bool
}

func (o *onward) Tracks() []container.Track { return o.clip.Tracks() }
func (o *onward) Close() error              { o.closed = true; return nil }

func (o *onward) Next(ctx context.Context, p *container.Packet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.before != nil {
		if err := o.before(o.next, p); err != nil {
			return err
		}
	}
	if o.next == len(o.clip.infos) {
		return io.EOF
	}
	n := o.next
	o.next++
	p.PacketInfo = o.clip.infos[n]
	if o.lost[n] {
		return &container.Error{Format: "clip", Op: "read", Offset: int64(n), Err: io.ErrUnexpectedEOF}
	}
	return o.clip.Read(ctx, 0, o.clip.infos[n], p)
}

type known struct{ *onward }

func (k known) ReorderDepth(int) (int, bool) { return k.depth, true }

func newStreamOf(t testing.TB, d container.Demuxer, c *clip, o VideoOptions) *VideoStream {
	t.Helper()
	o.Backend = backend{c}
	s, err := NewVideoStream(d, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if c.live.Load() != 0 {
			t.Errorf("%d decoders are open after Close", c.live.Load())
		}
	})
	return s
}

// told writes frames and errors as lines.
func told(f *Frame, err error) string {
	var e *container.Error
	var of *FrameError
	switch {
	case err == nil:
		return fmt.Sprintf("%+v %x", f.FrameInfo, f.Bytes())
	case !errors.As(err, &of):
		return fmt.Sprintf("%v, of no frame", err)
	case errors.Is(err, ErrDamaged):
		text, _, _ := strings.Cut(err.Error(), ": it is made")
		return fmt.Sprintf("%+v %s", of.FrameInfo, text)
	case errors.As(err, &e):
		text, _, _ := strings.Cut(err.Error(), ": clip")
		return fmt.Sprintf("%+v %s is lost", of.FrameInfo, text)
	}
	return fmt.Sprintf("%+v %v", of.FrameInfo, err)
}

// Whatever a stream is like, and whatever is broken in it, its frames are those of a decoder that has the index.
func TestStreamEqualsDecoder(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for round := range 300 {
		c := gops(1+r.IntN(8), round%2 == 1)
		if round%3 == 1 { // begin with an open group: its leading pictures are no frames
			k := 10
			if len(c.infos) > k {
				c.infos, c.packets = c.infos[k:], c.packets[k:]
				for i := range c.infos {
					c.infos[i].N = int64(i)
				}
			}
		}
		lost := map[int]bool{}
		for i := range c.infos {
			if c.infos[i].Key && r.IntN(4) == 0 {
				c.infos[i].Roll = 2
			}
			switch r.IntN(60) {
			case 0:
				c.broken[int64(i)] = true
			case 1:
				c.lossy[int64(i)] = true
			case 2:
				c.infos[i].Discard = true
			case 3:
				c.infos[i].Duration = 7
			case 4:
				lost[i] = true
			case 5:
				c.infos[i].PTS = c.infos[max(i-1, 0)].PTS
			}
		}
		o := VideoOptions{Layout: tensor.NHWC, KeepDamaged: round%5 == 0, Backend: backend{c}, Formats: []container.Format{lossyClip{c, lost}}}
		d, err := OpenVideo(t.Context(), strings.NewReader("clip"), &o)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for f, err := range d.Frames(t.Context()) {
			want = append(want, told(f, err))
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		on := &onward{clip: c, lost: lost, depth: d.index.ReorderDepth()}
		var from container.Demuxer = on
		if round%2 == 0 {
			from = known{on}
		}
		s := newStreamOf(t, from, c, VideoOptions{Layout: tensor.NHWC, KeepDamaged: o.KeepDamaged})
		var got []string
		for more := true; more; { // loops that are left go on
			more = false
			stop := r.IntN(20)
			for f, err := range s.Frames(t.Context()) {
				got = append(got, told(f, err))
				if stop--; stop < 0 {
					more = true
					break
				}
			}
		}
		for i := range max(len(got), len(want)) {
			a, b := "nothing", "nothing"
			if i < len(got) {
				a = got[i]
			}
			if i < len(want) {
				b = want[i]
			}
			if a != b {
				t.Fatalf("round %d: %d is\n%s, want\n%s\nbroken %v, lossy %v, lost %v", round, i, a, b, c.broken, c.lossy, lost)
			}
		}
	}
}

// lossyClip is a clip as a format, of which some packets cannot be read.
type lossyClip struct {
	*clip
	lost map[int]bool
}

func (l lossyClip) Open(_ context.Context, _ source.Source, o *container.Options) (container.Demuxer, error) {
	o.Select(l.Tracks())
	return l, nil
}

// A frame comes out as soon as it is certain: after the depth that is known, and two packets.
func TestStreamDelay(t *testing.T) {
	for depth := range 5 {
		c := gops(4, false)
		on := &onward{clip: c, depth: depth + 2}
		s := newStreamOf(t, known{on}, c, VideoOptions{})
		n := 0
		for _, err := range s.Frames(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if want := min(n+depth+4, len(c.infos)); on.next > want+2 { // the decoder holds two pictures back
				t.Errorf("depth %d: frame %d came after %d packets, want %d", depth+2, n, on.next, want)
			}
			n++
		}
		if n != 40 {
			t.Errorf("%d frames", n)
		}
	}
}

// Options that are about a whole file are refused, not forgotten.
func TestStreamRefusesWhatNeedsAFile(t *testing.T) {
	c := gops(1, false)
	for name, o := range map[string]VideoOptions{
		"Index": {Index: &seek.StoredIndex{}}, "VerifyKeys": {VerifyKeys: true}, "FrameMappings": {FrameMappings: []byte("{}")}, "Approximate": {Approximate: true},
	} {
		o.Backend = backend{c}
		if _, err := NewVideoStream(&onward{clip: c}, &o); !errors.Is(err, container.ErrNotSeekable) {
			t.Errorf("%s: NewVideoStream = %v, want ErrNotSeekable", name, err)
		}
		if _, err := OpenStream(t.Context(), strings.NewReader("clip"), &o); !errors.Is(err, container.ErrNotSeekable) {
			t.Errorf("%s: OpenStream = %v, want ErrNotSeekable", name, err)
		}
	}
}

func TestStreamErrors(t *testing.T) {
	broken := errors.New("broken")
	located := func(n int64, err error) func(int, *container.Packet) error {
		return func(next int, p *container.Packet) error {
			if next != 15 {
				return nil
			}
			if p.N = n; n >= 0 {
				p.Track = 0
			}
			return err
		}
	}
	corrupt := &container.Error{Format: "clip", Op: "read", Err: container.ErrCorrupt}
	for name, tt := range map[string]struct {
		before func(int, *container.Packet) error
		frames int
		is     error
	}{
		"the reader's":            {located(-1, broken), 15, broken},
		"of no packet":            {located(-1, corrupt), 15, container.ErrCorrupt},
		"of a packet, but not on": {located(3, corrupt), 15, container.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			c := gops(4, false)
			s := newStreamOf(t, &onward{clip: c, before: tt.before}, c, VideoOptions{})
			n := 0
			var last error
			for f, err := range s.Frames(t.Context()) {
				if err == nil && last != nil {
					t.Error("a frame after the last error")
				}
				if last = err; err == nil && f.N == n {
					n++
				}
				if e := (*FrameError)(nil); errors.As(err, &e) {
					t.Errorf("%v is of a frame", err)
				}
			}
			if n != tt.frames || !errors.Is(last, tt.is) {
				t.Errorf("%d frames, then %v, want %d, then %v", n, last, tt.frames, tt.is)
			}
			for range s.Frames(t.Context()) {
				t.Error("it goes on after the end")
			}
		})
	}
	// A packet shown before what was given out is no frame; the numbers go on.
	c := gops(6, false)
	c.infos[57].PTS = 3
	s := newStreamOf(t, known{&onward{clip: c, depth: 2}}, c, VideoOptions{})
	n, late := 0, 0
	var wrong *FrameError
	for f, err := range s.Frames(t.Context()) {
		switch {
		case errors.As(err, &wrong):
			if late++; wrong.N != -1 || !errors.Is(err, container.ErrCorrupt) {
				t.Errorf("%v, N is %d", err, wrong.N)
			}
		case err != nil:
			t.Error(err)
		case f.N != n:
			t.Errorf("frame %d, want %d", f.N, n)
		default:
			n++
		}
	}
	if n != 59 || late != 1 {
		t.Errorf("%d frames, %d late", n, late)
	}
}

// What the context ends is not lost: the next call has it.
func TestStreamGoesOnAfterCancel(t *testing.T) {
	c := gops(4, true)
	var cancel context.CancelFunc
	on := &onward{clip: c}
	on.before = func(n int, _ *container.Packet) error {
		if n%4 == 3 {
			cancel()
		}
		return nil
	}
	s := newStreamOf(t, on, c, VideoOptions{Budget: NewBudget(1)})
	n, cancelled := 0, 0
	for n < 40 && cancelled < 100 {
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		for f, err := range s.Frames(ctx) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if cancelled++; on.next%4 == 3 {
					on.before = nil
				}
				break
			}
			if f.N != n {
				t.Fatalf("frame %d, want %d", f.N, n)
			}
			n++
		}
		cancel()
	}
	if n != 40 || cancelled == 0 {
		t.Errorf("%d frames, %d times cancelled", n, cancelled)
	}
}

func TestStreamClosed(t *testing.T) {
	c := gops(4, false)
	on := &onward{clip: c}
	s := newStreamOf(t, on, c, VideoOptions{})
	n := 0
	var last error
	for _, err := range s.Frames(t.Context()) {
		if last = err; err != nil {
			break
		}
		for _, err := range s.Frames(t.Context()) {
			if err == nil {
				t.Error("two iterations at once")
			}
		}
		if n++; n == 3 {
			if err := s.Close(); err != nil || on.closed {
				t.Errorf("Close() = %v, the demuxer is closed: %v", err, on.closed)
			}
		}
	}
	if !errors.Is(last, ErrClosed) || n != 3 || !on.closed || c.live.Load() != 0 {
		t.Errorf("%v after %d frames; the demuxer is closed: %v, %d decoders are open", last, n, on.closed, c.live.Load())
	}
	for _, err := range s.Frames(t.Context()) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	}
	if s.Stats().Frames < 3 || s.Track().ID != 7 {
		t.Errorf("after Close: %+v", s.Stats())
	}
}

// The decoder is opened once the container knows how far packets are reordered, and told.
func TestStreamReorderDepth(t *testing.T) {
	c := gops(1, false)
	d := &c.track.Descriptions[0]
	for _, tt := range []struct {
		codec   string
		depth   int
		whole   bool
		decoder int
		order   int
	}{
		{"h264", 3, true, 3, 3},
		{"h264", 0, true, 0, 0},
		{"h264", 3, false, 16, 16}, // nothing is told: as far as may be
		{"mpeg4", 0, false, 0, 1},
		{"vp9", 0, false, 0, 0},
		{"vp9", 2, false, 2, 2},
	} {
		d.Codec = tt.codec
		spy := &spyBackend{backend: backend{c}}
		s, err := NewVideoStream(partly{&onward{clip: c, depth: tt.depth}, tt.whole}, &VideoOptions{Backend: spy})
		if err != nil {
			t.Fatal(err)
		}
		for range s.Frames(t.Context()) {
			break
		}
		if spy.depth != tt.decoder || s.order.depth != tt.order {
			t.Errorf("%s, %d, %v: the decoder is told %d, frames wait for %d; want %d, %d", tt.codec, tt.depth, tt.whole, spy.depth, s.order.depth, tt.decoder, tt.order)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

type partly struct {
	*onward
	whole bool
}

func (p partly) ReorderDepth(int) (int, bool) { return p.depth, p.whole }

type spyBackend struct {
	backend
	depth int
}

func (s *spyBackend) OpenVideo(ctx context.Context, t *container.Track, o *codec.VideoOptions) (codec.VideoDecoder, error) {
	s.depth = o.ReorderDepth
	return s.backend.OpenVideo(ctx, t, o)
}

func (l lossyClip) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	if l.lost[int(info.N)] {
		return &container.Error{Format: "clip", Op: "read", Offset: info.N, Err: io.ErrUnexpectedEOF}
	}
	return l.clip.Read(ctx, track, info, p)
}

// A key packet that is not there costs the frames made from it, not those of the same call that are not.
func TestBatchOverAMissingKeyPacket(t *testing.T) {
	c := gops(3, false)
	d, err := OpenVideo(t.Context(), strings.NewReader("clip"), &VideoOptions{Layout: tensor.NHWC, Backend: backend{c}, Formats: []container.Format{lossyClip{c, map[int]bool{20: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := d.FramesAt(t.Context(), []int{0, 12, 29})
	if b == nil || err == nil {
		t.Fatalf("%v, %v", b, err)
	}
	if b.Errs[0] != nil || b.Errs[1] != nil || b.Errs[2] == nil {
		t.Errorf("errors %v, want one of the last frame alone", b.Errs)
	}
}
