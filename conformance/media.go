package conformance

import (
	"bytes"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/sprocket-video/sprocket/container"
)

// mediaExtensions are those of files that are media whatever they begin with.
const mediaExtensions = ".mp4 .m4v .m4a .m4b .m4s .mov .qt .3gp .3g2 .cmfv .cmfa .isma .ismv .insv .ts .mts .m2ts .m3u8 " +
	".h264 .264 .avc .jsv .h265 .265 .hevc .aac .ac3 .webm .mkv .avi"

// isMedia says whether a file is to have a row: by its name, by its first bytes, or because it is in the folder fuzz.
func (r *runner) isMedia(file, name string) bool {
	ext := strings.ToLower(path.Ext(name))
	if strings.HasPrefix(name, "fuzz/") || slices.Contains(strings.Fields(mediaExtensions), ext) {
		return true
	}
	switch ext {
	case ".tsv", ".json", ".gz", ".md", ".txt", ".jpg", ".png", ".vtt":
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, _ := io.ReadFull(f, head) // what could be read decides
	head = head[:n]
	return r.sniff(head) || guess(head) != ""
}

// sniff says whether one of the formats knows the first bytes of a file.
func (r *runner) sniff(head []byte) bool {
	for _, f := range r.Formats {
		if f.Sniff(head) {
			return true
		}
	}
	return false
}

// guess names a format by its first bytes; "" when it is none of the usual ones.
func guess(head []byte) string {
	transport := func(size, first int) bool {
		return len(head) > first+2*size && head[first] == 0x47 && head[first+size] == 0x47 && head[first+2*size] == 0x47
	}
	switch {
	case bytes.HasPrefix(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), []byte("#EXTM3U")):
		return "HLS playlist"
	case transport(188, 0) || transport(192, 4):
		return "MPEG transport stream"
	case bytes.HasPrefix(head, []byte("\x1a\x45\xdf\xa3")):
		return "Matroska or WebM"
	case bytes.HasPrefix(head, []byte("\x00\x00\x00\x01")) || bytes.HasPrefix(head, []byte("\x00\x00\x01")):
		return "elementary stream"
	case len(head) > 1 && head[0] == 0xff && head[1]&0xf6 == 0xf0:
		return "ADTS"
	case bytes.HasPrefix(head, []byte("\x0b\x77")):
		return "AC-3"
	}
	return ""
}

// gop samples a track for drawing: at most maxBars bars, each of as many packets.
func gop(infos []container.PacketInfo) *Timeline {
	if len(infos) == 0 {
		return nil
	}
	t := &Timeline{Packets: len(infos), PerBar: (len(infos) + maxBars - 1) / maxBars}
	for i := 0; i < len(infos); i += t.PerBar {
		b := Bar{Discard: true}
		for _, p := range infos[i:min(i+t.PerBar, len(infos))] {
			b.Size = max(b.Size, p.Size)
			b.Key = b.Key || p.Key
			b.Discard = b.Discard && p.Discard
			b.Corrupt = b.Corrupt || p.Corrupt
		}
		t.Largest = max(t.Largest, b.Size)
		t.Bars = append(t.Bars, b)
	}
	for _, p := range infos {
		if p.Key {
			t.Keys++
		}
	}
	return t
}
