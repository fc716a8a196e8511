package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// report is what inspect tells. Its JSON keys are an interface. A fact that is not known is null or left out.
type report struct {
	Source   string        `json:"source"`
	Bytes    int64         `json:"bytes"`
	Format   string        `json:"format"`
	Duration *float64      `json:"duration_seconds"` // from time 0, or where the format has none the first track's start, to the end of the last track to end
	Open     cost          `json:"open"`             // of parsing the container
	HTTP     *httpReport   `json:"http,omitempty"`   // of all of inspect; nil for what is not on a server
	Tracks   []trackReport `json:"tracks"`
	Warnings []string      `json:"warnings"`
}

// httpReport is what reading from a server cost.
type httpReport struct {
	Requests int64   `json:"requests"`
	Bytes    int64   `json:"bytes"`
	Retries  int64   `json:"retries"`
	Waited   float64 `json:"waited_seconds"` // by all requests together
	Hits     int64   `json:"cache_hits"`     // blocks that were there already
	Misses   int64   `json:"cache_misses"`
}

func reportHTTP(r *source.Remote) *httpReport {
	s, c := r.HTTP.Stats(), r.Stats()
	return &httpReport{s.Requests, s.Bytes, s.Retries, s.Waited.Seconds(), c.Hits, c.Misses}
}

// String returns "3 requests of 70.1 kB, 0 retries, 12 ms in all of them, cache: 5 hits, 70 misses".
func (r *httpReport) String() string {
	return fmt.Sprintf("%s of %s, %s, %s in all of them, cache: %s, %s", plural(r.Requests, "request", "requests"), formatBytes(r.Bytes),
		plural(r.Retries, "retry", "retries"), formatElapsed(time.Duration(r.Waited*float64(time.Second))), plural(r.Hits, "hit", "hits"), plural(r.Misses, "miss", "misses"))
}

// cost is what some work read, and how long it took.
type cost struct {
	source.Counts
	Seconds float64 `json:"seconds"`
}

func (c cost) elapsed() time.Duration { return time.Duration(c.Seconds * float64(time.Second)) }

// reads returns what was read as text, or "" for nothing.
func (c cost) reads() string {
	if c.Reads == 0 {
		return "no reads"
	}
	return plural(c.Reads, "read", "reads") + " of " + formatBytes(c.Bytes)
}

type trackReport struct {
	ID           int                `json:"id"`
	Kind         container.Kind     `json:"kind"`
	Codec        string             `json:"codec"`
	FourCC       string             `json:"fourcc"`
	Enabled      bool               `json:"enabled"`
	Default      bool               `json:"default"`
	Language     string             `json:"language,omitempty"`
	Handler      string             `json:"handler,omitempty"`
	Timebase     container.Timebase `json:"timebase"`
	Descriptions int                `json:"descriptions"`
	ConfigBytes  int                `json:"config_bytes"`
	Encryption   *encryptionReport  `json:"encryption"`
	Error        string             `json:"error,omitempty"` // why what follows is not whole

	Frames     *int   `json:"frames,omitempty"` // of video
	Packets    int64  `json:"packets"`
	Keys       int64  `json:"key_packets"`
	Discarded  int64  `json:"discarded_packets"`
	Disposable *int64 `json:"disposable_packets"` // null when the container does not tell
	Corrupt    int64  `json:"corrupt_packets"`
	BeyondEnd  int64  `json:"packets_beyond_end"` // their bytes are not all in the source

	PayloadBytes  int64    `json:"payload_bytes"`
	BitRate       *int64   `json:"bit_rate"`
	StartTicks    *int64   `json:"start_ticks"`
	Start         *float64 `json:"start_seconds"`
	DurationTicks *int64   `json:"duration_ticks"`
	Duration      *float64 `json:"duration_seconds"`

	Header  headerReport   `json:"header"`
	Video   *videoReport   `json:"video,omitempty"`
	Audio   *audioReport   `json:"audio,omitempty"`
	GOP     *gopReport     `json:"gop,omitempty"`
	Index   *indexReport   `json:"index,omitempty"`
	Variant *variantReport `json:"variant,omitempty"` // of a playlist; nil in other containers

	Lints  []string      `json:"lints,omitempty"`  // what is odd in the tables of a video, or in the key packets looked at
	Verify *verifyReport `json:"verify,omitempty"` // with --verify

	sizes []int64 // mean packet size over the track, for drawing
}

// headerReport is what the container's headers claim, as against what its tables say.
type headerReport struct {
	Packets  *int64   `json:"packets"`
	Start    *float64 `json:"start_seconds"`
	Duration *float64 `json:"duration_seconds"`
	BitRate  *int64   `json:"bit_rate"`
}

// variantReport is what a playlist says of a track.
type variantReport struct {
	Bandwidth        int64   `json:"bandwidth,omitempty"`
	AverageBandwidth int64   `json:"average_bandwidth,omitempty"`
	FrameRate        float64 `json:"frame_rate,omitempty"`
	Codecs           string  `json:"codecs,omitempty"`
	Name             string  `json:"name,omitempty"`
	Group            string  `json:"group,omitempty"`
}

type encryptionReport struct {
	Scheme string `json:"scheme"`
	KeyID  string `json:"key_id,omitempty"`
}

type videoReport struct {
	Width         int         `json:"width"` // as coded
	Height        int         `json:"height"`
	DisplayWidth  int         `json:"display_width"` // turned, not scaled
	DisplayHeight int         `json:"display_height"`
	Rotation      int         `json:"rotation"` // degrees clockwise for display
	Mirror        bool        `json:"mirror"`
	PixelAspect   *string     `json:"pixel_aspect"`
	BitDepth      *int        `json:"bit_depth"`
	Chroma        *string     `json:"chroma"`
	Profile       *int        `json:"profile"`
	ProfileName   *string     `json:"profile_name"`
	Level         *int        `json:"level"`
	LevelName     *string     `json:"level_name"`
	Color         colorReport `json:"color"`

	FPS      *float64 `json:"fps"`       // average
	FPSExact *string  `json:"fps_exact"` // "30000/1001", when all frames but the last last equally long
	FPSMode  *string  `json:"fps_mode"`  // "constant" or "variable"
	FPSMin   *float64 `json:"fps_min"`   // of the longest frame
	FPSMax   *float64 `json:"fps_max"`   // of the shortest frame
	Reorder  int      `json:"reorder_packets"`
}

type colorReport struct {
	Primaries *string `json:"primaries"`
	Transfer  *string `json:"transfer"`
	Matrix    *string `json:"matrix"`
	Range     *string `json:"range"` // "tv" or "pc"
}

type audioReport struct {
	SampleRate    int     `json:"sample_rate"`
	Channels      int     `json:"channels"`
	BitsPerSample *int    `json:"bits_per_sample"`
	Profile       *int    `json:"profile"`
	ProfileName   *string `json:"profile_name"`
}

// gopReport describes the stretches from one key packet to the next, by the container's flags.
type gopReport struct {
	Count      int64     `json:"count"`
	Structure  string    `json:"structure"` // "intra", "closed", "open" or "unknown"
	Frames     spread    `json:"frames"`
	Seconds    spread    `json:"seconds"`
	Bytes      spread    `json:"bytes"`
	Leading    int64     `json:"leading_packets"`    // decoded after a key packet, presented before it
	BeforeKey  int64     `json:"packets_before_key"` // before the first key packet
	MaxPackets int64     `json:"max_packets_to_reach_a_frame"`
	MaxBytes   int64     `json:"max_bytes_to_reach_a_frame"`
	Keys       keyReport `json:"keys_looked_at"`
}

// spread is the least, mean and greatest of some values.
type spread struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`

	n   int64
	sum float64
}

func (s *spread) add(v float64) {
	if s.n == 0 || v < s.Min {
		s.Min = v
	}
	if s.n == 0 || v > s.Max {
		s.Max = v
	}
	s.n++
	s.sum += v
	s.Mean = s.sum / float64(s.n)
}

// keyReport is what the bytes of some key packets say.
type keyReport struct {
	Count      int  `json:"count"`
	IDR        int  `json:"idr"`
	Open       int  `json:"open"`
	Recovery   int  `json:"recovery"`
	Slow       int  `json:"slow"` // of all: pictures are right only some packets later
	NotKey     int  `json:"not_key"`
	Unknown    int  `json:"unknown"`
	Unreadable int  `json:"unreadable"`
	Cost       cost `json:"cost"`
}

// indexReport is the index and what building it cost, after the container was open.
type indexReport struct {
	Kind           string  `json:"kind"`
	Method         string  `json:"method"` // "packets": all were listed; else what leads to a time: "sidx", "tfra", "headers", "bisection"
	Why            string  `json:"why"`
	Points         *int    `json:"points,omitempty"`         // places that the method leads to at once; of an approximate index
	Counted        *int    `json:"frames_counted,omitempty"` // from the first on; of an approximate index
	Bytes          int     `json:"memory_bytes"`
	BytesPerPacket float64 `json:"memory_bytes_per_packet"`
	Cost           cost    `json:"cost"`
}

// known returns a pointer to v, or nil when v is not known.
func known[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

func positive[T int | int64](v T) *T { return known(v, v > 0) }

func text(s string) *string { return known(s, s != "") }

// seconds returns ticks in seconds, or nil where JSON has no number for it.
func seconds(tb container.Timebase, t container.Ticks) *float64 {
	s := tb.Seconds(t)
	return known(s, !math.IsNaN(s) && !math.IsInf(s, 0))
}

func ticks(t container.Ticks) *int64 { return known(int64(t), t != container.NoTicks) }

// since is the cost of work that began at start, when the counts were before.
func since(c *source.Counter, before source.Counts, start time.Time) cost {
	now := c.Counts()
	return cost{source.Counts{Reads: now.Reads - before.Reads, Bytes: now.Bytes - before.Bytes}, time.Since(start).Seconds()}
}

func encryption(e container.Encryption) *encryptionReport {
	if e.Scheme == "" {
		return nil
	}
	r := &encryptionReport{Scheme: printable(e.Scheme)}
	if e.KeyID != [16]byte{} {
		r.KeyID = hex.EncodeToString(e.KeyID[:])
	}
	return r
}
