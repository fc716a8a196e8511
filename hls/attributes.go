package hls

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// attribute is NAME=value of an attribute list, 4.2. The value has lost its quotes.
type attribute struct {
	name, value string
	quoted      bool
}

// attributes is an attribute list. Lists are short: they are searched.
type attributes []attribute

// maxAttributes bounds an attribute list, with those of it that are wrong.
const maxAttributes = 256

// parseAttributes reads an attribute list. What can be made sense of is returned beside an error, which is about the first fault.
func parseAttributes(text string) (attributes, error) {
	var list attributes
	var wrong error // the first one
	fault := func(format, what string) {
		if wrong == nil {
			wrong = fmt.Errorf(format, clip(what))
		}
	}
	for n := 0; ; n++ {
		text = strings.TrimLeft(text, " \t,")
		if text == "" {
			return list, wrong
		}
		if n == maxAttributes {
			return list, fmt.Errorf("more than %d attributes", maxAttributes)
		}
		end := strings.IndexAny(text, "=,")
		if end < 0 || text[end] == ',' {
			fault("attribute %q has no value", text)
			_, text, _ = strings.Cut(text, ",")
			continue
		}
		a := attribute{name: strings.TrimSpace(text[:end])}
		text = strings.TrimLeft(text[end+1:], " \t")
		if strings.HasPrefix(text, `"`) {
			value, rest, closed := strings.Cut(text[1:], `"`)
			if !closed {
				fault("the quotes of attribute %s do not close", a.name)
			}
			a.value, a.quoted = value, true
			_, text, _ = strings.Cut(rest, ",")
		} else {
			a.value, text, _ = strings.Cut(text, ",")
			a.value = strings.TrimSpace(a.value)
		}
		if list.has(a.name) {
			fault("attribute %s is there twice", a.name)
			continue
		}
		list = append(list, a)
	}
}

// clip shortens text of a playlist for an error.
func clip(text string) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

func (l attributes) find(name string) (string, bool) {
	for i := range l {
		if l[i].name == name {
			return l[i].value, true
		}
	}
	return "", false
}

func (l attributes) has(name string) bool {
	_, ok := l.find(name)
	return ok
}

// text returns an attribute, or "".
func (l attributes) text(name string) string {
	v, _ := l.find(name)
	return v
}

// yes says whether an enumerated attribute is YES.
func (l attributes) yes(name string) bool { return l.text(name) == "YES" }

// all returns the list as a map.
func (l attributes) all() map[string]string {
	m := make(map[string]string, len(l))
	for i := range l {
		m[l[i].name] = l[i].value
	}
	return m
}

// parseInt reads a decimal-integer.
func parseInt(text string) (int64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is no decimal integer", clip(text))
	}
	return int64(n), nil
}

const (
	maxSeconds = 1e6     // of every time of a playlist
	maxLength  = 1 << 61 // ns, of all segments together: 73 years
)

// parseSeconds reads a decimal floating point number of seconds.
func parseSeconds(text string) (time.Duration, error) {
	s, err := parseFloat(text)
	if err != nil {
		return 0, err
	}
	if math.Abs(s) > maxSeconds {
		return 0, fmt.Errorf("%q seconds", clip(text))
	}
	return time.Duration(math.Round(s * 1e9)), nil
}

func parseFloat(text string) (float64, error) {
	s, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(s) || math.IsInf(s, 0) {
		return 0, fmt.Errorf("%q is no number", clip(text))
	}
	return s, nil
}

// parseResolution reads WIDTHxHEIGHT.
func parseResolution(text string) (width, height int, err error) {
	w, h, ok := strings.Cut(strings.ToLower(text), "x")
	a, err1 := parseInt(w)
	b, err2 := parseInt(h)
	if !ok || err1 != nil || err2 != nil || a > 1<<16 || b > 1<<16 {
		return 0, 0, fmt.Errorf("%q is no resolution", clip(text))
	}
	return int(a), int(b), nil
}

// parseVector reads an initialization vector: a hexadecimal sequence of up to 128 bits.
func parseVector(text string) (iv [16]byte, err error) {
	digits := strings.TrimSpace(text)
	if len(digits) > 1 && (digits[:2] == "0x" || digits[:2] == "0X") {
		digits = digits[2:]
	}
	if len(digits) > 32 || len(digits) == 0 {
		return iv, fmt.Errorf("%q is no initialization vector", clip(text))
	}
	_, err = hex.Decode(iv[:], []byte(strings.Repeat("0", 32-len(digits))+digits))
	if err != nil {
		return [16]byte{}, fmt.Errorf("%q is no initialization vector", clip(text))
	}
	return iv, nil
}

// maxEnd is where a byte range ends at the latest.
const maxEnd = 1 << 62

// parseRange reads "length@offset" or "length", where offset is -1.
func parseRange(text string) (r ByteRange, err error) {
	length, offset, has := strings.Cut(text, "@")
	r.Off = -1
	if r.Len, err = parseInt(length); err == nil && has && offset != "" {
		r.Off, err = parseInt(offset)
	}
	if err != nil || r.Len == 0 || r.Len > maxEnd || r.Off > maxEnd-r.Len {
		return ByteRange{}, fmt.Errorf("%q is no byte range", clip(text))
	}
	return r, nil
}

// dateForms are the forms of ISO 8601 that are met, besides RFC 3339.
var dateForms = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02",
}

// parseDate reads a date and time. One without a zone is taken as UTC.
func parseDate(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", clip(text))
}
