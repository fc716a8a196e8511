package sprocket

import (
	"context"
	"errors"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
	"github.com/sprocket-video/sprocket/source"
)

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
	// enough says that everything wanted has come out.
	enough() bool
}

// feed reads packets from start to the one numbered last, decodes those that somebody needs, and hands the pictures to c. Then it
// goes on until c has enough, at most to the packet numbered end. Packets that cannot be decoded cost their own pictures only.
func (d *VideoDecoder) feed(ctx context.Context, w *worker, start container.PacketInfo, last, end int64, c consumer) error {
	w.consumer = c
	d.stats.runs.Add(1)
	for info, err := range d.demuxer.List(ctx, d.track, start) {
		if err != nil {
			return err
		}
		if info.N > end || info.N > last && c.enough() {
			break
		}
		if w.ahead != nil {
			if err := w.ahead.reach(ctx, &info, max(last, info.N), w.share); err != nil {
				return err
			}
		}
		if err := d.feedOne(ctx, w, info); err != nil {
			return err
		}
		w.last = info.N
	}
	return nil
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
	spare := info.PTS <= w.keep && !w.consumer.wants(info.N)
	if spare && d.unneeded(&info) {
		d.skip(w, &info)
		return nil
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
	if spare && d.disposable(&w.packet) {
		d.skip(w, &info)
		return nil
	}
	w.consumer.feeding(info.N)
	if !d.index.NoFrame(info.N) {
		w.entered(info.N)
	}
	err := w.dec.Decode(ctx, &w.packet, w.emit)
	if errors.Is(err, codec.ErrDecode) {
		w.left(info.N)
		w.consumer.failed(info.N, err)
		return nil
	}
	return err
}

func (d *VideoDecoder) skip(w *worker, info *container.PacketInfo) {
	w.passed = max(w.passed, info.PTS)
	d.stats.skipped.Add(1)
}

// damage says whether an error costs a packet rather than the call: its bytes are not there, or are not what the tables say.
// A server that does not answer, or has another file by now, says nothing about the packet.
func damage(err error) bool {
	var e *container.Error
	var h *source.HTTPError
	return errors.As(err, &e) && !errors.As(err, &h) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// unneeded says whether the container tells that no other packet needs this one, so that it need not even be read: ISO/IEC 14496-12,
// 8.6.4.3, sample_is_depended_on. Of H.264 that is what its bytes tell too, nal_ref_idc 0. Files of AV1 say it of frames that others are
// made from, as those that libaom makes.
func (d *VideoDecoder) unneeded(info *container.PacketInfo) bool {
	return info.Disposable == container.Unneeded && d.info.Codec == "h264" && !d.opts.VerifyKeys
}

// disposable says whether the packet's own bytes say that no other packet needs it.
func (d *VideoDecoder) disposable(p *container.Packet) bool {
	if p.Description >= len(d.info.Descriptions) || d.info.Descriptions[p.Description].Encryption.Scheme != "" {
		return false
	}
	return bitstream.Disposable(&d.info.Descriptions[p.Description], p.Data) == container.Unneeded
}

// reopen replaces the decoder of w by one for another sample description, after the pictures it holds came out.
func (d *VideoDecoder) reopen(ctx context.Context, w *worker, description int) error {
	if err := w.dec.Flush(ctx, w.emit); err != nil {
		return err
	}
	_ = w.dec.Close() // flushed: nothing can be lost
	w.dec = nil
	dec, err := d.openDecoder(ctx, description, w.threads)
	if err != nil {
		return err
	}
	w.dec, w.description = dec, description
	return nil
}
