package seek

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// liar is a track of eight packets whose container is wrong about most of them.
func liar() *fake {
	f := newFake("h264", gop(gop(nil, 0, 10, 20), 30, 40, 50, 60, 70)...)
	f.data = map[int64][]byte{1: inter, 2: idr, 3: inter, 4: recovery, 5: recoveryIn3, 6: {0, 0, 0, 2, 0x01, 0x9e}, 7: inter}
	f.infos[5].Key = true
	f.infos[6].Disposable = container.Needed
	f.infos[7].Disposable = container.Unneeded
	return f
}

func TestVerifyFindsFlagsThatLie(t *testing.T) {
	f := liar()
	var got []string
	v, err := Verify(t.Context(), f, 0, func(f Fault) { got = append(got, f.String()) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"packet 2 at byte 0: not called a key packet, decoding can start there (idr)",
		"packet 3 at byte 0: called a key packet, decoding cannot start there",
		"packet 4 at byte 0: not called a key packet, decoding can start there (recovery)",
		"packet 5 at byte 0: called a key packet, pictures are right 3 frames later",
		"packet 6 at byte 0: said to be needed, no other packet refers to it",
		"packet 7 at byte 0: said to be needed by no other packet, others refer to it",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if v.Packets != 8 || v.Told != 8 || v.Keys != 3 || v.Sum() != 6 || v.Faults[MissedKey] != 2 {
		t.Errorf("%+v", v)
	}
	if f.reads != 8 {
		t.Errorf("%d reads for 8 packets", f.reads)
	}
}

func TestVerifyJudgesNoPacketItCannotRead(t *testing.T) {
	f := liar()
	f.track.Descriptions[0].Encryption.Scheme = "cenc"
	v, err := Verify(t.Context(), f, 0, nil)
	if err != nil || v.Packets != 8 || v.Told != 0 || v.Sum() != 0 || f.reads != 0 {
		t.Errorf("encrypted: %+v, %v, %d reads", v, err, f.reads)
	}
	if v, err = Verify(t.Context(), newFake("vvc", gop(nil, 0, 10)...), 0, nil); err != nil || v.Told != 0 || v.Sum() != 0 {
		t.Errorf("unknown codec: %+v, %v", v, err)
	}
	p := newFake("prores", gop(nil, 0, 10)...)
	if v, err = Verify(t.Context(), p, 0, nil); err != nil || v.Told != 2 || v.Keys != 2 || v.Faults[MissedKey] != 1 || p.reads != 0 {
		t.Errorf("intra only: %+v, %v, %d reads", v, err, p.reads)
	}
}

func TestVerifyEndsWhenItIsCancelled(t *testing.T) {
	f := liar()
	ctx, cancel := context.WithCancel(t.Context())
	v, err := Verify(ctx, f, 0, func(Fault) { cancel() })
	if !errors.Is(err, context.Canceled) || v.Packets != 4 || f.reads != 3 {
		t.Errorf("%v after %d packets and %d reads", err, v.Packets, f.reads)
	}
}

// broken is a source that ends before packet 3.
type broken struct{ *fake }

func (b broken) Read(ctx context.Context, track int, info container.PacketInfo, p *container.Packet) error {
	if info.N == 3 {
		return &container.Error{Format: "fake", Op: "read", Offset: -1, Err: io.ErrUnexpectedEOF}
	}
	return b.fake.Read(ctx, track, info, p)
}

func TestBuildVerifiedStartsWhereDecodingCan(t *testing.T) {
	f := liar()
	x, v, err := BuildVerified(t.Context(), f, 0, nil)
	if err != nil || v.Sum() != 6 {
		t.Fatal(v, err)
	}
	reads := f.reads
	for n, want := range []int64{0, 0, 2, 2, 4, 4, 4, 4} {
		start, err := x.Start(t.Context(), n)
		if err != nil || start.N != want {
			t.Errorf("Start(%d) = packet %d, %v, want %d", n, start.N, err, want)
		}
		f, err := x.Frame(n)
		if want := n == 0 || n == 2 || n == 4 || n == 5; err != nil || f.Key != want {
			t.Errorf("Frame(%d).Key = %v, want %v", n, f.Key, want)
		}
	}
	if f.reads != reads {
		t.Errorf("%d reads to find starts that were verified", f.reads-reads)
	}
	// What was corrected is stored.
	data, err := x.AppendIndex(t.Context(), nil, Identity{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := LoadIndex(data, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := stored.Table(t.Context(), &versioned{Reader: bytes.NewReader(nil), version: "1"}, container.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []int64{0, 0, 2, 2, 4, 4, 4, 4} {
		if start, err := y.Start(t.Context(), n); err != nil || start.N != want {
			t.Errorf("stored: Start(%d) = packet %d, %v, want %d", n, start.N, err, want)
		}
	}
	// A key packet that is not there is no start, and not the end.
	x, v, err = BuildVerified(t.Context(), broken{liar()}, 0, nil)
	if err != nil || v.Faults[Unreadable] != 1 {
		t.Fatal(v, err)
	}
	if start, err := x.Start(t.Context(), 3); err != nil || start.N != 2 {
		t.Errorf("Start(3) = packet %d, %v, want 2", start.N, err)
	}
}

func TestRollDistanceIsNoStart(t *testing.T) {
	for _, c := range []struct {
		name, codec string
		data        []byte
		roll        int
		want        int64
	}{
		{"bytes do not tell", "vvc", nil, 3, 0},
		{"needs packets before it", "vvc", nil, -1, 0},
		{"no group", "vvc", nil, 0, 2},
		{"I picture", "mpeg2video", []byte{0, 0, 1, 0, 0, 0x0f, 0xff}, 12, 0},
		{"the bytes know better", "h264", idr, 3, 2},
	} {
		f := newFake(c.codec, gop(gop(nil, 0, 10), 20, 30)...)
		f.data = map[int64][]byte{0: c.data, 1: inter, 2: c.data, 3: inter}
		f.infos[2].Roll = c.roll
		for _, verified := range []bool{false, true} {
			x := build(t, f)
			if verified {
				var err error
				if x, _, err = BuildVerified(t.Context(), f, 0, nil); err != nil {
					t.Fatal(err)
				}
			}
			if start, err := x.Start(t.Context(), 3); err != nil || start.N != c.want {
				t.Errorf("%s: Start(3) = packet %d, %v, want %d (verified: %v)", c.name, start.N, err, c.want, verified)
			}
		}
	}
}
