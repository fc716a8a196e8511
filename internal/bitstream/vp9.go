package bitstream

import "github.com/sprocket-video/sprocket/container"

// vp9Frame is what the uncompressed header of a frame says (VP9 bitstream specification, 6.2).
type vp9Frame struct {
	existing bool // show_existing_frame: a frame decoded earlier is shown
	key      bool
	shown    bool
	refresh  int // refresh_frame_flags
}

func readVP9(data []byte) (f vp9Frame, ok bool) {
	b := bitReader{data: data}
	b.skip(2) // frame_marker
	profile := b.bit() | b.bit()<<1
	if profile == 3 {
		b.skip(1)
	}
	if f.existing = b.bit() == 1; f.existing {
		f.shown = true
		return f, !b.short
	}
	f.key = b.bit() == 0 // frame_type 0 is KEY_FRAME
	f.shown = b.bit() == 1
	resilient := b.bit() == 1
	if f.key {
		f.refresh = 0xff
		return f, !b.short
	}
	intra := !f.shown && b.bit() == 1
	if !resilient {
		b.skip(2) // reset_frame_context
	}
	if intra {
		b.skip(24) // frame_sync_code
		if profile > 0 {
			vp9Color(&b, profile)
		}
	}
	f.refresh = b.bits(8)
	return f, !b.short
}

// vp9Color goes over color_config, 6.2.2.
func vp9Color(b *bitReader, profile int) {
	if profile >= 2 {
		b.skip(1) // ten_or_twelve_bit
	}
	if b.bits(3) != 7 { // color_space; 7 is CS_RGB
		b.skip(1) // color_range
		if profile&1 == 1 {
			b.skip(3) // subsampling_x, subsampling_y, reserved_zero
		}
	} else if profile&1 == 1 {
		b.skip(1) // reserved_zero
	}
}

// vp9 classifies a packet by its first frame.
func vp9(data []byte) Info {
	if len(data) < 2 {
		return Info{Class: Short}
	}
	f, _ := readVP9(data)
	return keyIf(true, f.key && !f.existing)
}

// vp9Frames returns the sizes of the frames of a superframe (Annex B), or that of the packet when it is none. Nil: its index makes no sense.
func vp9Frames(data []byte) []int {
	n := len(data)
	last := data[n-1]
	if last>>5 != 6 {
		return []int{n}
	}
	frames, width := int(last&7)+1, int(last>>3&3)+1
	index := 2 + frames*width
	if n < index || data[n-index] != last {
		return []int{n}
	}
	sizes := make([]int, frames)
	left := n - index
	p := data[left+1:]
	for i := range sizes {
		for k := range width {
			sizes[i] |= int(p[i*width+k]) << (8 * k)
		}
		if left -= sizes[i]; left < 0 {
			return nil
		}
	}
	return sizes
}

// vp9Disposable never returns Unneeded. A frame that refreshes no reference can still be needed: unless the next one resets them, it takes its
// motion vectors, its segmentation map and its probabilities from the frame decoded before it (7.4.6, 7.4.20 and 8.4.2), whichever that is.
// The packet alone does not tell.
func vp9Disposable(data []byte) container.Disposable {
	if len(data) == 0 {
		return container.DisposableUnknown
	}
	for _, size := range vp9Frames(data) {
		if f, ok := readVP9(data[:size]); ok && f.refresh != 0 {
			return container.Needed
		}
		data = data[size:]
	}
	return container.DisposableUnknown
}
