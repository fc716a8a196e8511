package mp4

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// distant is a cache over a sparse source that notes how often it was asked to fetch, and reads of it that found nothing fetched.
type distant struct {
	*source.Cache
	below *source.Counter

	mu    sync.Mutex
	asked []source.Range
}

func newDistant(s source.Source) *distant {
	c := source.Count(s)
	return &distant{Cache: source.NewCache(c, &source.CacheOptions{BlockSize: 1 << 10}), below: c}
}

func (d *distant) Prefetch(ctx context.Context, off, n int64) error {
	d.mu.Lock()
	d.asked = append(d.asked, source.Range{Off: off, Len: n})
	d.mu.Unlock()
	return d.Cache.Prefetch(ctx, off, n)
}

// Headers of fragments far away are fetched many at once where a table tells of them, and together where they lie near each other: what
// is waited for is a few fetches, not one a fragment.
func TestFragmentsOfADistantSource(t *testing.T) {
	const n = 200
	for _, test := range []struct {
		name        string
		size        int // bytes of a sample
		sidx, mfra  bool
		reads       int64 // of the source, at most
		alone       int64 // of those, how many did not come with others, at most
		throughData bool  // media data is read
	}{
		{"no table, long media data", 20_000, false, false, n + 3, n + 3, false},
		{"no table, short media data", 3000, false, false, 12, 12, true},
		{"segment index", 20_000, true, false, n + 10, 6, false},
		{"random access table", 20_000, false, true, n + 10, 10, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var heads [][]byte
			var data []int64
			var refs []tm.Reference
			head := initial(tm.Extends{})
			first := int64(len(head))
			if test.sidx {
				first += int64(len(tm.Sidx(1, 1000, 0, 0, make([]tm.Reference, n)...)))
			}
			off := first
			var points []tm.RandomAccess
			for i := range n {
				f := plain(nil, 10)
				for k := range f.Tracks[0].Runs[0].Samples {
					f.Tracks[0].Runs[0].Samples[k].Size = uint32(test.size)
				}
				h, d := f.Layout(off)
				heads, data = append(heads, h), append(data, d)
				refs = append(refs, tm.Reference{Size: uint32(int64(len(h)) + d), Duration: 100})
				points = append(points, tm.RandomAccess{Time: uint64(100 * i), Moof: uint64(off)})
				off += int64(len(h)) + d
			}
			s := &sparse{}
			s.add(head, 0)
			if test.sidx {
				s.add(tm.Sidx(1, 1000, 0, 0, refs...), 0)
			}
			for i := range heads {
				s.add(heads[i], data[i])
			}
			if test.mfra {
				s.add(tm.Mfra(1, points...), 0)
			}
			src := newDistant(s)
			d, err := Open(t.Context(), source.Count(src), &container.Options{Head: make([]byte, 0)})
			if err != nil {
				t.Fatal(err)
			}
			opened := src.below.Counts()
			if got := len(packets(t, d, 0)); got != 10*n || len(d.Warnings()) > 0 {
				t.Fatalf("%d packets, want %d; warnings %v", got, 10*n, d.Warnings())
			}
			reads := src.below.Counts().Reads - opened.Reads
			alone := reads - int64(len(src.asked))
			offs := map[int64]bool{}
			for _, h := range src.asked {
				offs[h.Off] = true
			}
			t.Logf("%d reads of %d bytes, %d fetches", reads, src.below.Counts().Bytes-opened.Bytes, len(src.asked))
			if reads > test.reads || alone > test.alone {
				t.Errorf("%d reads, %d of them alone; want at most %d and %d", reads, alone, test.reads, test.alone)
			}
			if got := src.below.Counts().Bytes - opened.Bytes; got > n*6000 && !test.throughData {
				t.Errorf("%d bytes read for %d headers", got, n)
			}
			// The packets are those that a near source gives.
			near, err := Open(t.Context(), s, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(packets(t, near, 0), packets(t, d, 0)) {
				t.Error("the packets differ from those of a near source")
			}
		})
	}
}

// A movie box at the end of a distant source is fetched whole by the first look at it, where it is not too much.
func TestTailOfADistantSource(t *testing.T) {
	for _, test := range []struct {
		name    string
		samples int
		size    uint32
		reads   int64
	}{
		{"300 KB", 75_000, 20, 2},
		{"1.2 MB of 12 MB", 300_000, 36, 3}, // too much of the whole to be sure
		{"1.2 MB of 31 MB", 300_000, 100, 2},
	} {
		sizes := make([]uint32, test.samples)
		for i := range sizes {
			sizes[i] = test.size - uint32(i%2)
		}
		file := tm.MP4(tm.Movie{Tracks: []tm.Track{{Sizes: sizes}}, MoovLast: true})
		src := newDistant(bytes.NewReader(file))
		d, err := Open(t.Context(), source.Count(src), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := d.Tracks()[0].Packets; n != int64(test.samples) {
			t.Errorf("%s: %d packets", test.name, n)
		}
		if got := src.below.Counts().Reads; got != test.reads {
			t.Errorf("%s: %d reads, want %d", test.name, got, test.reads)
		}
	}
}
