package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/sprocket-video/sprocket/codec"
	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/internal/bitstream"
)

// maxFailures bounds the errors in a row that one packet can make the decoder report.
const maxFailures = 64

var (
	errClosed  = errors.New("decoder is closed")
	errFlushed = errors.New("decoder is flushed: reset it first")
)

// Decoder is a video decoder. It serves one goroutine at a time; different decoders may run at the same time.
//
// With more than one thread an error comes out some packets late, and names the packet that was being sent then.
type Decoder struct {
	coder     *coder
	frame     Frame
	converter converter
	flushed   bool
	closed    bool
	reset     bool     // the next packet is the first one after a Reset
	bad       [8]int64 // numbers, plus one, of the last packets that gave errors
	nBad      int
	halves    bool   // packets may hold two fields
	config    []byte // of H.264
}

var _ codec.VideoDecoder = (*Decoder)(nil)

// Decode decodes one packet and emits the pictures that are then complete.
// A packet without data gives no picture and no error.
func (d *Decoder) Decode(ctx context.Context, p *container.Packet, emit func(codec.VideoFrame) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case d.closed:
		return d.fail("decode", p, errClosed)
	case d.flushed:
		return d.fail("decode", p, errFlushed)
	case len(p.Data) == 0:
		return nil
	case len(p.Data) > math.MaxInt32-1024:
		return d.fail("decode", p, fmt.Errorf("%d bytes: %w", len(p.Data), container.ErrLimit))
	}
	var first error
	data := p.Data
	if d.halves {
		// libavcodec decodes the second field of a packet with the parameter sets of the first.
		if n := bitstream.Halves(d.config, data); n > 0 {
			if err := d.decode(p, data[:n], p.Key, emit, &first); err != nil {
				return err
			}
			data = data[n:]
		}
	}
	if err := d.decode(p, data, p.Key && len(data) == len(p.Data), emit, &first); err != nil {
		return err
	}
	return first
}

// decode sends data of a packet and emits the pictures that are then complete. Errors of decoding are noted in first.
func (d *Decoder) decode(p *container.Packet, data []byte, key bool, emit func(codec.VideoFrame) error, first *error) error {
	code := d.coder.send(data, p.N, key, d.reset)
	d.reset = false
	if code == codeAgain {
		// Frames are left from a call that emit stopped.
		if err := d.receive(emit, p, first); err != nil {
			return err
		}
		code = d.coder.send(data, p.N, key, false)
	}
	if code < 0 {
		*first = d.failed(p, code, *first)
	}
	return d.receive(emit, p, first)
}

// Flush emits the pictures that the decoder still holds. A second Flush emits nothing.
func (d *Decoder) Flush(ctx context.Context, emit func(codec.VideoFrame) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.closed {
		return d.fail("flush", nil, errClosed)
	}
	var first error
	if !d.flushed {
		d.flushed = true
		code := d.coder.finish()
		if code == codeAgain {
			if err := d.receive(emit, nil, &first); err != nil {
				return err
			}
			code = d.coder.finish()
		}
		if code < 0 && code != codeEOF {
			first = d.failed(nil, code, first)
		}
	}
	if err := d.receive(emit, nil, &first); err != nil {
		return err
	}
	return first
}

// Reset makes the decoder as it was when it was opened. It is allowed at any time before Close.
func (d *Decoder) Reset() error {
	if d.closed {
		return d.fail("reset", nil, errClosed)
	}
	d.coder.flush()
	d.flushed, d.reset = false, true
	d.bad, d.nBad = [8]int64{}, 0
	return nil
}

// Close frees the decoder and everything its conversions kept. Close may be called again.
func (d *Decoder) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.frame.valid = false
	d.converter.close()
	d.coder.close()
	live.decoders.Add(-1)
	return nil
}

// receive emits every picture that is complete. Errors of the decoder go to first, those of emit are returned.
func (d *Decoder) receive(emit func(codec.VideoFrame) error, p *container.Packet, first *error) error {
	failures := 0
	for {
		code := d.coder.receive(&d.frame.pic)
		switch {
		case code == codeAgain || code == codeEOF:
			return nil
		case code < 0:
			*first = d.failed(p, code, *first)
			if failures++; failures == maxFailures {
				return nil
			}
			continue
		}
		failures = 0
		d.frame.valid = true
		d.frame.concealed = d.isBad(d.frame.pic.token)
		err := emit(&d.frame)
		d.frame.valid = false
		d.coder.unref()
		if err != nil {
			return err
		}
	}
}

// failed remembers that a packet gave an error and returns the first one.
func (d *Decoder) failed(p *container.Packet, code int, first error) error {
	if p != nil {
		d.bad[d.nBad%len(d.bad)] = p.N + 1
		d.nBad++
	}
	if first != nil {
		return first
	}
	err := fmt.Errorf("%s: %w", codeText(code), codec.ErrDecode)
	if code == codeNoMemory {
		err = errors.New(codeText(code))
	}
	return d.fail("decode", p, err)
}

func (d *Decoder) isBad(token int64) bool {
	for _, n := range d.bad[:min(d.nBad, len(d.bad))] {
		if n == token+1 {
			return true
		}
	}
	return false
}

func (d *Decoder) fail(op string, p *container.Packet, err error) error {
	e := &codec.Error{Backend: backendName, Op: op, Packet: -1, PTS: container.NoTicks, Err: err}
	if p != nil {
		e.Packet, e.PTS = p.N, p.PTS
	}
	return e
}
