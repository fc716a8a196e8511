package hls

import (
	"encoding/binary"
	"time"
)

// Playlist is a parsed playlist: a multivariant one, which names others, or a media one, which names segments. Clauses are those of
// draft-pantos-hls-rfc8216bis. A Playlist does not change; slices of it are shared.
type Playlist struct {
	Version     int  // EXT-X-VERSION; 1 when it does not tell
	Independent bool // EXT-X-INDEPENDENT-SEGMENTS
	Start       *Start
	// Variables are those that EXT-X-DEFINE declares, imported ones included.
	Variables map[string]string

	Multivariant *Multivariant // nil for a media playlist
	Media        *Media        // nil for a multivariant playlist

	// Warnings are the faults that were passed over, as *container.Error: Path tells the line and the tag, Offset the line's place in bytes.
	Warnings []error
}

// Start is EXT-X-START: where playback should begin.
type Start struct {
	Offset  time.Duration // from the beginning; from the end when negative
	Precise bool
}

// Multivariant is what a multivariant playlist lists, each in its order.
type Multivariant struct {
	Variants   []Variant // EXT-X-STREAM-INF
	IFrames    []Variant // EXT-X-I-FRAME-STREAM-INF
	Renditions []Rendition
	Session    []SessionData
	Keys       []*Key // EXT-X-SESSION-KEY
	Steering   *Steering
}

// Variant is one encoding of the whole: EXT-X-STREAM-INF or EXT-X-I-FRAME-STREAM-INF.
type Variant struct {
	URI              string
	Bandwidth        int64 // peak bits a second
	AverageBandwidth int64
	Score            float64
	Codecs           string
	Supplemental     string // SUPPLEMENTAL-CODECS
	Width, Height    int
	FrameRate        float64
	VideoRange       string // SDR, HLG, PQ
	HDCPLevel        string
	// Audio, Video, Subtitles and ClosedCaptions are groups of renditions.
	Audio, Video, Subtitles, ClosedCaptions string

	Name       string // NAME, of older playlists
	StableID   string
	Pathway    string
	Attributes map[string]string // all of them, as written but for quotes
	Line       int               // of the tag, from 1
}

// Rendition is EXT-X-MEDIA: an alternative of the pictures, the sound or the text.
type Rendition struct {
	Type            string // AUDIO, VIDEO, SUBTITLES, CLOSED-CAPTIONS
	URI             string // "" where it is in the variant's own segments
	Group           string
	Language        string
	Associated      string // ASSOC-LANGUAGE
	Name            string
	StableID        string
	Default         bool
	Autoselect      bool
	Forced          bool
	InStream        string // INSTREAM-ID
	Characteristics string
	Channels        string
	SampleRate      int
	BitDepth        int
	Line            int
}

// SessionData is EXT-X-SESSION-DATA.
type SessionData struct{ ID, Value, URI, Format, Language string }

// Steering is EXT-X-CONTENT-STEERING.
type Steering struct{ Server, Pathway string }

// Media is what a media playlist says.
type Media struct {
	TargetDuration time.Duration // 0 when it does not tell
	Sequence       int64         // media sequence number of the first segment
	Discontinuity  int64         // discontinuity sequence number of the first segment
	Type           string        // "EVENT", "VOD", or "" when segments may be removed
	Ended          bool          // EXT-X-ENDLIST: nothing will be added
	IFramesOnly    bool

	Segments []Segment
	// Parts are those of the segment after the last, which is not whole yet.
	Parts []Part

	Control    ServerControl
	PartTarget time.Duration // EXT-X-PART-INF
	Hints      []Hint
	Reports    []Report
	DateRanges []DateRange

	// Skipped is how many segments EXT-X-SKIP left out that no earlier playlist put in: see ParseOptions.Previous.
	Skipped int64
	// Removed are the date ranges that EXT-X-SKIP says are gone.
	Removed []string
}

// Segment is one media segment, with all that the tags before it say about it.
type Segment struct {
	URI      string
	Sequence int64         // media sequence number
	Period   int64         // discontinuity sequence number
	Break    bool          // EXT-X-DISCONTINUITY stands before it
	Duration time.Duration // EXTINF
	Title    string
	Range    ByteRange
	Keys     []*Key // in force; alternatives of each other, each with another Format. None when it is in the clear
	Map      *Map   // nil when it needs none
	Gap      bool   // it is not there
	Bitrate  int64  // bits a second, about; 0 when not told

	// Date is the wall clock time of its first sample: as EXT-X-PROGRAM-DATE-TIME says, or counted from the nearest segment
	// that has one. Zero where none has.
	Date   time.Time
	Stated bool // Date is not counted
	Parts  []Part
	Line   int // of the URI, from 1
}

// ByteRange is Len bytes at Off; Len is 0 for all of a resource.
type ByteRange struct{ Off, Len int64 }

// Map is EXT-X-MAP: what must come before a segment.
type Map struct {
	URI   string
	Range ByteRange
	Keys  []*Key // in force at the line of the tag
	Line  int
}

// Key is EXT-X-KEY.
type Key struct {
	Method   string // AES-128, SAMPLE-AES, SAMPLE-AES-CTR, or another
	URI      string
	IV       [16]byte
	HasIV    bool   // else the IV is the segment's media sequence number
	Format   string // KEYFORMAT; "identity" when it does not tell
	Versions string // KEYFORMATVERSIONS
	Line     int
}

// VectorFor returns the initialization vector for a segment with the given media sequence number, 5.2.
func (k *Key) VectorFor(sequence int64) [16]byte {
	iv := k.IV
	if !k.HasIV {
		binary.BigEndian.PutUint64(iv[8:], uint64(sequence))
	}
	return iv
}

// Part is EXT-X-PART: a piece of a segment.
type Part struct {
	URI         string
	Duration    time.Duration
	Range       ByteRange
	Independent bool
	Gap         bool
}

// Hint is EXT-X-PRELOAD-HINT.
type Hint struct {
	Type  string // PART or MAP
	URI   string
	Range ByteRange // a Len of 0 reaches to the end
}

// Report is EXT-X-RENDITION-REPORT.
type Report struct {
	URI      string
	Sequence int64 // LAST-MSN
	Part     int64 // LAST-PART; -1 when it does not tell
}

// ServerControl is EXT-X-SERVER-CONTROL. Durations of zero are not told.
type ServerControl struct {
	SkipUntil      time.Duration
	SkipDateRanges bool
	BlockReload    bool
	HoldBack       time.Duration
	PartHoldBack   time.Duration
}

// DateRange is EXT-X-DATERANGE.
type DateRange struct {
	ID, Class  string
	Start, End time.Time         // zero when not told
	Duration   time.Duration     // -1 when not told
	Planned    time.Duration     // -1 when not told
	EndOnNext  bool              //
	Attributes map[string]string // all of them, as written but for quotes
}

// Duration returns how long all segments last by their EXTINF.
func (m *Media) Duration() time.Duration {
	var d time.Duration
	for i := range m.Segments {
		d += m.Segments[i].Duration
	}
	return d
}
