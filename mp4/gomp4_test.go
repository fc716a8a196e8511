package mp4

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gomp4 "github.com/abema/go-mp4"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// libraryTrack is what go-mp4 reads of a track's small boxes.
type libraryTrack struct {
	id        uint32
	enabled   bool
	matrix    [9]int32
	timescale uint32
	duration  uint64
	handler   string
	fourCC    string
	edits     []edit
}

// libraryTracks reads the tracks of a movie with go-mp4. Tables are not touched: it reads them byte by byte.
func libraryTracks(r io.ReadSeeker) ([]*libraryTrack, error) {
	var tracks []*libraryTrack
	_, err := gomp4.ReadBoxStructure(r, func(h *gomp4.ReadHandle) (any, error) {
		var t *libraryTrack
		if len(tracks) > 0 {
			t = tracks[len(tracks)-1]
		}
		switch h.BoxInfo.Type.String() {
		case "trak":
			tracks = append(tracks, &libraryTrack{})
			return h.Expand()
		case "moov", "mdia", "edts", "minf", "stbl", "stsd":
			return h.Expand()
		case "tkhd", "mdhd", "hdlr", "elst":
		default:
			if t != nil && len(h.Path) > 2 && h.Path[len(h.Path)-2].String() == "stsd" && t.fourCC == "" {
				t.fourCC = h.BoxInfo.Type.String()
			}
			return nil, nil
		}
		b, _, err := h.ReadPayload()
		if err != nil || t == nil {
			return nil, err
		}
		switch b := b.(type) {
		case *gomp4.Tkhd:
			t.id, t.enabled, t.matrix = b.TrackID, b.CheckFlag(1), b.Matrix
		case *gomp4.Mdhd:
			t.timescale, t.duration = b.Timescale, b.GetDuration()
		case *gomp4.Hdlr:
			if h.Path[len(h.Path)-2].String() == "mdia" {
				t.handler = string(b.HandlerType[:])
			}
		case *gomp4.Elst:
			for i, e := range b.Entries {
				t.edits = append(t.edits, edit{b.GetSegmentDuration(i), b.GetMediaTime(i), int32(e.MediaRateInteger)<<16 | int32(uint16(e.MediaRateFraction))})
			}
		}
		return nil, nil
	})
	return tracks, err
}

// Of every movie of the corpus that go-mp4 reads, the small boxes say what they say to it.
func TestSmallBoxesEqualGoMP4(t *testing.T) {
	dir := corpus(t)
	files, tracks := 0, 0
	for _, name := range corpusFiles(t, dir) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := libraryTracks(f)
		if e := f.Close(); e != nil {
			t.Fatal(e)
		}
		if err != nil || len(want) == 0 {
			continue // it gives up at the first fault of any box
		}
		got, err := readTraks(t, filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%s: %v; go-mp4 reads %d tracks", name, err, len(want))
			continue
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d tracks, go-mp4 reads %d", name, len(got), len(want))
			continue
		}
		files++
		for i, g := range got {
			tracks++
			compareTrak(t, name, g, want[i])
		}
	}
	t.Logf("%d tracks of %d files", tracks, files)
	if files < 60 {
		t.Errorf("%d files were compared, want at least 60", files)
	}
}

// readTraks returns the track boxes of a movie as Open reads them.
func readTraks(t *testing.T, path string) ([]*trak, error) {
	t.Helper()
	f, err := source.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var limits container.Limits
	o := &opener{src: f, size: f.Size(), limits: limits.OrDefault()}
	moov, err := o.findMovie(t.Context(), nil)
	if err != nil {
		return nil, err
	}
	var traks []*trak
	o.each("moov", moov, func(b box) {
		if b.typ == "trak" {
			k := &trak{}
			o.readTrak(b, k)
			traks = append(traks, k)
		}
	})
	return traks, nil
}

func compareTrak(t *testing.T, name string, g *trak, w *libraryTrack) {
	t.Helper()
	var o opener
	edits, _ := o.readEdits(g)
	duration := int64(w.duration)
	if w.duration == 1<<32-1 || w.duration == 1<<64-1 {
		duration = -1 // not known, ISO/IEC 14496-12, 8.4.2.3
	}
	switch {
	case g.id != int(w.id), g.enabled != w.enabled:
		t.Errorf("%s: track %d, enabled %v; go-mp4 reads %d, %v", name, g.id, g.enabled, w.id, w.enabled)
	case g.timescale != int64(w.timescale), g.duration != duration:
		t.Errorf("%s: track %d: %d of 1/%d s; go-mp4 reads %d of 1/%d s", name, g.id, g.duration, g.timescale, w.duration, w.timescale)
	case g.handler != w.handler:
		t.Errorf("%s: track %d: handler %q; go-mp4 reads %q", name, g.id, g.handler, w.handler)
	case !slices.Equal(edits, w.edits):
		t.Errorf("%s: track %d: edits %v; go-mp4 reads %v", name, g.id, edits, w.edits)
	case fourCC(g.stsd) != w.fourCC:
		t.Errorf("%s: track %d: sample entry %q; go-mp4 reads %q", name, g.id, fourCC(g.stsd), w.fourCC)
	case g.matrix != matrix{int64(w.matrix[0]), int64(w.matrix[1]), int64(w.matrix[3]), int64(w.matrix[4])}:
		t.Errorf("%s: track %d: matrix %v; go-mp4 reads %v", name, g.id, g.matrix, w.matrix)
	}
}

// fourCC returns the type of the first sample entry.
func fourCC(stsd box) string {
	if len(stsd.body) < 16 {
		return ""
	}
	return string(stsd.body[12:16])
}
