package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// Bounds on what TestBackend decodes of a clip, a dozen times.
const (
	clipPackets = 96
	clipPixels  = 40 << 20 // of the pictures of all packets, but for the first 16
)

// Clip is a video track to decode. Its first packets should hold two key packets, and be without damage.
type Clip struct {
	Name    string
	Demuxer container.SeekableDemuxer
	Track   int
}

// TestBackend checks that b keeps the promises of [codec.Backend], and its decoders those of [codec.Decoder], with the first 96
// packets of each clip, fewer of large pictures: whichever way a picture is come by, it is the same picture.
// The error joins a *LawError for each law that is broken.
func TestBackend(ctx context.Context, b codec.Backend, clips ...Clip) error {
	f := findings{subject: "backend"}
	f.guard("Supports", func() { refuses(ctx, &f, b) })
	for i := range clips {
		c := &backendCheck{findings: &f, b: b, clip: &clips[i]}
		if !c.prepare(ctx) {
			continue
		}
		f.guard(c.clip.Name+": decoding", func() { c.linear(ctx) })
		if len(c.want) == 0 {
			continue
		}
		f.guard(c.clip.Name+": Reset", func() { c.resets(ctx) })
		f.guard(c.clip.Name+": two decoders", func() { c.together(ctx) })
		f.guard(c.clip.Name+": starts", func() { c.starts(ctx) })
		f.guard(c.clip.Name+": emit", func() { c.emitStops(ctx) })
		f.guard(c.clip.Name+": Flush", func() { c.states(ctx) })
		f.guard(c.clip.Name+": damage", func() { c.damage(ctx) })
		f.guard(c.clip.Name+": Convert", func() { c.conversions(ctx) })
	}
	return f.err(ctx)
}

// refuses checks what a backend says to a track it cannot know.
func refuses(ctx context.Context, f *findings, b codec.Backend) {
	if a, b := b.Name(), b.Name(); a == "" || a != b {
		f.broke("a backend has a name that does not change", "it is %q and then %q", a, b)
	}
	d := container.Description{Codec: "no such codec", FourCC: "none"}
	t := &container.Track{Kind: container.Video, Timebase: container.Timebase{Num: 1, Den: 1000}, Description: d, Descriptions: []container.Description{d}}
	if err := b.Supports(t); !errors.Is(err, container.ErrUnsupported) && !errors.Is(err, codec.ErrUnavailable) {
		f.because(err, "Supports refuses an unknown codec with ErrUnsupported or ErrUnavailable", "%q", d.Codec)
	}
	if dec, err := b.OpenVideo(ctx, t, nil); err == nil {
		f.broke("OpenVideo refuses an unknown codec", "%q was opened", d.Codec)
		_ = dec.Close() // nothing was decoded
	}
}

type backendCheck struct {
	*findings
	b       codec.Backend
	clip    *Clip
	track   *container.Track
	index   *seek.Table
	packets []container.Packet
	want    map[int64]shot // by packet, of a linear decode
	order   []int64        // in which they came
}

// shot is a picture that came out.
type shot struct {
	hash    uint64
	w, h    int
	format  string
	damaged bool
}

// prepare reads the packets.
func (c *backendCheck) prepare(ctx context.Context) bool {
	var err error
	if c.index, err = seek.Build(ctx, c.clip.Demuxer, c.clip.Track); err != nil {
		c.because(err, "a clip can be indexed", "%s", c.clip.Name)
		return false
	}
	c.track = &c.clip.Demuxer.Tracks()[c.clip.Track]
	pixels := max(c.track.Video.Width*c.track.Video.Height, 1)
	infos, err := collect(ctx, c.clip.Demuxer, c.clip.Track, 0, min(max(clipPixels/pixels, 16), clipPackets))
	for _, info := range infos {
		var p container.Packet
		if err = c.clip.Demuxer.Read(ctx, c.clip.Track, info, &p); err != nil {
			break
		}
		c.packets = append(c.packets, p)
	}
	if err != nil {
		c.because(err, "a clip can be read", "%s", c.clip.Name)
		return false
	}
	if err := c.b.Supports(c.track); err != nil {
		c.because(err, "Supports accepts the clip", "%s", c.clip.Name)
		return false
	}
	return true
}

func (c *backendCheck) open(ctx context.Context) (codec.VideoDecoder, bool) {
	dec, err := c.b.OpenVideo(ctx, c.track, &codec.VideoOptions{ReorderDepth: c.index.ReorderDepth()})
	if err != nil {
		c.because(err, "OpenVideo opens what Supports accepts", "%s", c.clip.Name)
	}
	return dec, err == nil
}

// close closes a decoder, which must succeed.
func (c *backendCheck) close(dec codec.VideoDecoder) {
	if err := dec.Close(); err != nil {
		c.because(err, "Close succeeds", "%s", c.clip.Name)
	}
}

// take returns what a picture is.
func take(v codec.VideoFrame) (shot, error) {
	raw, err := v.AppendRaw(nil)
	w, h := v.Size()
	return shot{hash: digest(raw), w: w, h: h, format: v.PixelFormat(), damaged: v.Damaged()}, err
}

// reel collects the pictures of one pass.
type reel struct {
	shots map[int64]shot
	order []int64
	twice []int64
	early []int64 // pictures of packets that had not been given yet
	given map[int64]bool
	err   error // of a picture
}

func newReel() *reel { return &reel{shots: map[int64]shot{}, given: map[int64]bool{}} }

func (r *reel) emit(v codec.VideoFrame) error {
	n := v.Packet()
	s, err := take(v)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("picture of packet %d: %w", n, err)
	}
	if _, ok := r.shots[n]; ok {
		r.twice = append(r.twice, n)
	}
	if !r.given[n] {
		r.early = append(r.early, n)
	}
	r.shots[n] = s
	r.order = append(r.order, n)
	return nil
}

// feed decodes packets in memory that is scribbled over as soon as each call returns. It returns the first error.
func feed(ctx context.Context, dec codec.VideoDecoder, packets []container.Packet, r *reel) error {
	var p container.Packet
	var first error
	for i := range packets {
		p.PacketInfo = packets[i].PacketInfo
		p.Data = append(p.Data[:0], packets[i].Data...)
		r.given[p.N] = true
		if err := dec.Decode(ctx, &p, r.emit); err != nil && first == nil {
			first = fmt.Errorf("packet %d: %w", p.N, err)
		}
		for k := range p.Data {
			p.Data[k] ^= 0xa5
		}
	}
	return first
}

// pass decodes packets and drains the decoder.
func pass(ctx context.Context, dec codec.VideoDecoder, packets []container.Packet) (*reel, error) {
	r := newReel()
	err := feed(ctx, dec, packets, r)
	return r, errors.Join(err, dec.Flush(ctx, r.emit), r.err)
}

// linear decodes the clip from front to back: what everything else is compared with.
func (c *backendCheck) linear(ctx context.Context) {
	dec, ok := c.open(ctx)
	if !ok {
		return
	}
	defer c.close(dec)
	r, err := pass(ctx, dec, c.packets)
	name := c.clip.Name
	if err != nil {
		c.because(err, "an undamaged clip is decoded without errors", "%s", name)
	}
	if len(r.twice) > 0 {
		c.broke("no picture is emitted twice", "%s: that of packet %d", name, r.twice[0])
	}
	if len(r.early) > 0 {
		c.broke("a picture names a packet that was given to the decoder", "%s: packet %d", name, r.early[0])
	}
	last := container.NoTicks
	for _, n := range r.order {
		if n < 0 || n >= int64(len(c.packets)) {
			continue
		}
		pts := shownAt(&c.packets[n].PacketInfo)
		if pts < last {
			c.broke("pictures come in presentation order", "%s: packet %d with PTS %d after %d", name, n, pts, last)
		}
		last = pts
		if s := r.shots[n]; s.w <= 0 || s.h <= 0 || s.format == "" {
			c.broke("a picture has a size and a pixel format", "%s: packet %d is %d×%d %q", name, n, s.w, s.h, s.format)
		}
	}
	for n := range c.index.Len() {
		f, err := c.index.Frame(n)
		if _, ok := r.shots[f.Packet]; err == nil && !ok && f.Packet < int64(len(c.packets)) {
			c.broke("every frame of an undamaged clip comes out", "%s: frame %d, packet %d", name, n, f.Packet)
		}
	}
	c.want, c.order = r.shots, r.order
}

// compare checks that the pictures of a pass are those of the linear decode; all of them, when whole.
func (c *backendCheck) compare(law string, r *reel, whole bool, how string) {
	if len(r.twice) > 0 {
		c.broke("no picture is emitted twice", "%s, %s: that of packet %d", c.clip.Name, how, r.twice[0])
	}
	for n, s := range r.shots {
		if want, ok := c.want[n]; !ok || want != s {
			c.broke(law, "%s, %s: the picture of packet %d is another one", c.clip.Name, how, n)
		}
	}
	if whole && len(r.shots) != len(c.want) {
		c.broke(law, "%s, %s: %d pictures came, not %d", c.clip.Name, how, len(r.shots), len(c.want))
	}
}

// resets decodes again after Reset, and after a Reset in the middle.
func (c *backendCheck) resets(ctx context.Context) {
	dec, ok := c.open(ctx)
	if !ok {
		return
	}
	defer c.close(dec)
	const law = "after Reset a decoder is as new"
	reset := func(how string) {
		if err := dec.Reset(); err != nil {
			c.because(err, "Reset succeeds", "%s, %s", c.clip.Name, how)
		}
	}
	again := func(how string) {
		r, err := pass(ctx, dec, c.packets)
		if err != nil {
			c.because(err, law, "%s, %s", c.clip.Name, how)
		}
		c.compare(law, r, true, how)
	}
	reset("new")
	again("Reset when new")
	reset("flushed")
	again("Reset after Flush")
	reset("flushed again")
	if err := feed(ctx, dec, c.packets[:len(c.packets)/2], newReel()); err != nil {
		c.because(err, law, "%s, half", c.clip.Name)
	}
	reset("half way")
	again("Reset half way")
}

// together decodes with two decoders at once.
func (c *backendCheck) together(ctx context.Context) {
	var reels [2]*reel
	var errs [2]error
	var wg sync.WaitGroup
	for i := range reels {
		dec, ok := c.open(ctx)
		if !ok {
			break
		}
		defer c.close(dec)
		var panicked findings // a panic of another goroutine could not be caught here
		wg.Go(func() {
			panicked.guard("decoding", func() { reels[i], errs[i] = pass(ctx, dec, c.packets) })
			if len(panicked.broken) > 0 {
				errs[i] = panicked.broken[0]
			}
		})
	}
	wg.Wait()
	const law = "decoders at work at the same time do not disturb each other"
	for i, r := range reels {
		if errs[i] != nil {
			c.because(errs[i], law, "%s", c.clip.Name)
		}
		if r != nil {
			c.compare(law, r, true, "two at once")
		}
	}
}

// starts decodes from every start that the index gives, with one decoder.
func (c *backendCheck) starts(ctx context.Context) {
	dec, ok := c.open(ctx)
	if !ok {
		return
	}
	defer c.close(dec)
	for _, run := range c.runs(ctx) {
		r, err := pass(ctx, dec, c.packets[run.Start.N:run.Last+1])
		how := fmt.Sprintf("from packet %d", run.Start.N)
		if err != nil && run.Start.Key {
			c.because(err, "decoding can begin at every start", "%s, %s", c.clip.Name, how)
		}
		for _, f := range run.Frames {
			if got, ok := r.shots[f.Packet]; !ok || got != c.want[f.Packet] {
				c.broke("a frame is the same picture from its start as in a linear decode", "%s, %s: frame %d, packet %d", c.clip.Name, how, f.N, f.Packet)
			}
		}
		if err := dec.Reset(); err != nil {
			c.because(err, "Reset succeeds", "%s, %s", c.clip.Name, how)
		}
	}
}

// runs returns a run for each start of the clip: all frames that have it, if their packets are in the clip.
func (c *backendCheck) runs(ctx context.Context) []seek.Run {
	byStart := map[int64]*seek.Run{}
	var starts []int64
	for n := range c.index.Len() {
		f, err := c.index.Frame(n)
		if err != nil || f.Packet >= int64(len(c.packets)) {
			continue
		}
		s, err := c.index.Start(ctx, n)
		if err != nil || s.N >= int64(len(c.packets)) {
			continue
		}
		run := byStart[s.N]
		if run == nil {
			run = &seek.Run{Start: s}
			byStart[s.N] = run
			starts = append(starts, s.N)
		}
		run.Frames = append(run.Frames, f)
		run.Last = max(run.Last, f.Packet)
	}
	slices.Sort(starts)
	var out []seek.Run
	for _, i := range sample(len(starts), 16) {
		out = append(out, *byStart[starts[i]])
	}
	return out
}
