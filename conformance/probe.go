package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sprocket-video/sprocket/container"
)

// storedVersion is the ffprobe whose answers known.tsv explains.
const storedVersion = "5.1"

// probe is what ffprobe says about a file.
type probe struct {
	from    string         // "ffprobe 5.1.9", "stored ffprobe"
	streams []probeStream  // none when it could not open the file
	packets map[int][]seen // by stream
}

type probeStream struct {
	Index       int    `json:"index"`
	ID          string `json:"id"`
	Kind        string `json:"codec_type"`
	Disposition struct {
		AttachedPic int `json:"attached_pic"`
	} `json:"disposition"`
}

// seen is a packet as ffprobe sees it.
type seen struct {
	pts, dts       int64
	duration       int64
	size, pos      int64
	hasPTS, hasDTS bool
	hasPos         bool
	key, discard   bool
}

type probePacket struct {
	Stream   int    `json:"stream_index"`
	PTS      *int64 `json:"pts"`
	DTS      *int64 `json:"dts"`
	Duration int64  `json:"duration"`
	Size     string `json:"size"`
	Pos      string `json:"pos"`
	Flags    string `json:"flags"`
}

func (p *probePacket) seen() seen {
	s := seen{duration: p.Duration, key: strings.Contains(p.Flags, "K"), discard: strings.Contains(p.Flags, "D")}
	if p.PTS != nil {
		s.pts, s.hasPTS = *p.PTS, true
	}
	if p.DTS != nil {
		s.dts, s.hasDTS = *p.DTS, true
	}
	s.size, _ = strconv.ParseInt(p.Size, 10, 64) // what is no number is no size that a packet has
	var err error
	s.pos, err = strconv.ParseInt(p.Pos, 10, 64)
	s.hasPos = err == nil
	return s
}

// findProbe looks for ffprobe and its version.
func (r *runner) findProbe(ctx context.Context) {
	if r.Stored {
		r.FFprobe = ""
		return
	}
	name := r.FFprobe
	if name == "" {
		name = "ffprobe"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return
	}
	out, err := exec.CommandContext(ctx, path, "-version").Output()
	if f := strings.Fields(string(out)); err == nil && len(f) > 2 {
		r.FFprobe, r.probeVersion = path, f[2]
	}
}

// probe returns what ffprobe says about a file, or nil when nobody knows.
func (r *runner) probe(ctx context.Context, name string) (*probe, error) {
	stored := filepath.Join(r.dir, "_ffprobe", filepath.FromSlash(name)+".json.gz")
	_, err := os.Stat(stored)
	if r.probeVersion != "" && (err != nil || strings.HasPrefix(r.probeVersion, storedVersion)) {
		return r.runProbe(ctx, name)
	}
	if err != nil {
		return nil, nil
	}
	z, err := readGzip(stored)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return parseProbe(z, "stored ffprobe")
}

// runProbe runs ffprobe. A file it cannot open has no streams.
func (r *runner) runProbe(ctx context.Context, name string) (*probe, error) {
	path, err := filepath.Abs(filepath.Join(r.dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, r.FFprobe, "-v", "quiet", "-of", "json=c=1", "-show_entries",
		"packet=stream_index,pts,dts,duration,size,pos,flags:stream=index,id,codec_type:stream_disposition=attached_pic", "-i", "file:"+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p, err := parseProbe(out, "ffprobe "+r.probeVersion)
	_, _ = io.Copy(io.Discard, out) // what is left after an error, so that it ends
	if e := cmd.Wait(); err == nil && e != nil && ctx.Err() != nil {
		err = e
	}
	return p, err
}

// parseProbe reads ffprobe's JSON, a packet at a time.
func parseProbe(in io.Reader, from string) (*probe, error) {
	p := &probe{from: from, packets: map[int][]seen{}}
	d := json.NewDecoder(in)
	if _, err := d.Token(); err != nil {
		if err == io.EOF {
			return p, nil // it printed nothing
		}
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		switch key {
		case "packets", "packets_and_frames":
			err = each(d, func(v probePacket) { p.packets[v.Stream] = append(p.packets[v.Stream], v.seen()) })
		case "streams":
			err = each(d, func(v probeStream) { p.streams = append(p.streams, v) })
		default:
			var other json.RawMessage
			err = d.Decode(&other)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
	}
	return p, nil
}

// each reads an array, an element at a time.
func each[T any](d *json.Decoder, add func(T)) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		add(v)
	}
	_, err := d.Token()
	return err
}

// id returns the track ID; the number of the stream where it has none, as those of playlists.
func (s *probeStream) id() int {
	if n, err := strconv.ParseInt(s.ID, 0, 64); err == nil {
		return int(n)
	}
	return s.Index
}

// stream returns the stream of a track ID, not in claimed; -1 when there is none.
func (p *probe) stream(id int, claimed map[int]bool) int {
	for i := range p.streams {
		if s := &p.streams[i]; s.ID != "" && s.id() == id && s.Disposition.AttachedPic == 0 && !claimed[s.Index] {
			return s.Index
		}
	}
	return -1
}

// alike returns the stream of a kind, not in claimed, whose packets are most like infos by their sizes; -1 when there is none. Streams of playlists have no
// IDs.
func (p *probe) alike(kind container.Kind, infos []container.PacketInfo, claimed map[int]bool) int {
	best, most := -1, -1
	for _, s := range p.streams {
		if s.Kind != kind.String() || claimed[s.Index] {
			continue
		}
		theirs, same := p.packets[s.Index], 0
		for i := range min(len(infos), len(theirs), 100) {
			if int64(infos[i].Size) == theirs[i].size {
				same++
			}
		}
		if same > most {
			best, most = s.Index, same
		}
	}
	return best
}

// maxStored bounds what a compressed expectation may unpack to.
const maxStored = 1 << 30

type gzipFile struct {
	io.Reader
	f *os.File
}

func (g *gzipFile) Close() error { return g.f.Close() }

func readGzip(name string) (*gzipFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		_ = f.Close() // the first error is the one to report
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &gzipFile{io.LimitReader(z, maxStored), f}, nil
}

// golden returns the hashes of the first stream of framemd5's output; nil when there is none.
func (r *runner) golden(name string) ([]string, error) {
	z, err := readGzip(filepath.Join(r.dir, "_framemd5", filepath.FromSlash(name)+".framemd5.gz"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer z.Close()
	text, err := io.ReadAll(z)
	var out []string
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("0,")) {
			out = append(out, string(bytes.TrimSpace(line[bytes.LastIndexByte(line, ',')+1:])))
		}
	}
	return out, err
}
