package main

import (
	"fmt"
	"math/bits"
	"strconv"

	"github.com/sprocket-video/sprocket/container"
)

// Names of the code points of ITU-T H.273, as FFmpeg spells them.
var (
	primaries = map[uint8]string{
		1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
		10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
	}
	transfers = map[uint8]string{
		1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
		11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
		17: "smpte428", 18: "arib-std-b67",
	}
	matrices = map[uint8]string{
		1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc", 10: "bt2020c",
		11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp",
	}
)

// codePoint returns the name of a code point, its number where it has no name, or nil where it is unspecified.
func codePoint(names map[uint8]string, v uint8) *string {
	if v == 0 || v == 2 {
		return nil
	}
	if name, ok := names[v]; ok {
		return &name
	}
	return known(strconv.Itoa(int(v)), true)
}

func colorNames(c container.Color) colorReport {
	r := colorReport{
		Primaries: codePoint(primaries, c.Primaries),
		Transfer:  codePoint(transfers, c.Transfer),
		Matrix:    codePoint(matrices, c.Matrix),
	}
	switch c.Range {
	case container.RangeLimited:
		r.Range = text("tv")
	case container.RangeFull:
		r.Range = text("pc")
	}
	return r
}

var profiles = map[string]map[int]string{
	"h264": { // ITU-T H.264, annex A: profile_idc
		44: "CAVLC 4:4:4 Intra", 66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2",
		118: "Multiview High", 128: "Stereo High", 244: "High 4:4:4 Predictive",
	},
	"hevc":       {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Rext", 5: "High Throughput", 6: "Multiview Main", 9: "SCC"},
	"mpeg2video": {1: "High", 2: "Spatially Scalable", 3: "SNR Scalable", 4: "Main", 5: "Simple"}, // ITU-T H.262, table 8-2
	"av1":        {0: "Main", 1: "High", 2: "Professional"},
	"vp9":        {0: "Profile 0", 1: "Profile 1", 2: "Profile 2", 3: "Profile 3"},
	"aac": { // ISO/IEC 14496-3, 1.5.1.1: audio object type
		1: "Main", 2: "LC", 3: "SSR", 4: "LTP", 5: "HE", 23: "LD", 29: "HEv2", 39: "ELD", 42: "xHE",
	},
}

// mpeg2Levels are the levels of ITU-T H.262, table 8-3.
var mpeg2Levels = map[int]string{4: "High", 6: "High 1440", 8: "Main", 10: "Low"}

func profileName(codec string, profile int) *string {
	name, ok := profiles[codec][profile]
	return known(name, ok)
}

// levelName returns the level as its standard writes it: "4.1".
func levelName(codec string, level int) *string {
	var tenths int
	switch {
	case level < 0:
		return nil
	case codec == "h264" && level == 9:
		return known("1b", true)
	case codec == "mpeg2video":
		name, ok := mpeg2Levels[level]
		return known(name, ok)
	case codec == "h264", codec == "vp9":
		tenths = level
	case codec == "hevc": // ITU-T H.265, A.4.1: general_level_idc is 30 times the level
		tenths = level / 3
	case codec == "av1": // AV1 bitstream specification, A.3: seq_level_idx
		tenths = 10*(2+level>>2) + level&3
	default:
		return nil
	}
	return known(fmt.Sprintf("%d.%d", tenths/10, tenths%10), tenths > 0)
}

// ratio returns a/(b·c) in lowest terms, "30000/1001", or "25" for whole numbers.
func ratio(a, b, c int64) string {
	hi, product := bits.Mul64(uint64(b), uint64(c))
	if hi != 0 || product > 1<<62 || product == 0 {
		return fmt.Sprintf("%d/(%d*%d)", a, b, c)
	}
	den := int64(product)
	g := gcd(a, den)
	if den == g {
		return strconv.FormatInt(a/g, 10)
	}
	return fmt.Sprintf("%d/%d", a/g, den/g)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}
