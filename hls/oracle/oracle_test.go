// Package oracle compares the playlist parser with the two maintained ones in Go, on every playlist of the corpus. It is a module of its own,
// so that nothing else depends on them. What is compared is what all three tell; where one of them is known to be wrong, explained says so.
package oracle

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// facts are what a parser says of a playlist, a line for each variant or segment.
type facts []string

func segmentFact(uri string, d time.Duration, broken, gap bool, length int64) string {
	return fmt.Sprintf("segment %s %.3f discontinuity %t gap %t bytes %d", uri, d.Seconds(), broken, gap, length)
}

func variantFact(uri string, bandwidth int64, resolution, audio, video, subtitles string) string {
	return fmt.Sprintf("variant %s %d %s audio %q video %q subtitles %q", uri, bandwidth, resolution, audio, video, subtitles)
}

func ours(data []byte) (facts, error) {
	p, err := hls.Parse(data, nil)
	if err != nil {
		return nil, err
	}
	var out facts
	if p.Media != nil {
		out = append(out, fmt.Sprintf("media from %d", p.Media.Sequence))
		for _, s := range p.Media.Segments {
			out = append(out, segmentFact(s.URI, s.Duration, s.Break, s.Gap, s.Range.Len))
		}
		return out, nil
	}
	for _, v := range p.Multivariant.Variants {
		resolution := ""
		if v.Width > 0 {
			resolution = fmt.Sprintf("%dx%d", v.Width, v.Height)
		}
		out = append(out, variantFact(v.URI, v.Bandwidth, resolution, v.Audio, v.Video, v.Subtitles))
	}
	return out, nil
}

func eyevinn(data []byte) (out facts, err error) {
	p, kind, err := m3u8.DecodeFrom(bytes.NewReader(data), false)
	if err != nil {
		return nil, err
	}
	if kind == m3u8.MEDIA {
		m := p.(*m3u8.MediaPlaylist)
		out = append(out, fmt.Sprintf("media from %d", m.SeqNo))
		for _, s := range m.Segments {
			if s != nil {
				out = append(out, segmentFact(s.URI, time.Duration(s.Duration*1e9), s.Discontinuity, s.Gap, s.Limit))
			}
		}
		return out, nil
	}
	for _, v := range p.(*m3u8.MasterPlaylist).Variants {
		if !v.Iframe {
			out = append(out, variantFact(v.URI, int64(v.Bandwidth), v.Resolution, v.Audio, v.Video, v.Subtitles))
		}
	}
	return out, nil
}

func gohlslib(data []byte) (out facts, err error) {
	p, err := playlist.Unmarshal(data)
	if err != nil {
		return nil, err
	}
	switch p := p.(type) {
	case *playlist.Media:
		out = append(out, fmt.Sprintf("media from %d", p.MediaSequence))
		for _, s := range p.Segments {
			length := int64(0)
			if s.ByteRangeLength != nil {
				length = int64(*s.ByteRangeLength)
			}
			out = append(out, segmentFact(s.URI, s.Duration, s.Discontinuity, s.Gap, length))
		}
	case *playlist.Multivariant:
		for _, v := range p.Variants {
			out = append(out, variantFact(v.URI, int64(v.Bandwidth), v.Resolution, v.Audio, v.Video, v.Subtitles))
		}
	}
	return out, nil
}

// explained says, by file and parser, why its answer is another one. Each must be met.
var explained = map[string]string{
	"m3u8/m3u8-parser/liveMissingSegmentDuration.m3u8 eyevinn": "it drops segments without EXTINF",
	"m3u8/m3u8-parser/missingExtinf.m3u8 eyevinn":              "it drops segments without EXTINF",
	"m3u8/m3u8-parser/missingSegmentDuration.m3u8 eyevinn":     "it drops segments without EXTINF",
	"m3u8/m3u8-parser/whiteSpace.m3u8 eyevinn":                 "it keeps the blanks around a URI",
}

func TestPlaylistsAreAsOthersReadThem(t *testing.T) {
	dir := testmedia.Corpus(t)
	met := map[string]bool{}
	compared := map[string]int{}
	for _, root := range []string{"m3u8", "hls"} {
		err := filepath.WalkDir(filepath.Join(dir, root), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || root == "hls" && filepath.Ext(path) != ".m3u8" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			got, err := ours(data)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return nil
			}
			for who, read := range map[string]func([]byte) (facts, error){"eyevinn": eyevinn, "gohlslib": gohlslib} {
				want, err := read(data)
				if err != nil {
					continue // it refuses the file; ours is the more tolerant
				}
				compared[who]++
				if slices.Equal(got, want) {
					continue
				}
				key := filepath.ToSlash(name) + " " + who
				met[key] = true
				if explained[key] == "" {
					t.Errorf("%s:\nours\n%s\ntheirs\n%s", key, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for key := range explained {
		if !met[key] {
			t.Errorf("%s: explained, and equal", key)
		}
	}
	t.Logf("compared: %v", compared)
	if compared["eyevinn"] < 100 || compared["gohlslib"] < 60 {
		t.Errorf("compared: %v, want more", compared)
	}
}
