package mp4

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// TestCorpusStreams compares what the headers say of every picture and sound track with ffprobe's streams.
func TestCorpusStreams(t *testing.T) {
	dir := corpus(t)
	tracks := 0
	for _, name := range corpusFiles(t, dir) {
		want, ok := readProbe(t, filepath.Join(dir, "_ffprobe", filepath.FromSlash(name)+".json.gz"))
		if !ok {
			continue
		}
		d, err := openFile(t, filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			continue // conformance.TestCorpus says so
		}
		for _, s := range want.Streams {
			for _, tr := range d.Tracks() {
				if id, err := strconv.ParseInt(s.ID, 0, 64); err != nil || int(id) != tr.ID || s.Disposition.AttachedPic != 0 {
					continue
				}
				tracks++
				check := func(field string, got, want any) {
					t.Helper()
					key := fmt.Sprintf("%s %d %s", name, tr.ID, field)
					if fmt.Sprint(got) != fmt.Sprint(want) && streamDifferences[key] == "" {
						t.Errorf("%s = %v, want %v", key, got, want)
					}
				}
				check("timebase", tr.Timebase, s.TimeBase)
				switch tr.Kind {
				case container.Video:
					check("type", tr.Kind, s.Type)
					check("codec", tr.Codec, s.Codec)
					check("config", len(tr.Config), s.Extradata)
					check("width", tr.Video.Width, s.Width)
					if s.Aspect != "" && tr.Video.PixelAspect.Num > 0 { // ffprobe also takes it out of parameter sets
						check("aspect", tr.Video.PixelAspect, s.Aspect)
					}
				case container.Audio:
					check("type", tr.Kind, s.Type)
					check("codec", tr.Codec, s.Codec)
					check("config", len(tr.Config), s.Extradata)
					check("channels", tr.Audio.Channels, s.Channels)
					check("rate", tr.Audio.SampleRate, s.SampleRate)
				}
			}
		}
	}
	t.Logf("%d tracks", tracks)
}

// streamDifferences are the differences that are right, by file, track and field.
var streamDifferences = map[string]string{
	"mp4/androidx/bbb_800x640_768kbps_30fps_vp9.mp4 1 config":    "vpcC is kept; FFmpeg 5.1 drops it",
	"mp4/androidx/sample_fragmented_iamf.mp4 1 codec":            "FFmpeg 5.1 does not know IAMF",
	"mp4/androidx/sample_vvc.mp4 1 codec":                        "FFmpeg 5.1 does not know VVC",
	"mp4/androidx/sample_vvc.mp4 1 config":                       "FFmpeg 5.1 does not know VVC",
	"mp4/androidx/sample_with_fake_auxiliary_tracks.mp4 1 width": "the sample entry says 12; the parameter set crops to 10",
	"mp4/mp4ff/init.mp4 1 rate":                                  "implicit SBR: only the decoder can know",
}
