package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/sprocket-video/sprocket/source"
)

// TestSource checks that src holds the bytes want and reads them as io.ReaderAt and [source.Source] promise: the same bytes in any
// order and from any goroutine, fewer than asked for only with an error, io.EOF at the end and only there.
// It reads the bytes a few times over. The error joins a *LawError for each law that is broken.
func TestSource(ctx context.Context, src source.Source, want []byte) error {
	c := &sourceCheck{findings: findings{subject: "source"}, src: src, want: want}
	c.guard("Size", c.size)
	c.guard("ReadAt", c.ranges)
	c.guard("ReadAt at the end", c.end)
	c.guard("ReadAt outside", c.outside)
	c.concurrent(ctx)
	c.guard("ReadAtContext", func() { c.cancelled(ctx) })
	c.guard("Version", c.version)
	c.guard("Size", c.size)
	return c.err(ctx)
}

type sourceCheck struct {
	findings
	src  source.Source
	want []byte
}

func (c *sourceCheck) size() {
	for range 2 {
		if n := c.src.Size(); n != int64(len(c.want)) {
			c.broke("Size is the number of bytes, always", "it is %d, there are %d", n, len(c.want))
		}
	}
}

// read is one ReadAt whose result must be right.
func (c *sourceCheck) read(f *findings, n int, off int64) {
	p := make([]byte, n)
	k, err := c.src.ReadAt(p, off)
	avail := int(min(max(int64(len(c.want))-off, 0), int64(n)))
	switch {
	case k < 0 || k > n:
		f.broke("ReadAt returns a count within its buffer", "%d bytes at %d gave %d", n, off, k)
		return
	case k < n && err == nil:
		f.broke("a short read has an error", "%d bytes at %d gave %d", n, off, k)
	case k < avail:
		f.because(err, "ReadAt returns all bytes there are", "%d bytes at %d gave %d of %d", n, off, k, avail)
	case k > avail:
		f.broke("ReadAt returns no more bytes than there are", "%d bytes at %d gave %d of %d", n, off, k, avail)
		return
	case k < n && err != io.EOF:
		f.because(err, "a read over the end returns io.EOF, bare", "%d bytes at %d", n, off)
	case k == n && n > 0 && err != nil && (err != io.EOF || off+int64(n) < int64(len(c.want))):
		f.because(err, "a full read has no error", "%d bytes at %d", n, off)
	}
	if k > 0 && !bytes.Equal(p[:k], c.want[off:off+int64(k)]) {
		f.broke("ReadAt returns the bytes at its offset", "%d bytes at %d are others", n, off)
	}
}

func (c *sourceCheck) ranges() {
	size := int64(len(c.want))
	c.read(&c.findings, len(c.want), 0)
	for _, off := range []int64{0, 1, size / 2, size - 2, size - 1} {
		if off >= 0 && off < size {
			c.read(&c.findings, 0, off)
			c.read(&c.findings, 1, off)
		}
	}
	c.random(&c.findings, 1, 200)
	for off := size; off > 0 && size <= 1<<20; off -= max(1, size/64) { // backward
		c.read(&c.findings, int(min(64, size-off+1)), off-1)
	}
}

// random reads ranges of all sizes at random places.
func (c *sourceCheck) random(f *findings, seed uint64, times int) {
	r := rand.New(rand.NewPCG(seed, 11))
	for range times {
		if len(c.want) == 0 {
			return
		}
		off := r.Int64N(int64(len(c.want)))
		n := min(1+r.IntN(1<<r.IntN(17)), len(c.want)-int(off))
		c.read(f, n, off)
	}
}

func (c *sourceCheck) end() {
	size := int64(len(c.want))
	for _, before := range []int64{0, 1, 7, size} {
		if before > size {
			continue
		}
		c.read(&c.findings, int(before), size-before)
		c.read(&c.findings, int(before)+1, size-before)
		c.read(&c.findings, int(before)+5000, size-before)
	}
	c.read(&c.findings, 10, size+1)
	c.read(&c.findings, 10, size+1<<40)
	c.read(&c.findings, 10, math.MaxInt64-5)
}

func (c *sourceCheck) outside() {
	for _, off := range []int64{-1, -5, math.MinInt64} {
		if n, err := c.src.ReadAt(make([]byte, 8), off); n != 0 || err == nil {
			c.because(err, "a negative offset is an error", "8 bytes at %d gave %d", off, n)
		}
	}
}

func (c *sourceCheck) concurrent(ctx context.Context) {
	parts := make([]findings, 8)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			if ctx.Err() == nil {
				parts[i].guard("concurrent ReadAt", func() { c.random(&parts[i], uint64(100+i), 100) })
			}
		})
	}
	wg.Wait()
	for i := range parts {
		for _, b := range parts[i].broken {
			c.because(b.Err, "concurrent reads are as right as single ones", "%s: %s", b.Law, b.Where)
		}
	}
}

func (c *sourceCheck) cancelled(ctx context.Context) {
	r, ok := c.src.(source.ContextReaderAt)
	if !ok || len(c.want) == 0 {
		return
	}
	p := make([]byte, min(len(c.want), 4096))
	if n, err := r.ReadAtContext(ctx, p, 0); ctx.Err() == nil && (n != len(p) || err != nil && err != io.EOF || !bytes.Equal(p, c.want[:n])) {
		c.because(err, "ReadAtContext reads as ReadAt does", "%d bytes at 0 gave %d", len(p), n)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	// A source that need not wait may read all the same.
	if n, err := r.ReadAtContext(done, p, 0); !errors.Is(err, context.Canceled) && (n != len(p) || !bytes.Equal(p, c.want[:n])) {
		c.because(err, "ReadAtContext returns the error of a context that has ended, or the bytes", "%d bytes at 0 gave %d", len(p), n)
	}
}

func (c *sourceCheck) version() {
	if v, ok := c.src.(source.Versioned); ok {
		if a, b := v.Version(), v.Version(); a != b {
			c.broke("Version is the same as long as the bytes are", "it was %q and then %q", a, b)
		}
	}
}
