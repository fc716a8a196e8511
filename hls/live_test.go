package hls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// stage is a live server and its clock: sleeping is what makes time pass. Segments are one ADTS frame each, and last four seconds.
type stage struct {
	mu      sync.Mutex
	at      time.Duration
	list    func(at time.Duration) string
	lists   map[string]string // further playlists
	missing func(name string, at time.Duration) bool
	media   func(n int) []byte // segment n; nil for frames
	loads   []time.Duration    // of the playlist
	names   []string           // of what else was asked for
}

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return epoch.Add(s.at)
}

func (s *stage) sleep(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at += d
	return ctx.Err()
}

// actor is the playlist, as it is now.
type actor struct {
	*bytes.Reader
	s *stage
}

func (a actor) OpenRef(_ context.Context, ref string, _ source.RefOptions) (source.Source, error) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if ref == "" {
		a.s.loads = append(a.s.loads, a.s.at)
		return actor{bytes.NewReader([]byte(a.s.list(a.s.at))), a.s}, nil
	}
	if list, ok := a.s.lists[ref]; ok {
		a.s.names = append(a.s.names, ref)
		return actor{bytes.NewReader([]byte(list)), a.s}, nil
	}
	var n int
	if _, err := fmt.Sscanf(ref, "%d.aac", &n); err != nil || a.s.missing != nil && a.s.missing(ref, a.s.at) {
		return nil, fs.ErrNotExist
	}
	a.s.names = append(a.s.names, ref)
	if a.s.media != nil {
		return bytes.NewReader(a.s.media(n)), nil
	}
	return bytes.NewReader(frames(n)), nil
}

// frames is segment n: one frame, at its time.
func frames(n int) []byte { return frameAt(int64(n)*360_000, n) }

// frameAt is a segment of one frame at a time in 1/90000 s.
func frameAt(pts int64, n int) []byte {
	tag := append([]byte("ID3\x04\x00\x00\x00\x00\x00\x3f"), "PRIV\x00\x00\x00\x35\x00\x00"...)
	tag = append(tag, timeOwner...)
	for i := range 8 {
		tag = append(tag, byte(pts>>(56-8*i)))
	}
	return append(tag, frameOf(n)...)
}

func frameOf(n int) []byte { return []byte{0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc, byte(n), 0, 0, 0} }

// window is a playlist of segments from first up to last, of four seconds.
func window(first, last int, tail string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:%d\n", first)
	for n := first; n <= last; n++ {
		fmt.Fprintf(&b, "#EXTINF:4,\n%d.aac\n", n)
	}
	return b.String() + tail
}

func (s *stage) open(t *testing.T) *Demuxer {
	t.Helper()
	d, err := Open(t.Context(), actor{bytes.NewReader([]byte(s.list(0))), s}, &Options{clock: s})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// play returns the times of all packets that Next gives, in segments, and the errors between them.
func play(t *testing.T, d *Demuxer, most int) (got []int64, errs []error) {
	t.Helper()
	var p container.Packet
	for range most {
		err := d.Next(t.Context(), &p)
		if err == io.EOF {
			return got, errs
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got = append(got, int64(p.PTS)/360_000)
	}
	return got, errs
}

func TestNextFollowsTheLiveEdge(t *testing.T) {
	s := &stage{list: func(at time.Duration) string {
		n := int(at / (4 * time.Second))
		if n >= 5 {
			return window(15, 20, "#EXT-X-ENDLIST\n")
		}
		return window(10+n, 15+n, "")
	}}
	got, errs := play(t, s.open(t), 100)
	if want := "[13 14 15 16 17 18 19 20]"; fmt.Sprint(got) != want || errs != nil {
		t.Errorf("packets of segments %v, errors %v, want %v", got, errs, want)
	}
	for i := 1; i < len(s.loads); i++ { // 6.3.4: a target duration after news
		if gap := s.loads[i] - s.loads[i-1]; gap < 4*time.Second {
			t.Errorf("the playlist was loaded %v after it had brought news", gap)
		}
	}
}

func TestAPlaylistThatStalls(t *testing.T) {
	s := &stage{list: func(time.Duration) string { return window(10, 12, "") }}
	got, errs := play(t, s.open(t), 4)
	if len(got) != 3 || len(errs) != 1 || !errors.Is(errs[0], ErrStalled) {
		t.Fatalf("packets of %v, errors %v", got, errs)
	}
	for i := 1; i < len(s.loads); i++ { // 6.3.4: half a target duration after nothing new
		if gap := s.loads[i] - s.loads[i-1]; gap != 2*time.Second {
			t.Errorf("loaded again after %v, want half a target duration", gap)
		}
	}
	if s.at != 12*time.Second {
		t.Errorf("it took %v, want three target durations", s.at)
	}
}

func TestAPlaylistThatGoesBack(t *testing.T) {
	s := &stage{list: func(at time.Duration) string {
		if at > 0 {
			return window(2, 4, "")
		}
		return window(10, 12, "")
	}}
	_, errs := play(t, s.open(t), 4)
	if len(errs) != 1 || !errors.Is(errs[0], ErrStalled) || !strings.Contains(errs[0].Error(), "media sequence number 2 after 10") {
		t.Errorf("errors %v", errs)
	}
}

// TestAWindowThatIsEmptyForAWhile: an encoder that begins anew may answer with no segments, whatever number it says the first one has.
func TestAWindowThatIsEmptyForAWhile(t *testing.T) {
	for _, tt := range []struct{ name, after, want string }{
		{"goes on", window(11, 14, "#EXT-X-ENDLIST\n"), "[10 11 12 13 14]"},
		{"begins anew", window(1000, 1001, "#EXT-X-ENDLIST\n"), "[10 11 12 1000 1001]"},
	} {
		s := &stage{list: func(at time.Duration) string {
			switch {
			case at < 4*time.Second:
				return window(10, 12, "")
			case at < 8*time.Second:
				return window(1000, 999, "")
			}
			return tt.after
		}}
		got, errs := play(t, s.open(t), 100)
		if fmt.Sprint(got) != tt.want || errs != nil || len(s.loads) < 3 {
			t.Errorf("%s: packets of segments %v, errors %v, want %v; %d loads", tt.name, got, errs, tt.want, len(s.loads))
		}
	}
}

func TestALiveSegmentThatIsMissing(t *testing.T) {
	late := func(name string, at time.Duration) bool { return name == "11.aac" && at < 3*time.Second }
	never := func(name string, _ time.Duration) bool { return name == "11.aac" }
	list := func(time.Duration) string { return window(10, 12, "") }
	s := &stage{missing: late, list: list}
	if got, _ := play(t, s.open(t), 3); fmt.Sprint(got) != "[10 11 12]" {
		t.Errorf("a segment that comes late: packets of %v", got)
	}
	s = &stage{missing: never, list: list}
	got, errs := play(t, s.open(t), 3)
	if fmt.Sprint(got) != "[10 12]" || len(errs) != 1 || !errors.Is(errs[0], fs.ErrNotExist) || !strings.Contains(errs[0].Error(), "segment 11") {
		t.Errorf("a segment that never comes: packets of %v, errors %v", got, errs)
	}
	if s.at > 4*time.Second {
		t.Errorf("it was asked for during %v, want a target duration at most", s.at)
	}
}

func TestFramesThatSlidOut(t *testing.T) {
	s := &stage{list: func(at time.Duration) string {
		n := int(at / (4 * time.Second))
		return window(10+n, 15+n, "")
	}}
	d := s.open(t)
	s.at = 20 * time.Second
	if _, err := d.Locate(t.Context(), 0, 15*360_000); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Locate(t.Context(), 0, 12*360_000); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "segment 12") {
		t.Errorf("error = %v, want ErrGone", err)
	}
}
