//go:build cgo

package sprocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// lines are what an iteration gives: infos and hashes, or errors.
func lines(t testing.TB, frames func(func(*sprocket.Frame, error) bool)) []string {
	t.Helper()
	var out []string
	for f, err := range frames {
		if err != nil {
			if !located(err) {
				t.Errorf("%v is not located", err)
			}
			out = append(out, "error") // their texts name packets, which streams may number on from earlier ones
			continue
		}
		out = append(out, fmt.Sprintf("%+v %s %v %s", f.FrameInfo, f.PixelFormat, f.Shape(), sum(f.Bytes())))
	}
	return out
}

// compareStream decodes data as a stream and as a file. It says how many frames there are, or that neither opens.
func compareStream(t testing.TB, name string, data []byte, o *sprocket.VideoOptions) (frames int, opens bool) {
	t.Helper()
	d, wrong := sprocket.OpenVideo(t.Context(), bytes.NewReader(data), o)
	s, err := sprocket.OpenStream(t.Context(), iotest.HalfReader(bytes.NewReader(data)), o)
	if wrong != nil || err != nil {
		if wrong == nil {
			_ = d.Close() // nothing was done with it
		}
		if err == nil {
			_ = s.Close() // nor with this
		}
		if (wrong == nil) != (err == nil) {
			t.Errorf("%s: stream: %v, file: %v", name, err, wrong)
		}
		return 0, false
	}
	want, got := lines(t, d.Frames(t.Context())), lines(t, s.Frames(t.Context()))
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("%s: of %d frames, want %d, the first that differs is %d:\n%s\n%s", name, len(got), len(want), i, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
			break
		}
	}
	if err := errors.Join(d.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	return len(want), true
}

// The frames of a stream are those of a file, to the bit.
func TestStreamEqualsFile(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many clips")
	}
	x264 := []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-sc_threshold", "0"}
	with := func(args ...string) []string { return append(x264[:len(x264):len(x264)], args...) }
	fragmented := []string{"-movflags", "+frag_keyframe+empty_moov+default_base_moof"}
	for name, args := range map[string][]string{
		"B frames":                 with("-bf", "3", "-movflags", "+faststart"),
		"movie box last":           with("-bf", "3"),
		"open groups":              with("-bf", "2", "-x264-params", "open-gop=1:b-pyramid=normal", "-movflags", "+faststart"),
		"fragmented":               append(with("-bf", "3", "-x264-params", "b-pyramid=normal"), fragmented...),
		"fragmented, open":         append(with("-bf", "3", "-x264-params", "open-gop=1"), fragmented...),
		"a fragment a frame":       with("-bf", "3", "-x264-params", "b-pyramid=normal", "-movflags", "+frag_every_frame+empty_moov+default_base_moof"),
		"fragmented, negative":     with("-bf", "3", "-movflags", "+frag_every_frame+empty_moov+default_base_moof+negative_cts_offsets"),
		"fragments behind packets": with("-bf", "3", "-movflags", "+frag_keyframe"),
		"no reordering":            with("-bf", "0", "-movflags", "+faststart"),
		"hevc":                     {"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12:bframes=3", "-movflags", "+faststart"},
		"hevc, fragmented":         append([]string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12:bframes=3:open-gop=1"}, fragmented...),
		"mpeg4, fragmented":        append([]string{"-c:v", "mpeg4", "-bf", "2", "-g", "12"}, fragmented...),
		"vp9, fragmented":          append([]string{"-c:v", "libvpx-vp9", "-cpu-used", "8", "-g", "12"}, fragmented...),
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(makeClip(t, "96x64", "40", args...))
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := compareStream(t, name, data, &sprocket.VideoOptions{Native: true}); n != 40 {
				t.Errorf("%d frames", n)
			}
		})
	}
	t.Run("edits", func(t *testing.T) {
		whole := makeClip(t, "96x64", "60", with("-bf", "3", "-movflags", "+faststart")...)
		open := makeClip(t, "96x64", "60", with("-bf", "2", "-x264-params", "open-gop=1", "-movflags", "+faststart")...)
		for _, from := range []string{whole, open} {
			for name, args := range map[string][]string{
				"cut":             {"-movflags", "+faststart"},
				"cut, fragmented": fragmented,
			} {
				part := filepath.Join(t.TempDir(), "part.mp4")
				run(t, append(append([]string{"-ss", "0.55", "-i", from, "-t", "0.8", "-c", "copy"}, args...), part)...)
				data, err := os.ReadFile(part)
				if err != nil {
					t.Fatal(err)
				}
				if n, _ := compareStream(t, name, data, nil); n < 20 || n > 40 {
					t.Errorf("%s: %d frames", name, n)
				}
			}
		}
	})
	t.Run("turned and scaled", func(t *testing.T) {
		plain := makeClip(t, "64x48", "20", with("-bf", "2")...)
		turned := filepath.Join(t.TempDir(), "turned.mp4")
		run(t, append([]string{"-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90"}, append(fragmented, turned)...)...)
		data, err := os.ReadFile(turned)
		if err != nil {
			t.Fatal(err)
		}
		compareStream(t, "turned", data, &sprocket.VideoOptions{Width: 30})
	})
	t.Run("sound too", func(t *testing.T) {
		for name, args := range map[string][]string{"with sound": {"-movflags", "+faststart"}, "with sound, fragmented": fragmented} {
			both := filepath.Join(t.TempDir(), "both.mp4")
			run(t, append(append([]string{"-f", "lavfi", "-i", "sine=duration=1.3", "-i", makeClip(t, "96x64", "40", with("-bf", "2")...), "-c:v", "copy"}, args...), both)...)
			data, err := os.ReadFile(both)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := compareStream(t, name, data, nil); n != 40 {
				t.Errorf("%s: %d frames", name, n)
			}
		}
	})
	t.Run("cut off", func(t *testing.T) {
		data, err := os.ReadFile(makeClip(t, "96x64", "60", with("-bf", "2", "-movflags", "+faststart")...))
		if err != nil {
			t.Fatal(err)
		}
		opened := 0
		for cut := len(data) / 20; cut < len(data); cut += len(data) / 10 {
			if _, ok := compareStream(t, fmt.Sprint(cut, " bytes"), data[:cut], nil); ok {
				opened++
			}
		}
		if opened < 5 {
			t.Errorf("%d of 10 opened", opened)
		}
	})
}

func TestStreamEqualsFileOnCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes a good deal")
	}
	dir := testmedia.Corpus(t)
	files, frames := 0, 0
	names, err := filepath.Glob(filepath.Join(dir, "mp4/androidx/*.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 90_000 {
			continue
		}
		if n, ok := compareStream(t, name, data, &sprocket.VideoOptions{Native: true}); ok {
			files++
			frames += n
		}
	}
	t.Logf("%d files, %d frames", files, frames)
}

// Of a fragmented file the first frame needs the first fragment alone, and a call that waits for more can be given up.
func TestStreamFirstFrame(t *testing.T) {
	before := runtime.NumGoroutine()
	data, err := os.ReadFile(makeClip(t, "96x64", "60", "-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "12", "-sc_threshold", "0",
		"-movflags", "+frag_keyframe+empty_moov+default_base_moof"))
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.Index(data, []byte("mdat")) - 4
	end := first + int(data[first])<<24 + int(data[first+1])<<16 + int(data[first+2])<<8 + int(data[first+3])
	if end >= len(data)/2 {
		t.Fatalf("the first of the fragments ends at %d of %d bytes", end, len(data))
	}
	r, w := io.Pipe()
	go func() { _, _ = w.Write(data[:end]) }() // and no more; the test sees what came
	s, err := sprocket.OpenStream(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var at time.Time
	n := 0
	for f, err := range s.Frames(ctx) {
		if err != nil {
			if took := time.Since(at); !errors.Is(err, context.Canceled) || took > 100*time.Millisecond {
				t.Errorf("%v after %v", err, took)
			}
			break
		}
		if f.N != n {
			t.Errorf("frame %d, want %d", f.N, n)
		}
		if n++; n == 8 { // the last ones wait for the next fragment
			time.AfterFunc(10*time.Millisecond, func() { at = time.Now(); cancel() })
		}
	}
	cancel()
	if n < 8 {
		t.Errorf("%d frames of the 12 in the first fragment", n)
	}
	if got := s.Stats().Source.Bytes; got != int64(end) {
		t.Errorf("%d bytes were read, want %d", got, end)
	}
	if err := errors.Join(s.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines are left", runtime.NumGoroutine()-before)
}

func TestStreamThatCannotBe(t *testing.T) {
	data, err := os.ReadFile(makeClip(t, "96x64", "60", "-c:v", "libx264", "-preset", "veryfast"))
	if err != nil {
		t.Fatal(err)
	}
	small, err := source.NewStream(bytes.NewReader(data), &source.StreamOptions{Window: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = small.Close() }() // nothing was written
	if _, err := sprocket.OpenStream(t.Context(), small, nil); !errors.Is(err, container.ErrNotSeekable) || !located(err) {
		t.Errorf("%v, want ErrNotSeekable", err)
	}
	spooled, err := source.NewStream(bytes.NewReader(data), &source.StreamOptions{Spool: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = spooled.Close() }() // the directory is removed too
	s, err := sprocket.OpenStream(t.Context(), spooled, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(lines(t, s.Frames(t.Context()))); n != 60 {
		t.Errorf("%d frames", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := sprocket.OpenStream(t.Context(), bytes.NewReader(data), &sprocket.VideoOptions{Track: 9}); !errors.Is(err, container.ErrUnsupported) {
		t.Errorf("no such track: %v", err)
	}
	if _, err := sprocket.OpenStream(t.Context(), bytes.NewReader(nil), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := sprocket.OpenStream(t.Context(), bytes.NewReader(data), &sprocket.VideoOptions{Native: true, Width: 3}); err == nil {
		t.Error("options that contradict each other give no error")
	}
	d, err := sprocket.OpenFS(t.Context(), fstest.MapFS{"a/clip.mp4": {Data: data}}, "a/clip.mp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != 60 {
		t.Errorf("%d frames from a file system", d.Len())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
