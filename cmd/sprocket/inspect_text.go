package main

import (
	"fmt"
	"strings"
)

// appendText appends the report for people.
func (r *report) appendText(b []byte) []byte {
	head := []string{formatBytes(r.Bytes), r.Format}
	if r.Duration != nil {
		head = append(head, formatSeconds(*r.Duration))
	}
	head = append(head, plural(int64(len(r.Tracks)), "track", "tracks"))
	b = fmt.Appendf(b, "%s: %s\n", r.Source, strings.Join(head, ", "))
	for i := range r.Tracks {
		b = r.Tracks[i].appendText(append(b, '\n'))
	}
	b = fmt.Appendf(b, "\nopened in %s with %s of %s", formatElapsed(r.Open.elapsed()), plural(r.Open.Reads, "read", "reads"), formatBytes(r.Open.Bytes))
	if r.Open.Bytes <= r.Bytes && r.Bytes > 0 { // a playlist is less than what it leads to
		b = fmt.Appendf(b, " (%s%% of the file)", threeDigits(100*float64(r.Open.Bytes)/float64(r.Bytes)))
	}
	b = append(b, '\n')
	if r.HTTP != nil {
		b = fmt.Appendf(b, "http: %s in all\n", r.HTTP)
	}
	if len(r.Warnings) == 0 {
		return append(b, "no warnings\n"...)
	}
	b = fmt.Appendf(b, "%s:\n", plural(int64(len(r.Warnings)), "warning", "warnings"))
	for _, w := range r.Warnings {
		b = fmt.Appendf(b, "  %s\n", w)
	}
	return b
}

// fields are the lines of a track: a name and what there is to say.
type fields []byte

func (f *fields) add(name string, parts ...string) {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	if len(kept) > 0 {
		*f = fmt.Appendf(*f, "  %-11s%s\n", name, strings.Join(kept, ", "))
	}
}

func (r *trackReport) appendText(b []byte) []byte {
	name := orElse(r.Codec, "unknown codec")
	if r.FourCC != "" && r.FourCC != r.Codec {
		name += " (" + r.FourCC + ")"
	}
	b = fmt.Appendf(b, "track %d: %v, %s%s\n", r.ID, r.Kind, name, r.profile())
	f := fields(b)
	if r.Video != nil {
		r.Video.addText(&f)
	}
	if a := r.Audio; a != nil {
		channels := ""
		if a.Channels > 0 {
			channels = plural(int64(a.Channels), "channel", "channels")
		}
		f.add("sound", format("%d Hz", positive(a.SampleRate)), channels, format("%d bits", a.BitsPerSample))
	}
	if v := r.Variant; v != nil { // its packets were not listed
		var rate, fps string
		if v.Bandwidth > 0 {
			rate = fmt.Sprintf("up to %d kb/s", v.Bandwidth/1000)
		}
		if v.FrameRate > 0 {
			fps = fmt.Sprintf("%g fps", v.FrameRate)
		}
		f.add("variant", rate, fps, v.Codecs, v.Name)
	} else {
		f.add("packets", r.counts()...)
	}
	if r.Start != nil && r.Duration != nil {
		f.add("time", fmt.Sprintf("%s from %s", formatSeconds(*r.Duration), formatSeconds(*r.Start)),
			fmt.Sprintf("tick %v s", r.Timebase))
	}
	f.add("headers", r.headers()...)
	if r.BitRate != nil {
		f.add("bit rate", formatBitRate(*r.BitRate), formatBytes(r.PayloadBytes)+" of payload")
	}
	if r.Video != nil && len(r.sizes) > 1 {
		f.add("sizes", sparkline(r.sizes))
	}
	if r.GOP != nil {
		r.GOP.addText(&f, r.Video.Reorder)
	}
	if x := r.Index; x != nil {
		memory := formatBytes(int64(x.Bytes)) + " in memory"
		if x.BytesPerPacket > 0 {
			memory += fmt.Sprintf(" (%.1f a packet)", x.BytesPerPacket)
		}
		f.add("index", x.Kind, "built in "+formatElapsed(x.Cost.elapsed()), x.Cost.reads(), memory)
		f.add("", x.Why)
	}
	for _, l := range r.Lints {
		f.add("lint", l)
	}
	if r.Verify != nil {
		r.Verify.addText(&f)
	}
	if e := r.Encryption; e != nil {
		f.add("encrypted", e.Scheme, prefixed("key ", e.KeyID))
	}
	f.add("flags", r.flags()...)
	if r.Error != "" {
		f.add("error", r.Error)
	}
	return f
}

func (r *trackReport) profile() string {
	var profile, level *string
	if r.Video != nil {
		profile, level = r.Video.ProfileName, r.Video.LevelName
		if profile == nil {
			profile = known(format("profile %d", r.Video.Profile), r.Video.Profile != nil)
		}
	} else if r.Audio != nil {
		profile = r.Audio.ProfileName
	}
	out := ""
	if profile != nil {
		out = " " + *profile
	}
	if level != nil {
		out += " level " + *level
	}
	return out
}

func (v *videoReport) addText(f *fields) {
	size, mirrored, turned := "", "", ""
	if v.Width > 0 || v.Height > 0 {
		size = fmt.Sprintf("%dx%d", v.Width, v.Height)
	}
	if v.Mirror {
		mirrored = "mirrored"
	}
	if v.Rotation != 0 {
		turned = fmt.Sprintf("turned %d° clockwise to %dx%d", v.Rotation, v.DisplayWidth, v.DisplayHeight)
	}
	f.add("picture", size, mirrored, turned, format("pixels %s", v.PixelAspect), format("%d bits", v.BitDepth), format("%s", v.Chroma))
	c := v.Color
	if c != (colorReport{}) {
		f.add("colour", "primaries "+told(c.Primaries), "transfer "+told(c.Transfer), "matrix "+told(c.Matrix), "range "+told(c.Range))
	}
	if v.FPS == nil {
		return
	}
	rate := formatRate(*v.FPS) + " fps"
	if v.FPSExact != nil && strings.Contains(*v.FPSExact, "/") {
		rate += " (" + *v.FPSExact + ")"
	}
	limits := ""
	if v.FPSMode != nil && *v.FPSMode == "variable" {
		limits = "from " + rateOrNone(v.FPSMin) + " to " + rateOrNone(v.FPSMax)
	}
	f.add("rate", rate, format("%s", v.FPSMode), limits)
}

func rateOrNone(fps *float64) string {
	if fps == nil {
		return "∞"
	}
	return formatRate(*fps)
}

func (r *trackReport) counts() []string {
	if x := r.Index; x != nil && x.Counted != nil { // approximate: nothing was listed
		if r.Frames == nil {
			return []string{fmt.Sprintf("about %d", r.Packets)}
		}
		return []string{"about " + plural(int64(*r.Frames), "frame", "frames"), fmt.Sprintf("%d counted", *x.Counted)}
	}
	parts := []string{fmt.Sprintf("%d", r.Packets)}
	if r.Frames != nil {
		parts = append(parts, plural(int64(*r.Frames), "frame", "frames"))
	}
	parts = append(parts, fmt.Sprintf("%d key", r.Keys))
	for _, c := range []struct {
		n    int64
		what string
	}{{r.Discarded, "discarded"}, {r.Corrupt, "corrupt"}, {r.BeyondEnd, "beyond the end of the file"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if r.Disposable != nil {
		parts = append(parts, fmt.Sprintf("%d disposable", *r.Disposable))
	}
	return parts
}

// headers returns what the headers claim where the tables say something else.
func (r *trackReport) headers() []string {
	h := r.Header
	var parts []string
	if h.Packets != nil && *h.Packets != r.Packets {
		parts = append(parts, fmt.Sprintf("claim %d packets", *h.Packets))
	}
	if h.Duration != nil && r.Duration != nil && differ(*h.Duration, *r.Duration) {
		parts = append(parts, "claim "+formatSeconds(*h.Duration))
	}
	if h.Start != nil && r.Start != nil && differ(*h.Start, *r.Start) {
		parts = append(parts, "claim to begin at "+formatSeconds(*h.Start))
	}
	return parts
}

// differ says whether two times are more than a millisecond apart: headers are often rounded so.
func differ(a, b float64) bool { return a-b > 1.5e-3 || b-a > 1.5e-3 }

func (r *trackReport) flags() []string {
	var parts []string
	if r.Default {
		parts = append(parts, "default")
	}
	if !r.Enabled {
		parts = append(parts, "disabled")
	}
	if r.Descriptions > 1 {
		parts = append(parts, fmt.Sprintf("%d sample descriptions", r.Descriptions))
	}
	return append(parts, prefixed("language ", r.Language), prefixed("handler ", quoted(r.Handler)))
}

func (g *gopReport) addText(f *fields, reorder int) {
	f.add("GOPs", fmt.Sprintf("%d", g.Count), g.Structure,
		fmt.Sprintf("%.0f / %.4g / %.0f frames", g.Frames.Min, g.Frames.Mean, g.Frames.Max),
		fmt.Sprintf("%.3g / %.3g / %.3g s (min / mean / max)", g.Seconds.Min, g.Seconds.Mean, g.Seconds.Max))
	leading, before, reordered := "", "", ""
	if reorder > 0 {
		reordered = "reordered by up to " + plural(int64(reorder), "packet", "packets")
	}
	if g.Leading > 0 {
		leading = plural(g.Leading, "leading packet", "leading packets")
	}
	if g.BeforeKey > 0 {
		before = plural(g.BeforeKey, "packet", "packets") + " before the first key packet"
	}
	f.add("seek", fmt.Sprintf("at most %s of %s to reach a frame", plural(g.MaxPackets, "packet", "packets"), formatBytes(g.MaxBytes)), reordered, leading, before)
	k := &g.Keys
	if k.Count == 0 || k.Unknown == k.Count {
		return
	}
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{{k.IDR, "IDR"}, {k.Open, "open"}, {k.Recovery, "recovery points"}, {k.NotKey, "no key packets at all"}, {k.Unknown, "unknown"}, {k.Unreadable, "unreadable"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	f.add("keys", fmt.Sprintf("%d looked at: %s", k.Count, strings.Join(parts, ", ")))
}

// format formats a value that may be unknown; then it is "".
func format[T any](layout string, v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf(layout, *v)
}

func told(s *string) string {
	if s == nil {
		return "not told"
	}
	return *s
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}
