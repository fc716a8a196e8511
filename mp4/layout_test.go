package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// filler are boxes that mean nothing, of each kind, and one nobody knows.
func filler() []byte {
	return slices.Concat(tm.Box("free", make([]byte, 5)), tm.Box("skip"), tm.Box("wide"), tm.Box("uuid", make([]byte, 20)), tm.Box("\xa9xyz", []byte("?")))
}

// sprinkle puts filler before, between and behind all boxes that hold boxes, and a 32-bit zero, with which QuickTime ends them, where they end.
func sprinkle(boxes []byte) []byte {
	var out []byte
	for len(boxes) >= 8 {
		size := binary.BigEndian.Uint32(boxes)
		typ, body := string(boxes[4:8]), boxes[8:size]
		out = append(out, filler()...)
		if slices.Contains([]string{"moov", "trak", "mdia", "minf", "stbl", "edts"}, typ) {
			body = append(sprinkle(body), 0, 0, 0, 0)
		}
		out = append(out, tm.Box(typ, body)...)
		boxes = boxes[size:]
	}
	return append(out, filler()...)
}

func TestFillerAnywhere(t *testing.T) {
	plain := tm.MP4(tm.Movie{Tracks: []tm.Track{gop(tm.Edit{Duration: 300, Time: 10})}, MoovLast: true})
	want := packets(t, mustOpen(t, plain), 0)
	moov := bytes.Index(plain, []byte("moov")) - 4
	file := slices.Concat(plain[:moov], sprinkle(plain[moov:]))
	d := mustOpen(t, file)
	if got := packets(t, d, 0); !slices.Equal(got, want) || len(d.Warnings()) > 0 {
		t.Errorf("%s, want %s; warnings %v", show(got), show(want), d.Warnings())
	}
	// QuickTime: no file type box, and the room for a 64-bit size before the media.
	tr := gop()
	media := plain[bytes.Index(plain, []byte("mdat"))-4 : moov]
	tr.Replace = map[string][]byte{"stco": tm.U32(0, 1, 8+8)}
	inner := tm.MP4(tm.Movie{Tracks: []tm.Track{tr}, MoovLast: true})
	file = slices.Concat(tm.Box("wide"), media, inner[bytes.Index(inner, []byte("moov"))-4:])
	d = mustOpen(t, file)
	got := packets(t, d, 0)
	var pk container.Packet
	if len(got) != len(want) || len(d.Warnings()) > 0 {
		t.Fatalf("%d packets, warnings %v", len(got), d.Warnings())
	}
	if err := d.Read(t.Context(), 0, got[3], &pk); err != nil || pk.Data[0] != tm.Pattern(0, 3, 0) {
		t.Errorf("packet 3: %v, %v", pk.Data, err)
	}
}

func TestMediaDataWithoutASize(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}})
	want := packets(t, mustOpen(t, file), 0)
	at := bytes.Index(file, []byte("mdat")) - 4
	copy(file[at:], tm.U32(0)) // to the end of the file
	d := mustOpen(t, file)
	if got := packets(t, d, 0); !slices.Equal(got, want) || len(d.Warnings()) > 0 {
		t.Errorf("%s, want %s; warnings %v", show(got), show(want), d.Warnings())
	}
	// What follows such a box is media too: there is no movie box.
	last := tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}, MoovLast: true})
	at = bytes.Index(last, []byte("mdat")) - 4
	copy(last[at:], tm.U32(0))
	_, err := Open(t.Context(), bytes.NewReader(last), nil)
	if !errors.Is(err, container.ErrCorrupt) || !strings.Contains(err.Error(), `no movie box: box "mdat" reaches to the end`) {
		t.Errorf("movie box in media data: %v", err)
	}
	// In a fragmented file the last fragment may have such a one.
	frag := tm.AppendFragment(initial(tm.Extends{}), plain(nil, 3))
	frag = tm.AppendFragment(frag, plain(nil, 3))
	at = bytes.LastIndex(frag, []byte("mdat")) - 4
	copy(frag[at:], tm.U32(0))
	d = mustOpen(t, frag)
	if got := packets(t, d, 0); len(got) != 6 || len(d.Warnings()) > 0 {
		t.Errorf("%d packets, warnings %v", len(got), d.Warnings())
	}
}

func TestNoMovieBox(t *testing.T) {
	file := tm.MP4(tm.Movie{Tracks: []tm.Track{gop()}, MoovLast: true})
	_, err := Open(t.Context(), bytes.NewReader(file[:bytes.Index(file, []byte("moov"))-4]), nil)
	if !errors.Is(err, container.ErrCorrupt) || !strings.Contains(err.Error(), "no movie box") {
		t.Errorf("cut off: %v", err)
	}
	checkLocated(t, err, int64(len(file)))
}

// far is a source of a head and, behind it, zeros.
type far struct {
	head []byte
	size int64
}

func (f far) Size() int64 { return f.size }

func (f far) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(f.head)) {
		copy(p, f.head[off:])
	}
	return len(p), nil
}

// Packets may lie behind 4 GiB.
func TestOffsetsOf64Bits(t *testing.T) {
	head, size := tm.MP4Head(tm.Movie{Wide: true, Tracks: []tm.Track{{Constant: 1 << 20, Count: 8192, PerChunk: 1}}})
	d, err := Open(t.Context(), far{head, size}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := packets(t, d, 0)
	if len(all) != 8192 || len(d.Warnings()) > 0 {
		t.Fatalf("%d packets, warnings %v", len(all), d.Warnings())
	}
	for i, p := range all {
		if want := int64(len(head)) + int64(i)<<20; p.Pos != want || p.Corrupt {
			t.Fatalf("packet %d lies at %d, want %d", i, p.Pos, want)
		}
	}
	var pk container.Packet
	if err := d.Read(t.Context(), 0, all[8191], &pk); err != nil || len(pk.Data) != 1<<20 {
		t.Errorf("the last packet: %d bytes, %v", len(pk.Data), err)
	}
}

// QuickTime's text and timecode tracks are listed beside the video, which stays the one that is taken.
func TestTextAndTimecodeTracks(t *testing.T) {
	entry := func(typ string, n int) [][]byte {
		return [][]byte{tm.Box(typ, make([]byte, 6), tm.U16(1), make([]byte, n))}
	}
	media := tm.Box("gmhd", tm.FullBox("gmin", 0, 0, make([]byte, 12)))[8:]
	file := tm.MP4(tm.Movie{Brand: "qt  ", Tracks: []tm.Track{
		{Handler: "text", Entries: entry("text", 43), Sizes: ones(3), Replace: map[string][]byte{"vmhd": nil}},
		{Handler: "tmcd", Entries: entry("tmcd", 26), Sizes: []uint32{4}, Deltas: []tm.Run{{Count: 1, Value: 80}}, Replace: map[string][]byte{"vmhd": media}},
		gop(),
	}})
	d := mustOpen(t, file)
	for i, c := range []struct {
		kind   container.Kind
		fourCC string
		n      int
	}{{container.Subtitle, "text", 3}, {container.Data, "tmcd", 1}, {container.Video, "avc1", 8}} {
		tr := d.Tracks()[i]
		if tr.Kind != c.kind || tr.FourCC != c.fourCC || !tr.Default {
			t.Errorf("track %d: %v %q, default %v; want %v %q", i, tr.Kind, tr.FourCC, tr.Default, c.kind, c.fourCC)
		}
		ps := packets(t, d, i)
		var pk container.Packet
		if len(ps) != c.n {
			t.Fatalf("track %d: %d packets, want %d", i, len(ps), c.n)
		}
		if err := d.Read(t.Context(), i, ps[0], &pk); err != nil || pk.Data[0] != tm.Pattern(i, 0, 0) {
			t.Errorf("track %d: %v", i, err)
		}
	}
	if len(d.Warnings()) > 0 {
		t.Errorf("warnings %v", d.Warnings())
	}
}
