package conformance_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sprocket-video/sprocket/conformance"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/mpegts"
	"github.com/sprocket-video/sprocket/seek"
)

// transport is a stream of pictures and sound, with damage.
func transport(stride int) []byte {
	ts := &testmedia.TS{Stride: stride}
	ts.Packets(ts.PAT(0, 0x100)...)
	ts.Packets(ts.PMT(0x100, 0, 0x101, testmedia.TSStream{PID: 0x101, Type: 0x1b}, testmedia.TSStream{PID: 0x102, Type: 0x0f})...)
	a := testmedia.AVC{Width: 4, Height: 4}
	for i := range 120 {
		k := i % 12
		shown := k
		if k%2 == 1 && k < 11 {
			shown = k + 1
		} else if k > 0 {
			shown = k - 1
		}
		data := append([]byte(nil), testmedia.AUD...)
		if k == 0 {
			data = append(data, a.Sets()...)
		}
		data = append(data, a.Slice(testmedia.Slice{IDR: k == 0, NoRef: k > 0 && k%2 == 0, Number: uint32(k+1) / 2, Order: uint32(2 * shown), Size: 60 + 71*(i%13)})...)
		dts := int64(1)<<33 - 200_000 + int64(i)*3600
		pts := dts + int64(shown-k+1)*3600
		v := ts.PES(0x101, testmedia.PES{PTS: pts & (1<<33 - 1), DTS: dts & (1<<33 - 1), Data: data, Random: k == 0})
		s := ts.PES(0x102, testmedia.PES{Stream: 0xc0, PTS: dts & (1<<33 - 1), DTS: -1, Data: testmedia.ADTS(180+i, byte(i)), Bounded: true})
		if ts.Mux(v, s); i == 50 {
			ts.Raw([]byte("no transport packet"))
		}
		if i == 70 {
			ts.Skip(0x101)
		}
	}
	return ts.Bytes()
}

func TestTransportStreamsKeepTheLaws(t *testing.T) {
	for _, stride := range []int{188, 192, 204} {
		lawful(t, transport(stride))
	}
}

func TestTransportStreamsOfFFmpegKeepTheLaws(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	for _, args := range [][]string{
		{"-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"},
		{"-c:v", "mpeg4", "-bf", "1", "-c:a", "ac3"},
		{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac", "-mpegts_flags", "latm"},
		{"-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ildct", "-c:a", "libopus"},
	} {
		name := filepath.Join(t.TempDir(), "clip.ts")
		all := append([]string{"-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=2", "-f", "lavfi", "-i", "sine=r=48000:d=2"}, args...)
		if out, err := exec.CommandContext(t.Context(), "ffmpeg", append(all, name)...).CombinedOutput(); err != nil {
			t.Skipf("ffmpeg %v: %v: %s", args, err, out)
		}
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lawful(t, file)
	}
}

func lawful(t *testing.T, file []byte) {
	t.Helper()
	src := bytes.NewReader(file)
	open := func() container.SeekableDemuxer {
		d, err := mpegts.Open(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if err := conformance.TestDemuxer(t.Context(), open(), int64(len(file))); err != nil {
		t.Error(err)
	}
	d := open()
	for i := range d.Tracks() {
		x, err := seek.Build(t.Context(), d, i)
		if err != nil {
			t.Fatal(err)
		}
		if x.Len() == 0 {
			t.Errorf("track %d has no frames", i)
		}
		if err := conformance.TestIndex(t.Context(), x, d, i); err != nil {
			t.Errorf("track %d: %v", i, err)
		}
	}
}
