package mp4

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// TestFragmentReads holds the budget: one read a fragment at most, of its headers and at most an eighth and 2 KiB more, and two to begin.
func TestFragmentReads(t *testing.T) {
	for _, test := range []struct {
		name            string
		samples, size   int
		fragments       int
		reads, fraction int // most reads; bytes as a fraction of the headers, in percent, beyond 2 KiB a fragment
	}{
		{"small headers", 10, 1000, 400, 402, 115},
		{"large headers", 2000, 100, 60, 62, 115},
		{"small data", 10, 2, 400, 30, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &sparse{}
			s.add(initial(tm.Extends{}), 0)
			var headers int64
			for range test.fragments {
				f := plain(nil, test.samples)
				for i := range f.Tracks[0].Runs[0].Samples {
					f.Tracks[0].Runs[0].Samples[i].Size = uint32(test.size)
				}
				head, data := f.Layout(s.size)
				headers += int64(len(head))
				s.add(head, data)
			}
			c := source.Count(s)
			d, err := Open(t.Context(), c, &container.Options{Head: make([]byte, 0)})
			if err != nil {
				t.Fatal(err)
			}
			opened := c.Counts()
			if n := len(packets(t, d, 0)); n != test.samples*test.fragments {
				t.Fatalf("%d packets", n)
			}
			listed := c.Counts()
			if n := listed.Reads - opened.Reads; n > int64(test.reads) {
				t.Errorf("%d reads for %d fragments, want at most %d", n, test.fragments, test.reads)
			}
			if n, most := listed.Bytes-opened.Bytes, headers*int64(test.fraction)/100+minWindow*int64(test.fragments); n > most {
				t.Errorf("%d bytes read, want at most %d for headers of %d", n, most, headers)
			}
			packets(t, d, 0)
			if c.Counts() != listed {
				t.Error("a second list reads again")
			}
		})
	}
}

// failing is a source whose n-th read fails.
type failing struct {
	*bytes.Reader
	mu   sync.Mutex
	left int
}

var errSource = errors.New("the cable is loose")

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left == 0 {
		return 0, errSource
	}
	return f.Reader.ReadAt(p, off)
}

// TestFragmentsAfterFailure lists again after a source failed, from where it failed.
func TestFragmentsAfterFailure(t *testing.T) {
	file := initial(tm.Extends{})
	for range 20 {
		f := plain(nil, 3)
		for i := range 3 {
			f.Tracks[0].Runs[0].Samples[i].Size = 20_000
		}
		file = tm.AppendFragment(file, f)
	}
	src := &failing{Reader: bytes.NewReader(file), left: 8}
	d, err := Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = first(d.List(t.Context(), 0, container.PacketInfo{}))
	if e, ok := errors.AsType[*container.Error](err); !ok || !errors.Is(err, errSource) || e.Offset <= 0 {
		t.Fatalf("error %v, want a located one", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := first(d.List(ctx, 0, container.PacketInfo{})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	var pk container.Packet
	if err := d.Next(ctx, &pk); !errors.Is(err, context.Canceled) {
		t.Errorf("Next, cancelled: %v", err)
	}
	if n := len(packets(t, d, 0)); n != 60 || len(d.Warnings()) > 0 {
		t.Errorf("%d packets, want 60; warnings %v", n, d.Warnings())
	}
	if err := d.Next(t.Context(), &pk); err != nil || pk.N != 0 || pk.Size != 20_000 {
		t.Errorf("Next: %+v, %v", pk.PacketInfo, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first(d.List(t.Context(), 0, container.PacketInfo{})); err == nil {
		t.Error("List after Close gives no error")
	}
}

// A fragment whose bytes come with the second try is counted once: what is wrong with the next one is said of that.
func TestFragmentsAreCountedOnceAfterFailure(t *testing.T) {
	big := plain(at(0), 40_000) // longer than what is read first
	file := tm.AppendFragment(initial(tm.Extends{}), big)
	broken := plain(at(400_000), 1)
	broken.Tracks[0].ID = 9
	file = tm.AppendFragment(file, broken)
	for left := 2; ; left++ {
		src := &failing{Reader: bytes.NewReader(file), left: left}
		d, err := Open(t.Context(), src, nil)
		if err != nil {
			continue // it failed before
		}
		if _, err := first(d.List(t.Context(), 0, container.PacketInfo{})); err == nil {
			if left < 3 {
				t.Error("no read of a fragment failed")
			}
			return
		}
		n := len(packets(t, d, 0))
		if w := d.Warnings(); n != 40_000 || len(w) != 1 || !strings.Contains(w[0].Error(), "moof[1]/") {
			t.Errorf("read %d failed: %d packets, warnings %v", left, n, w)
		}
	}
}

func first(seq func(func(container.PacketInfo, error) bool)) (container.PacketInfo, error) {
	for p, err := range seq {
		return p, err
	}
	return container.PacketInfo{}, io.EOF
}

// TestFragmentsAtOnce lists from many goroutines; the fragments are walked once.
func TestFragmentsAtOnce(t *testing.T) {
	s := &sparse{}
	s.add(initial(tm.Extends{}), 0)
	for range 50 {
		head, data := ptr(plain(nil, 100)).Layout(s.size)
		s.add(head, data+1_000_000)
		s.pieces[len(s.pieces)-1][len(head)-8] = 0 // the media data is longer than the samples
		copy(s.pieces[len(s.pieces)-1][len(head)-8:], tm.U32(uint32(data+1_000_008)))
	}
	c := source.Count(s)
	d, err := Open(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			n := 0
			for _, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			if n != 5000 || d.Tracks()[0].Packets != 5000 {
				t.Errorf("%d packets; Packets %d; want 5000", n, d.Tracks()[0].Packets)
			}
		})
	}
	wg.Wait()
	if n := c.Counts().Reads; n > 53 {
		t.Errorf("%d reads for 50 fragments", n)
	}
}

func ptr[T any](v T) *T { return &v }

// TestFragmentHeap bounds the memory of a packet: with fragments of one packet each, and of many.
func TestFragmentHeap(t *testing.T) {
	for _, per := range []int{1, 8, 250} {
		s := &sparse{}
		s.add(initial(tm.Extends{}), 0)
		const n = 50_000
		for i := range n / per {
			f := plain(nil, per)
			r := &f.Tracks[0].Runs[0]
			r.Flags |= tm.RunOffset | tm.RunFlags
			for j := range r.Samples {
				r.Samples[j] = tm.Sample{Duration: uint32(10 + (i+j)%3), Size: uint32(100 + (i*7+j)%900), Flags: uint32(j%2) * tm.NonSync, Offset: int32((i + j) % 5)}
			}
			head, data := f.Layout(s.size)
			s.add(head, data)
		}
		d, err := Open(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := liveHeap()
		if err := d.complete(t.Context()); err != nil {
			t.Fatal(err)
		}
		grown := float64(int64(liveHeap()-before)) / n
		if tr := d.Tracks()[0]; tr.Packets != n {
			t.Fatalf("%d packets", tr.Packets)
		}
		t.Logf("%d packets a fragment: %.1f bytes a packet", per, grown)
		most := 20.0
		if per == 1 {
			most = 21
		}
		if grown > most {
			t.Errorf("%d packets a fragment: %.1f bytes a packet, want at most %.0f", per, grown, most)
		}
	}
}
