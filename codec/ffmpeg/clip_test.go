package ffmpeg

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

// clip is a file's first video track with all its packets.
type clip struct {
	name    string
	track   container.Track
	packets []container.Packet
}

// runTool runs ffmpeg or ffprobe and returns what it writes. The test is skipped where there is no such tool.
func runTool(t testing.TB, tool string, args ...string) []byte {
	t.Helper()
	if err := available(); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("%s is not installed", tool)
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), tool, append([]string{"-v", "error"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, stderr.String())
	}
	return out
}

// makeClip encodes a clip. The arguments are those between ffmpeg's -y and the name of the output.
func makeClip(t testing.TB, name string, args ...string) *clip {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	runTool(t, "ffmpeg", append(append([]string{"-y", "-nostdin"}, args...), "-map_metadata", "-1", path)...)
	return loadClip(t, path)
}

var matrices = map[string]uint8{"gbr": 0, "bt709": 1, "fcc": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "bt2020nc": 9, "bt2020c": 10}

// loadClip lists a file with ffprobe. Packets of files other than MPEG-TS are read from where ffprobe says they are.
func loadClip(t testing.TB, path string) *clip {
	t.Helper()
	ext := filepath.Ext(path)
	return loadClipX(t, path, ext == ".ts" || ext == ".mkv" || ext == ".ivf")
}

func loadClipX(t testing.TB, path string, inData bool) *clip {
	t.Helper()
	args := []string{"-select_streams", "v:0", "-show_data", "-show_entries",
		"packet=pts,dts,duration,size,pos,flags:stream=codec_name,codec_tag_string,width,height,color_range,color_space,time_base,extradata",
		"-of", "json", path}
	if inData {
		args[4] = strings.Replace(args[4], "pos,", "pos,data,", 1)
	}
	var probe struct {
		Packets []struct {
			PTS, DTS, Duration *int64
			Size, Pos          string
			Flags, Data        string
		}
		Streams []struct {
			Name  string `json:"codec_name"`
			Tag   string `json:"codec_tag_string"`
			Range string `json:"color_range"`
			Space string `json:"color_space"`
			Base  string `json:"time_base"`

			Width, Height int
			Extradata     string
		}
	}
	if err := json.Unmarshal(runTool(t, "ffprobe", args...), &probe); err != nil {
		t.Fatal(err)
	}
	if len(probe.Streams) == 0 {
		t.Fatalf("%s: no video", path)
	}
	s := probe.Streams[0]
	c := &clip{name: filepath.Base(path)}
	d := container.Description{Codec: s.Name, Config: unhex(t, s.Extradata)}
	if !strings.HasPrefix(s.Tag, "[") {
		d.FourCC = s.Tag
	}
	d.Video = container.Picture{Width: s.Width, Height: s.Height, Profile: -1, Level: -1}
	d.Video.Color = container.Color{Matrix: matrices[s.Space]}
	switch s.Range {
	case "tv":
		d.Video.Color.Range = container.RangeLimited
	case "pc":
		d.Video.Color.Range = container.RangeFull
	}
	if !inData && len(probe.Packets) > 0 && probe.Packets[0].Pos == "" {
		t.Fatalf("%s: no positions", path)
	}
	num, den, _ := strings.Cut(s.Base, "/")
	c.track = container.Track{ID: 1, Kind: container.Video, Description: d, Descriptions: []container.Description{d}}
	c.track.Timebase.Num, _ = strconv.ParseInt(num, 10, 64)
	c.track.Timebase.Den, _ = strconv.ParseInt(den, 10, 64)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for n, p := range probe.Packets {
		q := container.Packet{PacketInfo: container.PacketInfo{N: int64(n), PTS: container.NoTicks, DTS: container.NoTicks}}
		if p.PTS != nil {
			q.PTS = container.Ticks(*p.PTS)
		}
		if p.DTS != nil {
			q.DTS = container.Ticks(*p.DTS)
		}
		q.Key = strings.HasPrefix(p.Flags, "K")
		q.Size, _ = strconv.Atoi(p.Size)
		q.Pos, _ = strconv.ParseInt(p.Pos, 10, 64)
		if inData {
			q.Data = unhex(t, p.Data)
		} else {
			q.Data = make([]byte, q.Size)
			if _, err := file.ReadAt(q.Data, q.Pos); err != nil {
				t.Fatal(err)
			}
		}
		if len(q.Data) != q.Size {
			t.Fatalf("%s: packet %d has %d bytes, want %d", path, n, len(q.Data), q.Size)
		}
		c.packets = append(c.packets, q)
	}
	return c
}

// unhex reads a hex dump of ffprobe's: "00000010: 6764 0015 ...  text".
func unhex(t testing.TB, dump string) []byte {
	t.Helper()
	var b []byte
	for line := range strings.Lines(dump) {
		_, line, ok := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		if !ok {
			continue
		}
		digits := strings.ReplaceAll(line[:min(len(line), 40)], " ", "")
		row, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("hex dump %q: %v", line, err)
		}
		b = append(b, row...)
	}
	return b
}

// openClip opens a decoder that is closed with the test.
func openClip(t testing.TB, c *clip, threads int) codec.VideoDecoder {
	t.Helper()
	d, err := Backend{}.OpenVideo(t.Context(), &c.track, &codec.VideoOptions{Threads: threads})
	if errors.Is(err, codec.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// decodeAll decodes the packets, then flushes. The errors of bad packets are returned, in order.
func decodeAll(ctx context.Context, d codec.VideoDecoder, packets []container.Packet, emit func(codec.VideoFrame) error) []error {
	var errs []error
	for i := range packets {
		if err := d.Decode(ctx, &packets[i], emit); err != nil {
			errs = append(errs, err)
		}
	}
	if err := d.Flush(ctx, emit); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// rawFrames decodes with the ffmpeg program and returns frames of size bytes.
func rawFrames(t testing.TB, path string, size int, args ...string) [][]byte {
	t.Helper()
	out := runTool(t, "ffmpeg", append(append([]string{"-nostdin", "-noautorotate", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough"}, args...),
		"-f", "rawvideo", "-")...)
	if size == 0 || len(out)%size != 0 {
		t.Fatalf("ffmpeg wrote %d bytes for frames of %d", len(out), size)
	}
	var frames [][]byte
	for ; len(out) > 0; out = out[size:] {
		frames = append(frames, out[:size])
	}
	return frames
}
