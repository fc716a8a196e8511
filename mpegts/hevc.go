package mpegts

import (
	"bytes"
	"slices"

	mch265 "github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/sprocket-video/sprocket/container"
)

// hevc reads ITU-T H.265 NAL units.
type hevc struct {
	st     *stream
	vps    [16][]byte
	sps    [16]*hevcSPS
	pps    [64]*hevcPPS
	active *hevcSPS
	desc   int
	now    picture
	poc    pocCounter
}

type hevcSPS struct {
	raw []byte
	sps mch265.SPS
}

type hevcPPS struct {
	raw    []byte
	sps    uint32
	output bool // output_flag_present_flag
	extra  int  // num_extra_slice_header_bits
}

func (h *hevc) want(b byte) int {
	switch kind := b >> 1 & 63; {
	case kind <= 21:
		return 32
	case kind >= 32 && kind <= 34:
		return maxUnit
	}
	return 2
}

func (h *hevc) read(b []byte) role {
	if len(b) < 2 {
		return rolePlain
	}
	if b[0]&1 != 0 || b[1]>>3 != 0 { // another layer goes with the base layer's picture
		return rolePlain
	}
	switch kind := b[0] >> 1 & 63; {
	case kind == 32:
		if len(b) > 2 {
			if id := b[2] >> 4; !bytes.Equal(h.vps[id], bytes.TrimRight(b, "\x00")) {
				h.vps[id] = slices.Clone(bytes.TrimRight(b, "\x00"))
			}
		}
		return rolePrefix
	case kind == 33:
		h.readSPS(b)
		return rolePrefix
	case kind == 34:
		h.readPPS(b)
		return rolePrefix
	case kind == 35:
		return roleFirst
	case kind == 39, kind >= 41 && kind <= 44, kind >= 48 && kind <= 55: // 7.4.2.4.4
		return rolePrefix
	case kind <= 9, kind >= 16 && kind <= 21:
		return h.readSlice(b, kind)
	}
	return rolePlain
}

func (h *hevc) readSPS(b []byte) {
	b = bytes.TrimRight(b, "\x00")
	for _, old := range h.sps {
		if old != nil && bytes.Equal(old.raw, b) {
			return
		}
	}
	s := &hevcSPS{}
	if s.sps.Unmarshal(b) != nil || int(s.sps.ID) >= len(h.sps) || s.sps.Log2MaxPicOrderCntLsbMinus4 > 12 {
		return
	}
	s.raw = slices.Clone(b)
	h.sps[s.sps.ID] = s
}

func (h *hevc) readPPS(b []byte) {
	b = bytes.TrimRight(b, "\x00")
	r := newBits(b[2:], true)
	p := &hevcPPS{}
	id := r.ue()
	p.sps = r.ue()
	r.bit() // dependent_slice_segments_enabled_flag
	p.output = r.flag()
	p.extra = int(r.u(3))
	if r.short || id >= uint32(len(h.pps)) || p.sps >= uint32(len(h.sps)) {
		return
	}
	if old := h.pps[id]; old != nil && bytes.Equal(old.raw, b) {
		return
	}
	p.raw = slices.Clone(b)
	h.pps[id] = p
}

// readSlice reads the slice segment header, 7.3.6.1, as far as the picture order count.
func (h *hevc) readSlice(b []byte, kind byte) role {
	if len(b) < 3 {
		return rolePlain
	}
	r := newBits(b[2:], true)
	if !r.flag() { // first_slice_segment_in_pic_flag
		return roleSlice
	}
	irap, idr := kind >= 16 && kind <= 23, kind == 19 || kind == 20
	h.now = picture{key: irap, tick: noTime}
	if irap {
		r.bit() // no_output_of_prior_pics_flag
	}
	var sps *hevcSPS
	if id := r.ue(); id < uint32(len(h.pps)) && h.pps[id] != nil {
		p := h.pps[id]
		if sps = h.sps[p.sps]; sps != nil {
			r.skip(p.extra)
			r.ue() // slice_type
			if p.output {
				r.bit()
			}
			if sps.sps.SeparateColourPlaneFlag {
				r.skip(2)
			}
			n, lsb := int(sps.sps.Log2MaxPicOrderCntLsbMinus4)+4, uint32(0)
			if !idr {
				lsb = r.u(n)
			}
			// 8.3.1: the reference is the last picture of the lowest sub-layer that others may refer to.
			ref := b[1]&7 == 1 && !(kind <= 14 && kind&1 == 0) && !(kind >= 6 && kind <= 9)
			h.now.tick = h.poc.next(lsb, n, irap, ref)
		}
	}
	if sps != nil {
		h.describe(sps)
	}
	h.now.desc = h.desc
	return rolePicture
}

func (h *hevc) picture() picture { return h.now }

func (h *hevc) copy(st *stream) syntax {
	c := *h
	c.st = st
	return &c
}

func (h *hevc) seed(descs []container.Description) {
	if len(descs) > 0 {
		seedUnits(h, descs[0].Config)
	}
}

func (h *hevc) describe(s *hevcSPS) {
	if h.active == s || h.active != nil && !h.now.key {
		return
	}
	h.active = s
	d := container.Description{Codec: "hevc"}
	if v := h.vps[s.sps.VPSID&15]; v != nil {
		d.Config = appendUnit(d.Config, v)
	}
	d.Config = appendUnit(d.Config, s.raw)
	for _, p := range h.pps {
		if p != nil && p.sps == uint32(s.sps.ID) {
			d.Config = appendUnit(d.Config, p.raw)
		}
	}
	d.Video = container.Picture{
		Width: s.sps.Width(), Height: s.sps.Height(), BitDepth: int(s.sps.BitDepthLumaMinus8) + 8, Chroma: chromas[s.sps.ChromaFormatIdc&3],
		Profile: int(s.sps.ProfileTierLevel.GeneralProfileIdc), Level: int(s.sps.ProfileTierLevel.GeneralLevelIdc),
	}
	h.st.frame = 0
	if u := s.sps.VUI; u != nil {
		if u.VideoSignalTypePresentFlag {
			d.Video.Color = colorOf(u.VideoFullRangeFlag, u.ColourDescriptionPresentFlag, u.ColourPrimaries, u.TransferCharacteristics, u.MatrixCoefficients)
		}
		if u.AspectRatioInfoPresentFlag {
			d.Video.PixelAspect = aspect(u.AspectRatioIdc, u.SarWidth, u.SarHeight)
		}
		if u.TimingInfo != nil {
			h.st.frame = frameTicks(int64(u.TimingInfo.NumUnitsInTick), int64(u.TimingInfo.TimeScale))
		}
	}
	h.desc = h.st.describe(d)
}
