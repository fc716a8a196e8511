package mp4

import (
	"math/rand/v2"
	"slices"
	"testing"

	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// fragmentSeeds are small fragmented files of all sorts.
func fragmentSeeds() [][]byte {
	video := tm.TrackFragment{ID: 1, Flags: tm.HasBase | tm.HasDescription | tm.HasDuration | tm.HasSize | tm.HasFlags, Description: 1, Duration: 10, Size: 3, SampleFlags: tm.NonSync, Time: at(20),
		Runs:  []tm.TrackRun{{Version: 1, Flags: tm.RunData | tm.RunFirst | tm.RunOffset, Samples: shots(3)}, {Flags: tm.RunDuration | tm.RunSize | tm.RunFlags | tm.RunOffset, Samples: shots(2)}},
		Extra: slices.Concat(tm.FullBox("sdtp", 0, 0, []byte{0, 4, 8}), tm.FullBox("sbgp", 0, 0, []byte("rap "), tm.U32(1, 2, 1)))}
	sound := tm.TrackFragment{ID: 2, Flags: tm.HasSize | tm.HasDuration, Size: 2, Duration: 10, Short: true, Time: at(0), Runs: []tm.TrackRun{{Samples: []tm.Sample{{Size: 2}, {Size: 2}}}}}
	tracks := []tm.Track{{Timescale: 100, Edits: []tm.Edit{{Duration: 50, Time: -1}, {Time: 10}}}, {Handler: "soun", Timescale: 50}}
	hybrid := slices.Clone(tracks)
	hybrid[0] = gop(tm.Edit{Duration: 30, Time: 10}, tm.Edit{Duration: 300, Time: 20})
	var all [][]byte
	for _, t := range [][]tm.Track{tracks, hybrid} {
		file := tm.MP4(tm.Movie{Tracks: t, Extra: tm.Mvex(1000, tm.Extends{ID: 1, Description: 1, Duration: 10, Size: 1}, tm.Extends{ID: 2})})
		file = append(file, tm.Sidx(1, 100, 0, 0, tm.Reference{Size: 300, Duration: 20, SAP: 9 << 28}, tm.Reference{Size: 300, Index: true})...)
		off := len(file)
		file = tm.AppendFragment(file, plain(at(0), 2))
		file = append(file, tm.Box("styp", []byte("msdh"))...)
		file = tm.AppendFragment(file, tm.Fragment{Tracks: []tm.TrackFragment{video, sound}})
		file = tm.AppendFragment(file, plain(nil, 1))
		file = append(file, tm.Mfra(1, tm.RandomAccess{Moof: uint64(off), Traf: 1, Trun: 1, Sample: 1})...)
		all = append(all, file)
	}
	return all
}

// FuzzFragments reads fragmented files that are anything: an initial movie box that is good, and what follows it.
func FuzzFragments(f *testing.F) {
	init := tm.MP4(tm.Movie{Tracks: []tm.Track{{Timescale: 100}, {Handler: "soun", Timescale: 50}}, Extra: tm.Mvex(0, tm.Extends{ID: 1, Duration: 10, Size: 3}, tm.Extends{ID: 2, Flags: tm.NonSync})})
	for _, s := range fragmentSeeds() {
		f.Add(s, false)
		f.Add(s, true)
	}
	for _, b := range tm.Seeds(8<<20, "mp4/*/*.m4s", "mp4/*/*frag*", "hls/*/*/*.m4s", "hls/*/*/*.mp4", "fuzz/*/*") {
		f.Add(b[:min(len(b), 8<<10)], true)
	}
	f.Fuzz(func(t *testing.T, file []byte, segment bool) {
		if segment {
			file = slices.Concat(init, file)
		}
		_, _ = exercise(t, file, smallLimits) // it checks what it gets
	})
}

// TestDamagedFragments overwrites bytes of fragmented files at random, and cuts them everywhere.
func TestDamagedFragments(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, file := range fragmentSeeds() {
		for n := range file {
			_, _ = exercise(t, file[:n], smallLimits)
		}
		for range 3000 {
			bad := slices.Clone(file)
			for range 1 + r.IntN(4) {
				bad[r.IntN(len(bad))] = []byte{0, 1, 0xff, 0x7f, 0x80, byte(r.Uint32())}[r.IntN(6)]
			}
			_, _ = exercise(t, bad, smallLimits)
		}
	}
}
