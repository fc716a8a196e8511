package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

func TestInspectAndPacketsOfATransportStream(t *testing.T) {
	ts := &testmedia.TS{Stride: 192}
	ts.Packets(ts.PAT(0, 0x100)...)
	ts.Packets(ts.PMT(0x100, 0, 0x101, testmedia.TSStream{PID: 0x101, Type: 0x1b})...)
	a := testmedia.AVC{Width: 4, Height: 4}
	for i := range 50 {
		data := append([]byte(nil), testmedia.AUD...)
		if i%10 == 0 {
			data = append(data, a.Sets()...)
		}
		data = append(data, a.Slice(testmedia.Slice{IDR: i%10 == 0, Number: uint32(i % 10), Order: uint32(i % 10 * 2), Size: 400})...)
		ts.Packets(ts.PES(0x101, testmedia.PES{PTS: 90_000 + int64(i)*3600, DTS: -1, Data: data})...)
	}
	name := filepath.Join(t.TempDir(), "clip.m2ts")
	if err := os.WriteFile(name, ts.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal([]byte(mustRun(t, "inspect", "--json", name)), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Tracks) != 1 || r.Format != "mpegts" {
		t.Errorf("format %q, %d tracks", r.Format, len(r.Tracks))
	}
	packets := mustRun(t, "packets", name)
	if n := strings.Count(packets, "\n"); n < 50 {
		t.Errorf("%d lines:\n%s", n, packets)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { http.ServeFile(w, q, name) }))
	t.Cleanup(s.Close)
	if got := mustRun(t, "packets", s.URL+"/clip.m2ts"); got != packets {
		t.Errorf("packets over HTTP:\n%s\nwant\n%s", got, packets)
	}
}
