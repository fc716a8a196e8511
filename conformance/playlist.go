package conformance

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/sprocket-video/sprocket/hls"
)

// maxNested is how deep playlists name playlists: a multivariant one names media playlists.
const maxNested = 2

// missing says what a playlist names that is not in the folder, or "" when all of it is: the first segment of each media playlist stands for the others.
// Nothing is fetched from anywhere else, and what is not a playlist is left to the demuxer.
func missing(name string, depth int) string {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Sprintf("it names %s, which is not here", filepath.Base(name))
	}
	p, err := hls.Parse(data, nil)
	if err != nil || depth == maxNested {
		return ""
	}
	var lists, segments []string
	if m := p.Multivariant; m != nil {
		for _, v := range m.Variants {
			lists = append(lists, v.URI)
		}
		for _, r := range m.Renditions {
			lists = append(lists, r.URI)
		}
	} else if len(p.Media.Segments) > 0 {
		segments = append(segments, p.Media.Segments[0].URI)
	}
	for _, uri := range append(lists, segments...) {
		if uri == "" {
			continue
		}
		u, err := url.Parse(uri)
		if err != nil || u.IsAbs() || u.Host != "" {
			if err == nil && u.Host != "" {
				uri = u.Host
			}
			return "it names what is on a server: " + uri
		}
		file := filepath.Join(filepath.Dir(name), filepath.FromSlash(u.Path))
		if _, err := os.Stat(file); err != nil {
			return fmt.Sprintf("it names %s, which is not here", uri)
		}
		if len(segments) == 0 {
			if why := missing(file, depth+1); why != "" {
				return why
			}
		}
	}
	return ""
}
