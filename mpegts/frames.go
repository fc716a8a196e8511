package mpegts

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"github.com/sprocket-video/sprocket/container"
)

var aacRates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

var aacChannels = [...]int{0, 1, 2, 3, 4, 5, 6, 8}

// readADTS reads the header of ISO/IEC 13818-7, 6.2.
func readADTS(b []byte, h *heading) verdict {
	if b[0] != 0xff || len(b) > 1 && b[1]&0xf6 != 0xf0 {
		return noHeader
	}
	if len(b) < 7 {
		return moreBytes
	}
	rate := int(b[2] >> 2 & 15)
	h.size = int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
	if rate >= len(aacRates) || h.size < 7 {
		return noHeader
	}
	h.codec, h.profile = "aac", int(b[2]>>6)+1 // 14496-3, 1.A.2.2.1: one less than the audio object type
	h.rate, h.channels = aacRates[rate], aacChannels[b[2]&1<<2|b[3]>>6]
	h.samples = 1024 * (int(b[6]&3) + 1)
	return isHeader
}

// readLOAS reads the header of an AudioSyncStream (ISO/IEC 14496-3, 1.7.2) and what the StreamMuxConfig in the frame says.
func readLOAS(b []byte, h *heading) verdict {
	if b[0] != 0x56 || len(b) > 1 && b[1]&0xe0 != 0xe0 {
		return noHeader
	}
	if len(b) < 3 {
		return moreBytes
	}
	h.size = 3 + int(b[1]&0x1f)<<8 + int(b[2])
	if len(b) < min(h.size, 24) {
		return moreBytes
	}
	h.codec, h.profile, h.samples = "aac_latm", -1, 1024
	if len(b) > 3 && b[3]&0x80 == 0 { // not useSameStreamMux
		if c, n := muxConfig(b[3:]); c != nil {
			h.samples = n
			h.rate, h.channels, h.profile = c.SampleRate, int(c.ChannelConfig), int(c.Type)
			if h.channels < len(aacChannels) {
				h.channels = aacChannels[h.channels]
			}
		}
	}
	return isHeader
}

// muxConfig reads the StreamMuxConfig (1.7.3.2) of one program and layer at the beginning of an AudioMuxElement. Samples is how many of a
// frame come out of the decoder.
func muxConfig(b []byte) (c *mpeg4audio.AudioSpecificConfig, samples int) {
	r := newBits(b, false)
	r.bit() // useSameStreamMux
	version := r.bit()
	if version == 1 && r.bit() == 1 {
		return nil, 0
	}
	if version == 1 {
		r.skip(8 * (int(r.u(2)) + 1)) // taraBufferFullness
	}
	r.skip(1 + 6 + 4 + 3) // allStreamsSameTimeFraming, numSubFrames, numProgram, numLayer
	if version == 1 {
		r.skip(8 * (int(r.u(2)) + 1)) // ascLen
	}
	c = &mpeg4audio.AudioSpecificConfig{}
	c.Type = mpeg4audio.ObjectType(r.u(5))
	index := int(r.u(4))
	switch {
	case index == 15:
		c.SampleRate = int(r.u(24))
	case index < len(aacRates):
		c.SampleRate = aacRates[index]
	}
	c.ChannelConfig = uint8(r.u(4))
	samples = 1024
	if c.Type == 5 || c.Type == 29 { // SBR: what comes out has the other rate
		if index = int(r.u(4)); index == 15 {
			c.SampleRate = int(r.u(24))
		} else if index < len(aacRates) {
			c.SampleRate = aacRates[index]
		}
		c.Type = mpeg4audio.ObjectType(r.u(5))
		samples = 2048
	}
	if r.flag() { // frameLengthFlag
		samples = samples / 1024 * 960
	}
	if r.short || c.SampleRate == 0 {
		return nil, 0
	}
	return c, samples
}

var (
	mpegRates = [...]int{44100, 48000, 32000}
	// In kbit/s, of MPEG-1 layers I, II, III, and of MPEG-2 layer I and the others.
	mpegBits = [5][16]int{
		{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
)

// readMPEGAudio reads the header of ISO/IEC 11172-3, 2.4.1.3, and 13818-3.
func readMPEGAudio(b []byte, h *heading) verdict {
	if b[0] != 0xff || len(b) > 1 && b[1]&0xe0 != 0xe0 {
		return noHeader
	}
	if len(b) < 4 {
		return moreBytes
	}
	version, layer := b[1]>>3&3, 4-int(b[1]>>1&3)
	bits, rate := b[2]>>4, int(b[2]>>2&3)
	if version == 1 || layer == 4 || rate == 3 || bits == 0 || bits == 15 {
		return noHeader
	}
	h.rate = mpegRates[rate]
	row := layer - 1
	h.samples = [...]int{384, 1152, 1152}[layer-1]
	if version != 3 { // MPEG-2, and 2.5
		h.rate /= 2
		if version == 0 {
			h.rate /= 2
		}
		row = 3 + min(layer-1, 1)
		if layer == 3 {
			h.samples = 576
		}
	}
	kbit, pad := mpegBits[row][bits], int(b[2]>>1&1)
	if layer == 1 {
		h.size = (12*kbit*1000/h.rate + pad) * 4
	} else {
		h.size = h.samples/8*kbit*1000/h.rate + pad
	}
	h.channels = 2
	if b[3]>>6 == 3 {
		h.channels = 1
	}
	h.codec, h.profile = [...]string{"mp1", "mp2", "mp3"}[layer-1], -1
	return isHeader
}

var (
	ac3Rates    = [...]int{48000, 44100, 32000}
	ac3Bits     = [...]int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}
	ac3Channels = [...]int{2, 1, 2, 3, 3, 4, 4, 5}
	eac3Blocks  = [...]int{1, 2, 3, 6}
)

// readAC3 reads the headers of ETSI TS 102 366: AC-3, 4.3, and Enhanced AC-3, E.1.2.
func readAC3(b []byte, h *heading) verdict {
	if b[0] != 0x0b || len(b) > 1 && b[1] != 0x77 {
		return noHeader
	}
	if len(b) < 8 {
		return moreBytes
	}
	h.profile = -1
	id := b[5] >> 3
	if id > 16 {
		return noHeader
	}
	if id <= 10 {
		rate, code := int(b[4]>>6), int(b[4]&63)
		if rate == 3 || code >= 2*len(ac3Bits) {
			return noHeader
		}
		kbit := ac3Bits[code/2]
		h.rate = ac3Rates[rate]
		switch rate {
		case 0:
			h.size = 4 * kbit
		case 1:
			h.size = 2 * (kbit*96000/44100 + code&1)
		default:
			h.size = 6 * kbit
		}
		if id > 8 {
			h.rate >>= id - 8
		}
		mode := b[6] >> 5
		r := newBits(b[6:], false)
		r.skip(3)
		if mode&1 != 0 && mode != 1 {
			r.skip(2)
		}
		if mode&4 != 0 {
			r.skip(2)
		}
		if mode == 2 {
			r.skip(2)
		}
		h.codec, h.samples, h.channels = "ac3", 1536, ac3Channels[mode]+int(r.bit())
		return isHeader
	}
	kind := b[2] >> 6
	if kind == 3 {
		return noHeader
	}
	h.size = 2 * (int(b[2]&7)<<8 + int(b[3]) + 1)
	h.joins = kind == 1 // a dependent substream
	blocks := 6
	if rate := int(b[4] >> 6); rate < 3 {
		h.rate = ac3Rates[rate]
		blocks = eac3Blocks[b[4]>>4&3]
	} else if half := int(b[4] >> 4 & 3); half < 3 {
		h.rate = ac3Rates[half] / 2
	} else {
		return noHeader
	}
	if h.size < 8 {
		return noHeader
	}
	h.codec, h.samples, h.channels = "eac3", 256*blocks, ac3Channels[b[4]>>1&7]+int(b[4]&1)
	return isHeader
}

// readOpus reads the control header of "Encapsulation of Opus in MPEG transport streams", and the first bytes of the packet behind it.
func readOpus(b []byte, h *heading) verdict {
	if b[0] != 0x7f || len(b) > 1 && b[1]&0xe0 != 0xe0 {
		return noHeader
	}
	at, size := 2, 0
	for {
		if at >= len(b) {
			return moreBytes
		}
		size += int(b[at])
		at++
		if b[at-1] != 0xff {
			break
		}
	}
	if b[1]&0x10 != 0 {
		at += 2
	}
	if b[1]&0x08 != 0 {
		at += 2
	}
	if b[1]&0x04 != 0 {
		if at >= len(b) {
			return moreBytes
		}
		at += 1 + int(b[at])
	}
	if len(b) < at+min(size, 2) {
		return moreBytes
	}
	if size == 0 {
		return noHeader
	}
	h.size, h.strip = at+size, at
	h.rate, h.samples, h.codec, h.profile = 48000, int(opus.PacketDuration2(b[at:])), "opus", -1
	return isHeader
}

// FrameHeader reads the header of the ADTS or MPEG audio frame that b begins with: such frames are stored outside of transport streams too. Size is the bytes
// of the frame, which may be more than b has, and samples how many it holds of each channel.
func FrameHeader(b []byte) (sound container.Description, size, samples int, ok bool) {
	for _, read := range []func([]byte, *heading) verdict{readADTS, readMPEGAudio} {
		var h heading
		if len(b) > 0 && read(b, &h) == isHeader {
			return container.Description{
				Codec: h.codec, Audio: container.Sound{SampleRate: h.rate, Channels: h.channels, Profile: h.profile}, Video: container.Picture{Profile: -1, Level: -1},
			}, h.size, h.samples, true
		}
	}
	return sound, 0, 0, false
}
