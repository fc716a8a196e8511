package mp4

import (
	"fmt"
	"math"

	"github.com/sprocket-video/sprocket/container"
)

const maxDescriptions = 256

// entry is one sample entry while it is being read.
type entry struct {
	container.Description
	kind container.Kind
	t    *trak

	packing // of QuickTime audio

	lpcmFlags uint32 // of a version 2 sound description
	lpcm      bool
	aspect    bool // pasp was there
	color     bool // colr was there
	object    bool // an object type has named the codec
}

// packing is how audio is packed where the sample table counts sound frames instead of packets.
type packing struct {
	samples int64 // sound frames in one indivisible piece; 0 or 1 for PCM
	bytes   int64 // bytes of such a piece
}

// readDescriptions reads the sample description box, ISO/IEC 14496-12, 8.5.2.
func (o *opener) readDescriptions(t *trak, kind container.Kind) []container.Description {
	path := t.path + "/mdia/minf/stbl/stsd"
	version, _, r, ok := t.stsd.full()
	if !ok || len(r.body) < 4 {
		o.warn(path, t.off, corrupt("no sample descriptions"))
		return nil
	}
	count := be32(r.body)
	var all []container.Description
	w := r.skip(4).boxes()
	for uint32(len(all)) < min(count, maxDescriptions) {
		b, ok := w.next()
		if !ok {
			o.warn(path, w.off, corrupt("%d of %d sample descriptions", len(all), count))
			break
		}
		e := &entry{kind: kind, t: t}
		e.FourCC = b.typ
		e.Codec = codecName(kind, b.typ)
		e.Video.Profile, e.Video.Level, e.Audio.Profile = -1, -1, -1
		var known bool
		switch kind {
		case container.Video:
			known = e.readVisual(b)
		case container.Audio:
			known = e.readAudio(b, version)
		default:
			known = e.readOther(b)
		}
		if !known {
			o.warn(fmt.Sprintf("%s/%s", path, b.typ), b.off, corrupt("sample entry of %d bytes", len(b.body)))
		}
		if len(all) == 0 {
			t.packing = e.packing
		}
		all = append(all, e.Description)
	}
	return all
}

// readVisual reads a VisualSampleEntry, 12.1.3. It returns false when there is not enough of it.
func (e *entry) readVisual(b box) bool {
	if len(b.body) < 78 {
		return false
	}
	e.Video.Width, e.Video.Height = int(be16(b.body[24:])), int(be16(b.body[26:]))
	e.readChildren(b.skip(78))
	v := &e.Video
	if !e.aspect && e.t.width>>16 > 0 && e.t.height>>16 > 0 && v.Width > 0 && v.Height > 0 &&
		(int(e.t.width>>16) != v.Width || int(e.t.height>>16) != v.Height) {
		// 8.3.2: width and height of the track are those of its presentation; they differ from the coded ones by the pixels' shape.
		v.PixelAspect = reduce(int64(v.Height)*int64(e.t.width), int64(v.Width)*int64(e.t.height))
	}
	return true
}

// reduce returns a/b in lowest terms, or 0/0 where that makes no sense or does not fit.
func reduce(a, b int64) container.Ratio {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	if a <= 0 || b <= 0 || b/x > math.MaxInt32 || a/x > math.MaxInt32 {
		return container.Ratio{}
	}
	return container.Ratio{Num: int(a / x), Den: int(b / x)}
}

// readAudio reads an AudioSampleEntry, 12.2.3, or a sound description of QuickTime, versions 0 to 2.
func (e *entry) readAudio(b box, version byte) bool {
	if len(b.body) < 28 {
		return false
	}
	a := &e.Audio
	p := b.body
	a.Channels = int(be16(p[16:]))
	a.BitsPerSample = int(be16(p[18:]))
	a.SampleRate = int(be32(p[24:]) >> 16)
	children := b.skip(28)
	// In a version 1 description box the entry's version 1 is AudioSampleEntryV1, which adds nothing here.
	if version == 0 {
		switch be16(p[8:]) {
		case 1:
			if len(p) < 44 {
				return false
			}
			e.samples, e.bytes = int64(be32(p[28:])), int64(be32(p[36:]))
			children = b.skip(44)
		case 2:
			if len(p) < 64 {
				return false
			}
			if f := math.Float64frombits(be64(p[32:])); f >= 1 && f < 1<<31 {
				a.SampleRate = int(f)
			}
			a.Channels = int(min(be32(p[40:]), 1<<16))
			a.BitsPerSample = int(min(be32(p[48:]), 1<<16))
			e.lpcm, e.lpcmFlags = b.typ == "lpcm", be32(p[52:])
			children = b.skip(64)
		}
	}
	switch bits := a.BitsPerSample; e.Codec {
	case "pcm_s16be", "pcm_s16le":
		big := e.Codec == "pcm_s16be"
		if e.lpcm {
			e.Codec = pcmName(bits, e.lpcmFlags&1 != 0, e.lpcmFlags&4 != 0, e.lpcmFlags&2 != 0)
		} else if bits == 8 || bits == 24 || bits == 32 {
			e.Codec = pcmName(bits, false, true, big)
		}
	case "pcm_u8":
		if bits == 16 {
			e.Codec = "pcm_s16be"
		}
	}
	e.readChildren(children)
	if n := pcmBits[e.Codec]; n > 0 {
		a.BitsPerSample = n
		a.FrameBytes = n / 8 * a.Channels
		e.samples, e.bytes = 1, int64(a.FrameBytes)
	} else {
		a.BitsPerSample = 0
	}
	if e.Codec == "amr_nb" || e.Codec == "amr_wb" {
		a.Channels = 1 // 3GPP TS 26.244, 6.5: the field always says 2, the sound is mono
	}
	if a.SampleRate == 0 && e.t.timescale < 1<<31 {
		a.SampleRate = int(e.t.timescale)
	}
	return true
}

// readOther reads the sample entry of a track that is neither picture nor sound.
func (e *entry) readOther(b box) bool {
	if len(b.body) < 8 {
		return false
	}
	switch e.FourCC {
	case "mp4s":
		e.readChildren(b.skip(8))
	case "tx3g":
		e.Config = clone(b.body[8:])
	}
	return true
}

// readChildren reads the boxes in a sample entry.
func (e *entry) readChildren(b box) {
	w := b.boxes()
	for {
		c, ok := w.next()
		if !ok {
			return
		}
		e.readChild(c)
	}
}

func (e *entry) readChild(c box) {
	switch c.typ {
	case "wave": // QuickTime wraps what follows in it, once
		w := c.boxes()
		for {
			g, ok := w.next()
			if !ok {
				return
			}
			if g.typ != "wave" {
				e.readChild(g)
			}
		}
	case "enda":
		if len(c.body) >= 2 && be16(c.body) == 1 {
			e.Codec = littleEndian(e.Codec)
		}
	case "pasp":
		if len(c.body) >= 8 {
			e.Video.PixelAspect = reduce(int64(be32(c.body)), int64(be32(c.body[4:])))
			e.aspect = e.Video.PixelAspect.Num > 0
		}
	case "colr":
		e.readColor(c.body)
	case "btrt":
		if len(c.body) >= 12 {
			e.BitRate = int64(be32(c.body[8:]))
		}
	case "sinf":
		e.readProtection(c)
	default:
		e.readConfig(c)
	}
}

// readColor reads a colour information box, 12.1.5, or the same of QuickTime.
func (e *entry) readColor(p []byte) {
	if len(p) < 10 {
		return
	}
	code := func(off int) uint8 {
		if v := be16(p[off:]); v < 256 {
			return uint8(v)
		}
		return 2
	}
	switch string(p[:4]) {
	case "nclx":
		e.Video.Color = container.Color{Primaries: code(4), Transfer: code(6), Matrix: code(8), Range: container.RangeLimited}
		if len(p) > 10 && p[10]&0x80 != 0 {
			e.Video.Color.Range = container.RangeFull
		}
		e.color = true
	case "nclc":
		e.Video.Color = container.Color{Primaries: code(4), Transfer: code(6), Matrix: code(8)}
		e.color = true
	}
}

// readProtection reads a protection scheme information box, 8.12.
func (e *entry) readProtection(b box) {
	if f, ok := b.child("frma"); ok && len(f.body) >= 4 {
		e.FourCC = string(f.body[:4])
		if !e.object {
			e.Codec = codecName(e.kind, e.FourCC)
		}
	}
	e.Encryption.Scheme = "unknown"
	if s, ok := b.child("schm"); ok && len(s.body) >= 8 {
		e.Encryption.Scheme = string(s.body[4:8])
	}
	if s, ok := b.child("schi"); ok {
		if t, ok := s.child("tenc"); ok && len(t.body) >= 24 {
			copy(e.Encryption.KeyID[:], t.body[8:24])
		}
	}
}

func littleEndian(codec string) string {
	switch codec {
	case "pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be":
		return codec[:len(codec)-2] + "le"
	}
	return codec
}

// clone copies b out of the movie box, which is not kept.
func clone(b []byte) []byte { return append([]byte(nil), b...) }
