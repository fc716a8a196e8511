package hls

import (
	"fmt"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// TestDatesAcrossADiscontinuity: segments 10 and 11, a discontinuity, segments 100 and 101, of four seconds each. Only some of the dates are stated.
func TestDatesAcrossADiscontinuity(t *testing.T) {
	s := &stage{list: func(time.Duration) string {
		return "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PROGRAM-DATE-TIME:2024-05-01T10:00:00.5Z\n#EXTINF:4,\n10.aac\n#EXTINF:4,\n11.aac\n" +
			"#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2024-05-01T13:00:00+02:00\n#EXTINF:4,\n100.aac\n#EXTINF:4,\n101.aac\n#EXT-X-ENDLIST\n"
	}}
	d := s.open(t)
	first := time.Date(2024, 5, 1, 10, 0, 0, 5e8, time.UTC)
	second := time.Date(2024, 5, 1, 11, 0, 0, 0, time.UTC)
	tb := d.Tracks()[0].Timebase
	// Behind the discontinuity the timeline goes on where the playlist puts it, at 48 s, and the wall clock an hour later.
	for _, tt := range []struct {
		pts  time.Duration
		date time.Time
	}{
		{40 * time.Second, first}, {41500 * time.Millisecond, first.Add(1500 * time.Millisecond)}, {44 * time.Second, first.Add(4 * time.Second)},
		{47999 * time.Millisecond, first.Add(7999 * time.Millisecond)}, {48 * time.Second, second}, {50 * time.Second, second.Add(2 * time.Second)},
		{55 * time.Second, second.Add(7 * time.Second)},
	} {
		for _, fresh := range []bool{false, true} { // whatever is known before, the answer is the same
			d := d
			if fresh {
				d = s.open(t)
			}
			if date, ok, err := d.DateOf(t.Context(), 0, tb.Ticks(tt.pts)); err != nil || !ok || !date.Equal(tt.date) {
				t.Errorf("DateOf(%v) = %v, %v, %v, want %v", tt.pts, date, ok, err, tt.date)
			}
			if fresh {
				d = s.open(t)
			}
			if pts, ok, err := d.TimeOf(t.Context(), 0, tt.date); err != nil || !ok || pts != tb.Ticks(tt.pts) {
				t.Errorf("TimeOf(%v) = %v, %v, %v, want %v", tt.date, tb.Duration(pts), ok, err, tt.pts)
			}
		}
	}
	for name, date := range map[string]time.Time{
		"before the first": first.Add(-time.Millisecond), "between": first.Add(8 * time.Second), "behind the last": second.Add(8 * time.Second),
	} {
		if pts, ok, err := d.TimeOf(t.Context(), 0, date); err != nil || ok || pts != container.NoTicks {
			t.Errorf("TimeOf(%v), %s = %v, %v, %v, want none", date, name, pts, ok, err)
		}
	}
	var dates []string
	for p, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		o, err := d.Origin(t.Context(), 0, p)
		if err != nil {
			t.Fatal(err)
		}
		dates = append(dates, fmt.Sprint(o.Sequence, o.Period, o.Date.UTC().Format(" 15:04:05.0 "), tb.Duration(o.Shift)))
	}
	if want := "[7 0 10:00:00.5 0s 8 0 10:00:04.5 0s 9 1 11:00:00.0 -5m52s 10 1 11:00:04.0 -5m52s]"; fmt.Sprint(dates) != want {
		t.Errorf("origins %v, want %v", dates, want)
	}
}

func TestDatesOfAPlaylistWithout(t *testing.T) {
	s := &stage{list: func(time.Duration) string { return window(10, 12, "#EXT-X-ENDLIST\n") }}
	d := s.open(t)
	if date, ok, err := d.DateOf(t.Context(), 0, 41*90_000); err != nil || ok {
		t.Errorf("DateOf = %v, %v, %v, want none", date, ok, err)
	}
	if pts, ok, err := d.TimeOf(t.Context(), 0, epoch); err != nil || ok {
		t.Errorf("TimeOf = %v, %v, %v, want none", pts, ok, err)
	}
}
