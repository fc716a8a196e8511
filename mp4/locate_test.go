package mp4

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// withoutNumber is a packet but for its number, and for its decode time: how much that is shifted is known only of all packets.
func withoutNumber(p container.PacketInfo) container.PacketInfo {
	p.N, p.DTS = -1, 0
	return p
}

// TestLocateReads finds frames near the end of ten hours in a handful of reads, opening included.
func TestLocateReads(t *testing.T) {
	for _, test := range []struct {
		method string
		index  bool
	}{{"sidx", true}, {"tfra", false}} {
		t.Run(test.method, func(t *testing.T) {
			src := fragmentsOfTenHours(test.index)
			exact, err := Open(t.Context(), src, nil)
			if err != nil {
				t.Fatal(err)
			}
			all := packets(t, exact, 0)
			for _, at := range []int{1_079_999, 1_079_000, 700_001, 250, 0} {
				c := source.Count(src)
				d, err := Open(t.Context(), c, nil)
				if err != nil {
					t.Fatal(err)
				}
				pts := all[at].PTS
				got, err := d.Locate(t.Context(), 0, pts)
				if err != nil {
					t.Fatal(err)
				}
				n := c.Counts()
				if n.Reads > 5 || n.Bytes > 400<<10 {
					t.Errorf("packet %d: %d reads, %d bytes", at, n.Reads, n.Bytes)
				}
				want, _ := exact.state.Load().lists[0].lastKey(pts, nil)
				if withoutNumber(got) != withoutNumber(want) || got.N != -1 {
					t.Errorf("Locate(%d) = %+v, want %+v", pts, got, want)
				}
				got.N = want.N
				k := want.N
				for p, err := range d.Follow(t.Context(), 0, got) {
					if err != nil {
						t.Fatal(err)
					}
					if p.N != k || withoutNumber(p) != withoutNumber(all[k]) {
						t.Fatalf("Follow gives %+v, want %+v", p, all[k])
					}
					if k++; k == want.N+600 {
						break
					}
				}
				if k < min(want.N+600, int64(len(all))) {
					t.Errorf("Follow ends at %d of %d", k, len(all))
				}
				if n := c.Counts(); n.Reads > 12 {
					t.Errorf("packet %d: %d reads to follow 600 packets", at, n.Reads)
				}
				e, err := d.Estimate(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				off := float64(e.Packets)/1_080_000 - 1
				if e.Method != test.method || e.Exact || e.Points != 4368 || off < -0.01 || off > 0.01 {
					t.Errorf("Estimate = %+v", e)
				}
			}
		})
	}
}

// TestLocateCorpus compares what is located with what is listed, in every fragmented file. An index that counts in media time leads
// to an earlier key packet.
func TestLocateCorpus(t *testing.T) {
	dir := corpus(t)
	methods := map[string]int{}
	asked, earlier := 0, 0
	for _, name := range corpusFiles(t, dir) {
		exact, err := openFile(t, filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || exact.walk == nil {
			continue
		}
		for i := range exact.Tracks() {
			all := packets(t, exact, i)
			for k := range 10 {
				d, err := openFile(t, filepath.Join(dir, filepath.FromSlash(name)))
				if err != nil {
					t.Fatal(err)
				}
				if len(all) == 0 {
					continue
				}
				pts := all[k*(len(all)-1)/9].PTS
				got, err := d.Locate(t.Context(), i, pts)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				asked++
				methods[d.walk.guide.method]++
				want, ok := exact.state.Load().lists[i].lastKey(pts, nil)
				if !ok {
					want = all[0]
				}
				if withoutNumber(got) == withoutNumber(want) {
					continue
				}
				if earlier++; got.PTS > pts || !slices.ContainsFunc(all, func(p container.PacketInfo) bool { return withoutNumber(p) == withoutNumber(got) }) {
					t.Errorf("%s track %d: Locate(%d) = %+v, want %+v", name, i, pts, got, want)
				}
			}
		}
	}
	t.Logf("%d times, %d of them to an earlier key packet; by %v", asked, earlier, methods)
}

func TestLocateHierarchy(t *testing.T) {
	for _, version := range []byte{0, 1} {
		locateHierarchy(t, version)
	}
}

func locateHierarchy(t *testing.T, version byte) {
	one := func(i int) []byte { return tm.AppendFragment(nil, plain(at(uint64(20*i)), 2)) }
	size := uint32(len(one(0)))
	ref := tm.Reference{Size: size, Duration: 20}
	leaf := func(time uint64) []byte { return tm.SidxOf(version, 1, 100, time, 0, ref, ref) }
	whole := uint32(len(leaf(0))) + 2*size
	file := initial(tm.Extends{})
	file = append(file, tm.SidxOf(version, 1, 100, 0, 0, tm.Reference{Size: whole, Duration: 40, Index: true}, tm.Reference{Size: whole, Duration: 40, Index: true})...)
	for i := range 4 {
		if i%2 == 0 {
			file = append(file, leaf(uint64(20*i))...)
		}
		file = append(file, one(i)...) // the base is the fragment: it may be anywhere
	}
	exact := mustOpen(t, file)
	all := packets(t, exact, 0)
	if len(all) != 8 || len(exact.Warnings()) > 0 {
		t.Fatalf("%d packets, %v", len(all), exact.Warnings())
	}
	for _, want := range all {
		d := mustOpen(t, file)
		got, err := d.Locate(t.Context(), 0, want.PTS+3)
		if err != nil || withoutNumber(got) != withoutNumber(want) || d.listed() {
			t.Errorf("Locate(%d) = %+v, %v, want %+v", want.PTS+3, got, err, want)
		}
	}
	d := mustOpen(t, file)
	if got, err := d.Locate(t.Context(), 0, -50); err != nil || got.PTS != 0 {
		t.Errorf("Locate before the first packet = %+v, %v", got, err)
	}
}

// A random access table has times and places of 32 or 64 bits, and numbers of one to four bytes.
func TestLocateByTablesOfAllForms(t *testing.T) {
	for _, version := range []byte{0, 1} {
		for _, widths := range [][3]int{{1, 1, 1}, {4, 4, 4}, {1, 2, 3}, {3, 1, 4}} {
			file := initial(tm.Extends{})
			var entries []tm.RandomAccess
			for i := range 6 {
				entries = append(entries, tm.RandomAccess{Time: uint64(20 * i), Moof: uint64(len(file)), Traf: 1, Trun: 1, Sample: 1})
				file = tm.AppendFragment(file, plain(at(uint64(20*i)), 2))
			}
			file = append(file, tm.MfraOf(version, widths, 1, entries...)...)
			for _, want := range packets(t, mustOpen(t, file), 0) {
				d := mustOpen(t, file)
				got, err := d.Locate(t.Context(), 0, want.PTS+3)
				if err != nil || withoutNumber(got) != withoutNumber(want) || d.listed() {
					t.Errorf("version %d, widths %v: Locate(%d) = %+v, %v, want %+v", version, widths, want.PTS+3, got, err, want)
				}
				if e, err := d.Estimate(t.Context(), 0); err != nil || e.Method != "tfra" || e.Points != 6 {
					t.Errorf("version %d, widths %v: Estimate = %+v, %v", version, widths, e, err)
				}
			}
		}
	}
}

// The movie extends header tells how long the movie is with its fragments, in 32 or 64 bits.
func TestMovieExtendsHeader(t *testing.T) {
	for _, duration := range []uint64{4000, 1 << 35} {
		file := tm.MP4(tm.Movie{Tracks: []tm.Track{{Timescale: 100}}, Extra: tm.Mvex(duration, tm.Extends{ID: 1})})
		d := mustOpen(t, tm.AppendFragment(file, plain(at(0), 2)))
		if got, want := d.Tracks()[0].Duration, container.Ticks(duration/10); got != want && got != want+1 {
			t.Errorf("%d of 1000 a second: Duration = %d of 100, want %d", duration, got, want)
		}
	}
}

// Of several tracks with one ID the first has the fragments, whichever way they are asked for.
func TestLocateOfTracksWithOneID(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{{ID: 1, Timescale: 100}, {ID: 1, Timescale: 100}}, Extra: tm.Mvex(0, tm.Extends{ID: 1})})
	for i := range 3 {
		file = tm.AppendFragment(file, plain(at(uint64(20*i)), 2))
	}
	d := mustOpen(t, file)
	if _, err := d.Estimate(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if p, err := d.Locate(t.Context(), 1, 25); !errors.Is(err, container.ErrCorrupt) {
		t.Errorf("Locate in the second track = %+v, %v; it has no packets", p, err)
	}
	if p, err := d.Locate(t.Context(), 0, 25); err != nil || p.PTS != 20 {
		t.Errorf("Locate in the first track = %+v, %v", p, err)
	}
}

// What is known of segment indices does not grow with the questions.
func TestGuideIsBounded(t *testing.T) {
	// Indices of many references below one that tells of them all, and the fragment that each begins with.
	const below, refs = 20, 40_000
	file := initial(tm.Extends{})
	fragment := tm.AppendFragment(nil, plain(at(0), 1))
	all := make([]tm.Reference, refs)
	for i := range all {
		all[i] = tm.Reference{Size: 1, Duration: 1}
	}
	all[0].Size = uint32(len(fragment))
	leaf := len(tm.Sidx(1, 100, 0, 0, all...)) + len(fragment)
	top := slices.Repeat([]tm.Reference{{Size: uint32(leaf), Duration: refs, Index: true}}, below)
	file = append(file, tm.Sidx(1, 100, 0, 0, top...)...)
	for i := range below {
		file = append(file, tm.Sidx(1, 100, uint64(refs*i), 0, all...)...)
		file = tm.AppendFragment(file, plain(at(uint64(refs*i)), 1))
	}
	d := mustOpen(t, file)
	for i := range below {
		if p, err := d.Locate(t.Context(), 0, container.Ticks(refs*i)); err != nil || p.PTS != container.Ticks(refs*i) {
			t.Fatalf("Locate(%d) = %+v, %v", refs*i, p, err)
		}
	}
	held := 0
	for _, x := range d.walk.guide.indices {
		held += len(x.refs)
	}
	if d.listed() || held > maxReferences || held < refs {
		t.Errorf("%d references are held, want at most %d; listed: %v", held, maxReferences, d.listed())
	}
}

// TestLocateLies gives Locate tables that lead nowhere, or nearly: then everything is listed, or the packet is an earlier one.
func TestLocateLies(t *testing.T) {
	body := func(file []byte) []byte {
		for i := range 5 {
			file = tm.AppendFragment(file, plain(at(uint64(20*i)), 2))
		}
		return file
	}
	ref := tm.Reference{Size: 77, Duration: 20}
	for name, file := range map[string][]byte{
		"more edits than it follows": body(append(initial(tm.Extends{}, append(slices.Repeat([]tm.Edit{{Time: -1}}, 200), tm.Edit{})...), tm.Sidx(1, 100, 0, 0, ref, ref, ref, ref, ref)...)),
		"no table":                   body(initial(tm.Extends{})),
		"places in the middle":       body(append(initial(tm.Extends{}), tm.Sidx(1, 100, 0, 5, ref, ref, ref, ref, tm.Reference{Size: 1 << 20, Duration: 9})...)),
		"an index of nothing":        body(append(initial(tm.Extends{}), tm.Sidx(1, 100, 0, 0)...)),
		"an index of itself":         body(append(initial(tm.Extends{}), tm.Sidx(1, 100, 0, 0, tm.Reference{Size: 1 << 30, Index: true})...)),
		"times that are too early":   body(append(initial(tm.Extends{}), tm.Sidx(1, 100, 1<<40, 0, tm.Reference{Size: 1 << 30, Duration: 1})...)),
		"a table of another place":   append(body(initial(tm.Extends{})), tm.Mfra(1, tm.RandomAccess{Moof: 3}, tm.RandomAccess{Time: 60, Moof: 17})...),
		"a table beyond the end":     append(body(initial(tm.Extends{})), tm.Mfra(1, tm.RandomAccess{Moof: 1 << 50})...),
		"a table out of order":       append(body(initial(tm.Extends{})), tm.Mfra(1, tm.RandomAccess{Time: 9, Moof: 20}, tm.RandomAccess{Moof: 30})...),
	} {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, file)
			if _, err := d.Estimate(t.Context(), 0); err != nil {
				t.Error(err)
			}
			p, err := d.Locate(t.Context(), 0, 75)
			if err != nil || p.PTS > 70 || p.PTS < 0 {
				t.Errorf("Locate(75) = %+v, %v, want PTS 70 or less", p, err)
			}
			n := 0
			for q, err := range d.Follow(t.Context(), 0, p) {
				if err != nil || q.PTS != p.PTS+container.Ticks(10*n) {
					t.Errorf("Follow gives %+v, %v", q, err)
				}
				n++
			}
			if want := int(100-p.PTS) / 10; n != want {
				t.Errorf("Follow gives %d packets, want %d", n, want)
			}
		})
	}
}

func TestLocateProgressive(t *testing.T) {
	d := mustOpen(t, tm.MP4(tm.Movie{Tracks: []tm.Track{gop(), {Handler: "soun"}}}))
	for pts, want := range map[container.Ticks]int64{0: 0, 10: 0, 49: 0, 50: 4, 1000: 4} {
		if p, err := d.Locate(t.Context(), 0, pts); err != nil || p.N != want {
			t.Errorf("Locate(%d) = packet %d, %v, want %d", pts, p.N, err, want)
		}
	}
	if _, err := d.Locate(t.Context(), 1, 0); !errors.Is(err, container.ErrCorrupt) {
		t.Errorf("a track without packets: %v", err)
	}
	if e, err := d.Estimate(t.Context(), 0); err != nil || !e.Exact || e.Packets != 8 {
		t.Errorf("Estimate = %+v, %v", e, err)
	}
}

// FuzzLocate finds times in fragmented files that are anything.
func FuzzLocate(f *testing.F) {
	for _, s := range fragmentSeeds() {
		f.Add(s, int64(20))
	}
	file := initial(tm.Extends{})
	file = append(file, tm.Sidx(1, 100, 0, 0, tm.Reference{Size: 106, Duration: 20}, tm.Reference{Size: 106, Duration: 20}, tm.Reference{Size: 40, Duration: 1, Index: true})...)
	for i := range 3 {
		file = tm.AppendFragment(file, plain(at(uint64(20*i)), 2))
	}
	f.Add(append(file, tm.Mfra(1, tm.RandomAccess{Moof: 600}, tm.RandomAccess{Time: 20, Moof: 700})...), int64(30))
	for _, b := range tm.Seeds(16<<10, "mp4/*/*frag*", "mp4/*/*.m4s", "mp4/*/*sidx*", "fuzz/*/*") {
		f.Add(b, int64(1000))
	}
	f.Fuzz(func(t *testing.T, file []byte, pts int64) {
		d, err := Open(t.Context(), bytes.NewReader(file), &container.Options{Limits: smallLimits})
		if err != nil {
			return
		}
		for i := range d.Tracks() {
			if _, err := d.Estimate(t.Context(), i); err != nil {
				checkLocated(t, err, int64(len(file)))
			}
			p, err := d.Locate(t.Context(), i, container.Ticks(pts))
			if err != nil {
				checkLocated(t, err, int64(len(file)))
				continue
			}
			n := 0
			for q, err := range d.Follow(t.Context(), i, p) {
				if err != nil || q.PTS < q.DTS || q.Pos < 0 || q.Size < 0 {
					t.Fatalf("Follow gives %+v, %v", q, err)
				}
				if n++; n > 1000 {
					break
				}
			}
		}
	})
}

// TestLocateWithoutIndex finds times in a movie that has no index: it goes from fragment to fragment, not farther than it must, and
// never twice the same way.
func TestLocateWithoutIndex(t *testing.T) {
	const fragments = 200
	s := &sparse{}
	s.add(initial(tm.Extends{}), 0)
	off := int64(len(s.pieces[0]))
	for i := range fragments {
		f := plain(at(uint64(20*i)), 2)
		f.Tracks[0].Runs[0].Samples[0].Size, f.Tracks[0].Runs[0].Samples[1].Size = 40_000, 40_000
		head, data := f.Layout(off)
		s.add(head, data)
		off += int64(len(head)) + data
	}
	c := source.Count(s)
	d, err := Open(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Estimate(t.Context(), 0)
	if off := float64(e.Packets)/(2*fragments) - 1; err != nil || e.Method != "headers" || e.Exact || e.Points != 0 || off < -0.01 || off > 0.01 {
		t.Errorf("Estimate = %+v, %v", e, err)
	}
	at, reads := c.Counts().Reads, int64(0)
	for _, step := range []struct{ fragment, reads int64 }{
		{10, 11}, // one a fragment, and one to see that the next is too late
		{10, 0},
		{9, 0},
		{100, 91}, // from the last one that was passed, which is remembered
		{50, 2},
		{fragments - 1, 100},
	} {
		p, err := d.Locate(t.Context(), 0, container.Ticks(20*step.fragment+15))
		if err != nil || p.PTS > container.Ticks(20*step.fragment+10) || p.PTS < container.Ticks(20*step.fragment) || d.listed() {
			t.Errorf("fragment %d: %+v, %v", step.fragment, p, err)
		}
		if reads = c.Counts().Reads - at; reads > step.reads {
			t.Errorf("fragment %d: %d reads, want at most %d", step.fragment, reads, step.reads)
		}
		at += reads
	}
}
