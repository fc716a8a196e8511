package mp4

import (
	"encoding/binary"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/sprocket-video/sprocket/container"
)

const (
	maxConfig = 1 << 20 // bytes of a configuration record that is kept
	maxSPS    = 4 << 10 // bytes of a parameter set that is looked into
)

// readConfig keeps the codec's configuration record, in the form in which libavcodec takes it, and what it tells.
func (e *entry) readConfig(c box) {
	p := c.body
	if len(p) > maxConfig || len(p) < 1 {
		return
	}
	switch c.typ {
	case "avcC":
		e.Config = clone(p)
		e.readAVC(p)
	case "hvcC":
		e.Config = clone(p)
		e.readHEVC(p)
	case "vvcC":
		if len(p) > 4 {
			e.Config = clone(p[4:])
		}
	case "av1C":
		e.Config = clone(p)
		e.readAV1(p)
	case "vpcC":
		e.Config = clone(p)
		e.readVP9(p)
	case "esds":
		e.readESDS(p)
	case "dOps":
		e.readOpus(p)
	case "dfLa":
		e.readFLAC(p)
	case "alac":
		if len(p) >= 28 {
			// libavcodec wants the whole box.
			e.Config = append(binary.BigEndian.AppendUint32(nil, uint32(len(p)+8)), "alac"...)
			e.Config = append(e.Config, p...)
			e.Audio.Channels = int(p[4+9])
			e.setRate(int64(be32(p[4+20:])))
		}
	case "dac3":
		if len(p) >= 3 {
			e.Audio.Channels = ac3Channels(p[1]>>3&7, p[1]>>2&1)
		}
	case "dec3":
		e.readEAC3(p)
	case "pcmC":
		if len(p) >= 6 {
			e.Codec = pcmName(int(p[5]), e.FourCC == "fpcm", true, p[4]&1 == 0)
		}
	case "glbl":
		e.Config = clone(p)
	}
}

func (e *entry) setRate(r int64) {
	if r > 0 && r < 1<<31 {
		e.Audio.SampleRate = int(r)
	}
}

var chromas = [...]string{"4:0:0", "4:2:0", "4:2:2", "4:4:4"}

// readAVC looks into an AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.3.3.1.
func (e *entry) readAVC(p []byte) {
	if len(p) < 8 {
		return
	}
	v := &e.Video
	v.Profile, v.Level = int(p[1]), int(p[3])
	n := int(be16(p[6:]))
	if p[5]&31 == 0 || n > maxSPS || n > len(p)-8 {
		return
	}
	var sps h264.SPS
	if sps.Unmarshal(p[8:8+n]) != nil {
		return
	}
	v.BitDepth, v.Chroma = int(sps.BitDepthLumaMinus8)+8, "4:2:0"
	switch v.Profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		v.Chroma = chromas[sps.ChromaFormatIdc&3]
	}
	if u := sps.VUI; u != nil && u.VideoSignalTypePresentFlag {
		e.setColor(u.VideoFullRangeFlag, u.ColourDescriptionPresentFlag, u.ColourPrimaries, u.TransferCharacteristics, u.MatrixCoefficients)
	}
}

// setColor takes what a parameter set says about colour, unless the container says otherwise.
func (e *entry) setColor(full, described bool, primaries, transfer, matrix uint8) {
	if e.color {
		return
	}
	c := container.Color{Range: container.RangeLimited}
	if full {
		c.Range = container.RangeFull
	}
	if described {
		c.Primaries, c.Transfer, c.Matrix = primaries, transfer, matrix
	}
	e.Video.Color = c
}

// readHEVC looks into an HEVCDecoderConfigurationRecord, ISO/IEC 14496-15, 8.3.3.1.
func (e *entry) readHEVC(p []byte) {
	if len(p) < 23 {
		return
	}
	v := &e.Video
	v.Profile, v.Level = int(p[1]&31), int(p[12])
	v.Chroma, v.BitDepth = chromas[p[16]&3], int(p[17]&7)+8
	arrays := int(p[22])
	for p = p[23:]; arrays > 0 && len(p) >= 5; arrays-- {
		typ, count := p[0]&63, int(be16(p[1:]))
		for p = p[3:]; count > 0 && len(p) >= 2; count-- {
			n := int(be16(p))
			if n > len(p)-2 {
				return
			}
			var sps h265.SPS
			if typ == 33 && n <= maxSPS && sps.Unmarshal(p[2:2+n]) == nil {
				if u := sps.VUI; u != nil && u.VideoSignalTypePresentFlag {
					e.setColor(u.VideoFullRangeFlag, u.ColourDescriptionPresentFlag, u.ColourPrimaries, u.TransferCharacteristics, u.MatrixCoefficients)
				}
				return
			}
			p = p[2+n:]
		}
	}
}

// readAV1 looks into an AV1CodecConfigurationRecord.
func (e *entry) readAV1(p []byte) {
	if len(p) < 4 {
		return
	}
	v := &e.Video
	v.Profile, v.Level = int(p[1]>>5), int(p[1]&31)
	v.BitDepth = 8
	if p[2]&0x40 != 0 { // high_bitdepth
		v.BitDepth = 10
		if p[2]&0x20 != 0 { // twelve_bit
			v.BitDepth = 12
		}
	}
	switch p[2] >> 2 & 7 { // monochrome, subsampling x, subsampling y
	case 0:
		v.Chroma = "4:4:4"
	case 2:
		v.Chroma = "4:2:2"
	case 3:
		v.Chroma = "4:2:0"
	case 7:
		v.Chroma = "4:0:0"
	}
}

// readVP9 looks into a VPCodecConfigurationRecord, a full box.
func (e *entry) readVP9(p []byte) {
	if len(p) < 12 || p[0] != 1 {
		return
	}
	p = p[4:]
	v := &e.Video
	v.Profile, v.Level = int(p[0]), int(p[1])
	v.BitDepth = int(p[2] >> 4)
	switch p[2] >> 1 & 7 {
	case 0, 1:
		v.Chroma = "4:2:0"
	case 2:
		v.Chroma = "4:2:2"
	case 3:
		v.Chroma = "4:4:4"
	}
	e.setColor(p[2]&1 == 1, true, p[3], p[4], p[5])
}

// readESDS reads the descriptors of an ES descriptor box, ISO/IEC 14496-1, 7.2.6.5 and 7.2.6.6.
func (e *entry) readESDS(p []byte) {
	if len(p) < 4 {
		return
	}
	tag, es, _ := descriptor(p[4:])
	if tag == 3 && len(es) >= 3 {
		flags := es[2]
		skip := 3
		if flags&0x80 != 0 {
			skip += 2
		}
		if flags&0x40 != 0 && len(es) > skip {
			skip += 1 + int(es[skip])
		}
		if flags&0x20 != 0 {
			skip += 2
		}
		if len(es) < skip {
			return
		}
		tag, es, _ = descriptor(es[skip:])
	}
	if tag != 4 || len(es) < 13 {
		return
	}
	object := es[0]
	if name, ok := objectTypes[object]; ok {
		e.Codec, e.object = name, true
	}
	if r := int64(be32(es[9:])); r > 0 {
		e.BitRate = r
	}
	if tag, info, _ := descriptor(es[13:]); tag == 5 {
		e.Config = clone(info)
		if e.Codec == "aac" {
			e.readAudioConfig(info, object)
		}
	}
}

// descriptor splits the first descriptor off p: its tag, its body, and the rest.
func descriptor(p []byte) (tag byte, body, rest []byte) {
	if len(p) < 2 {
		return 0, nil, nil
	}
	tag = p[0]
	n, i := 0, 1
	for ; i < len(p) && i <= 4; i++ {
		n = n<<7 | int(p[i]&0x7f)
		if p[i]&0x80 == 0 {
			i++
			break
		}
	}
	end := min(i+n, len(p))
	return tag, p[i:end], p[end:]
}

var audioRates = [...]int64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// readAudioConfig looks into an AudioSpecificConfig, ISO/IEC 14496-3, 1.6.2.1.
func (e *entry) readAudioConfig(p []byte, object byte) {
	if object != 0x40 {
		return // MPEG-2 AAC has the same record, or none
	}
	b := bitReader{p: p}
	typ := func() int {
		if t := b.take(5); t != 31 {
			return int(t)
		}
		return 32 + int(b.take(6))
	}
	rate := func() int64 {
		i := b.take(4)
		switch {
		case i == 15:
			return int64(b.take(24))
		case int(i) < len(audioRates):
			return audioRates[i]
		}
		return 0
	}
	t := typ()
	r := rate()
	channels := b.take(4)
	if b.short {
		return
	}
	e.Audio.Profile = t
	if t == 5 || t == 29 { // explicit SBR, PS: what comes out has the extension's rate
		if x := rate(); !b.short {
			r = x
		}
	}
	if t == 36 {
		e.Codec = "mp4als"
		return
	}
	e.setRate(r)
	switch {
	case channels >= 1 && channels <= 6:
		e.Audio.Channels = int(channels)
	case channels == 7 || channels == 12 || channels == 14:
		e.Audio.Channels = 8
	case channels == 11:
		e.Audio.Channels = 7
	case channels == 13:
		e.Audio.Channels = 24
	}
	if t == 29 && channels == 1 {
		e.Audio.Channels = 2
	}
}

// readOpus turns an OpusSpecificBox into the identification header of RFC 7845: the same, but little-endian.
func (e *entry) readOpus(p []byte) {
	if len(p) < 11 {
		return
	}
	h := append([]byte("OpusHead\x01"), p[1:]...)
	binary.LittleEndian.PutUint16(h[10:], uint16(be16(p[2:])))
	binary.LittleEndian.PutUint32(h[12:], be32(p[4:]))
	binary.LittleEndian.PutUint16(h[16:], uint16(be16(p[8:])))
	e.Config = h
	e.Audio.Channels = int(p[1])
	e.Audio.SampleRate = 48000
}

// readFLAC keeps the STREAMINFO block.
func (e *entry) readFLAC(p []byte) {
	if len(p) < 8+34 || p[4]&0x7f != 0 || be32(p[4:])&0xffffff != 34 {
		return
	}
	info := p[8 : 8+34]
	e.Config = clone(info)
	e.setRate(int64(be32(info[10:]) >> 12))
	e.Audio.Channels = int(info[12]>>1&7) + 1
}

func ac3Channels(mode, lfe byte) int {
	return [...]int{2, 1, 2, 3, 3, 4, 4, 5}[mode] + int(lfe)
}

// readEAC3 counts the channels of the first independent substream, ETSI TS 102 366, F.6.
func (e *entry) readEAC3(p []byte) {
	if len(p) >= 5 {
		e.Audio.Channels = ac3Channels(p[3]>>1&7, p[3]&1)
	}
}

// bitReader reads big-endian bits.
type bitReader struct {
	p     []byte
	pos   int
	short bool // more was asked for than there is
}

func (b *bitReader) take(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if b.pos>>3 < len(b.p) {
			v |= uint32(b.p[b.pos>>3]>>(7-b.pos&7)) & 1
		} else {
			b.short = true
		}
		b.pos++
	}
	return v
}
