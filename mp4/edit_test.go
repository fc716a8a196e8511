package mp4

import (
	"errors"
	"slices"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	tm "github.com/sprocket-video/sprocket/internal/testmedia"
)

// Edits that present the same packets again and again list them so often as a real file might, and no more: whoever makes an index pays for each.
func TestEditsThatRepeatAreBounded(t *testing.T) {
	const samples = 30_000
	for _, edits := range []int{1, 3, 30, 3000} {
		file := tm.MP4(tm.Movie{Tracks: []tm.Track{{Constant: 1, Count: samples, Edits: slices.Repeat([]tm.Edit{{Duration: 1 << 30}}, edits)}}})
		d := mustOpen(t, file)
		want := min(int64(edits), (repeats*samples+freePackets)/samples) * samples
		if n := d.Tracks()[0].Packets; n != want {
			t.Errorf("%d edits of %d packets: %d are listed, want %d", edits, samples, n, want)
		}
		if w := d.Warnings(); (len(w) > 0) != (want < int64(edits)*samples) || len(w) > 0 && !errors.Is(w[0], container.ErrLimit) {
			t.Errorf("%d edits: warnings %v", edits, w)
		}
	}
}
