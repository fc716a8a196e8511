package seek_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// The index of a real file takes at most 12 bytes a packet, and tells the same packets when it is loaded.
func TestStoredIndicesOfTheCorpus(t *testing.T) {
	dir := os.Getenv("SPROCKET_CORPUS")
	if dir == "" {
		t.Skip("no corpus: set SPROCKET_CORPUS")
	}
	var tracks, long int
	var packets, bytes int64
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		src, err := source.OpenFile(name)
		if err != nil {
			return err
		}
		defer src.Close()
		d, err := container.Open(t.Context(), src, []container.Format{mp4.Format, mpegts.Format}, nil)
		if err != nil {
			return nil // what can be opened is for other tests to say
		}
		defer d.Close()
		for track := range d.Tracks() {
			n, size := storedAgain(t, name, src, d.(container.SeekableDemuxer), track)
			if tracks++; n < 1000 { // of a few packets, the description of the track is most of it
				continue
			}
			if size > 12*n {
				t.Errorf("%s, track %d: %d bytes for %d packets", name, track, size, n)
			}
			long, packets, bytes = long+1, packets+n, bytes+size
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if tracks == 0 || packets == 0 {
		t.Fatal("no index was stored")
	}
	t.Logf("%d tracks; %d of 1000 packets or more: %.2f bytes a packet", tracks, long, float64(bytes)/float64(packets))
}

// storedAgain stores the index of a track, loads it and compares. It returns how many packets it has, and bytes.
func storedAgain(t *testing.T, name string, src source.Source, d container.SeekableDemuxer, track int) (packets, size int64) {
	x, err := seek.Build(t.Context(), d, track)
	if err != nil {
		return 0, 0
	}
	id, err := seek.Identify(t.Context(), src)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	data, err := x.AppendIndex(t.Context(), nil, id)
	if errors.Is(err, container.ErrLimit) {
		t.Logf("%s, track %d: %v", name, track, err)
		return 0, 0
	}
	if err != nil {
		t.Errorf("%s, track %d: %v", name, track, err)
		return 0, 0
	}
	s, err := seek.LoadIndex(data, container.Limits{})
	if err != nil {
		t.Errorf("%s, track %d: %v", name, track, err)
		return 0, 0
	}
	y, stored, err := s.Table(t.Context(), src, container.Limits{})
	if err != nil || y.Len() != x.Len() || y.KeyPackets() != x.KeyPackets() || y.ReorderDepth() != x.ReorderDepth() {
		t.Errorf("%s, track %d: the loaded index differs, %v", name, track, err)
		return 0, 0
	}
	n := int64(0)
	for want, err := range d.List(t.Context(), track, container.PacketInfo{}) {
		if err != nil {
			t.Fatalf("%s, track %d: %v", name, track, err)
		}
		for got := range stored.List(t.Context(), 0, container.PacketInfo{N: n}) {
			if got.Track = track; got != want {
				t.Errorf("%s, track %d: loaded packet %+v, want %+v", name, track, got, want)
				return 0, 0
			}
			break
		}
		n++
	}
	if n != y.Packets() {
		t.Errorf("%s, track %d: %d packets loaded, want %d", name, track, y.Packets(), n)
	}
	return n, int64(len(data))
}
