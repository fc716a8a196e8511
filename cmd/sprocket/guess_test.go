package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// fragments writes a fragmented clip of n fragments of 20 frames, with a segment index or without, and returns its name.
func fragments(t *testing.T, n int, index bool) string {
	t.Helper()
	t.Chdir(t.TempDir())
	d := tm.MP4(tm.Movie{Tracks: []tm.Track{{Timescale: 100}}, Extra: tm.Mvex(0, tm.Extends{ID: 1, Description: 1})})
	var all []byte
	var refs []tm.Reference
	for i := range n {
		at := uint64(200 * i)
		run := tm.TrackRun{Flags: tm.RunData | tm.RunDuration | tm.RunSize | tm.RunFirst, First: 0x02000000}
		for range 20 {
			run.Samples = append(run.Samples, tm.Sample{Size: 50, Duration: 10})
		}
		f := tm.AppendFragment(nil, tm.Fragment{Tracks: []tm.TrackFragment{{ID: 1, Flags: tm.BaseIsMoof | tm.HasFlags, SampleFlags: tm.NonSync, Time: &at, Runs: []tm.TrackRun{run}}}})
		all = append(all, f...)
		refs = append(refs, tm.Reference{Size: uint32(len(f)), Duration: 200, SAP: 1 << 31})
	}
	if index {
		d = append(d, tm.Sidx(1, 100, 0, 0, refs...)...)
	}
	if err := os.WriteFile("clip.mp4", append(d, all...), 0o666); err != nil {
		t.Fatal(err)
	}
	return "clip.mp4"
}

func TestInspectSaysWhatIndexAndWhy(t *testing.T) {
	type got struct {
		Tracks []struct {
			Frames *int
			Index  struct {
				Kind, Method, Why string
				Points            *int
				Cost              struct{ Reads, Bytes int64 }
			}
		}
	}
	inspect := func(args ...string) (g got) {
		t.Helper()
		if err := json.Unmarshal([]byte(mustRun(t, append([]string{"inspect", "--json"}, args...)...)), &g); err != nil || len(g.Tracks) != 1 {
			t.Fatalf("%+v, %v", g, err)
		}
		return g
	}
	name := fragments(t, 300, true)
	x := inspect(name, "--approximate").Tracks[0]
	if i := x.Index; i.Kind != "approximate" || i.Method != "sidx" || *i.Points != 300 || *x.Frames != 6000 || !strings.Contains(i.Why, "estimates") || i.Cost.Reads > 3 {
		t.Errorf("%+v, %d frames", i, *x.Frames)
	}
	if text := mustRun(t, "inspect", name, "--approximate"); !strings.Contains(text, "about 6000 frames") || !strings.Contains(text, "segment index") {
		t.Errorf("%s", text)
	}
	if i := inspect(name).Tracks[0].Index; i.Kind != "exact" || i.Method != "packets" || i.Points != nil {
		t.Errorf("%+v", i)
	}
	name = fragments(t, 50, false)
	if i := inspect(name, "--approximate").Tracks[0].Index; i.Kind != "approximate" || i.Method != "headers" || *i.Points != 0 {
		t.Errorf("%+v", i)
	}
	name = clip(t, twoTracks())
	if text := mustRun(t, "inspect", name, "--approximate"); !strings.Contains(text, "exact") || !strings.Contains(text, "would cost as much") {
		t.Errorf("%s", text)
	}
	if status, _, _ := sprocketIn(t, "", "inspect", name, "--approximate", "--verify"); status != exitUsage {
		t.Errorf("--approximate with --verify: exit status %d", status)
	}
}
