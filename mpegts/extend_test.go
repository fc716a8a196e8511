package mpegts

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// TestGrowingStreamIsListedOnward: a listing that goes on where the one before ended is the listing of the whole, and reads only what is new.
func TestGrowingStreamIsListedOnward(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	units, aac := gop(1500, 30, wrap-1_000_000), sound(1500)
	clip(ts, units[:600], aac[:600])
	ts.Raw([]byte("damage"))
	clip(ts, units[600:], nil)
	file := ts.Bytes()
	whole := open(t, file, nil)
	want, wantSound := all(t, whole, 0), all(t, whole, 1)

	d := open(t, file[:100_000], nil)
	at := 100_000
	for i, step := range []int{1, 187, 188, 70_000, 333_333, 5, 250_000, len(file)} {
		all(t, d, 0)
		next := min(at+step, len(file))
		src := source.Count(bytes.NewReader(file[:next]))
		n, err := d.Extend(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		got := all(t, n, 0)
		fresh := open(t, file[:next], nil)
		if !reflect.DeepEqual(got, all(t, fresh, 0)) || !reflect.DeepEqual(all(t, n, 1), all(t, fresh, 1)) {
			t.Fatalf("step %d: the list is not that of %d bytes at once", i, next)
		}
		if g, w := n.Tracks(), fresh.Tracks(); !reflect.DeepEqual(g, w) {
			t.Errorf("step %d: tracks\n%+v, want\n%+v", i, g, w)
		}
		if g, w := fmt.Sprint(n.Warnings()), fmt.Sprint(fresh.Warnings()); g != w {
			t.Errorf("step %d: warnings %s, want %s", i, g, w)
		}
		if b := src.Counts().Bytes; b != int64(next-at) {
			t.Errorf("step %d: %d bytes were read for %d new ones", i, b, next-at)
		}
		again, err := d.Extend(t.Context(), bytes.NewReader(file[:next]))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(all(t, again, 0), got) {
			t.Errorf("step %d: the second extension is another", i)
		}
		d, at = n, next
	}
	if !reflect.DeepEqual(all(t, d, 0), want) || !reflect.DeepEqual(all(t, d, 1), wantSound) {
		t.Error("the last list is not that of the whole")
	}
}

// TestTableAtTheEndIsReadOnce: a table that is read only because the stream ends there is read again when it has grown, and its track is found.
func TestTableAtTheEndIsReadOnce(t *testing.T) {
	file := hostile()["a track that the last packet tells of"]
	d := open(t, file, nil)
	all(t, d, 0)
	if n := len(d.Tracks()); n != 2 {
		t.Fatalf("%d tracks, want 2", n)
	}
	ts := &tm.TS{}
	ts.Raw(file)
	for i, b := range sound(10) {
		ts.Packets(ts.PES(0x1f0, tm.PES{Stream: 0xc0, PTS: int64(i) * 1920, DTS: -1, Data: b})...)
	}
	n, err := d.Extend(t.Context(), bytes.NewReader(ts.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	all(t, n, 0)
	fresh := open(t, ts.Bytes(), nil)
	all(t, fresh, 0)
	if g, w := n.Tracks(), fresh.Tracks(); len(w) != 3 || !reflect.DeepEqual(g, w) {
		t.Fatalf("tracks\n%+v, want\n%+v", g, w)
	}
	same(t, n, 2, frames(sound(10), 0))
}
