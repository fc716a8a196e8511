package mp4

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// TestCorpusPackets compares every packet of every picture and sound track with ffprobe's.
func TestCorpusPackets(t *testing.T) {
	dir := corpus(t)
	allowed := map[string]difference{}
	for _, d := range slices.Concat(differences, fragmentDifferences) {
		allowed[fmt.Sprintf("%s %d %s", d.file, d.track, d.field)] = d
	}
	type score struct{ files, tracks, equal, packets int }
	scores := map[string]*score{"progressive": {}, "fragmented": {}}
	for _, name := range corpusFiles(t, dir) {
		want, ok := readProbe(t, filepath.Join(dir, "_ffprobe", filepath.FromSlash(name)+".json.gz"))
		if !ok || len(want.Streams) == 0 {
			continue
		}
		d, err := openFile(t, filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, container.ErrUnsupported) {
			continue // fragments alone
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := scores["progressive"]
		if d.walk != nil {
			s = scores["fragmented"]
		}
		s.files++
		for i, tr := range d.Tracks() {
			if tr.Kind != container.Video && tr.Kind != container.Audio {
				continue
			}
			s.tracks++
			counts, n := compare(t, d, i, tr, want)
			s.packets += n
			for field, count := range counts {
				key := fmt.Sprintf("%s %d %s", name, tr.ID, field)
				if a, ok := allowed[key]; !ok || a.count != count {
					t.Errorf("%s: %d differences; the table allows %d", key, count, a.count)
				}
				delete(allowed, key)
			}
			if len(counts) == 0 {
				s.equal++
			}
		}
	}
	for key := range allowed {
		t.Errorf("%s: the table says it differs, and it does not", key)
	}
	for kind, s := range scores {
		t.Logf("%s: %d files, %d tracks, %d packets; %d tracks equal in all fields", kind, s.files, s.tracks, s.packets, s.equal)
	}
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

// Why packets may differ from ffprobe 5.1.9's, with the clause of ISO/IEC 14496-12 that decides. docs/conformance.md says more.
const (
	lastDuration = "8.6.1.2: stts tells how long the last sample lasts; ffprobe takes the end of the track, or of the edit, less its decode time"
	guessed      = "8.6.1.2: stts tells every duration; ffprobe guesses from a frame rate in tracks with composition offsets"
	zeroDuration = "8.6.1.2: stts says 0; ffprobe puts a guess in its place"
	parsed       = "8.6.1.2: stts tells every duration; ffprobe's AC-3 parser puts the frame length in its place"
	editStart    = "8.6.6: the edit begins at its media time; ffprobe moves the first whole picture after it there"
	intraIsKey   = "8.6.2: stss tells which samples are sync samples; ffprobe's parser adds intra pictures that are not among them"
	pastEnd      = "the file is cut: the sample table still tells of these packets; ffprobe stops at the first one"
	cutPacket    = "the file is cut in this packet: its size and key flag are the tables', ffprobe's those of the rest"
)

var differences = []difference{
	{"camera/metadata-extractor/FLIR Thermal.mp4", 1, "duration", 84, guessed},
	{"camera/metadata-extractor/sample.3gp", 1, "duration", 1, lastDuration},
	{"mp4/androidx/bt601.mov", 1, "duration", 1, lastDuration},
	{"mp4/androidx/bt601.mov", 2, "duration", 1, guessed},
	{"mp4/androidx/edit_list_positive_shift.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/iibbibb_editlist_videoonly.mp4", 1, "dts", 13, editStart},
	{"mp4/androidx/iibbibb_editlist_videoonly.mp4", 1, "pts", 13, editStart},
	{"mp4/androidx/sample.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/sample_2_byte_NAL_length.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/sample_alac.mp4", 1, "duration", 1, lastDuration},
	{"mp4/androidx/sample_edit_list.mp4", 1, "dts", 86, editStart},
	{"mp4/androidx/sample_edit_list.mp4", 1, "duration", 4, guessed},
	{"mp4/androidx/sample_edit_list.mp4", 1, "pts", 86, editStart},
	{"mp4/androidx/sample_edit_list.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/sample_empty_track.mp4", 1, "duration", 1, zeroDuration},
	{"mp4/androidx/sample_empty_track.mp4", 3, "duration", 1, zeroDuration},
	{"mp4/androidx/sample_mdat_too_long.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/sample_missing_stsd.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/sample_mpegh_mhm1.mp4", 1, "duration", 1, lastDuration},
	{"mp4/androidx/sample_opus.mp4", 1, "duration", 1, lastDuration},
	{"mp4/androidx/sample_rotate_and_reflect.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/sample_with_color_info.mp4", 2, "duration", 1, lastDuration},
	{"mp4/androidx/sample_with_fake_auxiliary_tracks.mp4", 1, "duration", 5, zeroDuration},
	{"mp4/androidx/sample_with_vobsub.mp4", 1, "duration", 30, guessed},
	{"mp4/androidx/sample_with_vobsub.mp4", 2, "duration", 8, parsed},
	{"mp4/flutter/Butterfly-209.mp4", 2, "duration", 1, lastDuration},
	{"mp4/go-mp4/sample_qt.mp4", 1, "key", 1, cutPacket},
	{"mp4/go-mp4/sample_qt.mp4", 1, "packets", 14314, pastEnd},
	{"mp4/go-mp4/sample_qt.mp4", 1, "size", 1, cutPacket},
	{"mp4/go-mp4/sample_qt.mp4", 2, "packets", 27957, pastEnd},
	{"mp4/mp4ff/init_prog.mp4", 1, "packets", 480, pastEnd},
	{"mp4/mp4parser/Tiny Sample - NEW - Metaxed.mp4", 1, "key", 3, intraIsKey},
	{"mp4/mp4parser/count-video.mp4", 1, "duration", 245, guessed},
	{"mp4/shaka-loose/small.mp4", 2, "duration", 1, lastDuration},
	{"mp4/simpl/smaller.mp4", 1, "duration", 899, guessed},
}
