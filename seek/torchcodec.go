package seek

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/sprocket-video/sprocket/container"
)

// AppendFrameMappings appends the frames as TorchCodec's custom_frame_mappings: {"frames": [{"pts", "duration", "key_frame"}, …]},
// in presentation order, times in ticks. It is what ffprobe -show_frames tells of the track, without decoding it.
func (t *Table) AppendFrameMappings(b []byte) []byte {
	b = append(b, `{"frames": [`...)
	for n := range t.frames {
		if n > 0 {
			b = append(b, ',')
		}
		f, _ := t.Frame(n) // n is in range
		b = append(b, "\n{\"pts\": "...)
		b = strconv.AppendInt(b, int64(f.PTS), 10)
		b = append(b, `, "duration": `...)
		b = strconv.AppendInt(b, int64(f.Duration), 10)
		b = append(b, `, "key_frame": `...)
		if f.Key {
			b = append(b, "1}"...)
		} else {
			b = append(b, "0}"...)
		}
	}
	return append(b, "\n]}\n"...)
}

// mapping is one frame of a mappings file. The names with pkt are those of older ffprobes.
type mapping struct {
	PTS    *int64 `json:"pts"`
	PktPTS *int64 `json:"pkt_pts"`
}

// BuildMapped returns the index of the frames that TorchCodec's custom_frame_mappings name: of a track, those and no others, in order of
// PTS. The mappings tell neither where a frame is nor how it is decoded, so the container is listed as Build does; a frame that it does not
// have gives an error that wraps ErrMismatch. Durations and key flags are the container's.
func BuildMapped(ctx context.Context, d container.SeekableDemuxer, track int, mappings []byte) (*Table, error) {
	var file struct {
		Frames []mapping `json:"frames"`
	}
	dec := json.NewDecoder(bytes.NewReader(mappings))
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("seek: frame mappings: %v: %w", err, container.ErrCorrupt)
	}
	if file.Frames == nil {
		return nil, fmt.Errorf("seek: frame mappings: no frames: %w", container.ErrCorrupt)
	}
	wanted := make([]int64, len(file.Frames))
	for i, m := range file.Frames {
		switch {
		case m.PTS != nil:
			wanted[i] = *m.PTS
		case m.PktPTS != nil:
			wanted[i] = *m.PktPTS
		default:
			return nil, fmt.Errorf("seek: frame mappings: frame %d has no pts: %w", i, container.ErrCorrupt)
		}
	}
	slices.Sort(wanted)
	t, b, err := list(ctx, d, track, nil)
	if err != nil {
		return nil, err
	}
	t.finish(b)
	return t, t.restrict(wanted)
}

// restrict keeps the frames with the PTS given, in order. Of frames with equal PTS the first ones are kept.
func (t *Table) restrict(wanted []int64) error {
	var b builder
	n := 0
	for _, pts := range wanted {
		for n < t.frames && t.pts.At(n) < pts {
			n++
		}
		if n == t.frames || t.pts.At(n) != pts {
			return fmt.Errorf("seek: frame mappings: the track has no frame with pts %d: %w", pts, ErrMismatch)
		}
		f, err := t.Frame(n)
		if err != nil {
			return err
		}
		b.pts = append(b.pts, pts)
		b.order = append(b.order, uint32(f.Packet))
		b.duration = f.Duration
		n++
	}
	t.mapped = len(b.pts) < t.frames
	t.setFrames(&b)
	return nil
}
