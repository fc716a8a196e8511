package mp4

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// dumpSample is one sample of a dump that a player's extractor made.
type dumpSample struct {
	time  int64 // microseconds
	flags int64
	size  int
	hash  uint32
}

// readDump returns the samples of a dump by track ID.
func readDump(t *testing.T, name string) map[int][]dumpSample {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tracks := map[int][]dumpSample{}
	id, inFormat := -1, false
	var s dumpSample
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		var n int
		switch {
		case strings.HasPrefix(line, "track "):
			id = -1 // some tracks do not say theirs
		case strings.HasPrefix(line, "format "):
			inFormat = true
		case strings.HasPrefix(line, "sample "):
			inFormat = false
		case inFormat && strings.HasPrefix(line, "id = "):
			_, err = fmt.Sscanf(line, "id = %d", &id)
		case strings.HasPrefix(line, "time = "):
			_, err = fmt.Sscanf(line, "time = %d", &s.time)
		case strings.HasPrefix(line, "flags = "):
			_, err = fmt.Sscanf(line, "flags = %d", &s.flags)
		case !inFormat && strings.HasPrefix(line, "data = length "):
			n, err = fmt.Sscanf(line, "data = length %d, hash %X", &s.size, &s.hash)
			if n == 2 {
				tracks[id] = append(tracks[id], s)
			}
		}
		if err != nil {
			t.Fatalf("%s: %q: %v", name, line, err)
		}
	}
	return tracks
}

// dumpHash is the hash that the dumps hold. In pictures it overwrites each four-byte length with a start code first, as they did.
func dumpHash(b []byte, nals bool) uint32 {
	for rest := b; nals && len(rest) >= 4; {
		n := int64(be32(rest))
		copy(rest, "\x00\x00\x00\x01")
		rest = rest[min(4+n, int64(len(rest))):]
	}
	h := uint32(1)
	for _, c := range b {
		h = 31*h + uint32(int32(int8(c)))
	}
	return h
}

// gapless are tracks whose dumps differ on purpose: sound that an edit trims keeps the media's times there, from 0,
// and what is trimmed is told to the decoder instead.
var gapless = map[string]bool{
	"sample_edit_list.mp4 track 2":       true,
	"sample_mpegh_mhm1.mp4 track 1":      true,
	"sample_with_color_info.mp4 track 2": true,
}

// encrypted is the flag of an encrypted sample in a dump.
const encrypted = 1 << 30

// TestAndroidxDumps compares times, sizes, key flags and bytes with those of an extractor that is not FFmpeg's.
func TestAndroidxDumps(t *testing.T) {
	dir := corpus(t)
	dumps, err := filepath.Glob(filepath.Join(dir, "expected", "androidx", "mp4", "*.0.dump"))
	if err != nil {
		t.Fatal(err)
	}
	files, tracks, samples := 0, 0, 0
	for _, name := range dumps {
		file := strings.TrimSuffix(filepath.Base(name), ".0.dump")
		d, err := openFile(t, filepath.Join(dir, "mp4", "androidx", file))
		if errors.Is(err, container.ErrUnsupported) {
			continue // fragments alone
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		files++
		want := readDump(t, name)
		for i, tr := range d.Tracks() {
			if len(want[tr.ID]) == 0 || tr.Kind != container.Video && tr.Kind != container.Audio {
				continue
			}
			tracks++
			samples += compareDump(t, file, d, i, want[tr.ID])
		}
	}
	t.Logf("%d files, %d tracks, %d samples", files, tracks, samples)
}

func compareDump(t *testing.T, file string, d *Demuxer, track int, want []dumpSample) int {
	t.Helper()
	tr := d.Tracks()[track]
	got := packets(t, d, track)
	if len(got) > len(want) { // that extractor leaves out what is outside the edit
		shown := got[:0:0]
		for _, p := range got {
			if !p.Discard {
				shown = append(shown, p)
			}
		}
		got = shown
	}
	where := fmt.Sprintf("%s track %d", file, tr.ID)
	if gapless[where] && len(got) <= len(want) {
		want = want[:len(got)]
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d packets, want %d", where, len(got), len(want))
		return 0
	}
	nals := tr.Codec == "h264" || tr.Codec == "hevc" || tr.Codec == "vvc"
	two := file == "sample_2_byte_NAL_length.mp4" && nals
	tick := 1e6 / float64(tr.Timebase.Den)
	var pk container.Packet
	for i, p := range got {
		w := want[i]
		// Their edit offset is rounded to a microsecond, ours to a tick.
		if us := tr.Timebase.Seconds(p.PTS) * 1e6; !gapless[where] && math.Abs(us-float64(w.time)) > max(tick, 2) {
			t.Errorf("%s packet %d: time %.0f, want %d", where, i, us, w.time)
		}
		if (w.flags&1 != 0) != p.Key {
			t.Errorf("%s packet %d: key %v, flags %#x", where, i, p.Key, w.flags)
		}
		if two {
			continue // lengths of two bytes have become start codes of four
		}
		if w.flags&encrypted != 0 {
			continue // they put what it takes to decrypt it before the bytes
		}
		if p.Size != w.size {
			t.Errorf("%s packet %d: %d bytes, want %d", where, i, p.Size, w.size)
			continue
		}
		if err := d.Read(t.Context(), track, p, &pk); err != nil {
			t.Error(err)
		} else if h := dumpHash(pk.Data, nals); h != w.hash {
			t.Errorf("%s packet %d: hash %X, want %X", where, i, h, w.hash)
		}
	}
	return len(got)
}
