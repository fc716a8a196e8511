package mp4

import (
	"runtime"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// headOnly is a source of which only the beginning is held; the rest is zeros.
type headOnly struct {
	head []byte
	size int64
}

func (s headOnly) Size() int64 { return s.size }

func (s headOnly) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(s.head)) {
		n = copy(p, s.head[off:])
	}
	clear(p[n:])
	return len(p), nil
}

// tenHours is a movie of ten hours: 1.08 million pictures with a composition offset that changes at each, a tenth of the
// decode times irregular, and 1.55 million sound packets; a chunk for each sample.
func tenHours() headOnly {
	const pictures, sounds = 1_080_000, 1_550_392
	video := testmedia.Track{Handler: "vide", Timescale: 15360, PerChunk: 1, Edits: []testmedia.Edit{{Duration: 36_000_000, Time: 1024}}}
	video.Sizes = make([]uint32, pictures)
	for i := range video.Sizes {
		video.Sizes[i] = uint32(60 + i*7919%200)
		video.Offsets = append(video.Offsets, testmedia.Run{Count: 1, Value: []uint32{1024, 2560, 1024, 0, 512}[i%5]})
		if i%250 == 0 {
			video.Sync = append(video.Sync, uint32(i+1))
		}
	}
	video.Deltas = []testmedia.Run{{Count: pictures, Value: 512}}
	audio := testmedia.Track{Handler: "soun", Timescale: 44100, PerChunk: 1, Edits: []testmedia.Edit{{Duration: 36_000_000, Time: 1024}}}
	audio.Sizes = make([]uint32, sounds)
	for i := range audio.Sizes {
		audio.Sizes[i] = uint32(5 + i*31%12)
	}
	audio.Deltas = []testmedia.Run{{Count: sounds, Value: 1024}}
	head, size := testmedia.MP4Head(testmedia.Movie{Tracks: []testmedia.Track{video, audio}})
	return headOnly{head, size}
}

// liveHeap returns the bytes of the heap that are in use.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func listAll(tb testing.TB, d *Demuxer) int64 {
	var n int64
	for i := range d.Tracks() {
		for _, err := range d.List(tb.Context(), i, container.PacketInfo{}) {
			if err != nil {
				tb.Fatal(err)
			}
			n++
		}
	}
	return n
}

// BenchmarkOpenTenHours opens a movie of ten hours and lists its 2.63 million packets.
func BenchmarkOpenTenHours(b *testing.B) {
	src := tenHours()
	b.ReportAllocs()
	b.ResetTimer()
	var n int64
	for b.Loop() {
		d, err := Open(b.Context(), src, nil)
		if err != nil {
			b.Fatal(err)
		}
		n = listAll(b, d)
	}
	b.ReportMetric(float64(n), "packets")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
	b.StopTimer()
	before := liveHeap()
	d, err := Open(b.Context(), src, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(liveHeap()-before)/float64(n), "B/packet")
	runtime.KeepAlive(d)
}

// BenchmarkOpen opens the same movie and lists nothing.
func BenchmarkOpen(b *testing.B) {
	src := tenHours()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(b.Context(), src, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList lists the packets of an open movie.
func BenchmarkList(b *testing.B) {
	d, err := Open(b.Context(), tenHours(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		n = listAll(b, d)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
}

// BenchmarkListFrom starts a list anywhere.
func BenchmarkListFrom(b *testing.B) {
	d, err := Open(b.Context(), tenHours(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		n = (n + 7_919_999) % 1_000_000
		for p := range d.List(b.Context(), 0, container.PacketInfo{N: n}) {
			if p.N != n {
				b.Fatalf("List from %d begins with %d", n, p.N)
			}
			break
		}
	}
}
