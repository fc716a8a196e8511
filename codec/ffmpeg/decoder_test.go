package ffmpeg

import (
	"context"
	"crypto/md5"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

// encodings are clips of every kind of decoder; those that ffmpeg cannot encode here are left out.
var encodings = []struct {
	name, encoder string
	args          []string
}{
	{"h264.mp4", "libx264", []string{"-c:v", "libx264", "-g", "12", "-bf", "3", "-x264-params", "open-gop=1:b-pyramid=normal", "-preset", "fast"}},
	{"h264-field.mp4", "libx264", []string{"-c:v", "libx264", "-g", "12", "-flags", "+ildct+ilme", "-preset", "fast"}},
	{"h264.ts", "libx264", []string{"-c:v", "libx264", "-g", "12", "-preset", "fast"}},
	{"hevc.mp4", "libx265", []string{"-c:v", "libx265", "-x265-params", "keyint=12:log-level=none", "-preset", "ultrafast"}},
	{"hevc10.mp4", "libx265", []string{"-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "keyint=12:log-level=none", "-preset", "ultrafast"}},
	{"vp8.mkv", "libvpx", []string{"-c:v", "libvpx", "-g", "12", "-auto-alt-ref", "1", "-lag-in-frames", "10", "-deadline", "realtime", "-cpu-used", "8"}},
	{"vp9.mp4", "libvpx-vp9", []string{"-c:v", "libvpx-vp9", "-g", "12", "-auto-alt-ref", "1", "-lag-in-frames", "10", "-deadline", "realtime", "-cpu-used", "8"}},
	{"av1.mp4", "libaom-av1", []string{"-c:v", "libaom-av1", "-g", "12", "-cpu-used", "8", "-usage", "realtime"}},
	{"mpeg2.ts", "mpeg2video", []string{"-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-b:v", "1M"}},
	{"mpeg4.mp4", "mpeg4", []string{"-c:v", "mpeg4", "-g", "12", "-bf", "2", "-b:v", "1M"}},
	{"mjpeg.mov", "mjpeg", []string{"-c:v", "mjpeg", "-pix_fmt", "yuvj420p"}},
	{"prores.mov", "prores_ks", []string{"-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"}},
	{"prores.mov", "prores", []string{"-c:v", "prores", "-pix_fmt", "yuv422p10le"}},
	{"ffv1.mov", "ffv1", []string{"-c:v", "ffv1", "-strict", "-2"}},
}

// eachEncoding runs f on clips of 48 frames of moving noise.
func eachEncoding(t *testing.T, f func(t *testing.T, path string, c *clip)) {
	encoders := string(runTool(t, "ffmpeg", "-encoders"))
	for _, e := range encodings {
		t.Run(e.encoder+"-"+e.name, func(t *testing.T) {
			if !hasWord(encoders, e.encoder) {
				t.Skipf("ffmpeg has no encoder %s", e.encoder)
			}
			path := t.TempDir() + "/" + e.name
			args := []string{"-y", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=160x96:r=25,noise=alls=20:allf=t", "-frames:v", "48"}
			if !slices.Contains(e.args, "-pix_fmt") {
				args = append(args, "-pix_fmt", "yuv420p")
			}
			runTool(t, "ffmpeg", append(append(args, e.args...), path)...)
			f(t, path, loadClip(t, path))
		})
	}
}

func hasWord(text, word string) bool {
	return slices.Contains(strings.Fields(text), word)
}

type decoded struct {
	packet  int64
	hash    [md5.Size]byte
	damaged bool
}

// collect returns an emit function that appends what it is given.
func collect(to *[]decoded) func(codec.VideoFrame) error {
	var raw []byte
	return func(f codec.VideoFrame) error {
		var err error
		raw, err = f.AppendRaw(raw[:0])
		*to = append(*to, decoded{f.Packet(), md5.Sum(raw), f.Damaged()})
		return err
	}
}

func mustDecode(t *testing.T, d codec.VideoDecoder, packets []container.Packet) []decoded {
	t.Helper()
	var got []decoded
	for _, err := range decodeAll(t.Context(), d, packets, collect(&got)) {
		t.Error(err)
	}
	return got
}

func TestEncodings(t *testing.T) {
	eachEncoding(t, func(t *testing.T, path string, c *clip) {
		t.Run("equals ffmpeg", func(t *testing.T) { checkDecode(t, path, c) })
		t.Run("reset", func(t *testing.T) { checkReset(t, c) })
		t.Run("no timestamps", func(t *testing.T) { checkNumbers(t, c) })
	})
}

// The pictures are ffmpeg's, in presentation order, each with the number of its packet: that of the k-th time is the k-th picture's.
func checkDecode(t *testing.T, path string, c *clip) {
	one := mustDecode(t, openClip(t, c, 1), c.packets)
	two := mustDecode(t, openClip(t, c, 2), c.packets)
	if !slices.Equal(one, two) {
		t.Error("two threads decode something else than one")
	}
	var size int
	var buf []byte
	d := openClip(t, c, 1)
	decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) (err error) {
		buf, err = f.AppendRaw(buf[:0])
		size = len(buf)
		return err
	})
	want := rawFrames(t, path, size)
	if len(one) != len(want) {
		t.Fatalf("%d frames, want %d", len(one), len(want))
	}
	shown := slices.Clone(c.packets)
	slices.SortStableFunc(shown, func(a, b container.Packet) int { return int(a.PTS - b.PTS) })
	if len(shown) > len(one) {
		// VP8 has packets that are not shown: they have the time of one that is.
		t.Logf("%d packets for %d frames", len(shown), len(one))
		shown = nil
	}
	for k, f := range one {
		if f.hash != md5.Sum(want[k]) {
			t.Errorf("frame %d differs from ffmpeg's", k)
		}
		if f.damaged {
			t.Errorf("frame %d is said to be damaged", k)
		}
		if shown != nil && f.packet != shown[k].N {
			t.Errorf("frame %d is of packet %d, want %d", k, f.packet, shown[k].N)
		}
	}
}

// Numbers do not depend on timestamps.
func checkNumbers(t *testing.T, c *clip) {
	want := mustDecode(t, openClip(t, c, 1), c.packets)
	for i := range c.packets {
		c.packets[i].PTS, c.packets[i].DTS = container.NoTicks, container.NoTicks
	}
	if got := mustDecode(t, openClip(t, c, 1), c.packets); !slices.Equal(got, want) {
		t.Error("frames differ")
	}
	for i := range c.packets {
		c.packets[i].PTS = 7
	}
	if got := mustDecode(t, openClip(t, c, 2), c.packets); !slices.Equal(got, want) {
		t.Error("frames differ when all packets have one time")
	}
}

// After Reset, whatever went before, decoding from a key packet gives the linear decode's frames from that one on.
func checkReset(t *testing.T, c *clip) {
	for _, threads := range []int{1, 2} {
		d := openClip(t, c, threads)
		linear := map[int64]decoded{}
		for _, f := range mustDecode(t, d, c.packets) {
			linear[f.packet] = f
		}
		for start := len(c.packets) - 1; start >= 0; start-- {
			if !c.packets[start].Key {
				continue
			}
			if err := d.Reset(); err != nil {
				t.Fatal(err)
			}
			got := mustDecode(t, d, c.packets[start:min(start+20, len(c.packets))])
			if len(got) == 0 {
				t.Errorf("no frames from packet %d on", start)
			}
			key := false
			for _, f := range got {
				key = key || f.packet == int64(start)
				// Pictures before the key one may need packets before it.
				if key && f.hash != linear[f.packet].hash {
					t.Errorf("from packet %d: frame of packet %d differs from the linear decode's", start, f.packet)
				}
			}
			// Leave packets in the decoder, unfinished.
			if err := d.Reset(); err != nil {
				t.Fatal(err)
			}
			for i := start; i < min(start+5, len(c.packets)); i++ {
				if err := d.Decode(t.Context(), &c.packets[i], func(codec.VideoFrame) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func smallClip(t testing.TB) *clip {
	return makeClip(t, "a.mp4", "-f", "lavfi", "-i", "testsrc2=s=160x96:r=25", "-frames:v", "30", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-preset", "fast")
}

func TestUseAfterFlushAndClose(t *testing.T) {
	c := smallClip(t)
	d := openClip(t, c, 1)
	ignore := func(codec.VideoFrame) error { return nil }
	var kept codec.VideoFrame
	if errs := decodeAll(t.Context(), d, c.packets, func(f codec.VideoFrame) error { kept = f; return nil }); errs != nil {
		t.Fatal(errs)
	}
	if _, err := kept.AppendRaw(nil); !errors.Is(err, errReleased) {
		t.Errorf("AppendRaw after emit = %v, want %v", err, errReleased)
	}
	if err := d.Decode(t.Context(), &c.packets[0], ignore); !errors.Is(err, errFlushed) {
		t.Errorf("Decode after Flush = %v, want %v", err, errFlushed)
	}
	if err := d.Flush(t.Context(), ignore); err != nil {
		t.Errorf("second Flush = %v", err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	for op, err := range map[string]error{
		"Decode": d.Decode(t.Context(), &c.packets[0], ignore), "Flush": d.Flush(t.Context(), ignore), "Reset": d.Reset(),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s after Close = %v, want %v", op, err, errClosed)
		}
	}
}

// An error of emit stops the call; the next calls give the frames that were left.
func TestEmitError(t *testing.T) {
	c := smallClip(t)
	want := mustDecode(t, openClip(t, c, 1), c.packets)
	d := openClip(t, c, 1)
	stop := errors.New("stop")
	var got []decoded
	add := collect(&got)
	emit := func(f codec.VideoFrame) error {
		if err := add(f); err != nil {
			return err
		}
		return stop
	}
	for i := range c.packets {
		if err := d.Decode(t.Context(), &c.packets[i], emit); err != nil && err != stop {
			t.Fatal(err)
		}
	}
	for range len(c.packets) + 1 {
		err := d.Flush(t.Context(), emit)
		if err == nil {
			break
		}
		if err != stop {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d frames, want the %d of a decode without errors", len(got), len(want))
	}
}

func TestCanceledContext(t *testing.T) {
	c := smallClip(t)
	d := openClip(t, c, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	emit := func(codec.VideoFrame) error { t.Error("frame after cancel"); return nil }
	if err := d.Decode(ctx, &c.packets[0], emit); !errors.Is(err, context.Canceled) {
		t.Errorf("Decode = %v, want canceled", err)
	}
	if err := d.Flush(ctx, emit); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush = %v, want canceled", err)
	}
	if _, err := (Backend{}).OpenVideo(ctx, &c.track, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("OpenVideo = %v, want canceled", err)
	}
}

func TestUnsupportedTracks(t *testing.T) {
	if err := available(); err != nil {
		t.Skip(err)
	}
	for name, track := range map[string]container.Track{
		"vvc":       {Kind: container.Video, Description: container.Description{Codec: "vvc"}},
		"encoder":   {Kind: container.Video, Description: container.Description{Codec: "libx264"}},
		"no codec":  {Kind: container.Video, Description: container.Description{FourCC: "abcd"}},
		"audio":     {Kind: container.Audio, Description: container.Description{Codec: "aac"}},
		"aac":       {Kind: container.Video, Description: container.Description{Codec: "aac"}},
		"encrypted": {Kind: container.Video, Description: container.Description{Codec: "h264", Encryption: container.Encryption{Scheme: "cenc"}}},
	} {
		if err := (Backend{}).Supports(&track); !errors.Is(err, container.ErrUnsupported) {
			t.Errorf("%s: Supports = %v, want %v", name, err, container.ErrUnsupported)
		}
		_, err := Backend{}.OpenVideo(t.Context(), &track, nil)
		if e := (*codec.Error)(nil); !errors.As(err, &e) || !errors.Is(err, container.ErrUnsupported) {
			t.Errorf("%s: OpenVideo = %v, want %v", name, err, container.ErrUnsupported)
		}
	}
}

// Decoders do not disturb each other.
func TestDecodersAtOnce(t *testing.T) {
	c := smallClip(t)
	want := mustDecode(t, openClip(t, c, 1), c.packets)
	var wg sync.WaitGroup
	for i := range 4 {
		d := openClip(t, c, 1+i%2)
		wg.Go(func() {
			for range 3 {
				var got []decoded
				if errs := decodeAll(t.Context(), d, c.packets, collect(&got)); errs != nil || !slices.Equal(got, want) {
					t.Errorf("decoder %d: %v, or other frames", i, errs)
				}
				if err := d.Reset(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A decoder that was reset knows the parameter sets of its configuration, not those that packets had put in their place.
func TestResetForgetsParameterSets(t *testing.T) {
	c := smallClip(t)
	other := makeClip(t, "b.mp4", "-f", "lavfi", "-i", "testsrc2=s=96x160:r=25", "-frames:v", "10", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-preset", "fast")
	d := openClip(t, c, 1)
	want := mustDecode(t, d, c.packets)
	if err := d.Reset(); err != nil {
		t.Fatal(err)
	}
	// ISO/IEC 14496-15, 5.3.3.1: an SPS and a PPS, each after a length of two bytes; in packets the lengths have four.
	config := other.track.Config
	var sets []byte
	for at, list := 6, 0; list < 2; list++ {
		n := int(config[at])<<8 | int(config[at+1])
		sets = append(append(sets, 0, 0), config[at:at+2+n]...)
		at += 2 + n + 1
	}
	other.packets[0].Data = append(sets, other.packets[0].Data...)
	sizes := 0
	for _, err := range decodeAll(t.Context(), d, other.packets, func(f codec.VideoFrame) error {
		if w, h := f.Size(); w == 96 && h == 160 {
			sizes++
		}
		return nil
	}) {
		t.Error(err)
	}
	if sizes != len(other.packets) {
		t.Errorf("%d frames of the other size, want %d", sizes, len(other.packets))
	}
	if err := d.Reset(); err != nil {
		t.Fatal(err)
	}
	if got := mustDecode(t, d, c.packets); !slices.Equal(got, want) {
		t.Error("after Reset the frames are not those of a fresh decoder")
	}
}
