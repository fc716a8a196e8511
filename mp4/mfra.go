package mp4

import (
	"cmp"
	"context"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// point is a movie fragment that is known from a table.
type point struct {
	time int64 // of a sync sample in it, in the timescale of the media; of one that was passed, when it is presented
	off  int64
	raw  int64 // decode time from which it goes on if it tells none
}

const (
	tailWindow  = 32 << 10 // bytes read where a movie fragment random access box may end
	maxMfraSize = 64 << 20
)

// readRandomAccess reads the movie fragment random access box, ISO/IEC 14496-12, 8.8.9, at the end of the source: one read, or two
// where the box is longer than a window. It returns the tables by track_ID; none when there is no such box.
func (o *opener) readRandomAccess(ctx context.Context) (map[uint32][]point, error) {
	b := make([]byte, min(tailWindow, o.size))
	n, err := source.ReadSome(ctx, o.src, b, o.size-int64(len(b)))
	if err != nil {
		return nil, o.located("mfra", o.size-int64(len(b)), err)
	}
	// The box ends with one of 16 bytes that tells how long it is, 8.8.11.
	if n < len(b) || n < 16 || string(b[n-12:n-8]) != "mfro" {
		return nil, nil
	}
	size := int64(be32(b[n-4:]))
	if size < 24 || size > min(o.size, maxMfraSize, o.limits.HeaderBytes) {
		return nil, nil
	}
	off := o.size - size
	if int64(n) < size {
		all := make([]byte, size)
		copy(all[size-int64(n):], b)
		if k, err := source.ReadSome(ctx, o.src, all[:size-int64(n)], off); err != nil {
			return nil, o.located("mfra", off, err)
		} else if int64(k) < size-int64(n) {
			return nil, nil
		}
		b = all
	} else {
		b = b[int64(n)-size:]
	}
	h, err := parseHeader(b)
	if err != nil || h.typ != "mfra" || h.size != size {
		return nil, nil
	}
	tables := map[uint32][]point{}
	o.each("mfra", box{typ: h.typ, off: off + int64(h.len), body: b[h.len:]}, func(c box) {
		if c.typ != "tfra" {
			return
		}
		track, points, err := parseRandomAccess(c, o.size)
		if err != nil {
			o.warn("mfra/tfra", c.off, err)
		} else if tables[track] == nil && len(points) > 0 {
			tables[track] = points
		}
	})
	return tables, nil
}

// parseRandomAccess reads a track fragment random access box, 8.8.10. The points are in order, each fragment once.
func parseRandomAccess(b box, size int64) (track uint32, points []point, err error) {
	v, _, r, ok := b.full()
	if !ok || len(r.body) < 12 {
		return 0, nil, corrupt("%d bytes", len(b.body))
	}
	p := r.body
	lengths := be32(p[4:])
	entry := 8 + 3 + int(lengths>>4&3+lengths>>2&3+lengths&3)
	if v == 1 {
		entry += 8
	}
	track = be32(p)
	count := int64(be32(p[8:]))
	p = p[12:]
	if count > int64(len(p)/entry) {
		return 0, nil, corrupt("%d entries of %d bytes in %d bytes", count, entry, len(p))
	}
	for ; count > 0; count-- {
		time, off := uint64(be32(p)), uint64(be32(p[4:]))
		if v == 1 {
			time, off = be64(p), be64(p[8:])
		}
		p = p[entry:]
		if time > maxTime || off >= uint64(size) {
			return 0, nil, corrupt("time %d at byte %d of %d", time, off, size)
		}
		if n := len(points); n == 0 || points[n-1].off != int64(off) {
			points = append(points, point{int64(time), int64(off), int64(time)})
		}
	}
	if !slices.IsSortedFunc(points, func(a, b point) int { return cmp.Compare(a.time, b.time) }) {
		return 0, nil, corrupt("entries out of order")
	}
	return track, slices.Clip(points), nil
}

// located says where in the source an error met the work at hand.
func (o *opener) located(path string, off int64, err error) error {
	return &container.Error{Format: "mp4", Op: o.op, Path: path, Offset: off, Err: err}
}
