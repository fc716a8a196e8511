package bitstream

import (
	avc "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	hev "github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/sprocket-video/sprocket/container"
)

const (
	// MaxReorder is the largest picture buffer of H.264 and HEVC (ITU-T H.264, A.3.1; ITU-T H.265, A.4.2): no stream reorders farther.
	MaxReorder = 16

	maxParameterSet = 4 << 10 // bytes of one that is looked into
)

// ReorderDepth returns how many packets may come, at most, before a packet whose picture is shown before theirs, as the codec and
// its configuration tell it.
func ReorderDepth(d *container.Description) int {
	switch d.Codec {
	case "h264":
		return h264Depth(d.Config)
	case "hevc":
		return hevcDepth(d.Config)
	case "mpeg4", "mpeg2video", "mpeg1video", "vc1", "wmv3":
		return 1 // B pictures are never referred to
	case "vp8", "vp9", "av1", "h263":
		return 0 // a packet's picture is shown before the next one's
	}
	if IntraOnly(d.Codec) {
		return 0
	}
	return MaxReorder
}

// h264Depth reads the sequence parameter set of an AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.3.3.1.
func h264Depth(p []byte) int {
	if LengthSize("h264", p) == 0 || len(p) < 8 || p[5]&31 == 0 {
		return MaxReorder
	}
	n := int(p[6])<<8 | int(p[7])
	var sps avc.SPS
	if n > maxParameterSet || n > len(p)-8 || sps.Unmarshal(p[8:8+n]) != nil {
		return MaxReorder
	}
	// ITU-T H.264, 7.4.2.1.1: with type 2 pictures are output as they are decoded.
	if sps.PicOrderCntType == 2 {
		return 0
	}
	if sps.VUI != nil && sps.VUI.BitstreamRestriction != nil {
		return int(min(sps.VUI.BitstreamRestriction.MaxNumReorderFrames, MaxReorder))
	}
	width, height := int64(sps.PicWidthInMbsMinus1)+1, int64(sps.PicHeightInMapUnitsMinus1)+1
	if !sps.FrameMbsOnlyFlag {
		height *= 2
	}
	if max(width, height) > 1<<16 {
		return MaxReorder
	}
	most := bufferOf(sps.LevelIdc) / (width * height)
	return int(min(max(most, int64(sps.MaxNumRefFrames), 1), MaxReorder))
}

// bufferOf returns the macroblocks of the picture buffer of a level, ITU-T H.264, table A-1: MaxDpbMbs. Levels between two are the higher one.
func bufferOf(level uint8) int64 {
	for _, row := range [...]struct {
		level uint8
		mbs   int64
	}{{10, 396}, {11, 900}, {20, 2376}, {21, 4752}, {30, 8100}, {31, 18000}, {32, 20480}, {41, 32768}, {42, 34816}, {50, 110400}, {52, 184320}} {
		if level <= row.level {
			return row.mbs
		}
	}
	return 696320
}

// hevcDepth reads the sequence parameter sets of an HEVCDecoderConfigurationRecord, ISO/IEC 14496-15, 8.3.3.1.
func hevcDepth(p []byte) int {
	if LengthSize("hevc", p) == 0 {
		return MaxReorder
	}
	arrays := int(p[22])
	for p = p[23:]; arrays > 0 && len(p) >= 3; arrays-- {
		kind, count := p[0]&63, int(p[1])<<8|int(p[2])
		for p = p[3:]; count > 0 && len(p) >= 2; count-- {
			n := int(p[0])<<8 | int(p[1])
			if n > len(p)-2 {
				return MaxReorder
			}
			var sps hev.SPS
			if kind == 33 && n <= maxParameterSet && sps.Unmarshal(p[2:2+n]) == nil && len(sps.MaxNumReorderPics) > 0 {
				return int(min(sps.MaxNumReorderPics[len(sps.MaxNumReorderPics)-1], MaxReorder))
			}
			p = p[2+n:]
		}
	}
	return MaxReorder
}
