package mpegts

import (
	"bytes"
	"slices"
	"testing"

	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

const (
	clockPID = 0x1ff
	cuePID   = 0x1f0
)

// timed appends the tables of a program of pictures, sound and cues, whose clock has a PID of its own.
func timed(ts *tm.TS) {
	ts.Packets(ts.PAT(0, mapPID)...)
	ts.Packets(ts.PMT(mapPID, 0, clockPID, tm.TSStream{PID: videoPID, Type: 0x1b}, tm.TSStream{PID: soundPID, Type: 0x0f}, tm.TSStream{PID: cuePID, Type: 0x86})...)
}

// reference appends a clock reference, in a transport packet of its own.
func reference(ts *tm.TS, t int64) {
	t = wrapped(t)
	p := append([]byte{0x47, clockPID >> 8, clockPID & 255, 0x20, 183, 0x10, byte(t >> 25), byte(t >> 17), byte(t >> 9), byte(t >> 1), byte(t<<7) | 0x7e, 0},
		bytes.Repeat([]byte{0xff}, 188-12)...)
	ts.Packets(p)
}

// cue appends a section.
func cue(ts *tm.TS, n byte) { ts.Packets(ts.Section(cuePID, []byte{0xfc, 0x30, 2, n, n})...) }

// played appends pictures and sound, each with its clock reference half a second before it; of what is in a pause only the clock.
func played(ts *tm.TS, units []clipUnit, aac [][]byte, pause func(i int) (picture, sound bool)) (pictures, frames []clipUnit) {
	first := units[0].dts
	for i, u := range units {
		reference(ts, u.dts-second/2)
		noPicture, noSound := pause(i)
		if !noPicture {
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: wrapped(u.pts), DTS: wrapped(u.dts), Data: u.data})...)
			pictures = append(pictures, u)
		}
		if k := i * 3600 / 1920; !noSound && k < len(aac) {
			t := first + int64(k)*1920
			ts.Packets(ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: wrapped(t), DTS: -1, Data: aac[k]})...)
			frames = append(frames, clipUnit{pts: t, dts: t, data: aac[k], key: true})
		}
	}
	return pictures, frames
}

// TestPausesAreNoTimeBases: where the clock runs on, a still picture or a pause of the sound of more than ten seconds moves nothing.
func TestPausesAreNoTimeBases(t *testing.T) {
	for name, pause := range map[string]func(i int) (bool, bool){
		"a still picture":     func(i int) (bool, bool) { return i > 40 && i < 371, false },
		"a pause of sound":    func(i int) (bool, bool) { return false, i > 40 && i < 360 },
		"nothing but a clock": func(i int) (bool, bool) { return i > 40 && i < 371, i > 50 && i < 380 },
	} {
		for _, first := range []int64{900_000, wrap - 200*3600} {
			ts := &tm.TS{}
			timed(ts)
			units := gop(500, 20, first)
			pictures, frames := played(ts, units, sound(938), pause)
			d := open(t, ts.Bytes(), nil)
			t.Run(name, func(t *testing.T) {
				same(t, d, 0, pictures)
				same(t, d, 1, frames)
			})
		}
	}
}

// TestClockThatJumpsBeginsATimeBase: also when the last sound of the time base before comes behind the new clock, and when the jump is one that a pause could be.
func TestClockThatJumpsBeginsATimeBase(t *testing.T) {
	never := func(int) (bool, bool) { return false, false }
	for _, jump := range []int64{-8_000_000, 15 * second, 90_000 * 3600} {
		ts := &tm.TS{}
		timed(ts)
		first := int64(10_000_000)
		pictures, frames := played(ts, gop(50, 25, first), sound(93), never)
		reference(ts, first+jump+50*3600-second/2)
		late := sound(94)[93]
		ts.Packets(ts.PES(soundPID, tm.PES{Stream: 0xc0, PTS: first + 93*1920, DTS: -1, Data: late})...)
		frames = append(frames, clipUnit{pts: first + 93*1920, dts: first + 93*1920, data: late, key: true})
		p, f := played(ts, gop(50, 25, first+jump+50*3600), sound(90), never)
		for _, u := range p {
			pictures = append(pictures, clipUnit{u.pts - jump, u.dts - jump, u.data, u.key})
		}
		for _, u := range f {
			frames = append(frames, clipUnit{u.pts - jump, u.dts - jump, u.data, u.key})
		}
		d := open(t, ts.Bytes(), nil)
		same(t, d, 0, pictures)
		same(t, d, 1, frames)
	}
}

// TestSectionsHaveTheTimeOfTheClock: over the wrap, where the clock jumps, and in a pause.
func TestSectionsHaveTheTimeOfTheClock(t *testing.T) {
	const first = wrap - 100*3600
	ts := &tm.TS{}
	timed(ts)
	var want []int64
	units := gop(500, 20, first)
	for i, u := range units {
		moved := int64(0)
		if i >= 400 {
			moved = 8_000_000
		}
		reference(ts, u.dts-moved-second/2)
		if i%10 == 5 {
			cue(ts, byte(len(want)))
			want = append(want, u.dts-second/2)
		}
		if i < 120 || i > 390 { // the pause
			ts.Packets(ts.PES(videoPID, tm.PES{PTS: wrapped(u.pts - moved), DTS: wrapped(u.dts - moved), Data: u.data})...)
		}
	}
	var got []int64
	for _, p := range all(t, open(t, ts.Bytes(), nil), 2) {
		if p.PTS != p.DTS || p.Size != 5 {
			t.Errorf("section %+v", p)
		}
		got = append(got, int64(p.PTS))
	}
	if !slices.Equal(got, want) {
		t.Errorf("times %v, want %v", got, want)
	}
	// Behind a clock that jumped, and before the first picture, it is the time of what came last.
	l := lineOf(t, ts.Bytes())
	l.reference(1 << 32)
	if now := l.now(); now != l.out {
		t.Errorf("between the clock and the picture it is %d, want %d", now, l.out)
	}
}

// lineOf returns the time line of the first track, as it is at the end of a stream.
func lineOf(t *testing.T, file []byte) *timeline {
	t.Helper()
	d := open(t, file, nil)
	if err := d.complete(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.ended.streams[0].clock.line
}

// TestManyTimeBasesCostLittle: of a stream whose times always jump.
func TestManyTimeBasesCostLittle(t *testing.T) {
	c := clock{line: &timeline{pcr: noTime}, last: noTime}
	for i := range int64(1 << 18) {
		c.place(wrapped(i * (wrap/2 - 7_654_321)))
	}
	if n := len(c.line.bases); n != maxBases {
		t.Errorf("%d time bases, want %d", n, maxBases)
	}
}
