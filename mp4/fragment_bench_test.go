package mp4

import (
	"runtime"
	"sort"
	"testing"

	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// sparse is a source of which only some stretches are held; the rest is zeros.
type sparse struct {
	offs   []int64
	pieces [][]byte
	size   int64
}

func (s *sparse) add(b []byte, zeros int64) {
	s.offs = append(s.offs, s.size)
	s.pieces = append(s.pieces, b)
	s.size += int64(len(b)) + zeros
}

func (s *sparse) Size() int64 { return s.size }

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for i := max(0, sort.Search(len(s.offs), func(i int) bool { return s.offs[i] > off })-1); i < len(s.offs) && s.offs[i] < off+int64(len(p)); i++ {
		if d := s.offs[i] - off; d >= 0 {
			copy(p[d:], s.pieces[i])
		} else if -d < int64(len(s.pieces[i])) {
			copy(p, s.pieces[i][-d:])
		}
	}
	return len(p), nil
}

// fragmentsOfTenHours is a fragmented movie of ten hours, as ffmpeg writes it: 4368 fragments of two tracks with 1.08 million
// pictures and 1.55 million sound packets.
func fragmentsOfTenHours(index bool) *sparse {
	const fragments, pictures, sounds = 4368, 1_080_000, 1_550_392
	video := tm.Track{Timescale: 15360, Edits: []tm.Edit{{Time: 1024}}}
	audio := tm.Track{Handler: "soun", Timescale: 44100}
	s := &sparse{}
	s.add(tm.MP4(tm.Movie{Tracks: []tm.Track{video, audio}, Extra: tm.Mvex(36_000_000, tm.Extends{ID: 1, Description: 1}, tm.Extends{ID: 2, Description: 1})}), 0)
	var heads [][]byte
	var sizes []int64
	var refs []tm.Reference
	off := int64(len(s.pieces[0]))
	if index {
		off += int64(len(tm.Sidx(1, 15360, 0, 0, make([]tm.Reference, fragments)...)))
	}
	var tfra []tm.RandomAccess
	for i := range fragments {
		n, m := pictures*i/fragments, sounds*i/fragments
		v, a := uint64(n)*512, uint64(m)*1024
		vr := tm.TrackRun{Flags: tm.RunData | tm.RunFirst | tm.RunSize | tm.RunOffset, First: 0x02000000}
		for ; n < pictures*(i+1)/fragments; n++ {
			vr.Samples = append(vr.Samples, tm.Sample{Size: uint32(60 + n*7919%200), Offset: []int32{1024, 2560, 1024, 0, 512}[n%5]})
		}
		ar := tm.TrackRun{Flags: tm.RunData | tm.RunSize}
		for ; m < sounds*(i+1)/fragments; m++ {
			ar.Samples = append(ar.Samples, tm.Sample{Size: uint32(5 + m*31%12)})
		}
		f := tm.Fragment{Tracks: []tm.TrackFragment{
			{ID: 1, Flags: tm.BaseIsMoof | tm.HasDuration | tm.HasFlags, Duration: 512, SampleFlags: tm.NonSync, Time: &v, Runs: []tm.TrackRun{vr}},
			{ID: 2, Flags: tm.BaseIsMoof | tm.HasDuration | tm.HasFlags, Duration: 1024, SampleFlags: 0x02000000, Time: &a, Runs: []tm.TrackRun{ar}},
		}}
		head, data := f.Layout(off)
		heads, sizes = append(heads, head), append(sizes, data)
		refs = append(refs, tm.Reference{Size: uint32(int64(len(head)) + data), Duration: uint32(len(vr.Samples) * 512), SAP: 1 << 31})
		tfra = append(tfra, tm.RandomAccess{Time: v + 1024, Moof: uint64(off), Traf: 1, Trun: 1, Sample: 1})
		off += int64(len(head)) + data
	}
	if index {
		s.add(tm.Sidx(1, 15360, 0, 0, refs...), 0)
	}
	for i, h := range heads {
		s.add(h, sizes[i])
	}
	s.add(tm.Mfra(1, tfra...), 0)
	return s
}

// BenchmarkFragments opens a fragmented movie of ten hours and lists its 2.63 million packets.
func BenchmarkFragments(b *testing.B) {
	src := fragmentsOfTenHours(true)
	b.ReportAllocs()
	b.ResetTimer()
	var n int64
	var counts source.Counts
	for b.Loop() {
		c := source.Count(src)
		d, err := Open(b.Context(), c, nil)
		if err != nil {
			b.Fatal(err)
		}
		n = listAll(b, d)
		counts = c.Counts()
	}
	b.ReportMetric(float64(n), "packets")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
	b.ReportMetric(float64(counts.Reads), "reads")
	b.ReportMetric(float64(counts.Bytes)/1e6, "MB-read")
	b.StopTimer()
	before := liveHeap()
	d, err := Open(b.Context(), src, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := d.complete(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(liveHeap()-before)/float64(n), "B/packet")
	runtime.KeepAlive(d)
}

// BenchmarkLocate opens the same movie and finds a time near its end.
func BenchmarkLocate(b *testing.B) {
	for method, index := range map[string]bool{"sidx": true, "tfra": false} {
		b.Run(method, func(b *testing.B) {
			src := fragmentsOfTenHours(index)
			b.ReportAllocs()
			var counts source.Counts
			for b.Loop() {
				c := source.Count(src)
				d, err := Open(b.Context(), c, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := d.Locate(b.Context(), 0, 550_000_000); err != nil {
					b.Fatal(err)
				}
				counts = c.Counts()
			}
			b.ReportMetric(float64(counts.Reads), "reads")
			b.ReportMetric(float64(counts.Bytes)/1e3, "kB-read")
		})
	}
}
