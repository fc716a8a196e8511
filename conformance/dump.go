package conformance

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sprocket-video/sprocket/container"
)

// dumpSample is one sample of a dump that ExoPlayer's extractor made.
type dumpSample struct {
	time  int64 // microseconds
	flags int64
	size  int
	hash  uint32
}

// Flags of a sample in a dump.
const (
	dumpKey       = 1
	dumpEncrypted = 1 << 30
)

// dumpFile returns where the dump of a file may be: expected/B/A/REST.0.dump for A/B/REST.
func (r *runner) dumpFile(name string) string {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 3 {
		return ""
	}
	return filepath.Join(r.dir, filepath.FromSlash(path.Join("expected", parts[1], parts[0], parts[2]+".0.dump")))
}

// readDump returns the samples of a dump by track ID, or by what the dump calls the track where it does not tell; nil when there is no dump.
func readDump(name string) (map[int][]dumpSample, error) {
	f, err := os.Open(name)
	if name == "" || os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tracks := map[int][]dumpSample{}
	id, inFormat := -1, false
	var s dumpSample
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		var n int
		switch {
		case strings.HasPrefix(line, "track ") && strings.HasSuffix(line, ":"):
			id, err = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, "track "), ":"))
		case strings.HasPrefix(line, "format "):
			inFormat = true
		case strings.HasPrefix(line, "sample "):
			inFormat = false
		case inFormat && strings.HasPrefix(line, "id = "):
			name := strings.TrimPrefix(line, "id = ") // of a transport stream: the program, or what else, and the PID
			id, err = strconv.Atoi(name[strings.LastIndexByte(name, '/')+1:])
		case strings.HasPrefix(line, "time = "):
			_, err = fmt.Sscanf(line, "time = %d", &s.time)
		case strings.HasPrefix(line, "flags = "):
			_, err = fmt.Sscanf(line, "flags = %d", &s.flags)
		case !inFormat && strings.HasPrefix(line, "data = length "):
			if n, err = fmt.Sscanf(line, "data = length %d, hash %X", &s.size, &s.hash); n == 2 {
				tracks[id] = append(tracks[id], s)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", name, line, err)
		}
	}
	return tracks, lines.Err()
}

// dumpHash is the hash that dumps hold: that of Java's Arrays.hashCode. In pictures each four-byte length is first overwritten with
// a start code, as the extractor does.
func dumpHash(b []byte, nals bool) uint32 {
	for rest := b; nals && len(rest) >= 4; {
		n := int64(binary.BigEndian.Uint32(rest))
		copy(rest, "\x00\x00\x00\x01")
		rest = rest[min(4+n, int64(len(rest))):]
	}
	h := uint32(1)
	for _, c := range b {
		h = 31*h + uint32(int32(int8(c)))
	}
	return h
}

// dumpZero returns the time from which a dump counts: in a transport stream the decode time of the packet that is stored first.
func dumpZero(ctx context.Context, d container.SeekableDemuxer) container.Ticks {
	var first container.PacketInfo
	found := false
	for i := range d.Tracks() {
		if d.Tracks()[i].Transport == nil {
			return 0
		}
		for p, err := range d.List(ctx, i, container.PacketInfo{}) {
			if err == nil && (!found || p.Pos < first.Pos) && !d.Tracks()[i].Transport.Sections {
				first, found = p, true
			}
			break
		}
	}
	return first.DTS
}

// compareDump compares every sample that a dump has of a track.
func (c *fileCheck) compareDump(ctx context.Context, track int, got []container.PacketInfo, want []dumpSample) {
	tr := &c.demuxer.Tracks()[track]
	if len(got) > len(want) { // the extractor leaves out what is outside the edit
		shown := got[:0:0]
		for _, p := range got {
			if !p.Discard {
				shown = append(shown, p)
			}
		}
		got = shown
	}
	t := newTally(tr.ID)
	defer func() { c.settle(t, "the dump") }()
	if len(got) != len(want) {
		t.add("dump packets", max(len(got)-len(want), len(want)-len(got)), fmt.Sprintf("%d packets, not %d", len(got), len(want)))
		got = got[:min(len(got), len(want))]
	}
	nals := (tr.Codec == "h264" || tr.Codec == "hevc" || tr.Codec == "vvc") && tr.Transport == nil
	tick := tr.Timebase.Seconds(1) * 1e6
	var pk container.Packet
	for i, p := range got {
		w := want[i]
		// The extractor rounds an edit's offset to a microsecond, not to a tick.
		if us := tr.Timebase.Seconds(p.PTS-c.dumpZero) * 1e6; math.Abs(us-float64(w.time)) > max(tick, 2) {
			t.add("dump time", 1, fmt.Sprintf("packet %d at %.0f µs, not %d", i, us, w.time))
		}
		t.flag(i, "dump key", p.Key, w.flags&dumpKey != 0)
		if w.flags&dumpEncrypted != 0 {
			continue // the extractor puts what it takes to decrypt it before the bytes
		}
		if p.Size != w.size {
			t.note(i, "dump size", int64(p.Size), int64(w.size))
			continue
		}
		if err := c.demuxer.Read(ctx, track, p, &pk); err != nil {
			c.fail("track %d packet %d: %v", tr.ID, p.N, err)
			return
		}
		if h := dumpHash(pk.Data, nals); h != w.hash {
			t.add("dump bytes", 1, fmt.Sprintf("packet %d has hash %X, not %X", i, h, w.hash))
		}
	}
	c.dumped += len(got)
}
