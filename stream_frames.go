package sprocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
)

// Frames yields the frames in presentation order, as VideoDecoder.Frames does. A frame comes as soon as no packet can come that is shown
// before it or the next one: after as many packets as the codec's configuration, or the container, says that pictures are
// reordered, and two more; where neither tells, after as many as the standard allows.
//
// A frame that fails yields a nil frame and a *FrameError, and the iteration goes on; other errors end it. After the context's, and after the
// loop was left, the next call goes on where this one stopped; after all others, such as io.ErrUnexpectedEOF where more was announced, and after
// the end it yields nothing. A packet that comes later than that rule allows is no frame but a *FrameError whose N is -1. Each frame is the
// caller's.
func (s *VideoStream) Frames(ctx context.Context) iter.Seq2[*Frame, error] {
	return func(yield func(*Frame, error) bool) {
		if err := s.enter(); err != nil {
			yield(nil, err)
			return
		}
		defer s.leave()
		for {
			for len(s.ready) > 0 {
				f := s.ready[0]
				s.ready[0] = streamed{}
				s.ready = s.ready[1:]
				if !yield(f.frame, f.err) {
					return
				}
				if s.isClosed() {
					yield(nil, ErrClosed)
					return
				}
			}
			if s.done {
				return
			}
			if err := s.step(ctx); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// step takes one packet. An error is the context's, and nothing is lost then; all others are put behind the frames that are ready.
func (s *VideoStream) step(ctx context.Context) error {
	p := &s.packet
	if !s.have {
		p.PacketInfo = container.PacketInfo{Track: -1, N: -1}
		s.read = s.demuxer.Next(ctx, p)
		if s.read != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		s.have = true
	}
	err := s.read
	if err == nil && p.Track != s.track {
		s.have = false
		return nil
	}
	// Nothing of the budget is held while a source is waited for.
	threads := max(s.opts.Threads, 1)
	if err := s.opts.Budget.acquire(ctx, threads); err != nil {
		return err
	}
	defer s.opts.Budget.release(threads)
	s.have = false
	ctx = context.WithoutCancel(ctx) // what follows takes no longer than a packet
	switch {
	case err == io.EOF:
		s.finish(ctx, nil)
		return nil
	case err != nil && (p.N < 0 || !damage(err)):
		s.finish(ctx, err)
		return nil
	case p.Track != s.track:
		return nil // a packet of another track could not be read
	case p.N <= s.last:
		s.finish(ctx, cmp.Or(err, error(&container.Error{
			Format: "stream", Op: "read", Path: fmt.Sprintf("packet %d", p.N), Offset: p.Pos,
			Err: fmt.Errorf("it comes after packet %d: %w", s.last, container.ErrCorrupt),
		})))
		return nil
	}
	s.last = p.N
	if err := s.feed(ctx, p, err); err != nil {
		s.finish(ctx, err)
		return nil
	}
	s.deliver(false)
	return nil
}

// feed decodes a packet, or notes why it could not be read.
func (s *VideoStream) feed(ctx context.Context, p *container.Packet, unread error) error {
	if err := s.prepare(ctx, p.Description); err != nil {
		return err
	}
	data := p.Data
	if unread != nil {
		data = nil
	} else if data == nil {
		data = []byte{}
	}
	picture, late := s.order.add(&p.PacketInfo, data)
	if late != nil {
		s.ready = append(s.ready, streamed{err: late})
	}
	if unread != nil {
		s.order.fail(p.N, unread)
		return nil
	}
	s.stats.packets.Add(1)
	s.stats.bytes.Add(int64(p.Size))
	if picture {
		s.order.decoding(p.N)
	}
	err := s.stage.dec.Decode(ctx, p, s.stage.emit)
	if errors.Is(err, codec.ErrDecode) {
		s.order.fail(p.N, err)
		return nil
	}
	return err
}

// prepare makes sure that there is a decoder for a sample description. The first packet says which; by then the container may know
// how far packets are reordered.
func (s *VideoStream) prepare(ctx context.Context, description int) error {
	depth, whole := 0, false
	if r, ok := s.demuxer.(container.Reorderer); ok {
		depth, whole = r.ReorderDepth(s.track)
	}
	told := depth
	if !whole && description < len(s.info.Descriptions) {
		d := &s.info.Descriptions[description]
		depth = max(depth, bitstream.ReorderDepth(d))
		if d.Codec == "h264" || d.Codec == "hevc" {
			told = depth
		}
	}
	s.order.depth = max(s.order.depth, depth)
	w := s.stage
	if w != nil && w.description == description {
		return nil
	}
	if w == nil {
		w = &stage{}
		w.emit = s.emit
		s.stage = w
		s.stats.runs.Add(1)
	} else if w.dec != nil {
		if err := w.dec.Flush(ctx, w.emit); err != nil {
			return err
		}
		_ = w.dec.Close() // flushed: nothing can be lost
		w.dec = nil
	}
	dec, err := openVideo(ctx, s.backend, &s.info, &codec.VideoOptions{Threads: s.opts.Threads, Description: description, ReorderDepth: told})
	if err != nil {
		return err
	}
	s.stats.opened.Add(1)
	w.dec, w.description = dec, description
	return nil
}

// emit takes a picture.
func (s *VideoStream) emit(v codec.VideoFrame) error {
	s.stats.decoded.Add(1)
	packet := v.Packet()
	s.order.left(packet)
	if v.Damaged() {
		s.order.damage(packet)
	}
	slot := s.order.find(packet)
	if slot == nil {
		return nil
	}
	var err error
	slot.frame, err = newPicture(v, s.opts.Native, &s.pixels)
	return err
}

// deliver readies the frames that are certain.
func (s *VideoStream) deliver(end bool) {
	for {
		f, ok := s.order.take(end)
		if !ok {
			return
		}
		if f.frame != nil {
			s.stats.frames.Add(1)
		}
		s.ready = append(s.ready, f)
	}
}

// finish ends the stream: what the decoder holds comes out, and then the error, unless it is nil.
func (s *VideoStream) finish(ctx context.Context, err error) {
	s.done = true
	if s.stage != nil && s.stage.dec != nil {
		if e := s.stage.dec.Flush(ctx, s.emit); err == nil && !errors.Is(e, codec.ErrDecode) {
			err = e
		}
	}
	s.deliver(true)
	if err != nil {
		s.ready = append(s.ready, streamed{err: err})
	}
}
