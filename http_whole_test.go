//go:build cgo

package sprocket_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// padded puts 20 MiB that mean nothing into a movie, behind its media data.
func padded(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	free := append(binary.BigEndian.AppendUint32(nil, 20<<20), "free"...)
	free = append(free, make([]byte, 20<<20-8)...)
	_, moov := packets(t, name)
	if mdat := int64(bytes.LastIndex(data, []byte("mdat"))); moov < mdat {
		moov = int64(len(data))
	}
	if err := os.WriteFile(name, append(append(bytes.Clone(data[:moov]), free...), data[moov:]...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A long file on a server without ranges says that it cannot be gone back in. Spooled, its frames are those of the file, and nothing is left;
// as a stream they are, too, where the movie box is first.
func TestHTTPWithoutRanges(t *testing.T) {
	for name, args := range map[string][]string{"movie box first": {"-movflags", "+faststart"}, "movie box last": nil} {
		t.Run(name, func(t *testing.T) {
			clip := makeClip(t, "320x180", "30", append([]string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "10"}, args...)...)
			padded(t, clip)
			data, err := os.ReadFile(clip)
			if err != nil {
				t.Fatal(err)
			}
			var requests atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("ETag", `"one"`)
				_, _ = w.Write(data)
			}))
			defer s.Close()
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)

			_, err = sprocket.Open(t.Context(), s.URL, nil)
			if !errors.Is(err, container.ErrNotSeekable) || !errors.Is(err, source.ErrNoRanges) {
				t.Errorf("Open = %v, want ErrNotSeekable", err)
			}

			some := []int{25, 3, 14}
			want, err := open(t, clip, nil).FramesAt(t.Context(), some)
			if err != nil {
				t.Fatal(err)
			}
			requests.Store(0)
			d, err := sprocket.Open(t.Context(), s.URL, &sprocket.VideoOptions{Spool: true})
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.FramesAt(t.Context(), some)
			if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("spooled: %v, or other frames", err)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("%v are left: %v", left, err)
			}
			if _, err := d.FrameAt(t.Context(), 0); !errors.Is(err, sprocket.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}

			body, err := source.OpenBody(t.Context(), s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			v, err := sprocket.OpenStream(t.Context(), body, nil)
			if name == "movie box last" {
				if !errors.Is(err, container.ErrNotSeekable) {
					t.Errorf("OpenStream = %v, want ErrNotSeekable", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for f, err := range v.Frames(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if f.N == 14 {
					if frame := want.Bytes()[2*len(f.Bytes()):]; !bytes.Equal(f.Bytes(), frame) {
						t.Error("frame 14 of the stream differs")
					}
				}
				n++
			}
			if n != 30 {
				t.Errorf("%d frames of the stream, want 30", n)
			}
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
