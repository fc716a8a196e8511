package conformance

import (
	"context"
	"errors"
	"slices"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/seek"
)

// emitStops checks what happens when emit returns an error.
func (c *backendCheck) emitStops(ctx context.Context) {
	dec, ok := c.open(ctx)
	if !ok {
		return
	}
	defer c.close(dec)
	stop := errors.New("stopped by emit")
	r := newReel()
	refused := int64(-1) // the packet whose picture was refused
	refuse := func(v codec.VideoFrame) error {
		if refused < 0 && len(r.order) == len(c.order)/2 {
			refused = v.Packet()
			return stop
		}
		return r.emit(v)
	}
	check := func(call string, err error, before int64) {
		if stopped := before < 0 && refused >= 0; stopped != (err == stop) {
			c.because(err, "an error of emit is returned as it is, and by the call it stopped", "%s, %s", c.clip.Name, call)
		}
	}
	for i := range c.packets {
		before := refused
		r.given[c.packets[i].N] = true
		check("Decode", dec.Decode(ctx, &c.packets[i], refuse), before)
	}
	before := refused
	err := dec.Flush(ctx, refuse)
	check("Flush", err, before)
	if err == stop {
		if err := dec.Flush(ctx, refuse); err != nil {
			c.because(err, "a Flush that emit stopped can be called again", "%s", c.clip.Name)
		}
	}
	const law = "a picture that emit refused costs no other picture"
	if _, again := r.shots[refused]; again {
		c.broke("no picture is emitted twice", "%s: that of packet %d, which emit had refused", c.clip.Name, refused)
		delete(r.shots, refused)
	}
	c.compare(law, r, false, "after an error of emit")
	if want := len(c.want) - 1; refused >= 0 && len(r.shots) != want {
		c.broke(law, "%s: %d pictures came, not %d", c.clip.Name, len(r.shots), want)
	}
}

// states checks what Flush, Reset and a context that has ended do.
func (c *backendCheck) states(ctx context.Context) {
	dec, ok := c.open(ctx)
	if !ok {
		return
	}
	defer c.close(dec)
	name := c.clip.Name
	r := newReel()
	if err := dec.Flush(ctx, r.emit); err != nil || len(r.order) > 0 {
		c.because(err, "a new decoder has nothing to flush", "%s: %d pictures", name, len(r.order))
	}
	if err := dec.Decode(ctx, &c.packets[0], r.emit); err == nil || len(r.order) > 0 {
		c.broke("after Flush only Reset and Close are allowed: Decode is an error", "%s: %d pictures", name, len(r.order))
	} else {
		c.located(err, "Decode after Flush")
	}
	if err := dec.Reset(); err != nil {
		c.because(err, "Reset succeeds", "%s, after Flush", name)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := dec.Decode(done, &c.packets[0], r.emit); !errors.Is(err, context.Canceled) {
		c.because(err, "a context that has ended stops the call with its error", "%s: Decode", name)
	}
	if err := dec.Reset(); err != nil {
		c.because(err, "Reset succeeds", "%s, after a cancelled Decode", name)
	}
	if err := feed(ctx, dec, c.packets, r); err != nil {
		c.because(err, "after Reset a decoder is as new", "%s", name)
	}
	if err := dec.Reset(); err != nil {
		c.because(err, "Reset succeeds", "%s, with pictures held", name)
	}
	left := newReel()
	if err := dec.Flush(ctx, left.emit); err != nil || len(left.order) > 0 {
		c.because(err, "Reset forgets every picture", "%s: %d came out of Flush", name, len(left.order))
	}
}

// located checks that an error says which backend it comes from.
func (c *backendCheck) located(err error, where string) {
	var e *codec.Error
	if !errors.As(err, &e) || e.Backend != c.b.Name() {
		c.because(err, "errors are a *codec.Error that names the backend", "%s, %s", c.clip.Name, where)
	}
}

// damage spoils one packet in three ways, and then looks at the pictures behind the next start.
func (c *backendCheck) damage(ctx context.Context) {
	runs := c.runs(ctx)
	victim := int64(len(c.packets) / 2)
	if len(runs) > 1 {
		victim = (runs[0].Start.N + runs[1].Start.N) / 2
	}
	for _, way := range []struct {
		name  string
		spoil func([]byte) []byte
	}{
		{"noise", func(b []byte) []byte {
			for i := range b {
				b[i] = byte(i*167 + 13)
			}
			return b
		}},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"all ones", func(b []byte) []byte {
			for i := range b {
				b[i] = 0xff
			}
			return b
		}},
	} {
		dec, ok := c.open(ctx)
		if !ok {
			return
		}
		packets := slices.Clone(c.packets)
		packets[victim].Data = way.spoil(slices.Clone(packets[victim].Data))
		r := newReel()
		for i := range packets {
			r.given[packets[i].N] = true
			if err := dec.Decode(ctx, &packets[i], r.emit); err != nil {
				c.refusal(err, way.name)
			}
		}
		if err := dec.Flush(ctx, r.emit); err != nil {
			c.refusal(err, way.name)
		}
		c.beyond(r, runs, victim, way.name)
		c.close(dec)
	}
}

// refusal checks the error for a damaged packet.
func (c *backendCheck) refusal(err error, way string) {
	if !errors.Is(err, codec.ErrDecode) {
		c.because(err, "the error for a damaged packet wraps ErrDecode", "%s, %s", c.clip.Name, way)
	}
	c.located(err, way)
}

// beyond checks that the damage of a packet does not reach past the next start.
func (c *backendCheck) beyond(r *reel, runs []seek.Run, victim int64, way string) {
	if len(r.twice) > 0 {
		c.broke("no picture is emitted twice", "%s, %s: that of packet %d", c.clip.Name, way, r.twice[0])
	}
	for _, run := range runs {
		if run.Start.N <= victim {
			continue
		}
		for _, f := range run.Frames {
			if got, ok := r.shots[f.Packet]; !ok || got != c.want[f.Packet] && !got.damaged {
				c.broke("decoding goes on after a damaged packet: what does not need it is as ever", "%s, %s in packet %d: frame %d, packet %d", c.clip.Name, way, victim, f.N, f.Packet)
			}
		}
	}
}
