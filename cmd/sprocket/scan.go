package main

import (
	"context"
	"math"
	"slices"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// scan is what one pass over the packets of a track finds.
type scan struct {
	tb      container.Timebase
	size    int64 // of the source
	packets int64
	keys    int64

	discarded, corrupt, beyondEnd int64
	disposable                    int64
	tellsDisposable               bool
	bytes                         int64

	back, firstBack     int64           // packets whose decode time is before that of the packet before
	noTime, firstNoTime int64           // packets of no duration, but the last
	last                container.Ticks // decode time of the packet before
	pendingNoTime       bool

	gop       gopReport
	open      gopInProgress
	previous  gopInProgress
	haveKey   bool
	reorder   int
	recent    []container.Ticks // PTS of the packets before, a window
	latest    container.Ticks   // the greatest PTS so far
	bins      bins
	lookAt    []container.PacketInfo // key packets spread over the track
	lookEvery int64
}

// gopInProgress is the stretch since a key packet.
type gopInProgress struct {
	n, frames int64
	pts       container.Ticks
	offset    int64 // payload bytes before its key packet
}

// reorderWindow is how far back a packet's presentation is compared: more than any codec reorders.
const reorderWindow = 32

// maxLookAt is how many key packets are opened to see what they are.
const maxLookAt = 16

func scanPackets(ctx context.Context, d container.SeekableDemuxer, track int, size int64) (*scan, error) {
	s := &scan{tb: d.Tracks()[track].Timebase, size: size, lookEvery: 1, latest: container.NoTicks}
	for p, err := range d.List(ctx, track, container.PacketInfo{}) {
		if err != nil {
			return s, err
		}
		s.add(&p)
	}
	return s, nil
}

func (s *scan) add(p *container.PacketInfo) {
	s.packets++
	s.bins.add(int64(p.Size))
	if p.Discard {
		s.discarded++
	}
	if p.Corrupt {
		s.corrupt++
	}
	if p.Pos+int64(p.Size) > s.size {
		s.beyondEnd++
	}
	s.tellsDisposable = s.tellsDisposable || p.Disposable != container.DisposableUnknown
	if p.Disposable == container.Unneeded {
		s.disposable++
	}
	s.addTime(p)
	pts := p.PTS
	if pts == container.NoTicks {
		pts = p.DTS
	}
	s.addOrder(pts)
	if p.Key {
		s.closeGOP(pts)
		s.keys++
		s.sample(p)
		s.previous, s.open = s.open, gopInProgress{n: p.N, pts: pts, offset: s.bytes}
		if !s.haveKey {
			s.previous, s.haveKey = s.open, true
		}
	}
	s.bytes += int64(p.Size)
	if !s.haveKey {
		s.gop.BeforeKey++
		return
	}
	from := &s.open
	if pts < s.open.pts {
		s.gop.Leading++
		from = &s.previous
	}
	if !p.Discard {
		s.open.frames++
		s.gop.MaxPackets = max(s.gop.MaxPackets, p.N-from.n+1)
		s.gop.MaxBytes = max(s.gop.MaxBytes, s.bytes-from.offset)
	}
}

// addTime counts decode times that go back, and packets of no duration. The last one's is often not told.
func (s *scan) addTime(p *container.PacketInfo) {
	if s.packets > 1 && p.DTS < s.last {
		if s.back++; s.back == 1 {
			s.firstBack = p.N
		}
	}
	if s.pendingNoTime {
		if s.noTime++; s.noTime == 1 {
			s.firstNoTime = p.N - 1
		}
	}
	s.last, s.pendingNoTime = p.DTS, p.Duration == 0
}

// addOrder counts how many packets before this one are presented after it.
func (s *scan) addOrder(pts container.Ticks) {
	if s.latest == container.NoTicks || pts >= s.latest {
		s.latest = pts
	} else {
		n := 0
		for _, before := range s.recent {
			if before > pts {
				n++
			}
		}
		s.reorder = max(s.reorder, n)
	}
	if len(s.recent) < reorderWindow {
		s.recent = append(s.recent, pts)
	} else {
		s.recent[s.packets%reorderWindow] = pts
	}
}

// closeGOP ends a GOP where the next one, or the end of the track, is presented.
func (s *scan) closeGOP(end container.Ticks) {
	if !s.haveKey {
		return
	}
	s.gop.Count++
	s.gop.Frames.add(float64(s.open.frames))
	s.gop.Bytes.add(float64(s.bytes - s.open.offset))
	if sec := s.tb.Seconds(end) - s.tb.Seconds(s.open.pts); !math.IsNaN(sec) {
		s.gop.Seconds.add(max(sec, 0))
	}
}

// sample keeps key packets evenly spread, between half of maxLookAt and all of it.
func (s *scan) sample(p *container.PacketInfo) {
	if (s.keys-1)%s.lookEvery != 0 {
		return
	}
	if len(s.lookAt) == maxLookAt {
		for i := range maxLookAt / 2 {
			s.lookAt[i] = s.lookAt[2*i]
		}
		s.lookAt = s.lookAt[:maxLookAt/2]
		s.lookEvery *= 2
		if (s.keys-1)%s.lookEvery != 0 {
			return
		}
	}
	s.lookAt = append(s.lookAt, *p)
}

// bins are mean values of equal stretches of a sequence of unknown length.
type bins struct {
	sums  []int64
	width int64 // values in one bin
	n     int64
}

// maxBins is how many bins there are at most; there are at least half of it, if there are so many values.
const maxBins = 64

func (b *bins) add(v int64) {
	if b.width == 0 {
		b.width = 1
	}
	i := b.n / b.width
	if i == maxBins {
		for k := range maxBins / 2 {
			b.sums[k] = b.sums[2*k] + b.sums[2*k+1]
		}
		b.sums = b.sums[:maxBins/2]
		b.width *= 2
		i = maxBins / 2
	}
	if int(i) == len(b.sums) {
		b.sums = append(b.sums, 0)
	}
	b.sums[i] += v
	b.n++
}

func (b *bins) means() []int64 {
	means := slices.Clone(b.sums)
	for i := range means {
		means[i] /= min(b.width, b.n-int64(i)*b.width)
	}
	return means
}

// setRate describes the pace of the frames of an index.
func (v *videoReport) setRate(x seek.Index) {
	n := x.Len()
	if n == 0 {
		return
	}
	first, err1 := x.Frame(0)
	last, err2 := x.Frame(n - 1)
	tb := x.Timebase()
	length := tb.Seconds(last.PTS + last.Duration - first.PTS)
	if err1 != nil || err2 != nil || !(length > 0) {
		return
	}
	fps := float64(n) / length
	v.FPS = &fps
	if n < 2 {
		return
	}
	shortest, longest := container.Ticks(math.MaxInt64), container.Ticks(0)
	step := float64(last.PTS-first.PTS) / float64(n-1)
	constant := true
	for i := range n - 1 {
		f, err := x.Frame(i)
		if err != nil {
			return
		}
		shortest, longest = min(shortest, f.Duration), max(longest, f.Duration)
		constant = constant && math.Abs(float64(f.PTS-first.PTS)-float64(i)*step) <= 1
	}
	mode := "variable"
	if constant { // every frame is within a tick of where the rate puts it
		mode = "constant"
		fps = 1 / (step * float64(tb.Num) / float64(tb.Den))
	}
	v.FPSMode = &mode
	if shortest > 0 {
		v.FPSMax = known(1/tb.Seconds(shortest), true)
	}
	if longest > 0 {
		v.FPSMin = known(1/tb.Seconds(longest), true)
	}
	if shortest == longest && shortest > 0 {
		v.FPSExact = known(ratio(tb.Den, tb.Num, int64(shortest)), true)
	}
}
