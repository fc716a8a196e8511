//go:build cgo

package sprocket_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mp4"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// storeIndex makes a stored index of the video of a source.
func storeIndex(t *testing.T, src source.Source) *seek.StoredIndex {
	t.Helper()
	d, err := mp4.Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := seek.Build(t.Context(), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	id, err := seek.Identify(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	data, err := x.AppendIndex(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := seek.LoadIndex(data, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// The stream that the tests of fields are made of is one that FFmpeg decodes to the pictures it was built from.
func TestFieldsAreLegal(t *testing.T) {
	f := testmedia.Fields{Frames: 12, Every: 6}
	var want, data []byte
	c := f.AVCC()
	n := int(c[7])
	for _, nal := range [][]byte{c[8 : 8+n], c[8+n+3:]} {
		data = append(append(data, 0, 0, 0, 1), nal...)
	}
	for _, p := range f.Pairs() {
		want = append(want, p.Picture...)
		for _, nal := range [][]byte{p.Top, p.Bottom} {
			data = append(append(data, 0, 0, 0, 1), nal[4:]...)
		}
	}
	name := filepath.Join(t.TempDir(), "fields.h264")
	if err := os.WriteFile(name, data, 0o666); err != nil {
		t.Fatal(err)
	}
	got := run(t, "-xerror", "-err_detect", "explode", "-i", name, "-f", "rawvideo", "-vsync", "passthrough", "-")
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of pictures that are not those built, %d bytes", len(got), len(want))
	}
}

// fieldsMovie is an MP4 of field-coded pictures whose fields have a sample each, or one for both.
func fieldsMovie(f testmedia.Fields, separate bool) testmedia.Movie {
	tr := testmedia.Track{Timescale: 50, Entries: [][]byte{testmedia.VideoEntry("avc1", testmedia.FieldsWidth, testmedia.FieldsHeight, testmedia.Box("avcC", f.AVCC()))}}
	delta := uint32(2)
	for _, p := range f.Pairs() {
		if p.Key {
			tr.Sync = append(tr.Sync, uint32(len(tr.Data)+1))
		}
		if separate {
			delta = 1
			tr.Data = append(tr.Data, p.Top, p.Bottom)
		} else {
			tr.Data = append(tr.Data, append(bytes.Clone(p.Top), p.Bottom...))
		}
	}
	tr.Deltas = []testmedia.Run{{Count: uint32(len(tr.Data)), Value: delta}}
	return testmedia.Movie{Tracks: []testmedia.Track{tr}}
}

// Each frame is the two fields it was built from, whether those have a sample each or one for both: none is missing, none comes twice, none is made
// of fields of two frames.
func TestFieldsAreFrames(t *testing.T) {
	f := testmedia.Fields{Frames: 40, Every: 10}
	pairs := f.Pairs()
	for _, separate := range []bool{false, true} {
		file := testmedia.MP4(fieldsMovie(f, separate))
		for _, stored := range []bool{false, true} {
			o := &sprocket.VideoOptions{Native: true, Workers: 1}
			if stored {
				o.Index = storeIndex(t, bytes.NewReader(file))
			}
			d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file), o)
			if err != nil {
				t.Fatal(err)
			}
			if m := d.Metadata(); d.Len() != len(pairs) || m.Duration != 1600*time.Millisecond || m.AverageFPS != 25 || m.KeyFrames != 4 {
				t.Fatalf("separate %v: %d frames, %v, %v a second, %d keys", separate, d.Len(), m.Duration, m.AverageFPS, m.KeyFrames)
			}
			check := func(how string, fr *sprocket.Frame, err error, n int) {
				t.Helper()
				switch {
				case err != nil:
					t.Errorf("separate %v, stored %v, %s: frame %d: %v", separate, stored, how, n, err)
				case fr.N != n || !bytes.Equal(fr.Bytes(), pairs[n].Picture):
					t.Errorf("separate %v, stored %v, %s: frame %d (%d) is another picture", separate, stored, how, n, fr.N)
				case fr.Ticks != container.Ticks(2*n) || fr.DurationTicks != 2:
					t.Errorf("separate %v, stored %v, %s: frame %d at %d for %d", separate, stored, how, n, fr.Ticks, fr.DurationTicks)
				}
			}
			n := 0
			for fr, err := range d.Frames(t.Context()) {
				check("linear", fr, err, n)
				n++
			}
			if n != len(pairs) {
				t.Errorf("separate %v: %d frames in all, want %d", separate, n, len(pairs))
			}
			for n := len(pairs) - 1; n >= 0; n-- {
				fr, err := d.FrameAt(t.Context(), n)
				check("backward", fr, err, n)
			}
			ns := rand.New(rand.NewPCG(1, 2)).Perm(len(pairs))
			b, err := d.FramesAt(t.Context(), ns[:25])
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range ns[:25] {
				if !bytes.Equal(b.Index(i).Bytes(), pairs[n].Picture) {
					t.Errorf("separate %v, stored %v, shuffled: frame %d is another picture", separate, stored, n)
				}
			}
			// Fields that nobody needs are not decoded: of frames 1 and 9 of a GOP, those between that are not referred to.
			before := d.Stats()
			if _, err := d.FramesAt(t.Context(), []int{21, 29}); err != nil {
				t.Fatal(err)
			}
			if after := d.Stats(); after.Skipped == before.Skipped {
				t.Errorf("separate %v: no packet was skipped", separate)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A field that is not there costs its frame, and those made from it.
func TestAMissingFieldIsAnError(t *testing.T) {
	f := testmedia.Fields{Frames: 12, Every: 6}
	file := testmedia.MP4(fieldsMovie(f, true))
	d, err := sprocket.OpenVideo(t.Context(), bytes.NewReader(file[:len(file)-10]), &sprocket.VideoOptions{Native: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Len() != 12 {
		t.Fatalf("%d frames", d.Len())
	}
	if _, err := d.FrameAt(t.Context(), 10); err != nil {
		t.Error(err)
	}
	if _, err := d.FrameAt(t.Context(), 11); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the frame whose second field is cut: %v", err)
	}
	n, failed := 0, 0
	for _, err := range d.Frames(t.Context()) {
		if n++; err != nil {
			failed++
		}
	}
	if n != 12 || failed != 1 {
		t.Errorf("%d of %d frames failed, want the last of 12", failed, n)
	}
}

// A stream tells fields from frames as the index of a file does, also where the last field is cut.
func TestFieldsOfStreams(t *testing.T) {
	f := testmedia.Fields{Frames: 40, Every: 10}
	for _, separate := range []bool{false, true} {
		m := fieldsMovie(f, separate)
		file := testmedia.MP4(m)
		for _, cut := range []int{0, 10} {
			if n, ok := compareStream(t, "fields", file[:len(file)-cut], &sprocket.VideoOptions{Native: true}); n != 40 || !ok {
				t.Errorf("separate %v, %d bytes cut: %d frames", separate, cut, n)
			}
		}
	}
}

// An approximate index of fields that have packets of their own is exact: nothing less tells which are second ones. Others stay approximate.
func TestFieldsOfApproximateIndices(t *testing.T) {
	f := testmedia.Fields{Frames: 40, Every: 10}
	for _, separate := range []bool{false, true} {
		dir := t.TempDir()
		whole, parts := filepath.Join(dir, "whole.mp4"), filepath.Join(dir, "parts.mp4")
		if err := os.WriteFile(whole, testmedia.MP4(fieldsMovie(f, separate)), 0o666); err != nil {
			t.Fatal(err)
		}
		run(t, "-i", whole, "-c", "copy", "-movflags", "+frag_keyframe+empty_moov+default_base_moof+global_sidx", parts)
		d, err := sprocket.Open(t.Context(), parts, &sprocket.VideoOptions{Native: true, Approximate: true})
		if err != nil {
			t.Fatal(err)
		}
		if exact := d.Index().Kind() == seek.Exact; exact != separate {
			t.Errorf("separate %v: exact is %v", separate, exact)
		}
		for n, p := range f.Pairs() {
			fr, err := d.FramePlayedAt(t.Context(), time.Duration(n)*40*time.Millisecond)
			if err != nil || !bytes.Equal(fr.Bytes(), p.Picture) {
				t.Fatalf("separate %v: frame %d is another picture, or none: %v", separate, n, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The index of a track that may have fields reads the heads of some packets, and of all where they have packets of their own; of others it reads none.
func TestReadsToTellFields(t *testing.T) {
	f := testmedia.Fields{Frames: 60, Every: 10}
	for _, c := range []struct {
		separate bool
		most     int64
	}{{false, 16}, {true, 121}} {
		src := source.Count(bytes.NewReader(testmedia.MP4(fieldsMovie(f, c.separate))))
		d, err := mp4.Open(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := src.Counts()
		x, err := seek.Build(t.Context(), d, 0)
		if err != nil || x.Len() != 60 {
			t.Fatal(x.Len(), err)
		}
		if got := src.Counts().Reads - before.Reads; got != c.most {
			t.Errorf("separate %v: %d reads, want %d", c.separate, got, c.most)
		}
	}
}
