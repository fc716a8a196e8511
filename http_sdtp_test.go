//go:build cgo

package sprocket_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/sprocket-video/sprocket/container"
)

// withDependence puts a sample dependency table into a movie of one H.264 track whose movie box is last, made of nal_ref_idc.
func withDependence(t *testing.T, name string) {
	t.Helper()
	infos, moov := packets(t, name)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	sdtp := append(binary.BigEndian.AppendUint32(nil, uint32(12+len(infos))), "sdtp\x00\x00\x00\x00"...)
	for _, p := range infos {
		depended := byte(2) // ISO/IEC 14496-12, 8.6.4.3: no other sample depends on it
		for b := data[p.Pos : p.Pos+int64(p.Size)]; len(b) > 4; b = b[4+binary.BigEndian.Uint32(b):] {
			if b[4]&0x60 != 0 && b[4]&0x1f <= 5 {
				depended = 1
			}
		}
		sdtp = append(sdtp, depended<<2)
	}
	end := int64(0)
	for _, box := range []string{"moov", "trak", "mdia", "minf", "stbl"} {
		at := moov + int64(bytes.Index(data[moov:], []byte(box))) - 4
		size := int64(binary.BigEndian.Uint32(data[at:]))
		binary.BigEndian.PutUint32(data[at:], uint32(size+int64(len(sdtp))))
		end = at + size
	}
	data = append(append(bytes.Clone(data[:end]), sdtp...), data[end:]...)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What sdtp tells nobody needs is not fetched, where it is more than a hole.
func TestHTTPLeavesOutTheDisposable(t *testing.T) {
	name := makeClip(t, "1920x1080", "20", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-b_strategy", "0", "-g", "20", "-qp", "4",
		"-vf", "noise=alls=20:allf=t", "-pix_fmt", "yuv420p")
	withDependence(t, name)
	infos, moov := packets(t, name)
	s := &budget{counted: count(t, name), name: name, moov: moov, infos: infos}
	var sum, all int64
	const n = 16
	local := open(t, s.name, nil)
	f, err := local.Index().Frame(n)
	if err != nil {
		t.Fatal(err)
	}
	last := f.Packet
	disposable := 0
	for _, p := range s.infos[:last+1] {
		all += int64(p.Size)
		if p.Disposable == container.Unneeded && p.N != last {
			disposable++
			if p.Size < 64<<10 {
				t.Fatalf("packet %d has %d bytes: too few to be left out", p.N, p.Size)
			}
			continue
		}
		sum += int64(p.Size)
	}
	if disposable == 0 {
		t.Fatal("no packet is disposable")
	}
	d := open(t, s.url, nil)
	s.take()
	got, err := d.FrameAt(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	want, err := local.FrameAt(t.Context(), n)
	if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("the frame differs from the local one: %v", err)
	}
	_, bytes := s.take()
	t.Logf("%d bytes fetched, %d needed, %d from the key packet on, %d packets left out", bytes, sum, all, disposable)
	if bytes > sum+sum/10 {
		t.Errorf("%d bytes fetched for %d that are needed", bytes, sum)
	}
}
