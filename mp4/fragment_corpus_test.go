package mp4

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// Why packets of segments may differ from ffprobe 5.1.9's, with the clause of ISO/IEC 14496-12 that decides. docs/conformance.md says more, and
// conformance/known.tsv why those of whole files may.
const (
	runDuration = "8.8.8: the track run tells every duration; ffprobe takes none from it, and puts a guess or 0 in its place"
	lateShift   = "8.8.8: the composition time is the decode time and the offset; ffprobe adds a shift that it learned from the offsets of later packets"
)

// withInit is what the corpus' table says of a segment: the initial segment that ffprobe read before it, and how many packets it found.
var withInit = regexp.MustCompile(`with (\S+\.mp4): rc0 packets(\d+)`)

var segmentDifferences = []difference{
	{"hls/shaka/hls-iframe-only/segment--00001.mp4", 1, "duration", 1, runDuration},
	{"hls/shaka/hls-iframe-only/segment--00001.mp4", 1, "pts", 1, lateShift},
	{"hls/shaka/hls-iframe-only/segment--00002.mp4", 1, "duration", 1, runDuration},
	{"hls/shaka/hls-iframe-only/segment--00002.mp4", 1, "pts", 1, lateShift},
	{"hls/shaka/hls-mp4-muxed-aac-h264/hls11.m4s", 2, "duration", 1, runDuration},
	{"mp4/mp4ff/1.m4s", 1, "duration", 1, runDuration},
	{"mp4/mp4ff/av1_multitile_seg.m4s", 1, "duration", 3, runDuration},
	{"mp4/rx-player/DASH_static_SegmentTemplate_Multi_Periods/media/mp4-live-periods-aaclc-1.m4s", 1, "duration", 1, runDuration},
	{"mp4/shaka-loose/cea608-track-segment.mp4", 1, "duration", 21, runDuration},
	{"mp4/shaka/clear-encrypted/clear-a-s1.mp4", 1, "duration", 1, runDuration},
	{"mp4/shaka/clear-encrypted/clear-a-s2.mp4", 1, "duration", 1, runDuration},
	{"mp4/shaka/clear-encrypted/enc-a-s1.mp4", 1, "duration", 1, runDuration},
	{"mp4/shaka/clear-encrypted/enc-a-s2.mp4", 1, "duration", 1, runDuration},
	{"ts/http-streaming/mp4Muxed.mp4", 2, "duration", 1, runDuration},
}

// strangers are segments whose own initial segment is not in the corpus: that of another one says that their pictures are sound.
var strangers = map[string]bool{
	"mp4/mp4ff/multi_sidx_segment.m4s":  true,
	"ts/http-streaming/mp4Captions.mp4": true,
}

// TestCorpusSegments puts segments behind their initial segments. All packets are counted; those of pictures and sound are compared with
// ffprobe's where that is installed.
func TestCorpusSegments(t *testing.T) {
	dir := corpus(t)
	table, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]int{}
	for _, d := range segmentDifferences {
		allowed[d.file+" "+strconv.Itoa(d.track)+" "+d.field] = d.count
	}
	segments, tracks, equal, n := 0, 0, 0, 0
	for line := range strings.Lines(string(table)) {
		m := withInit.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, _, _ := strings.Cut(line, "\t")
		if strangers[name] {
			continue
		}
		segment, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		init, err := os.ReadFile(filepath.Join(dir, filepath.Dir(name), m[1]))
		if err != nil {
			t.Fatal(err)
		}
		file := slices.Concat(init, segment)
		d := mustOpen(t, file)
		segments++
		want := probeFile(t, file)
		count := 0
		for i, tr := range d.Tracks() {
			count += len(packets(t, d, i))
			if want == nil || tr.Kind != container.Video && tr.Kind != container.Audio {
				continue
			}
			tracks++
			counts, k := compare(t, d, i, tr, want)
			n += k
			if len(counts) == 0 {
				equal++
			}
			for field, c := range counts {
				key := name + " " + strconv.Itoa(tr.ID) + " " + field
				if allowed[key] != c {
					t.Errorf("%s: %d differences; the table allows %d", key, c, allowed[key])
				}
				delete(allowed, key)
			}
		}
		if says, _ := strconv.Atoi(m[2]); count != says {
			t.Errorf("%s: %d packets, ffprobe found %d; %v", name, count, says, d.Warnings())
		}
	}
	for key := range allowed {
		if n > 0 {
			t.Errorf("%s: the table says it differs, and it does not", key)
		}
	}
	t.Logf("%d segments, %d tracks, %d packets; %d tracks equal in all fields", segments, tracks, n, equal)
}

// probeFile returns what ffprobe says of a file, or nil where it is not installed, and in short tests.
func probeFile(t *testing.T, file []byte) *probe {
	t.Helper()
	tool, err := exec.LookPath("ffprobe")
	if err != nil || testing.Short() {
		return nil
	}
	name := filepath.Join(t.TempDir(), "segment.mp4")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tool, "-v", "quiet", "-of", "json", "-show_packets", "-show_streams", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	var p probe
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}
