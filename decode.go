package sprocket

import (
	"context"
	"errors"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
	"github.com/sprocket-video/sprocket/source"
)

// worker is one decoder with the memory it works in.
type worker struct {
	dec         codec.VideoDecoder
	description int
	packet      container.Packet
	consumer    consumer
	emit        func(codec.VideoFrame) error // consumer.emit, made once
}

// consumer is who takes the pictures of a stretch of packets.
type consumer interface {
	// wants says whether the picture of a packet is wanted. Other packets are decoded only if some packet needs them.
	wants(packet int64) bool
	// feeding announces a packet that is about to be decoded.
	feeding(packet int64)
	// failed says that a packet could not be read or decoded.
	failed(packet int64, err error)
	// emit takes a picture, wanted or not.
	emit(codec.VideoFrame) error
}

// acquire returns a worker at rest, or a new one.
func (d *VideoDecoder) acquire(ctx context.Context, description int) (*worker, error) {
	d.mu.Lock()
	for i := len(d.idle) - 1; i >= 0; i-- {
		if w := d.idle[i]; w.description == description {
			d.idle[i] = d.idle[len(d.idle)-1]
			d.idle = d.idle[:len(d.idle)-1]
			d.mu.Unlock()
			return w, nil
		}
	}
	d.mu.Unlock()
	dec, err := d.openDecoder(ctx, description)
	if err != nil {
		return nil, err
	}
	w := &worker{dec: dec, description: description}
	w.emit = func(v codec.VideoFrame) error {
		d.stats.decoded.Add(1)
		return w.consumer.emit(v)
	}
	return w, nil
}

func (d *VideoDecoder) openDecoder(ctx context.Context, description int) (codec.VideoDecoder, error) {
	d.stats.opened.Add(1)
	return d.backend.OpenVideo(ctx, d.info, &codec.VideoOptions{
		Threads: d.opts.Threads, Description: description, ReorderDepth: d.index.ReorderDepth(),
	})
}

// rest resets a worker and keeps it for the next call. A worker that cannot be reset, or is one too many, is closed.
func (d *VideoDecoder) rest(w *worker) {
	w.consumer = nil
	if w.dec == nil {
		return
	}
	if err := w.dec.Reset(); err != nil {
		_ = w.dec.Close() // it is given up for the reset error
		return
	}
	d.mu.Lock()
	if !d.closed && len(d.idle) < d.workers() {
		d.idle = append(d.idle, w)
		w = nil
	}
	d.mu.Unlock()
	if w != nil {
		_ = w.dec.Close() // nothing can be lost: it is at rest
	}
}

// feed reads packets from start to the one numbered last, decodes those that somebody needs, and hands the pictures to c.
// Afterwards the decoder is drained. Packets that cannot be decoded cost their own pictures only.
func (d *VideoDecoder) feed(ctx context.Context, w *worker, start container.PacketInfo, last int64, c consumer) error {
	w.consumer = c
	d.stats.runs.Add(1)
	fetched, most := int64(-1), int64(firstAhead)
	for info, err := range d.demuxer.List(ctx, d.track, start) {
		if err != nil {
			return err
		}
		if info.N > last {
			break
		}
		if d.ahead != nil && info.N > fetched {
			if fetched, err = d.fetch(ctx, info, last, most); err != nil {
				return err
			}
			most = min(2*most, maxAhead)
		}
		if err := d.feedOne(ctx, w, info); err != nil {
			return err
		}
	}
	return w.dec.Flush(ctx, w.emit)
}

func (d *VideoDecoder) feedOne(ctx context.Context, w *worker, info container.PacketInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if info.Description != w.description {
		if err := d.reopen(ctx, w, info.Description); err != nil {
			return err
		}
	}
	if err := d.demuxer.Read(ctx, d.track, info, &w.packet); err != nil {
		if !damage(err) {
			return err
		}
		w.consumer.failed(info.N, err)
		return nil
	}
	d.stats.packets.Add(1)
	d.stats.bytes.Add(int64(info.Size))
	if !w.consumer.wants(info.N) && d.disposable(&w.packet) {
		d.stats.skipped.Add(1)
		return nil
	}
	w.consumer.feeding(info.N)
	err := w.dec.Decode(ctx, &w.packet, w.emit)
	if errors.Is(err, codec.ErrDecode) {
		w.consumer.failed(info.N, err)
		return nil
	}
	return err
}

// damage says whether an error costs a packet rather than the call: its bytes are not there, or are not what the tables say.
// A server that does not answer, or has another file by now, says nothing about the packet.
func damage(err error) bool {
	var e *container.Error
	var h *source.HTTPError
	return errors.As(err, &e) && !errors.As(err, &h) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// disposable says whether the packet's own bytes say that no other packet needs it.
func (d *VideoDecoder) disposable(p *container.Packet) bool {
	if p.Description >= len(d.info.Descriptions) {
		return false
	}
	return bitstream.Inspect(&d.info.Descriptions[p.Description], p.Data).Disposable == container.Unneeded
}

// reopen replaces the decoder of w by one for another sample description, after the pictures it holds came out.
func (d *VideoDecoder) reopen(ctx context.Context, w *worker, description int) error {
	if err := w.dec.Flush(ctx, w.emit); err != nil {
		return err
	}
	_ = w.dec.Close() // flushed: nothing can be lost
	w.dec = nil
	dec, err := d.openDecoder(ctx, description)
	if err != nil {
		return err
	}
	w.dec, w.description = dec, description
	return nil
}
