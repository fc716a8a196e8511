package seek

import "context"

// Split cuts runs so that about parts of them are of equal length, for as many decoders to work at once. It cuts only where decoding can
// start anew without decoding any packet twice: at key frames that no earlier frame of the run needs.
func Split(ctx context.Context, x Index, runs []Run, parts int) ([]Run, error) {
	var total int64
	for i := range runs {
		total += runs[i].Packets()
	}
	if len(runs) >= parts || total == 0 {
		return runs, nil
	}
	size := max(1, total/int64(parts))
	var out []Run
	for _, r := range runs {
		whole := len(out)
		piece := Run{Start: r.Start, Last: -1}
		for i, f := range r.Frames {
			if f.Packet < piece.Start.N { // shown after a key packet that is decoded after it: leave this run as it is
				out, piece = out[:whole], r
				break
			}
			if f.Key && i > 0 && piece.Packets() >= size && f.Packet > piece.Last {
				start, err := x.Start(ctx, f.N)
				if err != nil {
					return nil, err
				}
				if start.N > piece.Last {
					out = append(out, piece)
					piece = Run{Start: start, Last: -1}
				}
			}
			piece.Last = max(piece.Last, f.Packet)
			piece.Frames = append(piece.Frames, f)
		}
		out = append(out, piece)
	}
	return out, nil
}
