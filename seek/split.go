package seek

import "context"

// overlap is what part of a piece may be decoded twice so that runs can be cut at open key frames: one in so many packets.
const overlap = 8

// Split cuts runs so that they are of about the length of one of parts equal ones, for as many decoders to work at once.
//
// It cuts only where decoding can start anew. At key frames that no earlier frame of the run needs nothing is decoded twice. At
// others, those of open GOPs, the key packet and what leads to frames shown before it are; they are cut at only where that is
// less than an eighth of a piece.
func Split(ctx context.Context, x Index, runs []Run, parts int) ([]Run, error) {
	var total int64
	for i := range runs {
		total += runs[i].Packets()
	}
	if parts < 2 || total == 0 {
		return runs, nil
	}
	size := max(1, total/int64(parts))
	var out []Run
	for i := range runs {
		pieces, err := runs[i].split(ctx, x, size)
		if err != nil {
			return nil, err
		}
		out = append(out, pieces...)
	}
	return out, nil
}

// split cuts a run into pieces of at least size packets.
func (r *Run) split(ctx context.Context, x Index, size int64) ([]Run, error) {
	if r.Packets() < 2*size {
		return []Run{*r}, nil
	}
	var out []Run
	first := 0 // the first frame of the piece
	piece := Run{Start: r.Start, Last: -1}
	for i, f := range r.Frames {
		if f.Packet < piece.Start.N { // shown after a key packet that is decoded after it: leave this run as it is
			return []Run{*r}, nil
		}
		if i > first && piece.Packets() >= size && (f.Key || keyBetween(x, r.Frames[i-1].Packet, f.Packet)) {
			start, err := x.Start(ctx, f.N)
			if err != nil {
				return nil, err
			}
			if start.N > piece.Start.N && (piece.Last-start.N+1)*overlap <= size {
				piece.Frames = r.Frames[first:i:i]
				out = append(out, piece)
				first, piece = i, Run{Start: start, Last: -1}
			}
		}
		piece.Last = max(piece.Last, f.Last())
	}
	piece.Frames = r.Frames[first:]
	return append(out, piece), nil
}
