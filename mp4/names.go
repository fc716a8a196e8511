package mp4

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/sprocket-video/sprocket/container"
)

// cString returns the bytes before the first zero as text.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return text(b)
}

// text returns b as valid UTF-8 of a sensible length.
func text(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), 1024)]), string(utf8.RuneError))
}

// handlerName reads the name of a handler box: a zero-terminated string, or a counted one by QuickTime.
func handlerName(b []byte) string {
	if len(b) > 0 && b[0] > 0 && int(b[0]) <= len(b)-1 && b[0] < ' ' || len(b) > 0 && int(b[0]) == len(b)-1 {
		return strings.TrimRight(text(b[1:1+int(b[0])]), "\x00")
	}
	return cString(b)
}

// language unpacks the language of a media header: three letters of five bits, or a Macintosh language code.
func language(v uint16) string {
	if v < 0x400 {
		if int(v) < len(macLanguages) {
			return macLanguages[v]
		}
		return ""
	}
	s := []byte{byte(v>>10&31) + 0x60, byte(v>>5&31) + 0x60, byte(v&31) + 0x60}
	for _, c := range s {
		if c < 'a' || c > 'z' {
			return ""
		}
	}
	if string(s) == "und" {
		return ""
	}
	return string(s)
}

// macLanguages are the language codes of the QuickTime File Format specification, as ISO 639-2/T.
var macLanguages = [...]string{
	"eng", "fra", "deu", "ita", "nld", "swe", "spa", "dan", "por", "nor", "heb", "jpn", "ara", "fin", "ell", "isl",
	"mlt", "tur", "hrv", "zho", "urd", "hin", "tha", "kor", "lit", "pol", "hun", "est", "lav", "sme", "fao", "fas",
	"rus", "zho", "nld", "gle", "sqi", "ron", "ces", "slk", "slv", "yid", "srp", "mkd", "bul", "ukr", "bel",
}

// matrix is a, b, c, d of a transformation matrix, 16.16: x' = ax+cy, y' = bx+dy.
type matrix struct{ a, b, c, d int64 }

var identity = matrix{a: 1 << 16, d: 1 << 16}

// readMatrix reads the 36 bytes of a matrix {a b u c d v x y w}.
func readMatrix(p []byte) matrix {
	at := func(i int) int64 { return int64(int32(be32(p[4*i:]))) }
	return matrix{at(0), at(1), at(3), at(4)}
}

// times returns the transformation m followed by n.
func (m matrix) times(n matrix) matrix {
	mul := func(a, b, c, d int64) int64 { return a*b>>16 + c*d>>16 }
	return matrix{
		a: mul(m.a, n.a, m.b, n.c), b: mul(m.a, n.b, m.b, n.d),
		c: mul(m.c, n.a, m.d, n.c), d: mul(m.c, n.b, m.d, n.d),
	}
}

// orientation returns the nearest quarter turn, with a reflection when the determinant is negative.
func (m matrix) orientation() container.Orientation {
	abs := func(v int64) int64 { return max(v, -v) }
	upright := abs(m.a)+abs(m.d) >= abs(m.b)+abs(m.c)
	mirror := sign(m.b)*sign(m.c) > 0
	if upright {
		mirror = sign(m.a)*sign(m.d) < 0
	}
	// A turn clockwise by θ has a = d = cos θ, b = -c = sin θ. Mirrored first, a and b change sign.
	o := container.Orientation{Mirror: mirror}
	switch {
	case upright && m.d < 0:
		o.Degrees = 180
	case !upright && m.c < 0:
		o.Degrees = 90
	case !upright && m.c > 0:
		o.Degrees = 270
	}
	return o
}

func sign(v int64) int {
	switch {
	case v < 0:
		return -1
	case v > 0:
		return 1
	}
	return 0
}
