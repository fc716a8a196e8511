//go:build cgo

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Frames spread over a file on a server cost one request each, all at once, and one to open the file, whatever is made of them and however
// many work on it.
func TestFramesOverHTTPAreFetchedAtOnce(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "clip.mp4")
	ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=640x360:r=30:d=10", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-b:v", "8M",
		"-movflags", "+faststart", name)
	s := serveCounted(t, dir)
	t.Chdir(dir)
	const at = "47,77,107,137,167,197,227,257"
	for _, out := range []string{"x.npy", "x.rgb", "x.png", "x.safetensors", "dir"} {
		for _, workers := range []string{"1", "3"} {
			s.expect(1, 8)
			args := []string{"--at", at, "--size", "64x36", "--workers", workers, "-o"}
			mustRun(t, append(append([]string{"frames", s.URL + "/clip.mp4"}, args...), "remote-"+out)...)
			if n, together := s.counts(); n != 9 || together != 8 {
				t.Errorf("%s by %s workers: %d requests, %d at once; want 9, 8", out, workers, n, together)
			}
			mustRun(t, append(append([]string{"frames", name}, args...), "local-"+out)...)
		}
	}
	sameFiles(t, "local-dir", "remote-dir")
	for _, out := range []string{"x.npy", "x.rgb", "x.png", "x.safetensors"} {
		sameFile(t, "local-"+out, "remote-"+out)
	}
	// A sheet knows the size of its pictures only once the file is open: what was read for that is not asked for again.
	s.expect(1, 8)
	mustRun(t, "frames", s.URL+"/clip.mp4", "--at", at, "-o", "sheet.png")
	if n, together := s.counts(); n != 9 || together != 8 {
		t.Errorf("a sheet: %d requests, %d at once; want 9, 8", n, together)
	}
}

func sameFile(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("%s, %d bytes, and %s, %d bytes, differ", got, len(a), want, len(b))
	}
}

// Frames of a transport stream, and of a playlist of such streams, are those of the file they were made of, here and on a server.
func TestFramesOfTransportStreamsAndPlaylists(t *testing.T) {
	name := madeClip(t)
	ffmpeg(t, "-i", name, "-c", "copy", "made.ts")
	ffmpeg(t, "-i", name, "-c", "copy", "-f", "hls", "-hls_time", "0.8", "-hls_playlist_type", "vod", "made.m3u8")
	ffmpeg(t, "-i", name, "-c", "copy", "-f", "hls", "-hls_time", "0.8", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", "pieces.m3u8")
	s := serveCounted(t, ".")
	for k, which := range [][]string{{"--at", "3,17,-1"}, {"--range", "8:30:7"}, {"--count", "5"}, {"--every", "20"}} {
		want := fmt.Sprintf("want-%d", k)
		mustRun(t, append([]string{"frames", name, "-o", want}, which...)...)
		for _, from := range []string{"made.ts", "made.m3u8", "pieces.m3u8"} {
			for i, source := range []string{from, s.URL + "/" + from} {
				got := fmt.Sprintf("%s-%d-%d", from, k, i) + "/"
				mustRun(t, append([]string{"frames", source, "-o", got}, which...)...)
				sameFiles(t, want, strings.TrimSuffix(got, "/"))
			}
		}
	}
	// A sheet, the size of whose pictures depends on the video, opens it once too.
	for _, from := range []string{"made.ts", "made.m3u8", "pieces.m3u8"} {
		s.expect(1000, 0)
		mustRun(t, "frames", s.URL+"/"+from, "--count", "5", "-o", "five.npy")
		want, _ := s.counts()
		s.expect(1000, 0)
		mustRun(t, "frames", s.URL+"/"+from, "--count", "5", "-o", "five.png")
		if got, _ := s.counts(); got != want {
			t.Errorf("%s: a sheet costs %d requests, want %d", from, got, want)
		}
	}
	for _, from := range []string{"made.ts", "made.m3u8", "pieces.m3u8"} {
		want, _ := hashLines(t, mustRun(t, "framehash", name))
		for _, source := range []string{from, s.URL + "/" + from} {
			got, _ := hashLines(t, mustRun(t, "framehash", source))
			for i := range got {
				got[i].pts -= got[0].pts
			}
			if len(got) != 50 {
				t.Fatalf("%s: %d frames", source, len(got))
			}
			for i := range got {
				if got[i].hash != want[i].hash {
					t.Errorf("%s: frame %d is another", source, i)
				}
			}
		}
	}
}

// What inspect tells of a server: requests, what was waited for, and what was there already.
func TestInspectTellsWhatAServerCost(t *testing.T) {
	name := madeClip(t)
	ffmpeg(t, "-i", name, "-c", "copy", "made.ts")
	s := serveCounted(t, ".")
	for _, from := range []string{name, "made.ts"} {
		var r report
		unmarshal(t, mustRun(t, "inspect", "--json", s.URL+"/"+from), &r)
		if h := r.HTTP; h == nil || h.Requests < 1 || h.Waited <= 0 || h.Hits == 0 || h.Misses == 0 || h.Retries != 0 {
			t.Errorf("%s: %+v", from, h)
		}
		var local report
		unmarshal(t, mustRun(t, "inspect", "--json", from), &local)
		if diff := cmp.Diff(strip(local), strip(r), cmp.AllowUnexported(spread{}, trackReport{})); diff != "" {
			t.Errorf("%s (-local +remote):\n%s", from, diff)
		}
	}
}

// The same sound has the same profile, whatever it is in.
func TestProfilesOfSound(t *testing.T) {
	t.Chdir(t.TempDir())
	ffmpeg(t, "-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-c:a", "aac", "sound.mp4")
	ffmpeg(t, "-i", "sound.mp4", "-c", "copy", "sound.ts")
	ffmpeg(t, "-i", "sound.mp4", "-c", "copy", "-f", "adts", "sound.aac")
	if err := os.WriteFile("sound.m3u8", []byte("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nsound.aac\n#EXT-X-ENDLIST\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sound.mp4", "sound.ts", "sound.m3u8"} {
		var r report
		unmarshal(t, mustRun(t, "inspect", "--json", name), &r)
		if a := r.Tracks[0].Audio; a == nil || a.Profile == nil || *a.Profile != 2 || *a.ProfileName != "LC" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
