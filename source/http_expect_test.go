package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"testing"
)

func expectOf(data []byte, tag string) *Expect {
	sum := sha256.Sum256(data[:min(len(data), headSum)])
	return &Expect{Size: int64(len(data)), Version: tag, Head: hex.EncodeToString(sum[:])}
}

// A file that is known is opened without a request; its reads are conditional from the first on.
func TestHTTPExpected(t *testing.T) {
	data := noise(200_000)
	other := noise(200_001)[:200_000]
	for _, tt := range []struct {
		name     string
		expect   *Expect
		served   []byte
		tag      string
		requests int64 // to open and to read once
		err      error
	}{
		{"the same", expectOf(data, `"one"`), data, `"one"`, 1, nil},
		{"a copy", expectOf(data, `"two"`), data, `"one"`, 3, nil},
		{"a copy whose server tells no ETag", expectOf(data, `"two"`), data, "", 3, nil},
		{"another file", expectOf(data, `"two"`), other, `"one"`, 2, ErrChanged},
		{"another size", expectOf(data, `"two"`), data[:199_999], `"one"`, 2, ErrChanged},
		{"a weak ETag tells nothing", expectOf(data, `W/"one"`), data, `"one"`, 2, nil},
		{"a date tells nothing", expectOf(data, "Mon, 02 Jan 2006 15:04:05 GMT 200000"), data, `"one"`, 2, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
				honest(w, r, tt.served, tt.tag)
				return true
			})
			o := hasty()
			o.Expect = tt.expect
			h := openHTTP(t, s.URL, o)
			p := make([]byte, 1000)
			err := ReadFull(t.Context(), h, p, 150_000)
			if tt.err != nil {
				if !errors.Is(err, tt.err) {
					t.Errorf("ReadFull = %v, want %v", err, tt.err)
				}
			} else if err != nil || string(p) != string(data[150_000:151_000]) {
				t.Errorf("ReadFull = %v, or wrong bytes", err)
			}
			if got := s.requests.Load(); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
			if tt.err == nil {
				wantBytes(t, h, data, 0, 200_000)
			}
		})
	}
}

// A file that was known, and changes once it was read, is not the same any more, whatever its head.
func TestHTTPExpectedOnce(t *testing.T) {
	data := noise(200_000)
	changed := append([]byte{}, data...)
	changed[199_000]++
	served, tag := data, `"two"`
	s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		honest(w, r, served, tag)
		return true
	})
	o := hasty()
	o.Expect = expectOf(data, `"one"`)
	h := openHTTP(t, s.URL, o)
	var wg sync.WaitGroup
	for range 8 { // all of them find another ETag, and one looks into it
		wg.Go(func() { wantBytes(t, h, data, 100_000, 1000) })
	}
	wg.Wait()
	if h.Version() != tag {
		t.Errorf("Version() = %s, want %s", h.Version(), tag)
	}
	served, tag = changed, `"three"`
	if err := ReadFull(t.Context(), h, make([]byte, 10), 199_000); !errors.Is(err, ErrChanged) {
		t.Errorf("ReadFull = %v, want ErrChanged", err)
	}
}

// A file that is known opens where the server has no ranges too: it is kept, if it is small, and else told from a server that is away.
func TestHTTPExpectedWithoutRanges(t *testing.T) {
	data := noise(200_000)
	other := noise(200_001)[:200_000]
	for _, tt := range []struct {
		name     string
		expect   *Expect
		served   []byte
		most     int64
		requests int64
		err      error
	}{
		{"the same", expectOf(data, `"one"`), data, 0, 2, nil},
		{"a copy", expectOf(data, `"two"`), data, 0, 2, nil},
		{"another file", expectOf(data, `"two"`), other, 0, 2, ErrChanged},
		{"too large", expectOf(data, `"one"`), data, 100_000, 2, ErrNoRanges},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
				unranged(etag(tt.served, `"one"`))(w, r)
				return true
			})
			o := hasty()
			o.Expect, o.MaxWhole = tt.expect, tt.most
			h := openHTTP(t, s.URL, o)
			p := make([]byte, 1000)
			if err := ReadFull(t.Context(), h, p, 150_000); !errors.Is(err, tt.err) || err == nil && string(p) != string(data[150_000:151_000]) {
				t.Errorf("ReadFull = %v, want %v, or wrong bytes", err, tt.err)
			}
			if got := s.requests.Load(); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
			if tt.err == nil {
				wantBytes(t, h, data, 0, 200_000)
			}
		})
	}
}

// A copy is told by its first 64 KiB, in however many pieces they come.
func TestHTTPExpectedInPieces(t *testing.T) {
	data := noise(200_000)
	other := append([]byte{}, data...)
	other[60_000]++
	for name, tt := range map[string]struct {
		head int
		kind int // of fault in what opens the file; -1 is none
	}{
		"little is asked for at first":  {1000, -1},
		"less comes than was asked for": {0, 4},
		"the first response breaks":     {0, 0},
	} {
		for _, served := range [][]byte{data, other} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, n int64) bool {
					if n == 2 && tt.kind >= 0 {
						hostile(w, r, served, tt.kind, r.Context())
					} else {
						honest(w, r, served, `"one"`)
					}
					return true
				})
				o := hasty()
				o.Expect, o.Head = expectOf(data, `"two"`), tt.head
				h := openHTTP(t, s.URL, o)
				if &served[0] == &data[0] {
					wantBytes(t, h, data, 150_000, 1000)
				} else if err := ReadFull(t.Context(), h, make([]byte, 1000), 150_000); !errors.Is(err, ErrChanged) {
					t.Errorf("ReadFull = %v, want ErrChanged", err)
				}
			})
		}
	}
}

// Of a response that is still on its way when a copy was taken for the file nothing is given.
func TestHTTPExpectedOfTwoServers(t *testing.T) {
	data := noise(200_000)
	two := append([]byte{}, data...)
	two[150_000]++
	come, gate := make(chan struct{}), make(chan struct{})
	s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, n int64) bool {
		if n == 1 {
			close(come)
			<-gate
			honest(w, r, data, `"one"`)
		} else {
			honest(w, r, two, `"two"`)
		}
		return true
	})
	o := hasty()
	o.Expect = expectOf(data, `"one"`)
	h := openHTTP(t, s.URL, o)
	var wg sync.WaitGroup
	wg.Go(func() { wantBytes(t, h, two, 150_000, 10) })
	<-come
	wantBytes(t, h, two, 100_000, 1000)
	close(gate)
	wg.Wait()
}

// A file that is too large to be kept is put into a temporary one, also where it was known and opening asked for nothing.
func TestHTTPSpools(t *testing.T) {
	data := noise(200_000)
	for name, expect := range map[string]*Expect{"opened": nil, "known": expectOf(data, `"one"`), "known as another": expectOf(noise(200_001)[:200_000], `"two"`)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			broken := true
			s := serve(t, nil, func(w http.ResponseWriter, r *http.Request, _ int64) bool {
				if r.Header.Get("If-Match") == "" && broken { // at first it ends early
					broken = false
					w.Header().Set("Content-Length", "200000")
					_, _ = w.Write(data[:150_000])
					return true
				}
				unranged(etag(data, `"one"`))(w, r)
				return true
			})
			o := hasty()
			o.Expect, o.MaxWhole, o.Spool = expect, 100_000, true
			h := openHTTP(t, s.URL, o)
			p := make([]byte, 1000)
			err := ReadFull(t.Context(), h, p, 150_000)
			if name == "known as another" {
				if !errors.Is(err, ErrChanged) {
					t.Errorf("ReadFull = %v, want ErrChanged", err)
				}
			} else {
				wantBytes(t, h, data, 150_000, 1000)
				wantBytes(t, h, data, 0, 200_000)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			if _, err := h.ReadAt(p, 0); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("%v are left: %v", left, err)
			}
		})
	}
}
