package mpegts

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
	"github.com/sprocket-video/sprocket/source"
)

// surround returns n frames of six channels.
func surround(n int) [][]byte {
	var out [][]byte
	for i := range n {
		b := tm.ADTS(210+11*(i%5), byte(i))
		b[2] |= 1
		out = append(out, b)
	}
	return out
}

// soundOnly returns a stream of frames, two in a PES packet. With lost not negative the last transport packet of that PES packet is left out.
func soundOnly(frames [][]byte, lost int) []byte {
	ts := &tm.TS{}
	tables(ts)
	for i := 0; i < len(frames); i += 2 {
		u := tm.PES{Stream: 0xc0, PTS: int64(i) * 1920, DTS: -1, Data: slices.Concat(frames[i], frames[i+1])}
		if frames[i][0] != 0xff { // the second is the first that begins in it
			u.PTS += 1920
		}
		p := ts.PES(soundPID, u)
		if i/2 == lost {
			p = p[:len(p)-1]
		}
		ts.Packets(p...)
	}
	return ts.Bytes()
}

// heard compares the packets of sound with the frames that are to be there, by their number, and says which are marked as damaged.
func heard(t *testing.T, d *Demuxer, want [][]byte) (corrupt map[int]bool) {
	t.Helper()
	corrupt = map[int]bool{}
	at := 0
	for _, p := range all(t, d, 1) {
		b := content(t, d, p)
		i := slices.IndexFunc(want[at:], func(w []byte) bool { return bytes.Equal(w, b) })
		if i < 0 {
			if !p.Corrupt {
				t.Errorf("a packet of %d bytes at %d is no frame, and not marked", p.Size, p.Pos)
			}
			continue
		}
		for k := at; k < at+i; k++ {
			corrupt[k] = true // it did not come whole
		}
		at += i
		if int64(p.PTS) != int64(at)*1920 && !p.Corrupt {
			t.Errorf("frame %d has PTS %d, want %d", at, p.PTS, at*1920)
		}
		if p.Corrupt {
			corrupt[at] = true
		}
		at++
	}
	for k := at; k < len(want); k++ {
		corrupt[k] = true
	}
	return corrupt
}

// TestSoundThatChangesBehindDamageIsFound: where stereo goes on as surround sound, or the reverse, with a packet lost between them, all frames but those
// that it was part of are found.
func TestSoundThatChangesBehindDamageIsFound(t *testing.T) {
	for _, back := range []bool{false, true} {
		a, b := sound(40), surround(40)
		if back {
			a, b = b, a
		}
		want := slices.Concat(a, b)
		d := open(t, soundOnly(want, 19), nil)
		for k := range heard(t, d, want) {
			if k < 38 || k > 40 {
				t.Errorf("back %t: frame %d is damaged", back, k)
			}
		}
		if n := len(d.Tracks()[1].Descriptions); n != 2 {
			t.Errorf("back %t: %d descriptions, want 2", back, n)
		}
	}
}

// TestHeadersThatAreNone: what looks like the header of a frame in the middle of one is none, neither where a stream begins there nor behind damage.
func TestHeadersThatAreNone(t *testing.T) {
	for _, c := range []struct {
		name  string
		first int // frame that the stream begins in
		lost  int
	}{{"at first", 1, -1}, {"behind damage", 0, 4}} {
		frames := sound(40)
		for i := range frames { // in each a header of one channel at 8 kHz, of a frame that would swallow the next three
			copy(frames[i][60:], []byte{0xff, 0xf1, 0x6c, 0x40, 90, 0x1f, 0xfc})
			copy(frames[i][120:], []byte{0xff, 0xf1, 0x6c, 0x40, 40, 0x1f, 0xfc})
		}
		cut := slices.Clone(frames)
		if c.first > 0 {
			cut[0] = cut[0][50:]
		}
		d := open(t, soundOnly(cut, c.lost), nil)
		damaged := heard(t, d, frames)
		for k := range damaged {
			if c.lost < 0 && k > 0 || c.lost >= 0 && (k < 2*c.lost || k > 2*c.lost+2) {
				t.Errorf("%s: frame %d is damaged", c.name, k)
			}
		}
		if n := len(d.Tracks()[1].Descriptions); n != 1 {
			t.Errorf("%s: %d descriptions, want 1", c.name, n)
		}
	}
}

// TestOneFrameIsEnough: where there is no second header the first one counts, of a frame that is cut, too.
func TestOneFrameIsEnough(t *testing.T) {
	for _, n := range []int{300, 299, 190, 20} {
		b := tm.ADTS(300, 1)[:n]
		ts := &tm.TS{}
		tables(ts)
		ts.Packets(ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: 5, DTS: -1, Data: b})...)
		d := open(t, ts.Bytes(), nil)
		got := all(t, d, 1)
		if len(got) != 1 || got[0].Size != n || got[0].PTS != 5 || got[0].Corrupt != (n < 300) || !bytes.Equal(content(t, d, got[0]), b) {
			t.Errorf("of %d bytes: %+v", n, got)
		}
		if a := d.Tracks()[1].Audio; a.SampleRate != 48000 || a.Channels != 2 {
			t.Errorf("of %d bytes: %+v", n, a)
		}
	}
}

// TestFrameWithoutConfigurationIsAsTheOneBefore: a frame of LATM that has none of its own.
func TestFrameWithoutConfigurationIsAsTheOneBefore(t *testing.T) {
	ts := &tm.TS{}
	ts.Packets(ts.PAT(0, mapPID)...)
	ts.Packets(ts.PMT(mapPID, 0, soundPID, tm.TSStream{PID: soundPID, Type: 0x11})...)
	ts.Packets(ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: 0, DTS: -1, Data: slices.Concat(
		[]byte{0x56, 0xe0, 4, 0x20, 0, 0x11, 0x90}, // AAC, 48 kHz, stereo
		bytes.Repeat([]byte{0x56, 0xe0, 4, 0x80, 1, 2, 3}, 3),
	)})...)
	d := open(t, ts.Bytes(), nil)
	for i, p := range all(t, d, 0) {
		if p.Duration != 1920 || int(p.PTS) != 1920*i || p.Description != 0 {
			t.Errorf("frame %d: %+v", i, p)
		}
	}
	if tr := d.Tracks()[0]; tr.Packets != 4 || len(tr.Descriptions) != 1 || tr.Audio.Channels != 2 {
		t.Errorf("%+v", tr)
	}
}

// TestDamagedSoundIsMarked: a transport packet that is lost, or has an error, marks the frames that it is part of; all others come whole.
func TestDamagedSoundIsMarked(t *testing.T) {
	frames := sound(60)
	good := soundOnly(frames, -1)
	starts := map[int]int{} // frames that begin in a transport packet, by its place
	for _, p := range all(t, open(t, good, nil), 1) {
		starts[int(p.Pos)/188*188]++
	}
	for at := 4 * 188; at < len(good)-4*188; at += 188 {
		for _, lost := range []bool{true, false} {
			file := slices.Clone(good)
			if lost {
				file = slices.Delete(file, at, at+188)
			} else {
				file[at+1] |= 0x80
			}
			damaged := heard(t, open(t, file, nil), frames)
			// Those that begin in it, the one before, and behind a loss the next, which is whole but not known to be.
			most := starts[at] + 1
			if lost {
				most += 2
			}
			if n := len(damaged); n == 0 || n > most {
				t.Errorf("packet at %d, lost %t: frames %v are damaged", at, lost, damaged)
			}
		}
	}
}

// TestOneFrameInTheHeadIsEnoughToOpen: Open does not read on for a second header.
func TestOneFrameInTheHeadIsEnoughToOpen(t *testing.T) {
	ts := &tm.TS{}
	tables(ts)
	ts.Packets(ts.PES(videoPID, tm.PES{PTS: 0, DTS: 0, Data: gop(1, 1, 0)[0].data})...)
	aac := [][]byte{tm.ADTS(400, 1), tm.ADTS(400, 2)}
	p := ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: 0, DTS: -1, Data: slices.Concat(aac...)})
	ts.Packets(p[0])
	ts.Packets(ts.PES(videoPID, tm.PES{PTS: 3600, DTS: 3600, Data: bytes.Repeat([]byte{0x55}, 200_000)})...)
	ts.Packets(p[1:]...)
	src := source.Count(bytes.NewReader(ts.Bytes()))
	d, err := Open(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := d.Tracks()[1].Audio; a.SampleRate != 48000 || a.Channels != 2 || src.Counts().Bytes != container.HeadSize {
		t.Errorf("%+v, %d bytes were read, want %d", a, src.Counts().Bytes, container.HeadSize)
	}
	same(t, d, 1, frames(aac, 0))
}
