package container

import (
	"fmt"
	"slices"
)

// Kind is what a track carries.
type Kind uint8

// The kinds of tracks.
const (
	Data Kind = iota // anything that is not one of the others: metadata, hints, timecode
	Video
	Audio
	Subtitle
)

var kindNames = [...]string{"data", "video", "audio", "subtitle"}

// String returns "data", "video", "audio" or "subtitle".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// MarshalText returns the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's name.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("container: kind %q", text)
	}
	*k = Kind(i)
	return nil
}

// Track describes one elementary stream. Tracks are values that share memory: treat Config and Descriptions as read-only.
type Track struct {
	ID       int      // the container's own: track_ID, PID
	Kind     Kind     //
	Timebase Timebase // of every time of this track

	Start    Ticks // PTS of the first frame as the headers tell it; NoTicks when they do not
	Duration Ticks // presented length as the headers tell it; NoTicks when they do not
	Packets  int64 // number of packets the headers tell of; -1 when they do not
	Bytes    int64 // payload bytes of all packets; -1 when the headers do not tell

	Language string // ISO 639-2/T or BCP 47; "" when undetermined
	Handler  string // free text: the handler name
	Enabled  bool   // the container's own flag
	Default  bool   // the track a player would take among its kind

	// Description is the first of Descriptions, or the zero value when there is none.
	Description
	// Descriptions are the coded formats of the track; PacketInfo.Description is an index into it.
	Descriptions []Description

	// Orientation is how decoded pictures must be turned for display.
	Orientation Orientation

	// Variant is what a playlist says about the track; the zero value in other containers.
	Variant Variant

	// Transport says how to collect the bytes of a packet; nil where they lie in one piece.
	Transport *Transport `json:",omitempty"`
}

// Variant is what a playlist says about one of the encodings it offers, before its media has been seen. What it does not say is zero.
type Variant struct {
	Bandwidth        int64   // peak bits a second, of all that is played with it
	AverageBandwidth int64   // average bits a second, likewise
	FrameRate        float64 // frames a second, the highest
	Codecs           string  // RFC 6381: "avc1.64001f,mp4a.40.2"
	Name             string  // for people
	Group            string  // the group of renditions it belongs to
}

// Transport says how the packets of a track lie in an MPEG-2 transport stream (ISO/IEC 13818-1, 2.4.3): in the payloads of
// transport packets, between those of other tracks.
type Transport struct {
	PID        int     // of the transport packets
	PacketSize int     // bytes from one transport packet to the next: 188, 192 or 204
	Sections   bool    // the payload is sections, not PES packets
	Grid       []int64 // places of sync bytes from which on transport packets follow each other, up to the next place; ascending
}

// Description is one coded format of a track: what a decoder must be told before its packets.
type Description struct {
	Codec  string // FFmpeg's decoder-independent name: "h264", "hevc", "aac"; "" when it is not known
	FourCC string // the container's own name: "avc1"; "" where it has none
	Config []byte // the codec's configuration record: avcC, hvcC, av1C, AudioSpecificConfig…; no box header

	Video Picture // for Kind Video
	Audio Sound   // for Kind Audio

	BitRate    int64      // average bits a second as the headers tell it; 0 when they do not
	Encryption Encryption // zero when the packets are in the clear
}

// Picture is what the headers say about video.
type Picture struct {
	Width, Height int    // coded pixels as the sample entry tells them, before rotation
	PixelAspect   Ratio  // width of a pixel to its height; 0/0 when not told
	Color         Color  //
	BitDepth      int    // bits a sample where the configuration tells; 0 otherwise
	Chroma        string // "4:2:0", "4:2:2", "4:4:4", "4:0:0" where the configuration tells
	Profile       int    // the codec's own profile number, -1 unknown
	Level         int    // the codec's own level number, -1 unknown
}

// Sound is what the headers say about audio.
type Sound struct {
	SampleRate    int // samples a second of one channel
	Channels      int //
	BitsPerSample int // of PCM; 0 for other codecs
	FrameBytes    int // bytes of one sample of all channels for PCM; 0 for other codecs
	Profile       int // the codec's own profile, of AAC the audio object type, -1 unknown
}

// Ratio is Num/Den; 0/0 is unknown.
type Ratio struct {
	Num int `json:"num"`
	Den int `json:"den"`
}

// String returns "4:3".
func (r Ratio) String() string { return fmt.Sprintf("%d:%d", r.Num, r.Den) }

// Encryption names the protection of a track's packets.
type Encryption struct {
	Scheme string   `json:"scheme,omitempty"` // "cenc", "cbcs"
	KeyID  [16]byte `json:"key_id,omitzero"`
}

// Range is how sample values map to intensities.
type Range uint8

// Ranges.
const (
	RangeUnspecified Range = iota
	RangeLimited           // 16..235 of 255 for luma
	RangeFull              // 0..255
)

// Color holds the code points of ISO/IEC 23091-2 (ITU-T H.273). Zero and 2 mean unspecified.
type Color struct {
	Primaries uint8
	Transfer  uint8
	Matrix    uint8
	Range     Range
}

// Orientation is what must be done to a decoded picture for display: first mirrored left to right, if Mirror,
// then turned clockwise by Degrees, which is 0, 90, 180 or 270.
type Orientation struct {
	Degrees int  `json:"degrees"`
	Mirror  bool `json:"mirror,omitempty"`
}

// Swaps says whether width and height change places.
func (o Orientation) Swaps() bool { return o.Degrees == 90 || o.Degrees == 270 }
