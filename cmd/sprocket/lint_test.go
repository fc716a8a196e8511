package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// avc returns an access unit of H.264 of one slice, whose NAL begins with the byte given, behind a recovery point where count is not negative.
func avc(nal byte, count int) []byte {
	slice := []byte{0, 0, 0, 2, nal, 0x88}
	switch count {
	case 0:
		return append([]byte{0, 0, 0, 5, 6, 6, 1, 0x84, 0x80}, slice...)
	case 3:
		return append([]byte{0, 0, 0, 5, 6, 6, 1, 0x24, 0x80}, slice...)
	}
	return slice
}

// lying is a movie of H.264 whose tables lie: of eight packets, the sync sample box lists 1, 3 and 6.
func lying() testmedia.Movie {
	const idr, p, b = 0x65, 0x41, 0x01
	config := testmedia.Box("avcC", []byte{1, 100, 0, 31, 0xff, 0xe1, 0, 0})
	return testmedia.Movie{Tracks: []testmedia.Track{{
		Timescale: 100,
		Entries:   [][]byte{testmedia.VideoEntry("avc1", 64, 48, config), testmedia.VideoEntry("avc1", 32, 48, config)},
		Data:      [][]byte{avc(idr, -1), avc(p, -1), avc(p, -1), avc(idr, -1), avc(b, -1), avc(p, 3), avc(p, 0), avc(p, -1)},
		Deltas:    []testmedia.Run{{Count: 2, Value: 10}, {Count: 2, Value: 0}, {Count: 4, Value: 10}},
		Sync:      []uint32{1, 3, 6},
		Depends:   []byte{0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0x08},
	}}}
}

func TestInspectVerify(t *testing.T) {
	name := clip(t, lying())
	out := mustRun(t, "inspect", name, "--verify")
	var lines []string
	for l := range strings.Lines(out) {
		if f := strings.TrimSpace(l); strings.HasPrefix(f, "lint") || strings.HasPrefix(f, "verified") || strings.HasPrefix(f, "fault") {
			lines = append(lines, strings.Join(strings.Fields(f), " "))
		}
	}
	at := func(n string) string { return "fault packet " + n + " at byte " }
	want := []string{
		"lint 1 of 3 looked at are none",
		"lint 1 of 3 key packets looked at give right pictures only some packets later",
		"lint 2 frames have the time of the frame before",
		"lint 2 packets last no time, first packet 2",
		"lint pictures of different sizes: 64x48 and 32x48",
		"verified 8 packets, decoding can start at 3, 6 faults, 8 reads of 66 B",
		at("2") + "N: called a key packet, decoding cannot start there",
		at("3") + "N: not called a key packet, decoding can start there (idr)",
		at("4") + "N: said to be needed, no other packet refers to it",
		at("5") + "N: called a key packet, pictures are right 3 frames later",
		at("6") + "N: not called a key packet, decoding can start there (recovery)",
		at("7") + "N: said to be needed by no other packet, others refer to it",
	}
	for i, l := range lines {
		if before, after, ok := strings.Cut(l, " at byte "); ok {
			_, after, _ = strings.Cut(after, ":")
			lines[i] = before + " at byte N:" + after
		}
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}

	var r struct {
		Tracks []struct {
			Lints  []string
			Verify *verifyReport
		}
	}
	if err := json.Unmarshal([]byte(mustRun(t, "inspect", name, "--verify", "--json")), &r); err != nil {
		t.Fatal(err)
	}
	v := r.Tracks[0].Verify
	if len(r.Tracks[0].Lints) != 5 || v.Packets != 8 || v.Told != 8 || v.Keys != 3 || v.Faults["missed key"] != 2 || len(v.First) != 6 || v.First[1].Packet != 3 || v.First[1].Kind != "missed key" {
		t.Errorf("%+v, %+v", r.Tracks[0].Lints, v)
	}

	// Without --verify the packets are not read.
	if out := mustRun(t, "inspect", name); strings.Contains(out, "verified") || !strings.Contains(out, "lint ") {
		t.Errorf("without --verify:\n%s", out)
	}
}

// Lints do not change the exit status, and a file that is cut is still told about.
func TestInspectLints(t *testing.T) {
	m := lying()
	m.Tracks[0].Sync = nil
	out := mustRun(t, "inspect", clip(t, m))
	if !strings.Contains(out, "every packet is called a key packet: 4 of 8 looked at are none") {
		t.Errorf("no sync sample box:\n%s", out)
	}
	m.Tracks[0].Sync = []uint32{}
	if out := mustRun(t, "inspect", clip(t, m)); !strings.Contains(out, "no packet is called a key packet") {
		t.Errorf("an empty sync sample box:\n%s", out)
	}
	file := testmedia.MP4(lying())
	if err := os.WriteFile("cut.mp4", file[:len(file)-1], 0o666); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "inspect", "cut.mp4", "--verify"); !strings.Contains(out, "fault      packet 7 at byte") || !strings.Contains(out, "unexpected EOF") {
		t.Errorf("a cut file:\n%s", out)
	}
	status, _, stderr := sprocketIn(t, "", "frames", "cut.mp4", "--at", "0", "-o", "x.npy", "--index", "none", "--verify-keys")
	if status != exitUsage || !strings.Contains(stderr, "--verify-keys with --index") {
		t.Errorf("both flags: exit status %d, %s", status, stderr)
	}
}
