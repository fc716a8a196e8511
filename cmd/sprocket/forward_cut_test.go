//go:build cgo

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket"
)

// pieces makes a small fragmented clip of 12 frames, four in a fragment, and returns its bytes and the places between two fragments.
func pieces(t *testing.T) (data []byte, between map[int]bool) {
	t.Helper()
	data = moving(t, "-frames:v", "12", "-s", "16x16", "-g", "4", "-bf", "0", "-sc_threshold", "0", "-bsf:v", "filter_units=remove_types=6",
		"-movflags", "+frag_keyframe+empty_moov+default_base_moof+skip_trailer")
	between = map[int]bool{}
	for at := 0; at < len(data); at += int(binary.BigEndian.Uint32(data[at:])) {
		if string(data[at+4:at+8]) == "moof" {
			between[at] = true
		}
	}
	between[len(data)] = true
	if len(between) != 4 {
		t.Fatalf("%d fragments, want 3", len(between)-1)
	}
	return data, between
}

// Wherever a pipe is cut, that is told, whichever frames were asked for; what came before is written.
func TestPipeCut(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the program many times")
	}
	data, between := pieces(t)
	moov := bytes.Index(data, []byte("moov")) - 4
	begin := moov + int(binary.BigEndian.Uint32(data[moov:]))
	for n := begin; n <= len(data); n++ {
		if n%5 != 0 && !between[n] && !between[n-1] && !between[n+1] {
			continue // five cuts are as one
		}
		for _, args := range []string{"--every 5", "--at 11", "--times 0.37", "--range 1:13:9"} {
			status, _, errs := piped(t, data[:n], append(strings.Fields("frames - -o out "+args), "--size", "16x16")...)
			want, text := exitInput, "unexpected EOF"
			switch {
			case n == begin:
				text = "track 1 has no frames"
			case n == len(data), between[n] && args == "--every 5":
				want, text = exitDone, ""
			case between[n] && args != "--range 1:13:9":
				want, text = exitUsage, "out of range"
			case between[n]:
				want, text = exitDone, ""
			}
			if status != want || !strings.Contains(errs, text) || want != exitDone && strings.Count(errs, "\n") != 1 || want == exitDone && errs != "" {
				t.Errorf("%d of %d bytes, %s: exit status %d, %q; want %d, %q", n, len(data), args, status, errs, want, text)
			}
		}
		if status, _, errs := piped(t, data[:n], "framehash", "-"); (status == exitDone) != (between[n] && n > begin) || status == exitUsage {
			t.Errorf("%d of %d bytes, framehash: exit status %d, %q", n, len(data), status, errs)
		}
	}
	// Once all frames that were asked for have come nobody reads on.
	if status, _, errs := piped(t, data[:len(data)-1], "frames", "-", "--at", "1,3", "-o", "some"); status != exitDone || errs != "" {
		t.Errorf("of what was there: exit status %d, %q", status, errs)
	}
}

// A frame that cannot be decoded is nobody's fault who did not ask for it; who did is told, by whichever flag.
func TestPipeDamaged(t *testing.T) {
	data := moving(t, "-movflags", "+faststart", "-bf", "0")
	d, err := sprocket.Open(t.Context(), "clip.mp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	begin, err := d.Index().Start(t.Context(), 40)
	if err != nil {
		t.Fatal(err)
	}
	end, err := d.Index().Start(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	clear(data[begin.Pos:end.Pos])
	if err := os.WriteFile("clip.mp4", data, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args, stderr string
		status       int
	}{
		{"--at 5,79", "", exitDone},
		{"--range 0::35", "", exitDone},
		{"--times 0.1,2.5", "", exitDone},
		{"--at 5,45", "-: frame 45: ", exitInput},
		{"--every 15", "-: frame 45: ", exitInput},
		{"--times 0.1,1.51,2.5", "-: frame 45: ", exitInput},
	} {
		for _, from := range []string{"-", "clip.mp4"} {
			status, _, errs := piped(t, data, append(strings.Fields("frames -o out "+tt.args), from)...)
			if want := strings.Replace(tt.stderr, "-:", from+":", 1); status != tt.status || !strings.Contains(errs, want) || (want == "") != (errs == "") {
				t.Errorf("%s of %s: exit status %d, %q; want %d, %q", tt.args, from, status, errs, tt.status, want)
			}
		}
	}
}

// A response that breaks is told, whichever frames were asked for: it is not the frame's error that is read then.
func TestResponseThatBreaks(t *testing.T) {
	data := moving(t, "-movflags", "+frag_keyframe+empty_moov+default_base_moof")
	at := bytes.Index(data, []byte("moof")) - 4
	long := append(append(bytes.Clone(data[:at]), 0x01, 0x40, 0, 0, 'f', 'r', 'e', 'e'), make([]byte, 20<<20-8)...) // too long to be kept
	long = append(long, data[at:]...)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // no ranges
		w.Header().Set("Content-Length", strconv.Itoa(len(long)))
		_, _ = w.Write(long[:len(long)-1000]) // who reads may be gone
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	for _, args := range []string{"frames --every 50 -o out", "frames --at 1,99 -o out", "frames --times 0.1,9 -o out", "framehash", "packets"} {
		status, _, errs := sprocketIn(t, "", append(strings.Fields(args), s.URL)...)
		if status != exitInput || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "unexpected EOF") {
			t.Errorf("%s: exit status %d, %q", args, status, errs)
		}
	}
	for _, n := range []int{0, 1, 50} {
		if _, err := os.Stat(fmt.Sprintf("out/frame-%06d.png", n)); err != nil {
			t.Errorf("what came before is not written: %v", err)
		}
	}
	if status, _, errs := sprocketIn(t, "", "frames", "--at", "1,30", "-o", "some", s.URL); status != exitDone || errs != "" {
		t.Errorf("of what came: exit status %d, %q", status, errs)
	}
}
