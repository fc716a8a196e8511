package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIndexOfAnotherFileIsRefused(t *testing.T) {
	name := clip(t, twoTracks())
	mustRun(t, "index", name, "-o", "clip.idx")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("longer.mp4", append(data, 0), 0o666); err != nil {
		t.Fatal(err)
	}
	status, _, errs := sprocketIn(t, "", "frames", "longer.mp4", "--at", "0", "--index", "clip.idx", "-o", "out/")
	if status != exitInput || !strings.Contains(errs, "not the same source") {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
	if err := os.WriteFile("clip.idx", []byte("nothing"), 0o666); err != nil {
		t.Fatal(err)
	}
	status, _, errs = sprocketIn(t, "", "frames", name, "--at", "0", "--index", "clip.idx", "-o", "out/")
	if status != exitInput || !strings.HasPrefix(errs, "sprocket: clip.idx: index: load at byte 0: ") {
		t.Errorf("a file that is no index: exit status %d, stderr %q", status, errs)
	}
}

func TestIndexOfAPlaylistIsRefused(t *testing.T) {
	name := filepath.Join(corpusDir(t), "hls", "androidx", "multi-segment", "playlist.m3u8")
	status, _, errs := sprocketIn(t, "", "index", name, "-o", filepath.Join(t.TempDir(), "x"))
	if status != exitInput || !strings.HasPrefix(errs, "sprocket: "+name+": index: store: ") || !strings.Contains(errs, "list of segments is its index") {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
}

func TestIndexForTorchCodec(t *testing.T) {
	name := clip(t, twoTracks())
	mustRun(t, "index", name, "--format", "torchcodec", "-o", "clip.json")
	text, err := os.ReadFile("clip.json")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Frames []struct {
			PTS, Duration int64
			Key           int `json:"key_frame"`
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Frames); n != 6 || got.Frames[0].PTS != 0 {
		t.Errorf("%d frames: %s", n, text)
	}
}

func TestIndexUsage(t *testing.T) {
	name := clip(t, twoTracks())
	for _, args := range [][]string{
		{"index", name},
		{"index", name, "-o", "x", "--format", "other"},
		{"index", name, "-o", "x", "--approximate"},
		{"index", name, "-o", "x", "--track", "99"},
		{"index", "-o", "x"},
	} {
		if status, _, errs := sprocketIn(t, "", args...); status != exitUsage {
			t.Errorf("sprocket %s: exit status %d, stderr %q", strings.Join(args, " "), status, errs)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a failed run left a file")
	}
}
