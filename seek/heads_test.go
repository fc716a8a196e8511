package seek_test

import (
	"bytes"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// distant is a source of which reads take a while, and one that counts them.
func distant(file []byte) (*source.Cache, *source.Counter) {
	below := source.Count(bytes.NewReader(file))
	return source.NewCache(below, &source.CacheOptions{BlockSize: 1 << 10}), below
}

// fieldMovie has a packet for each field, of some 1,600 bytes.
func fieldMovie(frames int) tm.Movie {
	f := tm.Fields{Frames: frames, Every: 1}
	tr := tm.Track{Timescale: 50, Entries: [][]byte{tm.VideoEntry("avc1", tm.FieldsWidth, tm.FieldsHeight, tm.Box("avcC", f.AVCC()))}}
	for _, p := range f.Pairs() {
		tr.Sync = append(tr.Sync, uint32(len(tr.Data)+1))
		tr.Data = append(tr.Data, p.Top, p.Bottom)
	}
	return tm.Movie{Tracks: []tm.Track{tr}}
}

// Of a distant source the heads of packets are fetched together: the first 16, then more and more.
func TestHeadsAreFetchedTogether(t *testing.T) {
	const frames = 1000
	src, below := distant(tm.MP4(fieldMovie(frames)))
	d, err := mp4.Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	reads := func(what string, most int64, work func() error) {
		t.Helper()
		before := below.Counts()
		if err := work(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n := below.Counts().Reads - before.Reads
		t.Logf("%s: %d reads, %d bytes", what, n, below.Counts().Bytes-before.Bytes)
		if n > most {
			t.Errorf("%s: %d reads, want at most %d", what, n, most)
		}
	}
	var x *seek.Table
	reads("build", 16, func() (err error) {
		x, err = seek.Build(t.Context(), d, 0)
		return err
	})
	if x.Len() != frames || x.Packets() != 2*frames {
		t.Errorf("%d frames of %d packets", x.Len(), x.Packets())
	}
	again := func() *mp4.Demuxer {
		src, below = distant(tm.MP4(fieldMovie(frames)))
		d, err := mp4.Open(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d = again()
	reads("verify", 16, func() error {
		v, err := seek.Verify(t.Context(), d, 0, nil)
		if err == nil && v.Told != 2*frames {
			t.Errorf("%d of %d packets told what they are", v.Told, v.Packets)
		}
		return err
	})
	d = again()
	reads("build verified", 32, func() error {
		_, _, err := seek.BuildVerified(t.Context(), d, 0, nil)
		return err
	})
	d = again()
	if x, err = seek.Build(t.Context(), d, 0); err != nil {
		t.Fatal(err)
	}
	reads("store", 16, func() error {
		_, err := x.AppendIndex(t.Context(), nil, seek.Identity{})
		return err
	})
}

// Heads that lie far from each other are asked for at once, and what lies between them is not read.
func TestDistantHeadsAreNotReadThrough(t *testing.T) {
	const packets, size = 40, 200 << 10
	tr := tm.Track{Entries: [][]byte{tm.VideoEntry("avc1", 16, 16, tm.Box("avcC", []byte{1, 100, 0, 31, 0xff, 0xe1, 0, 0}))}}
	for range packets {
		data := make([]byte, size)
		copy(data, []byte{0, 3, 0x1f, 0xfc, 0x65, 0x88})
		tr.Data = append(tr.Data, data)
	}
	src, below := distant(tm.MP4(tm.Movie{Tracks: []tm.Track{tr}}))
	d, err := mp4.Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := below.Counts()
	v, err := seek.Verify(t.Context(), d, 0, nil)
	if err != nil || v.Keys != packets {
		t.Fatalf("%+v, %v", v, err)
	}
	if after := below.Counts(); after.Reads-before.Reads > packets || after.Bytes-before.Bytes > packets*4<<10 {
		t.Errorf("%d reads, %d bytes for %d heads", after.Reads-before.Reads, after.Bytes-before.Bytes, packets)
	}
}

var _ container.Prefetching = (*mp4.Demuxer)(nil)
