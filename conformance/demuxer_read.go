package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/sprocket-video/sprocket/container"
)

// chosen returns the packets to read: some of them, of which all bytes are there.
func (t *trackCheck) chosen() []container.PacketInfo {
	var out []container.PacketInfo
	var total int64
	for _, i := range sample(len(t.infos), readPackets) {
		p := t.infos[i]
		if p.Corrupt {
			continue
		}
		if total += int64(p.Size); total > readBytes && len(out) > 0 {
			break
		}
		out = append(out, p)
	}
	return out
}

// read checks that packets have the same bytes in every order, from every goroutine and in reused memory.
func (c *demuxerCheck) read(ctx context.Context, track int) {
	t := &c.tracks[track]
	infos := t.chosen()
	for _, info := range infos {
		var p container.Packet
		if err := c.d.Read(ctx, track, info, &p); err != nil {
			c.because(err, "a packet that is not Corrupt can be read", "track %d packet %d", track, info.N)
			continue
		}
		if len(p.Data) != info.Size {
			c.broke("Read gives Size bytes", "track %d packet %d has %d, not %d", track, info.N, len(p.Data), info.Size)
		}
		if p.PacketInfo != info {
			c.broke("Read fills in the packet's info", "track %d packet %d", track, info.N)
		}
		t.hashes[info.N] = digest(p.Data)
	}
	var p container.Packet
	for i := len(infos) - 1; i >= 0; i-- {
		if where := c.again(ctx, track, infos[i], &p); where != "" {
			c.broke("a packet has the same bytes in any order and in reused memory", "%s", where)
		}
	}
	const workers = 4
	var wg sync.WaitGroup
	wrong := make([]findings, workers)
	for w := range workers {
		wg.Go(func() {
			wrong[w].guard("concurrent Read", func() {
				var p container.Packet
				for i := range infos {
					if where := c.again(ctx, track, infos[(i*7+w*len(infos)/workers)%len(infos)], &p); where != "" {
						wrong[w].broke("", "%s", where)
					}
				}
			})
		})
	}
	wg.Wait()
	for w := range wrong {
		for _, b := range wrong[w].broken {
			c.broke("a packet has the same bytes from any goroutine", "%s", b.Where)
		}
	}
	c.heads(ctx, track, infos)
}

// again reads a packet again and says what is wrong with it.
func (c *demuxerCheck) again(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) string {
	want, ok := c.tracks[track].hashes[info.N]
	if !ok {
		return ""
	}
	for i := range p.Data {
		p.Data[i] ^= 0x55 // it is the caller's until the call
	}
	switch err := c.d.Read(ctx, track, info, p); {
	case err != nil:
		return fmt.Sprintf("track %d packet %d: %v", track, info.N, err)
	case digest(p.Data) != want || p.N != info.N:
		return fmt.Sprintf("track %d packet %d has others", track, info.N)
	}
	return ""
}

// heads checks that an info with a smaller Size reads the beginning of the packet: indices look at packets so.
func (c *demuxerCheck) heads(ctx context.Context, track int, infos []container.PacketInfo) {
	for _, i := range sample(len(infos), 8) {
		info := infos[i]
		if info.Size < 2 {
			continue
		}
		var whole, head container.Packet
		if c.d.Read(ctx, track, info, &whole) != nil {
			continue
		}
		info.Size /= 2
		err := c.d.Read(ctx, track, info, &head)
		if err != nil || string(head.Data) != string(whole.Data[:info.Size]) {
			c.because(err, "a smaller Size reads the beginning of the packet", "track %d packet %d", track, info.N)
		}
	}
}

// next checks that Next gives every packet of the tracks in use, each track in decode order.
func (c *demuxerCheck) next(ctx context.Context) {
	const law = "Next gives every packet that List does, each track in decode order"
	done, cancel := context.WithCancel(ctx)
	cancel()
	var p container.Packet
	if err := c.d.Next(done, &p); !errors.Is(err, context.Canceled) {
		c.because(err, "a context that has ended stops the call with its error", "Next")
		return // a packet may be gone
	}
	at := make([]int, len(c.tracks)) // the packet to come
	allowed := maxNextFails          // errors in a row
	for i := range c.tracks {
		for k := range c.tracks[i].infos {
			if c.tracks[i].infos[k].Corrupt {
				allowed++
			}
		}
	}
	fails := 0
	for {
		err := c.d.Next(ctx, &p)
		if err == io.EOF {
			break
		}
		if err != nil {
			if fails++; fails > allowed || ctx.Err() != nil {
				c.because(err, "Next comes to an end", "after %d errors in a row", fails)
				return
			}
			continue // a packet that cannot be read; the next one of its track tells which
		}
		fails = 0
		if p.Track < 0 || p.Track >= len(c.tracks) || !c.tracks[p.Track].inUse {
			c.broke("Next gives packets of the tracks in use", "it gave one of track %d", p.Track)
			return
		}
		t := &c.tracks[p.Track]
		for at[p.Track] < len(t.infos) && t.infos[at[p.Track]].Corrupt && int64(at[p.Track]) < p.N {
			at[p.Track]++
		}
		n := at[p.Track]
		if n >= len(t.infos) || t.infos[n] != p.PacketInfo {
			c.broke(law, "track %d: packet %d came where packet %d was to", p.Track, p.N, n)
			return
		}
		at[p.Track]++
		if want, ok := t.hashes[p.N]; len(p.Data) != p.Size || ok && digest(p.Data) != want {
			c.broke("Next gives the bytes that Read does", "track %d packet %d", p.Track, p.N)
		}
	}
	for i, n := range at {
		t := &c.tracks[i]
		for n < len(t.infos) && t.infos[n].Corrupt {
			n++
		}
		if n < len(t.infos) && n < maxPackets {
			c.broke(law, "track %d: it ended before packet %d of %d", i, n, len(t.infos))
		}
	}
	if err := c.d.Next(ctx, &p); err != io.EOF {
		c.because(err, "Next returns io.EOF, bare, once it has come to the end", "a call after it")
	}
}
