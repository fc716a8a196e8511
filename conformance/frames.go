package conformance

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
)

// batchBytes bounds the frames that are asked for at once, in bytes of native planes.
const batchBytes = 96 << 20

// frames decodes the default video track every way and compares.
func (c *fileCheck) frames(ctx context.Context) {
	video := slices.ContainsFunc(c.demuxer.Tracks(), func(t container.Track) bool { return t.Kind == container.Video })
	if !video {
		c.row.Frames.Not = "no video"
		return
	}
	d, err := sprocket.OpenVideo(ctx, c.src, &sprocket.VideoOptions{Native: true, Workers: 1, Backend: c.r.Backend, Formats: c.r.Formats})
	if err == nil && c.r.Backend != nil {
		t := d.Track()
		if err = c.r.Backend.Supports(&t); err != nil {
			_ = d.Close() // nothing was decoded
		}
	}
	switch {
	case len(codec.Backends()) == 0 && c.r.Backend == nil:
		c.row.Frames.Not = "not decoded: no backend"
		if err == nil {
			_ = d.Close() // nothing was decoded
		}
		return
	case errors.Is(err, container.ErrUnsupported) || errors.Is(err, codec.ErrUnavailable):
		c.row.Frames.Not = "not decoded"
		c.note("frames: %v", err)
		return
	case err != nil:
		c.fail("video: %v", err)
		return
	}
	defer func() { _ = d.Close() }() // only its answers count
	tr := d.Track()
	if len(tr.Descriptions) > 0 && !slices.ContainsFunc(tr.Descriptions, func(d container.Description) bool { return d.Encryption.Scheme == "" }) {
		c.row.Frames.Not = "not decoded"
		c.note("frames: encrypted (%s)", tr.Encryption.Scheme)
		return
	}
	if d.Len() == 0 {
		c.row.Frames.Not = "no frames"
		return
	}
	m := d.Metadata()
	pixels := max(int64(m.Width)*int64(m.Height), 1)
	n := int(min(int64(d.Len()), max(c.r.Pixels/pixels, 1)))
	linear, ok := c.linear(ctx, d, n)
	if !ok {
		return
	}
	c.row.Frames.Count = n
	if n < d.Len() {
		c.note("the first %d of %d frames", n, d.Len())
	}
	c.compareGolden(d, linear)
	chunk := int(min(max(batchBytes*2/(pixels*3), 4), 48))
	forward := make([]int, n)
	for i := range forward {
		forward[i] = i
	}
	backward := slices.Clone(forward)
	slices.Reverse(backward)
	for _, pass := range []struct {
		how   string
		order []int
	}{{"forward", forward}, {"backward", backward}, {"shuffled", rand.New(rand.NewPCG(1, 1)).Perm(n)}} {
		if !c.requests(ctx, d, linear, pass.how, pass.order, chunk) {
			return
		}
	}
	c.row.Frames.Against = append(c.row.Frames.Against, "any order")
}

// linear returns the hashes of the first n frames of a linear decode, "" for those that failed.
func (c *fileCheck) linear(ctx context.Context, d *sprocket.VideoDecoder, n int) (hashes []string, ok bool) {
	failed := 0
	var bad error // of the first of them
	for f, err := range d.Frames(ctx) {
		if err != nil {
			if failed++; bad == nil {
				bad = err
			}
			hashes = append(hashes, "")
		} else {
			hashes = append(hashes, sum(f.Bytes()))
		}
		if len(hashes) == n {
			break
		}
	}
	if len(hashes) != n {
		c.fail("a linear decode gave %d of %d frames: %v", len(hashes), n, bad)
		return nil, false
	}
	const promise = "what its packets promise"
	switch {
	case failed == n:
		c.differs(d.Metadata().Track, "frames missing", d.Len(), promise, bad.Error())
	case failed > 0:
		c.differs(d.Metadata().Track, "frames damaged", failed, promise, bad.Error())
	}
	if failed > 0 {
		c.note("%d frames damaged or missing, the same in any order; the first: %v", failed, bad)
	}
	return hashes, true
}

// compareGolden compares the frames of a linear decode that did not fail with FFmpeg's hashes.
func (c *fileCheck) compareGolden(d *sprocket.VideoDecoder, linear []string) {
	want, err := c.r.golden(c.row.File)
	switch {
	case err != nil:
		c.fail("%v", err)
		return
	case want == nil:
		return
	case d.Metadata().Orientation != container.Orientation{}:
		c.note("framemd5 not compared: it is of turned pictures")
		return
	}
	if len(linear) == d.Len() && len(want) != d.Len() {
		c.differ("%d frames, framemd5 has %d", d.Len(), len(want))
	}
	for i := range min(len(linear), len(want)) {
		if linear[i] != "" && linear[i] != want[i] {
			c.differ("frame %d has MD5 %s, framemd5 %s", i, linear[i], want[i])
			return
		}
	}
	c.row.Frames.Against = append(c.row.Frames.Against, "framemd5")
}

// requests asks for the frames in the order given, some at a time.
func (c *fileCheck) requests(ctx context.Context, d *sprocket.VideoDecoder, linear []string, how string, order []int, chunk int) bool {
	for some := range slices.Chunk(order, chunk) {
		b, err := d.FramesAt(ctx, some)
		if b == nil && (err == nil || slices.ContainsFunc(some, func(n int) bool { return linear[n] != "" })) {
			c.fail("%s from frame %d: %v", how, some[0], err)
			return false
		}
		for i, n := range some {
			got := ""
			if b != nil && (b.Errs == nil || b.Errs[i] == nil) {
				got = sum(b.Index(i).Bytes())
			}
			if got != linear[n] {
				c.differ("%s: frame %d has MD5 %s, a linear decode %s", how, n, orNone(got, err), orNone(linear[n], nil))
				return false
			}
		}
	}
	return true
}

func orNone(hash string, err error) string {
	if hash != "" {
		return hash
	}
	if err != nil {
		return fmt.Sprintf("none (%v)", err)
	}
	return "none"
}

func sum(b []byte) string {
	h := md5.Sum(b)
	return hex.EncodeToString(h[:])
}
