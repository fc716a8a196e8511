package mp4

import (
	"testing"

	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// FuzzOpen opens anything, lists what there is and reads some of it.
func FuzzOpen(f *testing.F) {
	f.Add(wrapped())
	f.Add(tm.MP4(tm.Movie{Tracks: []tm.Track{gop(tm.Edit{Duration: 20, Time: -1}, tm.Edit{Duration: 300, Time: 10})}, MoovLast: true, Wide: true}))
	for name, m := range hostile() {
		if file := tm.MP4(m); len(file) < 8<<10 {
			_ = name
			f.Add(file)
		}
	}
	for _, b := range tm.Seeds(16<<10, "mp4/*/*.m*", "fuzz/*/*") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		_, _ = exercise(t, file, smallLimits) // it checks what it gets
	})
}

// FuzzTables builds a movie whose tables are anything.
func FuzzTables(f *testing.F) {
	u := tm.U32
	f.Add(u(0, 1, 8, 10), u(0, 1, 8, 5), u(0, 1, 1, 8, 1), u(0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8), u(0, 1, 600), u(0, 1, 1), u(0, 1, 100, 0, 1<<16), false)
	f.Add(u(0, 1, 8000, 1), u(0), u(0, 1, 1, 4000, 1), u(0, 4, 8000), u(0, 2, 600, 16600), u(0, 0), u(0, 0), true)
	f.Add(u(0, 2, 4, 10, 0xffffffff, 1), u(0x01000000, 1, 8, 0xfffffff0), u(0, 2, 1, 0, 1, 2, 3, 7), u(0, 1, 0xffffffff), u(0, 3, 6, 6, 6), u(0, 1, 0),
		u(0, 2, 100, 0xffffffff, 1<<16, 100, 20, 1<<16), false)
	f.Fuzz(func(t *testing.T, stts, ctts, stsc, stsz, stco, stss, elst []byte, sound bool) {
		track := gop(tm.Edit{})
		if sound {
			track.Handler = "soun"
			track.Entries = [][]byte{tm.AudioEntry("sowt", 2, 16, 48000)}
		}
		track.Replace = map[string][]byte{"stts": stts, "ctts": ctts, "stsc": stsc, "stsz": stsz, "stco": stco, "stss": stss, "elst": elst}
		_, _ = exercise(t, tm.MP4(tm.Movie{Tracks: []tm.Track{track}}), smallLimits)
	})
}
