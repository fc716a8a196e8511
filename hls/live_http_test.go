package hls

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// server answers by name, and notes what it was asked for. A name without an answer is 404.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
}

// serve starts a server. Answer is given the path without its slash, and how many times it was asked for before.
func serve(t *testing.T, answer func(name string, n int, w http.ResponseWriter, r *http.Request) bool) *server {
	s := &server{asked: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		s.mu.Lock()
		n := s.asked[name]
		s.asked[name]++
		s.mu.Unlock()
		if answer(name, n, w, r) {
			return
		}
		var k int
		if _, err := fmt.Sscanf(path.Base(name), "%d.aac", &k); err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(frames(k))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) times(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

// open opens list.m3u8.
func (s *server) open(t *testing.T, o *Options) (*Demuxer, error) {
	t.Helper()
	src, err := source.OpenRemote(t.Context(), s.URL+"/list.m3u8", &source.RemoteOptions{HTTP: source.HTTPOptions{Backoff: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	d, err := Open(t.Context(), src, o)
	if err == nil {
		t.Cleanup(func() { _ = d.Close() })
	}
	return d, err
}

func (s *server) mustOpen(t *testing.T, o *Options) *Demuxer {
	t.Helper()
	d, err := s.open(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// quick makes the target duration, and what segments are said to last, half a second.
func quick(list string) string {
	return strings.NewReplacer("#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:0.5", "#EXTINF:4,", "#EXTINF:0.5,").Replace(list)
}

// TestAServerThatFails: of a live playlist failures of a moment are not seen, and others cost one segment and about a target duration.
func TestAServerThatFails(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fails func(name string, n int) bool
		want  string
		wrong string
	}{
		{"a segment, twice", func(name string, n int) bool { return name == "11.aac" && n < 2 }, "[10 11 12 13 14]", ""},
		{"the playlist, twice", func(name string, n int) bool { return name == "list.m3u8" && n > 0 && n < 3 }, "[10 11 12 13 14]", ""},
		{"a segment, for ever", func(name string, n int) bool { return name == "11.aac" }, "[10 12 13 14]", "segment 11, 11.aac: http: open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(name string, n int, w http.ResponseWriter, _ *http.Request) bool {
				if tt.fails(name, n) {
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				}
				if name != "list.m3u8" {
					return false
				}
				list := window(10, 12, "")
				if n > 0 {
					list = window(11, 14, "#EXT-X-ENDLIST\n")
				}
				_, _ = io.WriteString(w, quick(list))
				return true
			})
			began := time.Now()
			got, errs := play(t, s.mustOpen(t, nil), 10)
			if fmt.Sprint(got) != tt.want || (len(errs) > 0) != (tt.wrong != "") || len(errs) > 1 || len(errs) == 1 && !strings.Contains(errs[0].Error(), tt.wrong) {
				t.Errorf("packets of %v, errors %v, want %s and %q", got, errs, tt.want, tt.wrong)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestAServerThatHangs: what is small must come before a live playlist has stalled, whatever else the client waits for.
func TestAServerThatHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("long: it waits")
	}
	for _, what := range []string{"list.m3u8", "key.bin"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			hang := make(chan struct{})
			s := serve(t, func(name string, n int, w http.ResponseWriter, r *http.Request) bool {
				switch {
				case name == what && (n > 0 || name == "key.bin"):
					select {
					case <-hang:
					case <-r.Context().Done():
					}
				case name == "list.m3u8":
					list := window(10, 12, "")
					if what == "key.bin" {
						list = strings.Replace(list, "#EXTINF:4,\n11", "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"\n#EXTINF:4,\n11", 1)
					}
					_, _ = io.WriteString(w, quick(list))
				default:
					return false
				}
				return true
			})
			defer close(hang)
			d := s.mustOpen(t, nil)
			began := time.Now()
			var p container.Packet
			var err error
			for err == nil {
				err = d.Next(t.Context(), &p)
			}
			if took := time.Since(began); took > 8*time.Second || what == "list.m3u8" && !errors.Is(err, ErrStalled) || what == "key.bin" && !strings.Contains(err.Error(), "key key.bin of line 6: no answer") {
				t.Errorf("after %v: error = %v", took, err)
			}
			if what == "key.bin" && s.times("11.aac") > 0 {
				t.Error("a segment was fetched for which there is no key")
			}
		})
	}
}

// TestAPlaylistThatMoves: names are seen from where the playlist that has them was found, which may be another place each time.
func TestAPlaylistThatMoves(t *testing.T) {
	s := serve(t, func(name string, n int, w http.ResponseWriter, r *http.Request) bool {
		switch {
		case name == "list.m3u8":
			http.Redirect(w, r, fmt.Sprintf("/%d/list.m3u8", min(n, 1)), http.StatusFound)
		case name == "0/list.m3u8":
			_, _ = io.WriteString(w, quick(window(10, 12, "")))
		case name == "1/list.m3u8":
			_, _ = io.WriteString(w, quick(window(11, 14, "#EXT-X-ENDLIST\n")))
		default:
			place, segment, _ := strings.Cut(name, "/")
			var k int
			_, err := fmt.Sscanf(segment, "%d.aac", &k)
			if err != nil || (place == "1") != (k > 12) {
				http.NotFound(w, r)
				return true
			}
			return false
		}
		return true
	})
	// A playlist that is opened by itself is loaded again from where it was found; one that another names, from its name.
	master := serve(t, func(name string, _ int, w http.ResponseWriter, _ *http.Request) bool {
		if name == "list.m3u8" {
			_, _ = io.WriteString(w, `#EXTM3U`+"\n"+`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI="`+s.URL+`/list.m3u8"`+"\n")
		}
		return name == "list.m3u8"
	})
	if got, errs := play(t, master.mustOpen(t, nil), 10); fmt.Sprint(got) != "[10 11 12 13 14]" || errs != nil {
		t.Errorf("packets of %v, errors %v", got, errs)
	}
}

// sealed encrypts a segment.
func sealed(t *testing.T, data []byte, key string, sequence int64) []byte {
	t.Helper()
	c, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	pad := aes.BlockSize - len(data)%aes.BlockSize
	data = append(bytes.Clone(data), bytes.Repeat([]byte{byte(pad)}, pad)...)
	iv := (&Key{}).VectorFor(sequence)
	cipher.NewCBCEncrypter(c, iv[:]).CryptBlocks(data, data)
	return data
}

// TestAKeyThatChangesUnderItsName is fetched again when it does not fit, once.
func TestAKeyThatChangesUnderItsName(t *testing.T) {
	keys := []string{"0123456789abcdef", "fedcba9876543210"}
	s := serve(t, func(name string, n int, w http.ResponseWriter, _ *http.Request) bool {
		var k int
		switch {
		case name == "list.m3u8":
			_, _ = io.WriteString(w, strings.Replace(window(10, 15, "#EXT-X-ENDLIST\n"), "#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"\n#EXTINF", 1))
		case name == "key.bin":
			_, _ = io.WriteString(w, keys[min(n, 1)])
		default:
			if _, err := fmt.Sscanf(name, "%d.aac", &k); err != nil {
				return false
			}
			_, _ = w.Write(sealed(t, frames(k), keys[k/13], int64(k)))
		}
		return true
	})
	d := s.mustOpen(t, &Options{Parallel: 1})
	var got []int64
	for info, err := range d.List(t.Context(), 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, int64(info.PTS)/360_000)
	}
	if fmt.Sprint(got) != "[10 11 12 13 14 15]" || len(d.Warnings()) != 0 || s.times("key.bin") != 2 {
		t.Errorf("packets of %v, warnings %v, the key was asked for %d times", got, d.Warnings(), s.times("key.bin"))
	}
}

// TestAPlaylistWithoutEnd is given up at its limit.
func TestAPlaylistWithoutEnd(t *testing.T) {
	endless := func(name string, _ int, w http.ResponseWriter, r *http.Request) bool {
		if name == "list.m3u8" {
			_, _ = io.WriteString(w, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.64001f\"\nendless.m3u8\n")
			return true
		}
		if _, err := io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"); err != nil {
			return true
		}
		line := strings.Repeat("#EXTINF:1,\nx.ts\n", 1000)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, line); err != nil {
				break
			}
		}
		return true
	}
	s := serve(t, endless)
	began := time.Now()
	_, err := s.open(t, &Options{Options: container.Options{Select: func([]container.Track) []int { return []int{0} }}, MaxPlaylist: 1 << 20})
	if !errors.Is(err, container.ErrLimit) || !errors.Is(err, source.ErrTooLarge) || !strings.Contains(err.Error(), "playlist endless.m3u8") {
		t.Errorf("error = %v, want ErrLimit", err)
	}
	src, err := source.OpenRemote(t.Context(), s.URL+"/endless.m3u8", nil)
	if err == nil {
		defer src.Close()
		_, err = Open(t.Context(), src, nil)
	}
	if err == nil {
		t.Error("a playlist without end was opened")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestListingIsParallel: so many segments are fetched at once as Options.Parallel says, and no more.
func TestListingIsParallel(t *testing.T) {
	var mu sync.Mutex
	var names []string
	at, most := 0, 0
	gate := make(chan struct{}, 100)
	s := serve(t, func(name string, _ int, w http.ResponseWriter, r *http.Request) bool {
		if name == "list.m3u8" {
			_, _ = io.WriteString(w, window(10, 29, "#EXT-X-ENDLIST\n"))
			return true
		}
		mu.Lock()
		names = append(names, name)
		at++
		most = max(most, at)
		mu.Unlock()
		select {
		case <-gate:
		case <-r.Context().Done():
		}
		mu.Lock()
		at--
		mu.Unlock()
		return false
	})
	gate <- struct{}{} // exploring
	d := s.mustOpen(t, &Options{Parallel: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() {
		for range 19 {
			for deadline := time.Now().Add(20 * time.Millisecond); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				mu.Lock()
				full := at >= 3
				mu.Unlock()
				if full {
					break
				}
			}
			time.Sleep(5 * time.Millisecond) // for one too many
			gate <- struct{}{}
		}
	}()
	n := 0
	for info, err := range d.List(ctx, 0, container.PacketInfo{}) {
		if err != nil {
			t.Fatal(err)
		}
		if int64(info.PTS) != int64(10+n)*360_000 {
			t.Errorf("packet %d is at %d", n, info.PTS)
		}
		n++
	}
	if n != 20 || most != 3 || len(names) != 20 {
		t.Errorf("%d packets by %d requests, %d at once, want 3", n, len(names), most)
	}
	if slices.Sort(names); len(slices.Compact(names)) != 20 {
		t.Errorf("some were fetched twice: %v", names)
	}
}
