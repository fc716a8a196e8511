package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// initial is a movie box with one track of 100 ticks a second and no samples.
func initial(extends tm.Extends, edits ...tm.Edit) []byte {
	extends.ID = 1
	return tm.MP4(tm.Movie{Tracks: []tm.Track{{Timescale: 100, Edits: edits}}, Extra: tm.Mvex(0, extends)})
}

func at(v uint64) *uint64 { return &v }

// shots are n samples of 3 bytes, of 10 ticks each.
func shots(n int) []tm.Sample { return slices.Repeat([]tm.Sample{{Duration: 10, Size: 3}}, n) }

// plain is a fragment of one track: its samples say their durations and sizes.
func plain(time *uint64, n int) tm.Fragment {
	return tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Time: time,
		Runs: []tm.TrackRun{{Flags: tm.RunData | tm.RunDuration | tm.RunSize, Samples: shots(n)}}}}}
}

// places writes packets as "pos+size", with positions from the end of head on.
func places(infos []container.PacketInfo, head int) string {
	var b strings.Builder
	for i, p := range infos {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d+%d", p.Pos-int64(head), p.Size)
	}
	return b.String()
}

// An edit begins with the packet that its first picture needs, also where decode times go back behind it: the packets before that are there.
func TestEditBeforeTimesGoBack(t *testing.T) {
	for _, n := range []int{4, 256, 512, 600} { // packets of a fragment: fewer than lie between two marks, as many, more
		file := initial(tm.Extends{}, tm.Edit{Time: 25})
		for range 2 {
			file = tm.AppendFragment(file, plain(at(0), n))
		}
		got := packets(t, mustOpen(t, file), 0)
		want := 2*n - 2 // the first at 20
		if len(got) != want || got[0].DTS != -5 || got[0].Pos >= got[n-2].Pos || got[len(got)-1].DTS != container.Ticks(10*(n-1)-25) {
			t.Errorf("%d packets in a fragment: %d packets, the first at %d, want %d from -5 on", n, len(got), got[0].DTS, want)
		}
	}
}

// An edit list without entries is none: the media lasts as long as its header says.
func TestEditListWithoutEntriesIsNone(t *testing.T) {
	for name, replace := range map[string][]byte{"none": {0, 0, 0, 0, 0, 0, 0, 0}, "cut": {0, 0, 0, 0, 0, 0, 0, 1, 0, 0}} {
		tr := tm.Track{Timescale: 100, Constant: 3, Count: 6, Deltas: []tm.Run{{Count: 6, Value: 10}}, Offsets: []tm.Run{{Count: 6, Value: 5}}, Edits: []tm.Edit{{}},
			Replace: map[string][]byte{"edts": tm.Box("elst", replace)}}
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{tr}}))
		if got := d.Tracks()[0]; got.Duration != 60 || got.Packets != 6 {
			t.Errorf("%s: %d packets, %d ticks, want 6, 60", name, got.Packets, got.Duration)
		}
	}
}

func TestFragmentTimes(t *testing.T) {
	video := func(flags uint32, samples ...tm.Sample) tm.Fragment {
		return tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Runs: []tm.TrackRun{{Flags: tm.RunData | tm.RunSize | flags, Samples: samples}}}}}
	}
	runs := func(flags uint32, runs ...tm.TrackRun) tm.Fragment {
		return tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof | flags, Duration: 5, Size: 3, SampleFlags: tm.NonSync, Runs: runs}}}
	}
	timed := func(f tm.Fragment, time uint64, short bool) tm.Fragment {
		f.Tracks[0].Time, f.Tracks[0].Short = &time, short
		return f
	}
	all := tm.Extends{Description: 1, Duration: 7, Size: 3, Flags: tm.NonSync}
	for _, test := range []struct {
		name      string
		extends   tm.Extends
		edits     []tm.Edit
		fragments []tm.Fragment
		want      string
		start     container.Ticks
		duration  container.Ticks
		warnings  int
	}{
		{name: "init only", want: "", start: container.NoTicks},
		{name: "durations of the run", fragments: []tm.Fragment{plain(nil, 2), plain(nil, 1)}, want: "0/0k 10/10k 20/20k", duration: 30},
		{name: "durations of the track", extends: all, fragments: []tm.Fragment{video(0, shots(2)...), video(0, shots(1)...)}, want: "0/0 7/7 14/14", duration: 21},
		{name: "durations of the header", extends: all, fragments: []tm.Fragment{runs(tm.HasDuration, tm.TrackRun{Flags: tm.RunData, Samples: shots(2)})}, want: "0/0 5/5", duration: 10},
		{name: "flags of the header", fragments: []tm.Fragment{runs(tm.HasDuration|tm.HasSize|tm.HasFlags, tm.TrackRun{Flags: tm.RunData, Samples: shots(2)})}, want: "0/0 5/5", duration: 10},
		{name: "flags of the first sample", fragments: []tm.Fragment{runs(tm.HasDuration|tm.HasSize|tm.HasFlags, tm.TrackRun{Flags: tm.RunData | tm.RunFirst, Samples: shots(3)})}, want: "0/0k 5/5 10/10", duration: 15},
		{name: "first sample of the second run", fragments: []tm.Fragment{runs(tm.HasDuration|tm.HasSize|tm.HasFlags,
			tm.TrackRun{Flags: tm.RunData, Samples: shots(2)}, tm.TrackRun{Flags: tm.RunFirst, Samples: shots(2)})}, want: "0/0 5/5 10/10k 15/15", duration: 20},
		{name: "flags of each sample", fragments: []tm.Fragment{video(tm.RunDuration|tm.RunFlags, tm.Sample{Duration: 1, Size: 1, Flags: tm.NonSync}, tm.Sample{Duration: 2, Size: 1}, tm.Sample{Duration: 3, Size: 1, Flags: tm.NonSync})}, want: "0/0 1/1k 3/3", duration: 6},
		{name: "flags of each sample before those of the first", fragments: []tm.Fragment{video(tm.RunDuration|tm.RunFlags|tm.RunFirst, tm.Sample{Duration: 1, Size: 1, Flags: tm.NonSync}, tm.Sample{Duration: 2, Size: 1})}, want: "0/0 1/1k", duration: 3},
		{name: "composition offsets, version 0", fragments: []tm.Fragment{video(tm.RunDuration|tm.RunOffset, tm.Sample{Duration: 10, Size: 1, Offset: 10}, tm.Sample{Duration: 10, Size: 1, Offset: 20}, tm.Sample{Duration: 10, Size: 1})}, want: "0/10k 10/30k 20/20k", start: 10, duration: 30},
		{name: "composition offsets, version 1", fragments: []tm.Fragment{{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Runs: []tm.TrackRun{{Version: 1, Flags: tm.RunData | tm.RunSize | tm.RunDuration | tm.RunOffset,
			Samples: []tm.Sample{{Duration: 10, Size: 1}, {Duration: 10, Size: 1, Offset: 10}, {Duration: 10, Size: 1, Offset: -10}}}}}}}}, want: "-10/0k 0/20k 10/10k", duration: 30},
		{name: "decode times, version 0", fragments: []tm.Fragment{timed(plain(nil, 2), 100, true), timed(plain(nil, 1), 120, true)}, want: "100/100k 110/110k 120/120k", start: 100, duration: 30},
		{name: "decode times, version 1", fragments: []tm.Fragment{plain(at(1<<40), 1), plain(at(1<<40+10), 1)}, want: "1099511627776/1099511627776k 1099511627786/1099511627786k", start: 1 << 40, duration: 20},
		{name: "a gap extends the sample before it", fragments: []tm.Fragment{plain(at(0), 2), plain(at(50), 1)}, want: "0/0k 10/10k 50/50k", duration: 60},
		{name: "a gap longer than a duration can be", fragments: []tm.Fragment{plain(at(0), 1), plain(at(1<<33), 1)}, want: "0/0k 8589934592/8589934592k", duration: 1<<33 + 10},
		{name: "decode times that go back", fragments: []tm.Fragment{plain(at(100), 2), plain(at(50), 1)}, want: "100/100k 110/110k 50/50k", start: 100, duration: 70, warnings: 1},
		{name: "decode time too late", fragments: []tm.Fragment{plain(at(10), 1), plain(at(1<<63), 1), plain(nil, 1)}, want: "10/10k 20/20k", start: 10, duration: 20, warnings: 1},
		{name: "no samples for a while", fragments: []tm.Fragment{plain(nil, 1), runs(tm.IsEmpty | tm.HasDuration), plain(nil, 1)}, want: "0/0k 15/15k", duration: 25},
		{name: "two track fragments of one track", fragments: []tm.Fragment{{Tracks: []tm.TrackFragment{plain(at(5), 2).Tracks[0], plain(nil, 1).Tracks[0]}}}, want: "5/5k 15/15k 25/25k", start: 5, duration: 30},
		{name: "edit of no length", edits: []tm.Edit{{Time: 10}}, fragments: []tm.Fragment{plain(at(0), 3)}, want: "0/0k 10/10k", duration: 20},
		{name: "empty edit", edits: []tm.Edit{{Duration: 250, Time: -1}, {Time: 0}}, fragments: []tm.Fragment{plain(at(0), 2), plain(nil, 1)}, want: "25/25k 35/35k 45/45k", start: 25, duration: 30},
		{name: "edit that ends", edits: []tm.Edit{{Duration: 200, Time: 10}}, fragments: []tm.Fragment{plain(at(0), 2), plain(nil, 4)}, want: "0/0k 10/10k", duration: 20},
		{name: "edit of no length, of media that begins late", edits: []tm.Edit{{Time: 0}}, fragments: []tm.Fragment{plain(at(100), 3)}, want: "100/100k 110/110k 120/120k", start: 100, duration: 30},
		{name: "edit that ends, of media that begins late", edits: []tm.Edit{{Duration: 1200, Time: 0}}, fragments: []tm.Fragment{plain(at(100), 4)}, want: "100/100k 110/110k", start: 100, duration: 20},
		{name: "edit list without entries", edits: []tm.Edit{}, fragments: []tm.Fragment{plain(at(100), 3)}, want: "100/100k 110/110k 120/120k", start: 100, duration: 30},
		{name: "unknown track", fragments: []tm.Fragment{{Tracks: []tm.TrackFragment{{ID: 9}}}, plain(nil, 1)}, want: "0/0k", duration: 10, warnings: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := initial(test.extends, test.edits...)
			for _, f := range test.fragments {
				file = tm.AppendFragment(file, f)
			}
			d := mustOpen(t, file)
			if n := d.Tracks()[0].Packets; n != -1 && len(test.fragments) > 0 {
				t.Errorf("Packets = %d before the fragments are listed, want -1", n)
			}
			got := packets(t, d, 0)
			if diff := cmp.Diff(test.want, show(got)); diff != "" {
				t.Error(diff)
			}
			if len(d.Warnings()) != test.warnings {
				t.Errorf("%d warnings, want %d: %v", len(d.Warnings()), test.warnings, d.Warnings())
			}
			tr := d.Tracks()[0]
			if tr.Start != test.start || tr.Duration != test.duration || tr.Packets != int64(len(got)) {
				t.Errorf("Start, Duration, Packets = %d, %d, %d, want %d, %d, %d", tr.Start, tr.Duration, tr.Packets, test.start, test.duration, len(got))
			}
			for n := range got {
				for p, err := range d.List(t.Context(), 0, container.PacketInfo{N: int64(n)}) {
					if err != nil || p != got[n] {
						t.Errorf("List from %d begins with %+v, %v, want %+v", n, p, err, got[n])
					}
					break
				}
			}
		})
	}
}

// TestFragmentPlaces tests where data is, ISO/IEC 14496-12, 8.8.7.1 and 8.8.8.1. Sizes and data lie one after the other in all of them.
func TestFragmentPlaces(t *testing.T) {
	data := tm.TrackRun{Flags: tm.RunData | tm.RunSize, Samples: []tm.Sample{{Size: 3}, {Size: 5}}}
	follow := data
	follow.Flags = tm.RunSize
	for _, test := range []struct {
		name   string
		tracks []tm.TrackFragment
		first  int    // where the first sample lies, from the media data on
		want   string // of tracks 1 and 2
	}{
		{"explicit base", []tm.TrackFragment{{ID: 1, Flags: tm.HasBase, Runs: []tm.TrackRun{data}}, {ID: 2, Flags: tm.HasBase, Runs: []tm.TrackRun{data}}}, 0, "0+3 3+5 / 8+3 11+5"},
		{"explicit base, no offset", []tm.TrackFragment{{ID: 1, Flags: tm.HasBase, Runs: []tm.TrackRun{follow}}}, 0, "0+3 3+5 / "},
		{"the fragment is the base", []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Runs: []tm.TrackRun{data}}, {ID: 2, Flags: tm.BaseIsMoof, Runs: []tm.TrackRun{data}}}, 0, "0+3 3+5 / 8+3 11+5"},
		{"no base", []tm.TrackFragment{{ID: 1, Runs: []tm.TrackRun{data}}, {ID: 2, Runs: []tm.TrackRun{data}}}, 0, "0+3 3+5 / 8+3 11+5"},
		{"no base, no offset in the second track", []tm.TrackFragment{{ID: 1, Runs: []tm.TrackRun{data}}, {ID: 2, Runs: []tm.TrackRun{follow}}}, 0, "0+3 3+5 / 8+3 11+5"},
		{"no base, behind a track that is not known", []tm.TrackFragment{{ID: 9, Runs: []tm.TrackRun{data}}, {ID: 2, Runs: []tm.TrackRun{follow}}}, 0, " / 8+3 11+5"},
		{"runs that follow", []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Runs: []tm.TrackRun{data, follow, data}}, {ID: 2, Runs: []tm.TrackRun{follow}}}, 0, "0+3 3+5 8+3 11+5 16+3 19+5 / 24+3 27+5"},
		{"size of the header", []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof | tm.HasSize, Size: 4, Runs: []tm.TrackRun{{Flags: tm.RunData, Samples: []tm.Sample{{Size: 4}, {Size: 4}}}}}}, 0, "0+4 4+4 / "},
	} {
		t.Run(test.name, func(t *testing.T) {
			init := tm.MP4(tm.Movie{Tracks: []tm.Track{{}, {Handler: "soun"}}, Extra: tm.Mvex(0)})
			f := tm.Fragment{Tracks: test.tracks}
			for _, before := range [][]byte{nil, tm.Box("styp", []byte("cmfc")), slices.Concat(tm.Box("emsg", make([]byte, 20)), tm.Box("prft", make([]byte, 16)), tm.Box("free"))} {
				file := append(slices.Clone(init), before...)
				head, _ := f.Layout(int64(len(file)))
				begin := len(file) + len(head)
				d := mustOpen(t, tm.AppendFragment(file, f))
				got := places(packets(t, d, 0), begin) + " / " + places(packets(t, d, 1), begin)
				if got != test.want {
					t.Errorf("places %q, want %q", got, test.want)
				}
			}
		})
	}
}

func TestFragmentDependence(t *testing.T) {
	flags := func(v uint32) tm.Sample { return tm.Sample{Duration: 1, Size: 1, Flags: v} }
	run := tm.TrackRun{Flags: tm.RunData | tm.RunDuration | tm.RunSize | tm.RunFlags, Samples: []tm.Sample{flags(0x02000000), flags(tm.NonSync | 2<<22), flags(tm.NonSync | 1<<22), flags(tm.NonSync)}}
	traf := tm.TrackFragment{ID: 1, Flags: tm.BaseIsMoof, Runs: []tm.TrackRun{run}}
	other := traf
	other.Extra = slices.Concat(tm.FullBox("sdtp", 0, 0, []byte{0, 1 << 2, 2 << 2, 2 << 2}), tm.FullBox("sbgp", 0, 0, []byte("rap "), tm.U32(2, 2, 0, 1, 0x10001)), rapBox(1))
	file := initial(tm.Extends{})
	file = tm.AppendFragment(file, tm.Fragment{Tracks: []tm.TrackFragment{traf}})
	file = tm.AppendFragment(file, tm.Fragment{Tracks: []tm.TrackFragment{other}})
	var deps []container.Disposable
	var keys []bool
	for _, p := range packets(t, mustOpen(t, file), 0) {
		deps, keys = append(deps, p.Disposable), append(keys, p.Key)
	}
	const u, n, d = container.DisposableUnknown, container.Needed, container.Unneeded
	if want := []container.Disposable{u, d, n, u, u, n, d, d}; !slices.Equal(deps, want) {
		t.Errorf("Disposable %v, want %v", deps, want)
	}
	if want := []bool{true, false, false, false, true, false, true, false}; !slices.Equal(keys, want) {
		t.Errorf("Key %v, want %v", keys, want)
	}
}

func TestFragmentDescription(t *testing.T) {
	tr := tm.Track{Entries: [][]byte{tm.VideoEntry("avc1", 16, 16), tm.VideoEntry("hvc1", 32, 32)}}
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{tr}, Extra: tm.Mvex(0, tm.Extends{ID: 1, Description: 2})})
	for _, desc := range []uint32{0, 1, 2, 3} { // 0: not said
		f := plain(nil, 1)
		if desc > 0 {
			f.Tracks[0].Flags |= tm.HasDescription
			f.Tracks[0].Description = desc
		}
		file = tm.AppendFragment(file, f)
	}
	d := mustOpen(t, file)
	var got []int
	for _, p := range packets(t, d, 0) {
		got = append(got, p.Description)
	}
	if want := []int{1, 0, 1, 0}; !slices.Equal(got, want) || len(d.Warnings()) != 1 {
		t.Errorf("descriptions %v, want %v; warnings %v", got, want, d.Warnings())
	}
}

// TestHybrid lists a sample table and the fragments behind it.
func TestHybrid(t *testing.T) {
	for _, last := range []bool{false, true} {
		file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop(), {Handler: "soun", Timescale: 100}}, MoovLast: last, Extra: tm.Mvex(0, tm.Extends{ID: 1, Flags: tm.NonSync})})
		f := plain(nil, 2)
		file = tm.AppendFragment(file, f)
		file = tm.AppendFragment(file, plain(at(200), 1))
		d := mustOpen(t, file)
		const want = "0/10k 10/40 20/20 30/30 40/50k 50/80 60/60 70/70 80/80 90/90 200/200"
		got := packets(t, d, 0)
		if diff := cmp.Diff(want, show(got)); diff != "" {
			t.Error(diff)
		}
		for n := range got {
			for p, err := range d.List(t.Context(), 0, container.PacketInfo{N: int64(n)}) {
				if err != nil || p != got[n] {
					t.Errorf("List from %d begins with %+v, %v", n, p, err)
				}
				break
			}
		}
		if n := len(packets(t, d, 1)); n != 0 {
			t.Errorf("%d packets of the other track, want none", n)
		}
	}
}

// TestFragmentsBeforeMovie lists fragments that are stored before the movie box.
func TestFragmentsBeforeMovie(t *testing.T) {
	init := initial(tm.Extends{})
	file := tm.AppendFragment(tm.Box("ftyp", []byte("isom"), tm.U32(0)), plain(at(0), 2))
	file = append(file, init[bytes.Index(init, []byte("moov"))-4:]...)
	if got := show(packets(t, mustOpen(t, tm.AppendFragment(file, plain(nil, 1))), 0)); got != "0/0k 10/10k 20/20k" {
		t.Errorf("packets %s", got)
	}
}

// TestGrowing cuts a file everywhere: the fragments that are whole are listed, and what is not there yet is a warning.
func TestGrowing(t *testing.T) {
	file := initial(tm.Extends{})
	init := len(file)
	var ends []int
	for i := range 3 {
		if i == 1 {
			file = append(file, tm.Box("styp", []byte("cmfc"))...)
		}
		file = tm.AppendFragment(file, plain(at(uint64(20*i)), 2))
		ends = append(ends, len(file))
	}
	for n := init; n <= len(file); n++ {
		d := mustOpen(t, file[:n])
		got := packets(t, d, 0)
		whole := 0
		for whole < len(ends) && ends[whole] <= n {
			whole++
		}
		if len(got) < 2*whole || len(got) > 2*whole+1 {
			t.Errorf("%d packets of %d bytes, want those of %d fragments", len(got), n, whole)
		}
		var pk container.Packet
		for _, p := range got {
			if err := d.Read(t.Context(), 0, p, &pk); err != nil || p.Corrupt {
				t.Errorf("packet %d of %d bytes: %v", p.N, n, err)
			}
		}
		clean := n == init || n == ends[0] || n == ends[0]+12 || slices.Contains(ends, n)
		if w := d.Warnings(); clean != (len(w) == 0) || len(w) > 0 && !errors.Is(w[0], io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: warnings %v", n, w)
		}
	}
}

// TestBrokenFragment lists the fragments around one that is broken.
func TestBrokenFragment(t *testing.T) {
	for name, bad := range map[string][]byte{
		"no header":              tm.Box("moof", tm.Box("traf", tm.FullBox("trun", 0, 0, tm.U32(1)))),
		"short header":           tm.Box("moof", tm.Box("traf", tm.FullBox("tfhd", 0, 0x3f))),
		"short run":              tm.Box("moof", tm.Box("traf", tm.FullBox("tfhd", 0, 0, tm.U32(1)), tm.FullBox("trun", 0, tm.RunData))),
		"a box beyond its end":   tm.Box("moof", tm.Box("traf", tm.U32(500), []byte("tfhd"))),
		"a box size of 3":        tm.Box("moof", tm.U32(3), []byte("traf")),
		"more samples than room": tm.Box("moof", tm.Box("traf", tm.FullBox("tfhd", 0, 0, tm.U32(1)), tm.FullBox("trun", 0, tm.RunDuration, tm.U32(1<<31)))),
		"samples from nowhere":   tm.Box("moof", tm.Box("traf", tm.FullBox("tfhd", 0, tm.HasSize, tm.U32(1, 50)), tm.FullBox("trun", 0, 0, tm.U32(1<<31)))),
		"before the beginning":   tm.Box("moof", tm.Box("traf", tm.FullBox("tfhd", 0, tm.HasSize, tm.U32(1, 5)), tm.FullBox("trun", 0, 1, tm.U32(1, 1<<31)))),
	} {
		t.Run(name, func(t *testing.T) {
			file := tm.AppendFragment(initial(tm.Extends{}), plain(at(0), 2))
			file = append(file, bad...)
			file = tm.AppendFragment(file, plain(at(20), 2))
			d := mustOpen(t, file)
			got := packets(t, d, 0)
			if len(d.Warnings()) == 0 {
				t.Error("no warning")
			}
			for _, w := range d.Warnings() {
				checkLocated(t, w, int64(len(file)))
			}
			if len(got) < 4 || got[1].DTS != 10 || got[len(got)-1].DTS != 30 {
				t.Errorf("packets %s", show(got))
			}
			if len(got) > 4+len(file) {
				t.Errorf("%d packets in %d bytes", len(got), len(file))
			}
		})
	}
}

func TestFragmentLimits(t *testing.T) {
	file := initial(tm.Extends{})
	for range 4 {
		file = tm.AppendFragment(file, plain(nil, 3))
	}
	if n, err := exercise(t, file, container.Limits{Packets: 5}); n != 5 || err != nil {
		t.Errorf("packet limit: %d packets, %v", n, err)
	}
	d, err := Open(t.Context(), bytes.NewReader(append(file, tm.Box("moof", make([]byte, 5000))...)), &container.Options{Limits: container.Limits{HeaderBytes: 4000}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(packets(t, d, 0)); n != 12 || len(d.Warnings()) != 1 || !errors.Is(d.Warnings()[0], container.ErrLimit) {
		t.Errorf("header limit: %d packets, %v", n, d.Warnings())
	}
}

// TestIndexDisagrees warns of a segment index that tells of another file, and lists all the same.
func TestIndexDisagrees(t *testing.T) {
	for _, wrong := range []uint32{0, 1} {
		file := initial(tm.Extends{})
		f := plain(nil, 2)
		head, data := f.Layout(0)
		size := uint32(int64(len(head)) + data)
		leaf := func(first uint64) []byte {
			return tm.Sidx(1, 100, 0, first, tm.Reference{Size: size, Duration: 20}, tm.Reference{Size: size + wrong, Duration: 20}, tm.Reference{Size: size, Duration: 20})
		}
		file = append(file, tm.Sidx(1, 100, 0, 0, tm.Reference{Size: uint32(len(leaf(0))), Duration: 60, Index: true})...)
		file = append(file, leaf(0)...)
		for range 3 {
			file = tm.AppendFragment(file, f)
		}
		d := mustOpen(t, file)
		if n := len(packets(t, d, 0)); n != 6 || len(d.Warnings()) != int(wrong) {
			t.Errorf("%d packets, warnings %v", n, d.Warnings())
		}
	}
}

func TestSelectFragments(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{{}, {Handler: "soun"}}, Extra: tm.Mvex(0)})
	f := plain(nil, 2)
	f.Tracks = append(f.Tracks, f.Tracks[0])
	f.Tracks[1].ID = 2
	file = tm.AppendFragment(file, f)
	d, err := Open(t.Context(), bytes.NewReader(file), &container.Options{Select: func([]container.Track) []int { return []int{1} }})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(packets(t, d, 1)); n != 2 {
		t.Errorf("%d packets, want 2", n)
	}
	if _, err := first(d.List(t.Context(), 0, container.PacketInfo{})); !errors.Is(err, container.ErrUnsupported) {
		t.Errorf("the track that is not in use: %v", err)
	}
	if n := d.Tracks()[0].Packets; n != -1 {
		t.Errorf("Packets of the track that is not in use = %d, want -1", n)
	}
}

func TestMovieExtendsDuration(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{{Timescale: 100}}, Extra: tm.Mvex(5000, tm.Extends{ID: 1})})
	if tr := mustOpen(t, file).Tracks()[0]; tr.Duration != 500 || tr.Packets != -1 {
		t.Errorf("Duration, Packets = %d, %d, want 500, -1", tr.Duration, tr.Packets)
	}
}
