package source

import "testing"

// Calls that come one after the other, take what they can, and read it piece by piece, never hold much more than one may.
func TestAccount(t *testing.T) {
	const bytes, most = 16 << 20, 4 << 20
	a := new(Account)
	var shares []*Share
	var pieces [][]int64
	take := func(i int) bool {
		n := min(shares[i].Most(), most)
		if !shares[i].Take(n) {
			return false
		}
		pieces[i] = append(pieces[i], n)
		return true
	}
	for range 8 {
		shares, pieces = append(shares, a.Join(bytes)), append(pieces, nil)
		for take(len(shares) - 1) {
		}
	}
	if len(pieces[0]) != 4 {
		t.Errorf("a call alone holds %d pieces, want 4", len(pieces[0]))
	}
	for round := range 100 {
		for i := range shares {
			if len(pieces[i]) == 0 {
				t.Fatalf("round %d: call %d holds nothing", round, i)
			}
			shares[i].Give(pieces[i][0])
			pieces[i] = pieces[i][1:]
			for take(i) {
			}
			if limit := int64(bytes * 3 / 2); a.held > limit || round > 50 && a.held > bytes*9/8 {
				t.Fatalf("round %d: %d bytes are held", round, a.held)
			}
		}
	}
	for _, s := range shares[1:] {
		s.Leave()
	}
	for take(0) {
	}
	if a.held < bytes-most || a.held > bytes {
		t.Errorf("alone again a call holds %d bytes", a.held)
	}
	shares[0].Leave()
	if *a != (Account{}) {
		t.Errorf("%d calls hold %d bytes, %d nothing, at the end", a.calls, a.held, a.idle)
	}
}
