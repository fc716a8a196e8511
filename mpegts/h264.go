package mpegts

import (
	"bytes"
	"slices"

	mch264 "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
)

// h264 reads ITU-T H.264 NAL units.
type h264 struct {
	st  *stream
	sps [32]*h264SPS
	pps [256]*h264PPS

	late     bool      // it is about a later picture
	recovery bool      // a recovery point SEI came since the last picture
	last     h264Slice // of the picture in progress
	first    bool      // last is a first field whose second has not come
	have     bool
	unit     bool     // an access unit delimiter came since
	active   *h264SPS // of the description in use
	desc     int
	now      picture
	poc      pocCounter
}

type h264SPS struct {
	raw         []byte
	frameNum    int // bits
	pocType     uint32
	pocLSB      int // bits
	deltaAlways bool
	planes      bool // separate_colour_plane_flag
	frames      bool // frame_mbs_only_flag
	sps         mch264.SPS
}

type h264PPS struct {
	raw      []byte
	sps      uint32
	bottomPO bool // bottom_field_pic_order_in_frame_present_flag
}

// h264Slice is what tells one picture from another: 7.4.1.2.4.
type h264Slice struct {
	idr         bool
	ref         bool
	pps         uint32
	frameNum    uint32
	field       bool
	bottom      bool
	idrID       uint32
	lsb         uint32
	deltaBottom uint32
	delta       [2]uint32
	known       bool // all of this was read
}

func (h *h264) want(b byte) int {
	switch b & 31 {
	case 1, 2, 5:
		return 48
	case 6, 7, 8:
		return maxUnit
	}
	return 1
}

func (h *h264) read(b []byte) role {
	switch kind := b[0] & 31; kind {
	case 7:
		h.readSPS(b)
		return rolePrefix
	case 8:
		h.readPPS(b)
		return rolePrefix
	case 6:
		if n, ok := bitstream.RecoveryPoint(b[1:]); ok {
			h.recovery, h.late = true, n != 0
		}
		return rolePrefix
	case 9: // access unit delimiter
		h.unit = true
		return roleFirst
	case 14, 15, 16, 17, 18: // those that 7.4.1.2.3 lists
		return rolePrefix
	case 1, 2, 5:
		return h.readSlice(b)
	}
	return rolePlain
}

func (h *h264) readSPS(b []byte) {
	b = bytes.TrimRight(b, "\x00")
	for _, old := range h.sps {
		if old != nil && bytes.Equal(old.raw, b) {
			return
		}
	}
	s := &h264SPS{}
	if s.sps.Unmarshal(b) != nil || s.sps.ID >= uint32(len(h.sps)) || s.sps.Log2MaxFrameNumMinus4 > 12 || s.sps.Log2MaxPicOrderCntLsbMinus4 > 12 {
		return
	}
	s.raw = slices.Clone(b)
	s.frameNum = int(s.sps.Log2MaxFrameNumMinus4) + 4
	s.pocType = s.sps.PicOrderCntType
	s.pocLSB = int(s.sps.Log2MaxPicOrderCntLsbMinus4) + 4
	s.deltaAlways = s.sps.DeltaPicOrderAlwaysZeroFlag
	s.planes = s.sps.SeparateColourPlaneFlag
	s.frames = s.sps.FrameMbsOnlyFlag
	h.sps[s.sps.ID] = s
}

func (h *h264) readPPS(b []byte) {
	b = bytes.TrimRight(b, "\x00")
	r := newBits(b[1:], true)
	id, sps := r.ue(), r.ue()
	r.bit() // entropy_coding_mode_flag
	bottom := r.flag()
	if r.short || id >= uint32(len(h.pps)) || sps >= uint32(len(h.sps)) {
		return
	}
	if old := h.pps[id]; old != nil && bytes.Equal(old.raw, b) {
		return
	}
	h.pps[id] = &h264PPS{raw: slices.Clone(b), sps: sps, bottomPO: bottom}
}

// parameters returns the sets that a slice refers to; nil when they have not come.
func (h *h264) parameters(pps uint32) (*h264PPS, *h264SPS) {
	if pps >= uint32(len(h.pps)) || h.pps[pps] == nil {
		return nil, nil
	}
	p := h.pps[pps]
	return p, h.sps[p.sps]
}

// readSlice reads the slice header, 7.3.3, as far as it tells pictures apart.
func (h *h264) readSlice(b []byte) role {
	s := h264Slice{idr: b[0]&31 == 5, ref: b[0]>>5&3 != 0}
	r := newBits(b[1:], true)
	firstMB := r.ue()
	r.ue() // slice_type
	s.pps = r.ue()
	pps, sps := h.parameters(s.pps)
	if sps != nil && !r.short {
		if sps.planes {
			r.skip(2)
		}
		s.frameNum = r.u(sps.frameNum)
		if !sps.frames {
			if s.field = r.flag(); s.field {
				s.bottom = r.flag()
			}
		}
		if s.idr {
			s.idrID = r.ue()
		}
		switch {
		case sps.pocType == 0:
			s.lsb = r.u(sps.pocLSB)
			if pps.bottomPO && !s.field {
				s.deltaBottom = r.ue()
			}
		case sps.pocType == 1 && !sps.deltaAlways:
			s.delta[0] = r.ue()
			if pps.bottomPO && !s.field {
				s.delta[1] = r.ue()
			}
		}
		s.known = !r.short
	}
	was, had := h.last, h.have
	// All may be the same in one IDR picture after the other: idr_pic_id is to differ (7.4.3), but of some encoders it does not.
	another := h.unit && firstMB == 0
	h.unit = false
	switch {
	case !had && firstMB != 0: // of a picture that began before
		return roleSlice
	case !had:
	case !s.known || !was.known:
		if firstMB != 0 {
			return roleSlice
		}
	case h.first && s.field && s.bottom != was.bottom && s.frameNum == was.frameNum && !s.idr:
		h.last, h.first = s, false
		return roleField
	case !another && s.same(&was):
		return roleSlice
	}
	h.last, h.have = s, true
	h.first = s.known && s.field
	h.now = picture{key: s.idr || h.recovery, late: !s.idr && h.late, rest: firstMB != 0, tick: noTime}
	h.recovery, h.late = false, false
	if s.known && sps.pocType == 0 {
		h.now.tick = h.poc.next(s.lsb, sps.pocLSB, s.idr, s.ref)
	}
	if sps != nil {
		h.describe(sps)
	}
	h.now.desc = h.desc
	return rolePicture
}

// same says whether two slices are of one picture.
func (s *h264Slice) same(t *h264Slice) bool {
	return s.frameNum == t.frameNum && s.pps == t.pps && s.field == t.field && s.bottom == t.bottom && s.ref == t.ref &&
		s.idr == t.idr && s.idrID == t.idrID && s.lsb == t.lsb && s.deltaBottom == t.deltaBottom && s.delta == t.delta
}

func (h *h264) picture() picture { return h.now }

func (h *h264) copy(st *stream) syntax {
	c := *h
	c.st = st
	return &c
}

func (h *h264) seed(descs []container.Description) {
	if len(descs) > 0 {
		seedUnits(h, descs[0].Config)
	}
}

// describe puts the parameter sets into the track's description. A change counts from the next key picture on.
func (h *h264) describe(s *h264SPS) {
	if h.active == s || h.active != nil && !h.now.key {
		return
	}
	h.active = s
	d := container.Description{Codec: "h264"}
	d.Config = appendUnit(d.Config, s.raw)
	for _, p := range h.pps {
		if p != nil && p.sps == s.sps.ID {
			d.Config = appendUnit(d.Config, p.raw)
		}
	}
	d.Video = h264Video(&s.sps)
	h.desc = h.st.describe(d)
	h.st.frame = 0
	if u := s.sps.VUI; u != nil && u.TimingInfo != nil {
		h.st.frame = frameTicks(2*int64(u.TimingInfo.NumUnitsInTick), int64(u.TimingInfo.TimeScale))
	}
}

// frameTicks returns units/scale of a second in ticks; 0 when that is no frame duration.
func frameTicks(units, scale int64) int64 {
	if units <= 0 || scale <= 0 || units > scale*10 || scale > units*1000 {
		return 0
	}
	return units * second / scale
}

// appendUnit appends a NAL unit behind a start code.
func appendUnit(b, unit []byte) []byte {
	return append(append(b, 0, 0, 0, 1), unit...)
}

var chromas = [...]string{"4:0:0", "4:2:0", "4:2:2", "4:4:4"}

func h264Video(s *mch264.SPS) container.Picture {
	v := container.Picture{
		Width: s.Width(), Height: s.Height(), BitDepth: int(s.BitDepthLumaMinus8) + 8, Chroma: "4:2:0",
		Profile: int(s.ProfileIdc), Level: int(s.LevelIdc),
	}
	switch s.ProfileIdc {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		v.Chroma = chromas[s.ChromaFormatIdc&3]
	}
	if u := s.VUI; u != nil {
		if u.VideoSignalTypePresentFlag {
			v.Color = colorOf(u.VideoFullRangeFlag, u.ColourDescriptionPresentFlag, u.ColourPrimaries, u.TransferCharacteristics, u.MatrixCoefficients)
		}
		if u.AspectRatioInfoPresentFlag {
			v.PixelAspect = aspect(u.AspectRatioIdc, u.SarWidth, u.SarHeight)
		}
	}
	return v
}

func colorOf(full, described bool, primaries, transfer, matrix uint8) container.Color {
	c := container.Color{Range: container.RangeLimited}
	if full {
		c.Range = container.RangeFull
	}
	if described {
		c.Primaries, c.Transfer, c.Matrix = primaries, transfer, matrix
	}
	return c
}

// aspects are those of ITU-T H.264, table E-1, by aspect_ratio_idc.
var aspects = [...]container.Ratio{
	{}, {Num: 1, Den: 1}, {Num: 12, Den: 11}, {Num: 10, Den: 11}, {Num: 16, Den: 11}, {Num: 40, Den: 33}, {Num: 24, Den: 11}, {Num: 20, Den: 11}, {Num: 32, Den: 11},
	{Num: 80, Den: 33}, {Num: 18, Den: 11}, {Num: 15, Den: 11}, {Num: 64, Den: 33}, {Num: 160, Den: 99}, {Num: 4, Den: 3}, {Num: 3, Den: 2}, {Num: 2, Den: 1},
}

func aspect(idc uint8, w, h uint16) container.Ratio {
	switch {
	case idc == 255 && w > 0 && h > 0:
		return container.Ratio{Num: int(w), Den: int(h)}
	case int(idc) < len(aspects):
		return aspects[idc]
	}
	return container.Ratio{}
}

// pocCounter unrolls picture order counts (ITU-T H.264, 8.2.1.1; ITU-T H.265, 8.3.1). It counts on over IDR pictures by a great step, so
// that only those between two of them compare.
type pocCounter struct {
	prev  int64
	epoch int64
	begun bool
}

const pocEpoch = 1 << 40

func (c *pocCounter) next(lsb uint32, bits int, idr, ref bool) int64 {
	size := int64(1) << bits
	v := int64(lsb)
	if idr || !c.begun {
		c.epoch += pocEpoch
		c.prev, c.begun = v, true
		return c.epoch + v
	}
	v += c.prev &^ (size - 1)
	if d := v - c.prev; d >= size/2 {
		v -= size
	} else if d < -size/2 {
		v += size
	}
	if ref {
		c.prev = v
	}
	return c.epoch + v
}
