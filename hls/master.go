package hls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sprocket-video/sprocket/container"
)

// openMultivariant makes a track of each variant and rendition, and loads the playlists of those that are wanted.
func (d *Demuxer) openMultivariant(ctx context.Context, p *Playlist) error {
	m := &master{d: d, p: p, streams: map[string]*stream{}}
	guessed, err := m.guess(ctx)
	if err != nil {
		return err
	}
	for i := range p.Multivariant.Variants {
		m.addVariant(&p.Multivariant.Variants[i], guessed)
	}
	for i := range p.Multivariant.Renditions {
		m.addRendition(&p.Multivariant.Renditions[i])
	}
	if len(d.tracks) > d.opts.Limits.Tracks {
		return fail("open", "", fmt.Errorf("%w: %d tracks", container.ErrLimit, len(d.tracks)))
	}
	if len(d.tracks) == 0 {
		return fail("open", "", unsupported("no variant or rendition has a playlist"))
	}
	m.setDefaults()
	d.choose()
	if d.opts.Select == nil {
		return nil
	}
	for i, ref := range d.refs {
		if !d.inUse[i] {
			continue
		}
		if err := ref.s.meet(ctx); err != nil {
			return err
		}
		d.describe(ref.s)
	}
	return nil
}

// meet loads the playlist, and what tells of the tracks unless the multivariant playlist told enough: the map, or a segment.
func (s *stream) meet(ctx context.Context) error {
	if err := take(ctx, s.turn); err != nil {
		return err
	}
	err := s.begin(ctx)
	told := err == nil && s.tellsEnough()
	<-s.turn
	if err != nil || told {
		return err
	}
	return s.ready(ctx)
}

// tellsEnough says whether a decoder can be chosen by what the multivariant playlist tells: the segments have no map, so that the parameters are
// in the packets, and the codecs are known.
func (s *stream) tellsEnough() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.segs {
		if s.segs[i].Map != nil {
			return false
		}
	}
	for i, ref := range s.d.refs {
		if ref.s == s && s.d.tracks[i].Codec == "" {
			return false
		}
	}
	if len(s.slots) == 0 {
		s.makeSlots(s.kinds)
		for _, t := range s.slots {
			t.fixed = true
		}
	}
	return true
}

// master is the state while tracks are made.
type master struct {
	d       *Demuxer
	p       *Playlist
	streams map[string]*stream
}

// stream returns the stream of a playlist, and whether it is a new one.
func (m *master) stream(ref string) (*stream, bool) {
	if s := m.streams[ref]; s != nil {
		return s, false
	}
	s := m.d.newStream(ref, m.p.Variables)
	m.streams[ref] = s
	return s, true
}

// add makes a track of a stream's track of a kind, which becomes a new slot where it has none.
func (m *master) add(s *stream, kind container.Kind, desc container.Description, v container.Variant) *container.Track {
	n := slices.Index(s.kinds, kind)
	if n < 0 {
		n = len(s.kinds)
		s.kinds = append(s.kinds, kind)
	}
	t := container.Track{
		ID: len(m.d.tracks) + 1, Kind: kind, Timebase: container.Timebase{Num: 1, Den: 90_000}, Start: container.NoTicks, Duration: container.NoTicks,
		Packets: -1, Bytes: -1, Enabled: true, Description: desc, Variant: v,
	}
	t.Descriptions = []container.Description{desc}
	m.d.tracks = append(m.d.tracks, t)
	m.d.refs = append(m.d.refs, trackRef{s, n})
	return &m.d.tracks[len(m.d.tracks)-1]
}

// guess looks into the first variant where none tells its codecs: the others are then taken to hold the same.
func (m *master) guess(ctx context.Context) (map[container.Kind]container.Description, error) {
	variants := m.p.Multivariant.Variants
	if len(variants) == 0 || slices.ContainsFunc(variants, func(v Variant) bool { return v.Codecs != "" }) {
		return nil, nil
	}
	s := &stream{d: m.d, ref: variants[0].URI, variables: m.p.Variables, turn: make(chan struct{}, 1)}
	if err := s.ready(ctx); err != nil {
		s.close()
		if ctx.Err() == nil && (missing(err) || errors.Is(err, container.ErrUnsupported)) {
			return nil, nil // whoever chooses it is told
		}
		return nil, err
	}
	m.d.streams = append(m.d.streams, s)
	m.streams[s.ref] = s
	found := map[container.Kind]container.Description{}
	for _, t := range s.slots {
		if _, twice := found[t.kind]; !twice && t.known {
			found[t.kind] = t.track.Description
		}
		s.kinds = append(s.kinds, t.kind)
	}
	return found, nil
}

// addVariant makes the tracks of a variant: its pictures, and its sound where that is in the same segments.
func (m *master) addVariant(v *Variant, guessed map[container.Kind]container.Description) {
	if v.URI == "" {
		return
	}
	found := codecs(v.Codecs)
	if v.Codecs == "" {
		found = map[container.Kind]container.Description{container.Video: {Video: container.Picture{Profile: -1, Level: -1}}}
		if guessed != nil {
			found = guessed
		}
	}
	if _, ok := found[container.Video]; !ok && v.Width > 0 {
		found[container.Video] = container.Description{Video: container.Picture{Profile: -1, Level: -1}}
	}
	s, _ := m.stream(v.URI)
	told := container.Variant{
		Bandwidth: v.Bandwidth, AverageBandwidth: v.AverageBandwidth, FrameRate: v.FrameRate, Codecs: v.Codecs, Name: v.Name, Group: v.Video,
	}
	if desc, ok := found[container.Video]; ok {
		if v.Width > 0 {
			desc.Video.Width, desc.Video.Height = v.Width, v.Height
		}
		desc.BitRate = v.AverageBandwidth
		m.add(s, container.Video, desc, told)
	}
	if desc, ok := found[container.Audio]; ok && !m.separate("AUDIO", v.Audio) {
		told.FrameRate, told.Group = 0, v.Audio
		t := m.add(s, container.Audio, desc, told)
		for _, r := range m.p.Multivariant.Renditions {
			if r.Type == "AUDIO" && r.Group == v.Audio && r.URI == "" {
				t.Language, t.Variant.Name = r.Language, r.Name
				break
			}
		}
	}
	if _, ok := found[container.Video]; ok || len(found) > 0 {
		return
	}
	m.add(s, container.Data, container.Description{}, told) // codecs that are not known
}

// separate says whether all renditions of a group have playlists of their own, so that none is in the variant's segments.
func (m *master) separate(kind, group string) bool {
	any := false
	for _, r := range m.p.Multivariant.Renditions {
		if r.Type == kind && r.Group == group {
			if r.URI == "" {
				return false
			}
			any = true
		}
	}
	return any
}

// addRendition makes a track of a rendition that has a playlist of its own.
func (m *master) addRendition(r *Rendition) {
	kinds := map[string]container.Kind{"AUDIO": container.Audio, "VIDEO": container.Video, "SUBTITLES": container.Subtitle}
	kind, ok := kinds[r.Type]
	if !ok || r.URI == "" {
		return
	}
	told := container.Variant{Name: r.Name, Group: r.Group}
	desc := container.Description{Video: container.Picture{Profile: -1, Level: -1}, Audio: container.Sound{Profile: -1}}
	for _, v := range m.p.Multivariant.Variants {
		group := map[string]string{"AUDIO": v.Audio, "VIDEO": v.Video, "SUBTITLES": v.Subtitles}[r.Type]
		if group != r.Group {
			continue
		}
		told.Codecs = v.Codecs
		if found, ok := codecs(v.Codecs)[kind]; ok {
			desc = found
		}
		if kind == container.Video {
			desc.Video.Width, desc.Video.Height = v.Width, v.Height
			told.FrameRate, told.Bandwidth, told.AverageBandwidth = v.FrameRate, v.Bandwidth, v.AverageBandwidth
		}
		break
	}
	if kind == container.Subtitle && desc.Codec == "" {
		desc.Codec = "webvtt"
	}
	if kind == container.Audio {
		desc.Audio.SampleRate = r.SampleRate
		count, _, _ := strings.Cut(r.Channels, "/")
		if n, err := parseInt(count); err == nil {
			desc.Audio.Channels = int(min(n, 1<<10))
		}
	}
	s, _ := m.stream(r.URI)
	m.add(s, kind, desc, told).Language = r.Language
}

// setDefaults marks of each kind the track that is taken when nothing is said: the variant with the most bits a second whose codec is known, and the
// renditions that say so.
func (m *master) setDefaults() {
	best := map[container.Kind]int{}
	renditions := map[string]bool{}
	for _, r := range m.p.Multivariant.Renditions {
		if r.Default {
			renditions[r.Type+" "+r.Group+" "+r.Name] = true
		}
	}
	names := map[container.Kind]string{container.Audio: "AUDIO", container.Subtitle: "SUBTITLES"}
	for i := range m.d.tracks {
		t := &m.d.tracks[i]
		if t.Kind != container.Video && renditions[names[t.Kind]+" "+t.Variant.Group+" "+t.Variant.Name] {
			t.Default = true
			continue
		}
		b, ok := best[t.Kind]
		if !ok || t.Codec != "" && (m.d.tracks[b].Codec == "" || t.Variant.Bandwidth > m.d.tracks[b].Variant.Bandwidth) {
			best[t.Kind] = i
		}
	}
	for kind, i := range best {
		if kind == container.Video || !slices.ContainsFunc(m.d.tracks, func(t container.Track) bool { return t.Kind == kind && t.Default }) {
			m.d.tracks[i].Default = true
		}
	}
}
