package ffmpeg

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/tensor"
)

// damage returns the packets with some bytes of one of them changed, behind its headers, or its end cut off.
func damage(packets []container.Packet, n int, cut bool, r *rand.Rand) []container.Packet {
	out := append([]container.Packet(nil), packets...)
	data := append([]byte(nil), out[n].Data...)
	if cut {
		out[n].Data = data[:1+r.IntN(len(data)/2)]
		return out
	}
	for i := len(data) / 3; i < len(data); i += 1 + len(data)/8 {
		data[i] ^= byte(1 + r.IntN(255))
	}
	out[n].Data = data
	return out
}

// A damaged packet gives an error that names it, or frames that are said to be damaged, or both;
// the decoder goes on, and from the next key packet all is well. libavcodec's HEVC decoder does not notice
// changed bytes of slice data, only missing ones.
func TestDamagedPacket(t *testing.T) {
	for _, e := range []struct{ name, encoder string }{{"h264", "libx264"}, {"hevc", "libx265"}, {"mpeg2", "mpeg2video"}, {"mpeg4", "mpeg4"}} {
		t.Run(e.name, func(t *testing.T) {
			ext := ".mp4"
			if e.name == "mpeg2" {
				ext = ".ts"
			}
			args := []string{"-f", "lavfi", "-i", "testsrc2=s=320x192:r=25,noise=alls=20:allf=t", "-frames:v", "36", "-pix_fmt", "yuv420p", "-c:v", e.encoder, "-g", "12"}
			if e.encoder == "libx265" {
				args = append(args, "-x265-params", "keyint=12:open-gop=0:log-level=none")
			}
			c := makeClip(t, "a"+ext, args...)
			d := openClip(t, c, 1)
			linear := map[int64]decoded{}
			for _, f := range mustDecode(t, d, c.packets) {
				if f.damaged {
					t.Errorf("frame of packet %d of the healthy clip is said to be damaged", f.packet)
				}
				linear[f.packet] = f
			}
			r := rand.New(rand.NewPCG(1, 2))
			noticed := 0
			const bad = 2
			for range 20 {
				if err := d.Reset(); err != nil {
					t.Fatal(err)
				}
				var got []decoded
				errs := decodeAll(t.Context(), d, damage(c.packets, bad, e.name == "hevc", r), collect(&got))
				found := false
				for _, err := range errs {
					e := (*codec.Error)(nil)
					if !errors.As(err, &e) || !errors.Is(err, codec.ErrDecode) {
						t.Fatalf("error %v, want a codec.Error that wraps ErrDecode", err)
					}
					found = found || e.Packet == bad && e.PTS == c.packets[bad].PTS
				}
				for _, f := range got {
					found = found || f.damaged && f.packet == bad
					if f.packet >= 26 && (f.hash != linear[f.packet].hash || f.damaged) {
						t.Errorf("frame of packet %d, after the next key packets, is not as it was", f.packet)
					}
				}
				if found {
					noticed++
				}
			}
			t.Logf("noticed %d of 20", noticed)
			if noticed < 10 {
				t.Errorf("damage was noticed %d times out of 20", noticed)
			}
		})
	}
}

// Errors do not stop the decoder from being closed, and nothing is left after it.
func TestNothingIsLeft(t *testing.T) {
	c := smallClip(t)
	before := Live()
	if before != (Counts{}) {
		t.Fatalf("Live = %+v before the test", before)
	}
	bad := damage(c.packets, 0, false, rand.New(rand.NewPCG(3, 4)))
	form := codec.Pixels{Layout: tensor.NCHW, DType: tensor.Float32, Width: 33, Height: 20, Orientation: container.Orientation{Degrees: 90}}
	dst := tensor.New(tensor.Float32, 3, 20, 33)
	plain := tensor.New(tensor.Uint8, 3, 96, 160)
	cycle := func(i int) {
		d, err := Backend{}.OpenVideo(t.Context(), &c.track, &codec.VideoOptions{Threads: 1 + i%2})
		if err != nil {
			t.Fatal(err)
		}
		packets := c.packets[:6]
		if i%3 == 0 {
			packets = bad[:6]
		}
		stop := errors.New("stop")
		decodeAll(t.Context(), d, packets, func(f codec.VideoFrame) error {
			if err := f.Convert(dst, &form); err != nil {
				t.Error(err)
			}
			if err := f.Convert(plain, &codec.Pixels{}); err != nil {
				t.Error(err)
			}
			if i%5 == 0 {
				return stop
			}
			return nil
		})
		if now := Live(); now.Decoders != 1 {
			t.Fatalf("Live = %+v with one decoder open", now)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Opens that go wrong leave nothing either.
	broken := c.track
	broken.Descriptions = []container.Description{{Codec: "h264", FourCC: "avc1", Config: []byte{1, 2, 3, 4, 5, 6, 7, 8}}}
	for range 100 {
		if d, err := (Backend{}).OpenVideo(t.Context(), &broken, nil); err == nil {
			d.Close()
		}
	}
	cycles := 1000
	if testing.Short() {
		cycles = 150
	}
	for i := range cycles / 3 {
		cycle(i)
	}
	start := residentPages(t)
	for i := range cycles {
		cycle(i)
	}
	grown := residentPages(t) - start
	if now := Live(); now != (Counts{}) {
		t.Errorf("Live = %+v after all decoders were closed", now)
	}
	if grown > 4096 {
		t.Errorf("resident memory grew by %d pages over %d decoders", grown, cycles)
	}
	t.Logf("resident memory grew by %d pages over %d decoders", grown, cycles)
}

func residentPages(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc/self/statm")
	}
	n, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDecodeAndConvertDoNotAllocate(t *testing.T) {
	c := smallClip(t)
	d := openClip(t, c, 1)
	nhwc := tensor.New(tensor.Uint8, 96, 160, 3)
	nchw := tensor.New(tensor.Float32, 3, 96, 160)
	small := tensor.New(tensor.Uint8, 3, 20, 33)
	packed, planes := codec.Pixels{Layout: tensor.NHWC}, codec.Pixels{DType: tensor.Float32}
	scaled := codec.Pixels{Width: 33, Height: 20}
	emit := func(f codec.VideoFrame) error {
		if err := f.Convert(nhwc, &packed); err != nil {
			return err
		}
		if err := f.Convert(nchw, &planes); err != nil {
			return err
		}
		return f.Convert(small, &scaled)
	}
	ctx := context.Background()
	pass := func() {
		if err := d.Reset(); err != nil {
			t.Fatal(err)
		}
		for i := range c.packets {
			if err := d.Decode(ctx, &c.packets[i], emit); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Flush(ctx, emit); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(5, pass); n != 0 {
		t.Errorf("%v allocations for %d frames, want 0", n, len(c.packets))
	}
}

// FuzzDecode changes packets, and the configuration, of a small clip.
func FuzzDecode(f *testing.F) {
	if available() != nil {
		f.Skip("no libavcodec")
	}
	c := makeClip(f, "a.mp4", "-f", "lavfi", "-i", "testsrc2=s=48x32:r=25", "-frames:v", "6", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "fast")
	f.Add([]byte{0, 0, 9, 1, 0, 30, 255}, false)
	f.Add([]byte{3, 0, 5, 128}, true)
	f.Add([]byte{1, 0, 0, 255, 2, 0, 4, 64}, false)
	dst := tensor.New(tensor.Uint8, 3, 16, 16)
	f.Fuzz(func(t *testing.T, edits []byte, config bool) {
		track := c.track
		packets := append([]container.Packet(nil), c.packets...)
		for i := range packets {
			packets[i].Data = append([]byte(nil), packets[i].Data...)
		}
		conf := append([]byte(nil), track.Config...)
		for range 64 {
			if len(edits) < 4 {
				break
			}
			target := packets[int(edits[0])%len(packets)].Data
			if config && edits[0] >= 128 {
				target = conf
			}
			target[(int(edits[1])<<8|int(edits[2]))%len(target)] ^= edits[3]
			edits = edits[4:]
		}
		track.Config, track.Descriptions = conf, nil
		d, err := Backend{}.OpenVideo(t.Context(), &track, nil)
		if err != nil {
			return
		}
		defer d.Close()
		n := 0
		for _, err := range decodeAll(t.Context(), d, packets, func(f codec.VideoFrame) error {
			if n++; n > 64 {
				t.Fatal("more frames than packets can give")
			}
			if w, h := f.Size(); w*h > 1<<22 {
				return nil
			}
			if p := f.Packet(); p < 0 || p >= int64(len(packets)) {
				t.Fatalf("frame of packet %d of %d", p, len(packets))
			}
			return f.Convert(dst, &codec.Pixels{Width: 16, Height: 16})
		}) {
			if !errors.Is(err, codec.ErrDecode) && !errors.Is(err, container.ErrUnsupported) {
				t.Log(err)
			}
		}
	})
}
