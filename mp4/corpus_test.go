package mp4

import (
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// corpus returns the directory of the corpus, or skips.
func corpus(tb testing.TB) string {
	tb.Helper()
	return tm.Corpus(tb)
}

// probe is what ffprobe -show_packets -show_streams printed.
type probe struct {
	Packets []probePacket `json:"packets"`
	Streams []probeStream `json:"streams"`
}

type probePacket struct {
	Stream   int    `json:"stream_index"`
	PTS      *int64 `json:"pts"`
	DTS      *int64 `json:"dts"`
	Duration int64  `json:"duration"`
	Size     string `json:"size"`
	Pos      string `json:"pos"`
	Flags    string `json:"flags"`
}

type probeStream struct {
	Index       int    `json:"index"`
	ID          string `json:"id"`
	Codec       string `json:"codec_name"`
	Type        string `json:"codec_type"`
	Tag         string `json:"codec_tag_string"`
	Width       int    `json:"width"`
	SampleRate  string `json:"sample_rate"`
	Channels    int    `json:"channels"`
	TimeBase    string `json:"time_base"`
	Aspect      string `json:"sample_aspect_ratio"`
	Extradata   int    `json:"extradata_size"`
	Start       int64  `json:"start_pts"`
	Disposition struct {
		AttachedPic int `json:"attached_pic"`
	} `json:"disposition"`
}

func readProbe(tb testing.TB, name string) (*probe, bool) {
	tb.Helper()
	f, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var p probe
	if err := json.NewDecoder(z).Decode(&p); err != nil {
		return nil, false
	}
	return &p, true
}

// corpusFiles returns the movies of the corpus, with paths relative to it.
func corpusFiles(tb testing.TB, dir string) []string {
	tb.Helper()
	var names []string
	for _, sub := range []string{"mp4", "camera", "ts", "hls"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			switch strings.ToLower(filepath.Ext(path)) {
			case ".mp4", ".mov", ".m4v", ".m4a", ".3gp", ".qt", ".isma":
				rel, err := filepath.Rel(dir, path)
				names = append(names, filepath.ToSlash(rel))
				return err
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return names
}

func openFile(tb testing.TB, name string) (*Demuxer, error) {
	tb.Helper()
	f, err := source.OpenFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() }) // read only
	return Open(tb.Context(), f, nil)
}

// difference is a kind of difference from ffprobe: how many packets of a track differ in a field.
type difference struct {
	file   string
	track  int // track ID
	field  string
	count  int
	reason string
}

// compare returns the number of packets that differ, by field, and the number compared.
func compare(t *testing.T, d *Demuxer, track int, tr container.Track, want *probe) (map[string]int, int) {
	t.Helper()
	stream := -1
	for _, s := range want.Streams {
		id, err := strconv.ParseInt(s.ID, 0, 64)
		if err == nil && int(id) == tr.ID && s.Disposition.AttachedPic == 0 {
			stream = s.Index
		}
	}
	counts := map[string]int{}
	if stream < 0 {
		counts["stream"]++
		return counts, 0
	}
	var theirs []probePacket
	for _, p := range want.Packets {
		if p.Stream == stream {
			theirs = append(theirs, p)
		}
	}
	n := 0
	var ours []container.PacketInfo
	for p, err := range d.List(t.Context(), track, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, p)
	}
	if len(ours) != len(theirs) {
		counts["packets"] = len(ours) - len(theirs)
	}
	for i := range min(len(ours), len(theirs)) {
		n++
		p, q := ours[i], theirs[i]
		note := func(field string, ours, theirs any) {
			if ours == theirs {
				return
			}
			if counts[field]++; counts[field] <= 3 && testing.Verbose() {
				t.Logf("%s track %d packet %d %s = %v, ffprobe says %v", t.Name(), tr.ID, i, field, ours, theirs)
			}
		}
		if q.PTS != nil {
			note("pts", int64(p.PTS), *q.PTS)
		}
		if q.DTS != nil {
			note("dts", int64(p.DTS), *q.DTS)
		}
		note("duration", int64(p.Duration), q.Duration)
		note("size", strconv.Itoa(p.Size), q.Size)
		note("pos", strconv.FormatInt(p.Pos, 10), q.Pos)
		note("key", p.Key, strings.Contains(q.Flags, "K"))
		note("discard", p.Discard, strings.Contains(q.Flags, "D"))
	}
	return counts, n
}
