package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every command says of every kind of failure whose fault it is: 1 the input's, 2 the caller's; in one line, and with the input's name.
func TestExitStatusOfEveryCommand(t *testing.T) {
	name := clip(t, twoTracks())
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"text.mp4": []byte("this is no movie"), "empty.mp4": nil, "cut.mp4": whole[:60], "half.mp4": whole[:400], "list.m3u8": []byte("#EXTM3U\n")}
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"inspect", "inspect --json", "packets", "packets --json", "index -o x", "frames --at 0 -o x.npy", "frames --every 2 -o dir", "framehash"} {
		for _, tt := range []struct {
			args   string
			status int
			stderr string
		}{
			{"none.mp4", exitInput, "sprocket: none.mp4: no such file or directory\n"},
			{".", exitInput, "sprocket: .: "},
			{"text.mp4", exitInput, "sprocket: text.mp4: container: open at byte 0: not this format: begins with \"this is no movie\"\n"},
			{"empty.mp4", exitInput, "sprocket: empty.mp4: container: open at byte 0: unexpected EOF\n"},
			{"cut.mp4", exitInput, "sprocket: cut.mp4: mp4: open"},
			{"list.m3u8", exitInput, "sprocket: list.m3u8: hls: "},
			{name + " --colour", exitUsage, "unknown flag: --colour"},
			{name + " " + name, exitUsage, "one SOURCE at a time"},
			{"", exitUsage, "no SOURCE given"},
		} {
			args := append(strings.Fields(command), strings.Fields(tt.args)...)
			status, stdout, stderr := sprocketIn(t, "", args...)
			if status != tt.status || !strings.Contains(stderr, tt.stderr) || stdout != "" || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%q: exit status %d, stdout %q, stderr %q; want %d, %q", args, status, stdout, stderr, tt.status, tt.stderr)
			}
		}
	}
	// Of a file whose headers are cut there is no frame; whoever lists what there is says that it is not all.
	const why = "mp4: open: moov at byte 20: the box has 380 bytes of 1135: unexpected EOF\n"
	for _, tt := range []struct {
		args, stderr string
		status       int
	}{
		{"inspect", "", exitDone},
		{"packets", "sprocket: half.mp4: warning: " + why, exitDone},
		{"index -o x", "sprocket: half.mp4: track 3 has no frames: " + why, exitInput},
		{"frames --at 0 -o x.npy", "sprocket: half.mp4: codec: track 3 (): ", exitInput},
		{"frames --at 0 -o x.npy", "first fault of the container: " + why, exitInput},
		{"framehash", "first fault of the container: " + why, exitInput},
	} {
		status, _, stderr := sprocketIn(t, "", append(strings.Fields(tt.args), "half.mp4")...)
		if status != tt.status || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
			t.Errorf("%s half.mp4: exit status %d, stderr %q; want %d, %q", tt.args, status, stderr, tt.status, tt.stderr)
		}
	}
	for _, args := range []string{"inspect", "inspect --json", "packets", "packets --json", "packets --track 3", "index -o x"} {
		mustRun(t, append(strings.Fields(args), name)...)
	}
	if left, _ := filepath.Glob(".*.tmp"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// Of a movie whose last fragment is cut the packets that are there are listed, with a word about those that are not.
func TestPacketsAndIndexTellOfCutFragments(t *testing.T) {
	whole, err := os.ReadFile(fragments(t, 3, false))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("cut.mp4", whole[:len(whole)-120], 0o666); err != nil { // of 20 packets of 50 bytes
		t.Fatal(err)
	}
	for _, args := range []string{"packets", "packets --json --track 1", "index -o x", "index --format torchcodec -o x"} {
		status, stdout, stderr := sprocketIn(t, "", append(strings.Fields(args), "cut.mp4")...)
		if status != exitDone || !strings.Contains(stderr, "sprocket: cut.mp4: warning: mp4: list: moof") || !strings.Contains(stderr, ": 3 packets are left out: ") {
			t.Errorf("%s: exit status %d, stderr %q", args, status, stderr)
		}
		if args == "packets" && strings.Count(stdout, "\n") != 1+57 {
			t.Errorf("%d lines, want one for each of 57 packets", strings.Count(stdout, "\n")-1)
		}
		mustRun(t, append(strings.Fields(args), "clip.mp4")...)
	}
}

// What is wrong with a movie is told of a pipe as of a file.
func TestPacketsOfAPipeTellOfFaults(t *testing.T) {
	whole, err := os.ReadFile(fragments(t, 2, false))
	if err != nil {
		t.Fatal(err)
	}
	whole = append(whole, make([]byte, 16)...)
	if err := os.WriteFile("zeros.mp4", whole, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"zeros.mp4", "-"} {
		status, stdout, stderr := sprocketIn(t, string(whole), "packets", from)
		if status != exitDone || strings.Count(stdout, "\n") != 41 || !strings.HasPrefix(stderr, "sprocket: "+from+": warning: mp4: ") || !strings.Contains(stderr, "zeros where a box should be") {
			t.Errorf("%s: exit status %d, %d lines, %q", from, status, strings.Count(stdout, "\n"), stderr)
		}
	}
}
