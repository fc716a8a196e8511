package mpegts

import (
	"strings"

	"github.com/sprocket-video/sprocket/container"
)

// framing is how packets are found in what a PID carries.
type framing uint8

const (
	framePES      framing = iota // a PES packet is a packet
	frameVideo                   // access units, by start codes
	frameAudio                   // frames, by their headers
	frameSections                // a section is a packet
)

// meaning is what a stream type and its descriptors mean.
type meaning struct {
	kind    container.Kind
	codec   string
	framing framing
	scheme  string // of encryption
}

// byType are the stream types that mean the same everywhere: table 2-34, and those of ATSC, SMPTE and the rest.
var byType = map[byte]meaning{
	0x01: {container.Video, "mpeg1video", frameVideo, ""},
	0x02: {container.Video, "mpeg2video", frameVideo, ""},
	0x03: {container.Audio, "mp2", frameAudio, ""},
	0x04: {container.Audio, "mp2", frameAudio, ""},
	0x05: {container.Data, "", frameSections, ""},
	0x0f: {container.Audio, "aac", frameAudio, ""},
	0x10: {container.Video, "mpeg4", frameVideo, ""},
	0x11: {container.Audio, "aac_latm", frameAudio, ""},
	0x1b: {container.Video, "h264", frameVideo, ""},
	0x21: {container.Video, "jpeg2000", framePES, ""},
	0x24: {container.Video, "hevc", frameVideo, ""},
	0x2d: {container.Audio, "mpegh", framePES, ""},
	0x2e: {container.Audio, "mpegh", framePES, ""},
	0x33: {container.Video, "vvc", framePES, ""},
	0x42: {container.Video, "cavs", framePES, ""},
	0x81: {container.Audio, "ac3", frameAudio, ""},
	0x83: {container.Audio, "truehd", framePES, ""},
	0x87: {container.Audio, "eac3", frameAudio, ""},
	0x8a: {container.Audio, "dts", framePES, ""},
	0x86: {container.Data, "scte_35", frameSections, ""},
	0xd1: {container.Video, "dirac", framePES, ""},
	0xd2: {container.Video, "avs2", framePES, ""},
	0xd4: {container.Video, "avs3", framePES, ""},
	0xea: {container.Video, "vc1", framePES, ""},
	// Apple, "MPEG-2 Stream Encryption Format for HTTP Live Streaming".
	0xdb: {container.Video, "h264", framePES, "sample-aes"},
	0xcf: {container.Audio, "aac", framePES, "sample-aes"},
	0xc1: {container.Audio, "ac3", framePES, "sample-aes"},
	0xc2: {container.Audio, "eac3", framePES, "sample-aes"},
}

// byBluRay are those of programs registered as "HDMV".
var byBluRay = map[byte]meaning{
	0x80: {container.Audio, "pcm_bluray", framePES, ""},
	0x82: {container.Audio, "dts", framePES, ""},
	0x84: {container.Audio, "eac3", frameAudio, ""},
	0x85: {container.Audio, "dts", framePES, ""},
	0x86: {container.Audio, "dts", framePES, ""},
	0x90: {container.Subtitle, "hdmv_pgs_subtitle", framePES, ""},
	0x92: {container.Subtitle, "hdmv_text_subtitle", framePES, ""},
	0xa1: {container.Audio, "eac3", frameAudio, ""},
	0xa2: {container.Audio, "dts", framePES, ""},
}

// byRegistration are format_identifiers of registration descriptors (2.6.8) of private streams.
var byRegistration = map[string]meaning{
	"AC-3": {container.Audio, "ac3", frameAudio, ""},
	"EAC3": {container.Audio, "eac3", frameAudio, ""},
	"AC-4": {container.Audio, "ac4", framePES, ""},
	"DTS1": {container.Audio, "dts", framePES, ""},
	"DTS2": {container.Audio, "dts", framePES, ""},
	"DTS3": {container.Audio, "dts", framePES, ""},
	"Opus": {container.Audio, "opus", frameAudio, ""},
	"BSSD": {container.Audio, "s302m", framePES, ""},
	"HEVC": {container.Video, "hevc", frameVideo, ""},
	"VC-1": {container.Video, "vc1", framePES, ""},
	"drac": {container.Video, "dirac", framePES, ""},
	"AV01": {container.Video, "av1", framePES, ""},
	"KLVA": {container.Data, "klv", framePES, ""},
	"ID3 ": {container.Data, "timed_id3", framePES, ""},
}

// byDescriptor are descriptors that tell what a private stream is (ETSI EN 300 468, 6.1).
var byDescriptor = []struct {
	tag byte
	meaning
}{
	{0x6a, meaning{container.Audio, "ac3", frameAudio, ""}},
	{0x7a, meaning{container.Audio, "eac3", frameAudio, ""}},
	{0x7b, meaning{container.Audio, "dts", framePES, ""}},
	{0x7c, meaning{container.Audio, "aac", frameAudio, ""}},
	{0x56, meaning{container.Subtitle, "dvb_teletext", framePES, ""}},
	{0x59, meaning{container.Subtitle, "dvb_subtitle", framePES, ""}},
}

// meaningOf returns what an elementary stream is.
func meaningOf(e *elementary) meaning {
	if e.registered == "HDMV" {
		if m, ok := byBluRay[e.streamType]; ok {
			return m
		}
	}
	m, known := byType[e.streamType]
	registered := ""
	if d := descriptor(e.descriptors, 5); len(d) >= 4 {
		registered = string(d[:4])
	}
	switch {
	case e.streamType == 0x15: // metadata in PES packets; 2.6.60: metadata_format_identifier
		m = meaning{kind: container.Data}
		if strings.Contains(string(descriptor(e.descriptors, 0x26)), "ID3 ") || registered == "ID3 " {
			m.codec = "timed_id3"
		} else if registered == "KLVA" {
			m.codec = "klv"
		}
		return m
	case known:
		return m
	}
	if m, ok := byRegistration[registered]; ok {
		return m
	}
	if e.streamType == 0x06 {
		for _, d := range byDescriptor {
			if descriptor(e.descriptors, d.tag) != nil {
				return d.meaning
			}
		}
		if x := descriptor(e.descriptors, 0x7f); len(x) > 0 { // extension descriptor
			switch x[0] {
			case 0x80:
				return byRegistration["Opus"]
			case 0x15:
				return byRegistration["AC-4"]
			case 0x0e:
				return byRegistration["DTS1"]
			}
		}
	}
	return meaning{kind: container.Data}
}

// guess returns what the payload of a PES packet without a program map seems to be, by its stream_id (table 2-22) and its first bytes.
func guess(stream byte, b []byte) meaning {
	switch {
	case stream >= 0xe0 && stream <= 0xef:
		return byType[guessVideo(b)]
	case len(b) >= 2 && b[0] == 0x0b && b[1] == 0x77:
		return byType[0x81]
	case stream >= 0xc0 && stream <= 0xdf && len(b) >= 2 && b[0] == 0xff:
		if b[1]&0xf6 == 0xf0 {
			return byType[0x0f]
		}
		return byType[0x03]
	case stream >= 0xc0 && stream <= 0xdf && len(b) >= 2 && b[0] == 0x56:
		return byType[0x11]
	}
	return meaning{kind: container.Data}
}

// guessVideo returns the stream type that the first start code speaks for.
func guessVideo(b []byte) byte {
	for i := 0; i+4 < len(b); i++ {
		if b[i] != 0 || b[i+1] != 0 || b[i+2] != 1 {
			continue
		}
		switch c := b[i+3]; {
		case c == 0xb3 || c == 0xb8 || c == 0x00:
			return 0x02
		case c == 0xb0 || c == 0xb6:
			return 0x10
		case c>>1&63 >= 32 && c>>1&63 <= 35 && b[i+4] == 1, c == 0x46:
			return 0x24
		case c&0x80 == 0:
			return 0x1b
		}
	}
	return 0x1b
}
