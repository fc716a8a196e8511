package mp4

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// sbgp is a sample-to-group box of runs: a count, then a group.
func sbgp(kind string, version byte, runs ...uint32) []byte {
	p := []byte(kind)
	if version == 1 {
		p = append(p, tm.U32(0)...)
	}
	return tm.FullBox("sbgp", version, 0, p, tm.U32(uint32(len(runs)/2)), tm.U32(runs...))
}

// rollBox describes "roll" groups: version 0, 1, 1 with a length for each ("each"), 2, and 2 of the editions before 2020 ("old").
func rollBox(form string, other uint32, distances ...int16) []byte {
	var version byte
	p := []byte("roll")
	switch form {
	case "1":
		version, p = 1, append(p, tm.U32(2)...)
	case "each":
		version, p = 1, append(p, tm.U32(0)...)
	case "2":
		version, p = 2, append(p, tm.U32(2, other)...)
	case "old":
		version, p = 2, append(p, tm.U32(other)...)
	}
	p = append(p, tm.U32(uint32(len(distances)))...)
	for _, d := range distances {
		if form == "each" {
			p = append(p, tm.U32(2)...)
		}
		p = append(p, tm.U16(uint16(d))...)
	}
	return tm.FullBox("sgpd", version, 0, p)
}

// rapBox describes so many "rap " groups.
func rapBox(n int) []byte {
	return tm.FullBox("sgpd", 1, 0, []byte("rap "), tm.U32(1, uint32(n)), make([]byte, n))
}

func rollsOf(ps []container.PacketInfo) (rolls []int, keys []int64) {
	for _, p := range ps {
		rolls = append(rolls, p.Roll)
		if p.Key {
			keys = append(keys, p.N)
		}
	}
	return rolls, keys
}

func TestSampleGroups(t *testing.T) {
	none := []int{0, 0, 0, 0, 0, 0, 0, 0}
	for _, c := range []struct {
		name     string
		boxes    []byte
		rolls    []int
		keys     []int64
		warnings int
	}{
		{"none", nil, none, []int64{0}, 0},
		{"version 0", slices.Concat(rollBox("0", 0, 5, -2), sbgp("roll", 0, 2, 1, 1, 0, 3, 2)), []int{5, 5, 0, -2, -2, -2, 0, 0}, []int64{0}, 0},
		{"version 1", slices.Concat(sbgp("roll", 1, 1, 0, 9, 1), rollBox("1", 0, 7)), []int{0, 7, 7, 7, 7, 7, 7, 7}, []int64{0}, 0},
		{"a length each", slices.Concat(rollBox("each", 0, 1, 2), sbgp("roll", 0, 4, 2)), []int{2, 2, 2, 2, 0, 0, 0, 0}, []int64{0}, 0},
		{"version 2, the others are in a group", slices.Concat(rollBox("2", 2, 1, 9), sbgp("roll", 0, 3, 1)), []int{1, 1, 1, 9, 9, 9, 9, 9}, []int64{0}, 0},
		{"version 2, all are", rollBox("2", 1, 4), []int{4, 4, 4, 4, 4, 4, 4, 4}, []int64{0}, 0},
		{"version 2 without a length", slices.Concat(rollBox("old", 0, 6), sbgp("roll", 0, 1, 0, 1, 1)), []int{0, 6, 0, 0, 0, 0, 0, 0}, []int64{0}, 0},
		{"random access points", slices.Concat(sbgp("rap ", 0, 3, 0, 1, 1, 2, 0, 1, 1), tm.FullBox("sgpd", 1, 0, []byte("rap "), tm.U32(1, 1), []byte{0x80})), none, []int64{0, 3, 6}, 0},
		{"random access points by default", slices.Concat(sbgp("rap ", 0, 6, 0), tm.FullBox("sgpd", 2, 0, []byte("rap "), tm.U32(1, 1, 1), []byte{0x80})), none, []int64{0, 6, 7}, 0},
		{"kinds that do not matter", slices.Concat(sbgp("prol", 0, 8, 1), sbgp("sync", 0, 8, 1), sbgp("tele", 1, 8, 1), sbgp("seig", 0, 1),
			tm.FullBox("sgpd", 1, 0, []byte("sync"), tm.U32(1, 1), []byte{20}), tm.FullBox("sgpd", 3, 0, []byte("prol"))), none, []int64{0}, 0},
		{"the first box counts", slices.Concat(rollBox("1", 0, 3), rollBox("1", 0, 8), sbgp("roll", 0, 8, 1), sbgp("roll", 0, 8, 0)), []int{3, 3, 3, 3, 3, 3, 3, 3}, []int64{0}, 0},

		{"a group that is not described", slices.Concat(rollBox("1", 0, 3), sbgp("roll", 0, 1, 1, 1, 2, 1, 0x10001)), []int{3, 0, 0, 0, 0, 0, 0, 0}, []int64{0}, 1},
		{"random access points that are not described", slices.Concat(sbgp("rap ", 0, 3, 0, 1, 1, 2, 0, 1, 2, 1, 0x10001), rapBox(1)), none, []int64{0, 3}, 1},
		{"no random access points are described", sbgp("rap ", 0, 8, 1), none, []int64{0}, 1},
		{"no descriptions", sbgp("roll", 0, 8, 1), none, []int64{0}, 1},
		{"more runs than are there", slices.Concat(rollBox("1", 0, 3), tm.FullBox("sbgp", 0, 0, []byte("roll"), tm.U32(0xffffffff, 1, 1))), []int{3, 0, 0, 0, 0, 0, 0, 0}, []int64{0}, 1},
		{"more descriptions than are there", slices.Concat(tm.FullBox("sgpd", 1, 0, []byte("roll"), tm.U32(2, 0xffffffff), tm.U16(3)), sbgp("roll", 0, 1, 1)), []int{3, 0, 0, 0, 0, 0, 0, 0}, []int64{0}, 1},
		{"descriptions of one byte", slices.Concat(tm.FullBox("sgpd", 1, 0, []byte("roll"), tm.U32(1, 8), make([]byte, 8)), sbgp("roll", 0, 1, 0)), none, []int64{0}, 1},
		{"runs longer than the track", slices.Concat(rollBox("1", 0, 3), sbgp("roll", 0, 0xffffffff, 1, 0xffffffff, 1)), []int{3, 3, 3, 3, 3, 3, 3, 3}, []int64{0}, 0},
		{"cut boxes", slices.Concat(tm.FullBox("sbgp", 1, 0, []byte("roll")), tm.FullBox("sgpd", 2, 0, []byte("roll"), tm.U32(2)), tm.Box("sbgp", []byte{0, 0, 0, 0, 'r', 'o'})), none, []int64{0}, 2},
	} {
		track := gop()
		track.Offsets, track.Sync, track.Groups = nil, []uint32{1}, c.boxes
		d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{track}}))
		rolls, keys := rollsOf(packets(t, d, 0))
		if !slices.Equal(rolls, c.rolls) || !slices.Equal(keys, c.keys) {
			t.Errorf("%s: roll distances %v, key packets %v; want %v, %v", c.name, rolls, keys, c.rolls, c.keys)
		}
		if len(d.Warnings()) != c.warnings {
			t.Errorf("%s: warnings %v, want %d", c.name, d.Warnings(), c.warnings)
		}
		for _, w := range d.Warnings() {
			if !errors.Is(w, container.ErrCorrupt) {
				t.Errorf("%s: %v is not about what is corrupt", c.name, w)
			}
		}
		// A list that begins in the middle says the same.
		for p, err := range d.List(t.Context(), 0, container.PacketInfo{N: 5}) {
			if err != nil || p.Roll != c.rolls[p.N] {
				t.Errorf("%s: packet %d listed on its own has %d, %v", c.name, p.N, p.Roll, err)
			}
		}
	}
}

// Groups of a fragment are described there, from 0x10001 on, or in the movie box, from 1 on.
func TestFragmentGroups(t *testing.T) {
	movie := gop()
	movie.Sizes, movie.Deltas, movie.Offsets, movie.Sync, movie.Groups = nil, []tm.Run{}, nil, nil, slices.Concat(rollBox("2", 2, 5, 8), rapBox(1))
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{movie}, Extra: tm.Mvex(0, tm.Extends{ID: 1, Description: 1, Duration: 10, Size: 4, Flags: tm.NonSync})})
	var want []int
	for _, c := range []struct {
		boxes []byte
		rolls []int
	}{
		{nil, []int{8, 8, 8}},
		{sbgp("roll", 0, 1, 1, 1, 0), []int{5, 0, 8}},
		{slices.Concat(rollBox("1", 0, -4), sbgp("roll", 1, 1, 0x10001, 1, 1)), []int{-4, 5, 8}},
		{slices.Concat(rollBox("2", 1, -6), sbgp("roll", 0, 1, 0)), []int{0, -6, -6}},
		{slices.Concat(sbgp("roll", 0, 3, 0), sbgp("prol", 0, 3, 1)), []int{0, 0, 0}},
		{slices.Concat(sbgp("roll", 0, 1, 0, 1, 2, 1, 3), sbgp("rap ", 0, 1, 0x10001), rapBox(1)), []int{0, 8, 0}},
		{sbgp("rap ", 0, 1, 0, 1, 1, 1, 2), []int{8, 8, 8}},                           // as the movie box describes; 2 is not there
		{slices.Concat(sbgp("rap ", 0, 1, 0x10002, 1, 1), rapBox(1)), []int{8, 8, 8}}, // the second is not there
	} {
		f := tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof, Extra: c.boxes, Runs: []tm.TrackRun{{Flags: tm.RunData | tm.RunSize, Samples: []tm.Sample{{Size: 4}, {Size: 4}, {Size: 4}}}}}}}
		file = tm.AppendFragment(file, f)
		want = append(want, c.rolls...)
	}
	d := mustOpen(t, file)
	rolls, keys := rollsOf(packets(t, d, 0))
	if !slices.Equal(rolls, want) || !slices.Equal(keys, []int64{15, 19, 22}) {
		t.Errorf("roll distances %v, key packets %v; want %v, [15 19 22]", rolls, keys, want)
	}
	if w := d.Warnings(); len(w) != 3 || !errors.Is(w[0], container.ErrCorrupt) { // group 3 of 2, and two that are not there
		t.Errorf("warnings %v", w)
	}
}

// Descriptions take no more memory than they have bytes.
func TestGroupDescriptionsAreCounted(t *testing.T) {
	const n = 4 << 20
	for name, boxes := range map[string][]byte{"rap": rapBox(n), "roll": rollBox("1", 0, make([]int16, n/2)...)} {
		track := gop()
		track.Offsets, track.Sync, track.Groups = nil, []uint32{1}, boxes
		file := tm.MP4(tm.Movie{Tracks: []tm.Track{track}})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mustOpen(t, file)
		runtime.ReadMemStats(&after)
		// The movie box is read into memory, and a list that grows is copied a few times.
		if took := after.TotalAlloc - before.TotalAlloc; took > 8*n {
			t.Errorf("%s: %d bytes of memory for %d of descriptions", name, took, n)
		}
	}
}

// A run of samples that have nothing, not even bytes, lists no more of them than the source could hold the fields of.
func TestEmptySamplesCostWhatTheyClaim(t *testing.T) {
	file := initial(tm.Extends{ID: 1, Description: 1})
	file = append(file, tm.Box("moof", tm.FullBox("mfhd", 0, 0, tm.U32(1)), tm.Box("traf", tm.FullBox("tfhd", 0, 0, tm.U32(1)), tm.FullBox("trun", 0, 0, tm.U32(1<<28))))...)
	file = append(file, tm.Box("free", make([]byte, 100_000))...)
	n, err := exercise(t, file, container.Limits{})
	if most := int64(len(file)) / emptySample; err != nil || n != most {
		t.Errorf("%d packets in a file of %d bytes, %v; want %d", n, len(file), err, most)
	}
}
