package seek

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

func TestFrameMappings(t *testing.T) {
	f := newFake("h264", gop(gop(nil, 0, 30, 10, 20), 40, 50)...)
	x := build(t, f)
	text := x.AppendFrameMappings(nil)
	var got struct {
		Frames []struct{ PTS, Duration, Key_frame int64 }
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var pts, keys []int64
	for _, f := range got.Frames {
		pts, keys = append(pts, f.PTS), append(keys, f.Key_frame)
		if f.Duration != 10 {
			t.Errorf("duration %d, want 10", f.Duration)
		}
	}
	if !slices.Equal(pts, []int64{0, 10, 20, 30, 40, 50}) || !slices.Equal(keys, []int64{1, 0, 0, 0, 1, 0}) {
		t.Errorf("pts %v, keys %v", pts, keys)
	}
	back, err := BuildMapped(t.Context(), f, 0, text)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := packets(t, back), packets(t, x); !slices.Equal(got, want) {
		t.Errorf("read back, the packets of frames are %v, want %v", got, want)
	}
}

func TestFrameMappingsOfSomeFrames(t *testing.T) {
	f := newFake("h264", gop(gop(nil, 0, 30, 10, 20), 40, 50)...)
	x, err := BuildMapped(t.Context(), f, 0, []byte(`{"frames":[{"pkt_pts":40,"pkt_duration":10,"key_frame":1},{"pkt_pts":10}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := packets(t, x), []int64{2, 4}; !slices.Equal(got, want) {
		t.Errorf("packets of frames = %v, want %v", got, want)
	}
	if a, _ := x.Frame(0); a.Duration != 30 || a.Key {
		t.Errorf("frame 0 = %+v", a)
	}
	if start, err := x.Start(t.Context(), 1); err != nil || start.N != 4 {
		t.Errorf("Start(1) = packet %d, %v", start.N, err)
	}
	// A stored index has no room for frames that are left out.
	if data, err := x.AppendIndex(t.Context(), nil, Identity{}); !errors.Is(err, container.ErrUnsupported) || len(data) > 0 {
		t.Errorf("stored: %d bytes, %v", len(data), err)
	}
	all, err := BuildMapped(t.Context(), f, 0, build(t, f).AppendFrameMappings(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.AppendIndex(t.Context(), nil, Identity{}); err != nil {
		t.Errorf("all frames stored: %v", err)
	}
}

func TestBadFrameMappings(t *testing.T) {
	f := newFake("h264", gop(nil, 0, 10)...)
	for _, c := range []struct {
		text string
		want error
	}{
		{`{"frames":[{"pts":5}]}`, ErrMismatch},
		{`{"frames":[{"pts":0},{"pts":0}]}`, ErrMismatch},
		{`{"frames":[{"pts":0},{"key_frame":1}]}`, container.ErrCorrupt},
		{`{"packets":[]}`, container.ErrCorrupt},
		{`{"frames":[{"pts":0.5}]}`, container.ErrCorrupt},
		{``, container.ErrCorrupt},
	} {
		if _, err := BuildMapped(t.Context(), f, 0, []byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.text, err, c.want)
		}
	}
}
