package mpegts

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// interrupted is a source that calls stop before some reads, and fails those for which that returns an error.
type interrupted struct {
	*bytes.Reader
	stop func() error
}

func (s *interrupted) ReadAt(p []byte, off int64) (int, error) {
	if err := s.stop(); err != nil {
		return 0, err
	}
	return s.Reader.ReadAt(p, off)
}

// TestListingGoesOnWhereItStopped: behind a context that ended, or a read that failed, the list is as ever.
func TestListingGoesOnWhereItStopped(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	units, aac := gop(2000, 40, 0), sound(2000)
	clip(ts, units, aac)
	file := ts.Bytes()
	fault := errors.New("the network is down")
	for _, c := range []struct {
		name string
		want error
	}{{"the context ends", context.Canceled}, {"a read fails", fault}} {
		ctx, cancel := context.WithCancel(t.Context())
		reads := 0
		src := &interrupted{bytes.NewReader(file), func() error {
			if reads++; reads != 4 {
				return nil
			}
			if c.want == fault {
				return fault
			}
			cancel()
			return nil
		}}
		var done []int64
		d, err := Open(t.Context(), src, &container.Options{Progress: func(n, total int64) {
			if total != int64(len(file)) {
				t.Errorf("%s: a total of %d, want %d", c.name, total, len(file))
			}
			done = append(done, n)
		}})
		if err != nil {
			t.Fatal(err)
		}
		for p, e := range d.List(ctx, 0, container.PacketInfo{}) {
			if err = e; err == nil {
				t.Fatalf("%s: packet %+v", c.name, p)
			}
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		stopped := len(done)
		if stopped == 0 || done[stopped-1] >= int64(len(file)) {
			t.Errorf("%s: stopped at %v of %d", c.name, done, len(file))
		}
		same(t, d, 0, units)
		same(t, d, 1, frames(aac, 0))
		if len(done) <= stopped || done[len(done)-1] != int64(len(file)) {
			t.Errorf("%s: progress ends with %v, want %d", c.name, done, len(file))
		}
		for i := 1; i < len(done); i++ {
			if done[i] <= done[i-1] {
				t.Errorf("%s: progress goes from %d to %d", c.name, done[i-1], done[i])
			}
		}
		cancel()
	}
}

// TestReadsOfAListing: each byte once, also where the listing stopped in between.
func TestReadsOfAListing(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	clip(ts, gop(2000, 40, 0), nil)
	file := ts.Bytes()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	src := source.Count(bytes.NewReader(file))
	d, err := Open(t.Context(), src, &container.Options{Progress: func(int64, int64) { cancel() }})
	if err != nil {
		t.Fatal(err)
	}
	before := src.Counts().Bytes
	if err := d.complete(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
	if n := src.Counts().Bytes - before; n != window {
		t.Errorf("%d bytes were read before the context ended, want %d", n, window)
	}
	if err := d.complete(t.Context()); err != nil {
		t.Error(err)
	}
	if n := src.Counts().Bytes - before; n != int64(len(file)) {
		t.Errorf("%d bytes of %d were read", n, len(file))
	}
}

// TestRandomAccessIndicatorsThatLie: the pictures tell where decoding can start.
func TestRandomAccessIndicatorsThatLie(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	units := gop(400, 20, 0)
	for _, u := range units {
		ts.Packets(ts.PES(videoPID, tm.PES{PTS: u.pts, DTS: u.dts, Data: u.data, Random: !u.key})...)
	}
	d := open(t, ts.Bytes(), nil)
	p, err := d.Locate(t.Context(), 0, container.Ticks(units[199].pts))
	if err != nil || int64(p.PTS) != units[180].pts || !p.Key {
		t.Errorf("located %+v, %v, want PTS %d", p, err, units[180].pts)
	}
	same(t, d, 0, units)
}
