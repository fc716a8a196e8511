package hls

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// TestALongLivePlaylist follows a playlist for long: what slid out is forgotten, and there is no end to it.
func TestALongLivePlaylist(t *testing.T) {
	const n = 6000
	s := &stage{list: func(at time.Duration) string {
		k := int(at / (4 * time.Second))
		if k >= n {
			return window(n, n+5, "#EXT-X-ENDLIST\n")
		}
		return window(k, k+5, "")
	}}
	d, err := Open(t.Context(), actor{bytes.NewReader([]byte(s.list(0))), s}, &Options{MaxSegments: 10, clock: s})
	if err != nil {
		t.Fatal(err)
	}
	var p container.Packet
	got := int64(3) // three target durations before the end
	for ; ; got++ {
		if err := d.Next(t.Context(), &p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if int64(p.PTS) != got*360_000 {
			t.Fatalf("a packet of segment %d behind segment %d", p.PTS/360_000, got-1)
		}
	}
	if got != n+6 {
		t.Errorf("it ends with segment %d, want %d", got-1, n+5)
	}
	st := d.streams[0]
	listed := 0
	for _, g := range st.segs {
		if g.listed.Load() != nil {
			listed++
		}
	}
	if len(st.segs) > 2*keptSegments || listed > keptListings+6 || d.rows.Load() != int64(listed)*rowBytes {
		t.Errorf("%d segments are kept, and the packets of %d, %d bytes", len(st.segs), listed, d.rows.Load())
	}
	if err := d.Read(t.Context(), 0, container.PacketInfo{Pos: 5 << segmentBits, Size: 1}, &p); !errors.Is(err, ErrGone) {
		t.Errorf("reading what is long gone: error = %v, want ErrGone", err)
	}
	for _, err := range d.Follow(t.Context(), 0, container.PacketInfo{Pos: 5 << segmentBits}) {
		if !errors.Is(err, ErrGone) {
			t.Errorf("following what is long gone: error = %v, want ErrGone", err)
		}
	}
}

// TestListOfALivePlaylistIsWhatThereIs lists again and again, with pauses in which segments come and go unseen.
func TestListOfALivePlaylistIsWhatThereIs(t *testing.T) {
	s := &stage{list: func(at time.Duration) string {
		k := int(at / (4 * time.Second))
		return window(10+k, 13+k, "")
	}}
	d := s.open(t)
	var all []container.PacketInfo
	for _, tt := range []struct {
		at   time.Duration
		want string // segments that are new
	}{{40 * time.Second, "20 21 22 23 "}, {44 * time.Second, "24 "}, {80 * time.Second, "30 31 32 33 "}} {
		s.at = tt.at
		from, got := len(all), ""
		for info, err := range d.List(t.Context(), 0, container.PacketInfo{N: int64(from)}) {
			if err != nil {
				t.Fatal(err)
			}
			if info.N != int64(len(all)) {
				t.Errorf("packet %d has number %d", len(all), info.N)
			}
			all = append(all, info)
			got += fmt.Sprint(int64(info.PTS)/360_000, " ")
		}
		if got != tt.want {
			t.Errorf("at %v segments %s are new, want %s", tt.at, got, tt.want)
		}
	}
	s.at = 2000 * time.Second
	for range 2 {
		first := true
		for info, err := range d.List(t.Context(), 0, container.PacketInfo{}) { // from wherever it begins now
			if err != nil {
				t.Fatal(err)
			}
			if first && info.N != 0 {
				t.Errorf("it begins with packet %d", info.N)
			}
			first = false
		}
	}
	st := d.streams[0]
	st.mu.Lock()
	st.first = st.end() // as if much more had come
	for i := range st.segs {
		st.segs[i].listed.Store(nil)
	}
	st.mu.Unlock()
	for _, err := range d.List(t.Context(), 0, container.PacketInfo{N: 3}) {
		if !errors.Is(err, ErrGone) {
			t.Errorf("from a packet that is gone: error = %v, want ErrGone", err)
		}
	}
	for info, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
		t.Errorf("there is %+v, %v", info, err)
	}
}

// TestIdleIsNoStall: a caller who pauses has not seen that nothing is new.
func TestIdleIsNoStall(t *testing.T) {
	for _, tt := range []struct {
		name string
		down time.Duration // for how long loads fail, from 100 s on
		want string
		at   time.Duration
	}{
		{"one load fails", 2 * time.Second, "[10 11 12 30 31 32]", 104 * time.Second},
		{"all fail", time.Hour, "[10 11 12] ErrStalled", 108 * time.Second},
	} {
		s := &stage{list: func(at time.Duration) string {
			switch {
			case at < 100*time.Second:
				return window(10, 12, "")
			case at < 100*time.Second+tt.down:
				return "it is being made"
			}
			return window(30, 32, "#EXT-X-ENDLIST\n")
		}}
		d := s.open(t)
		s.at = 100 * time.Second
		got, errs := play(t, d, 7)
		text := fmt.Sprint(got)
		if len(errs) > 0 && errors.Is(errs[0], ErrStalled) {
			text += " ErrStalled"
		} else if len(errs) > 0 {
			t.Errorf("%s: errors %v", tt.name, errs)
		}
		if text != tt.want || len(errs) == 0 && s.at > tt.at || len(errs) > 0 && s.at < tt.at {
			t.Errorf("%s: %s at %v, want %s at %v", tt.name, text, s.at, tt.want, tt.at)
		}
	}
}

// TestWherePlayingBegins: three target durations before the end, or as the playlist says, 4.4.2.2 and 4.4.3.8.
func TestWherePlayingBegins(t *testing.T) {
	for _, tt := range []struct {
		name, tags string
		want       int64 // of the segments from 10 to 19
	}{
		{"nothing is said", "", 17},
		{"hold back", "#EXT-X-SERVER-CONTROL:HOLD-BACK=20\n", 15},
		{"hold back less than 6.3.3 allows", "#EXT-X-SERVER-CONTROL:HOLD-BACK=4\n", 17},
		{"hold back more than there is", "#EXT-X-SERVER-CONTROL:HOLD-BACK=400\n", 10},
		{"from the beginning", "#EXT-X-START:TIME-OFFSET=9\n", 12},
		{"from the end", "#EXT-X-START:TIME-OFFSET=-6\n", 18},
		{"before the beginning", "#EXT-X-START:TIME-OFFSET=-600\n", 10},
		{"behind the end", "#EXT-X-START:TIME-OFFSET=600,PRECISE=YES\n", 19},
		{"it has ended", "#EXT-X-ENDLIST\n", 10},
	} {
		s := &stage{list: func(time.Duration) string { return window(10, 19, tt.tags) }}
		if got, errs := play(t, s.open(t), 1); len(got) != 1 || got[0] != tt.want || errs != nil {
			t.Errorf("%s: it begins with segment %v, %v, want %d", tt.name, got, errs, tt.want)
		}
	}
}

// TestAPlaylistThatLeapsAhead: what came and went unseen may have been any number of segments, of any length.
func TestAPlaylistThatLeapsAhead(t *testing.T) {
	s := &stage{list: func(at time.Duration) string {
		list := window(10, 12, "")
		if at > 0 {
			list = strings.Replace(window(10, 12, "#EXT-X-ENDLIST\n"), "SEQUENCE:10", "SEQUENCE:72057594037927935", 1)
		}
		return strings.Replace(list, "DURATION:4", "DURATION:1000000", 1)
	}}
	d := s.open(t)
	s.at = 1e6 * time.Second
	list := 0
	for _, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		list++
	}
	st := d.streams[0]
	for i, g := range st.segs {
		if g.start < 0 || i > 0 && g.start < st.segs[i-1].start {
			t.Errorf("segment %d begins at %v", g.Sequence, g.start)
		}
	}
	if len(st.segs) != 6 || list != 3 {
		t.Errorf("%d segments, %d packets, want 6 and 3", len(st.segs), list)
	}
}
