package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseNumbers parses frame numbers: "0,10,-1".
func parseNumbers(s string) ([]int, error) {
	var ns []int
	for _, field := range strings.Split(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return nil, fmt.Errorf("%q is not a frame number", field)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// parseTimes parses times: "1.5,2s,00:01:02.5".
func parseTimes(s string) ([]time.Duration, error) {
	var ts []time.Duration
	for _, field := range strings.Split(s, ",") {
		t, err := parseTime(strings.TrimSpace(field))
		if err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	return ts, nil
}

var errTime = errors.New("is not a time: write seconds (1.5), a Go duration (90s, 1m30s) or a clock ([HH:]MM:SS[.fff])")

// parseTime parses one time, exactly: decimal seconds, a Go duration, or [HH:]MM:SS[.fff]. Digits beyond nanoseconds are
// dropped towards zero.
func parseTime(s string) (time.Duration, error) {
	unsigned, negative := strings.CutPrefix(s, "-")
	t, ok := parseClock(unsigned)
	if !ok {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q %w", s, errTime)
		}
		return d, nil
	}
	if negative {
		t = -t
	}
	return t, nil
}

// parseClock parses [[HH:]MM:]SS[.fff] without a sign. With a colon, minutes and seconds are less than 60.
func parseClock(s string) (time.Duration, bool) {
	whole, fraction, dotted := strings.Cut(s, ".")
	parts := strings.Split(whole, ":")
	if len(parts) > 3 || dotted && !digits(fraction) || dotted && whole == "" && fraction == "" {
		return 0, false
	}
	if dotted && len(parts) == 1 && whole == "" {
		parts[0] = "0" // ".5"
	}
	var total int64
	for i, part := range parts {
		v, err := strconv.ParseInt(part, 10, 64)
		if err != nil || !digits(part) || i > 0 && v > 59 || total > (math.MaxInt64/int64(time.Second)-v)/60 {
			return 0, false
		}
		total = total*60 + v
	}
	const places = 9
	fraction = (fraction + strings.Repeat("0", places))[:places]
	ns, err := strconv.ParseInt(fraction, 10, 64)
	if err != nil || total > (math.MaxInt64-ns)/int64(time.Second) {
		return 0, false
	}
	return time.Duration(total*int64(time.Second) + ns), true
}

// digits says whether s has only decimal digits; "" has.
func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// slice is a range as Python writes it; a missing bound is nil.
type slice struct {
	start, stop *int
	step        int
}

// parseSlice parses "a:b", "a:b:s", ":b", "a:" or "::s".
func parseSlice(s string) (slice, error) {
	r := slice{step: 1}
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return r, fmt.Errorf("%q is not a range: write START:STOP or START:STOP:STEP", s)
	}
	for i, into := range []**int{&r.start, &r.stop} {
		if parts[i] == "" {
			continue
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return r, fmt.Errorf("%q in the range is not a frame number", parts[i])
		}
		*into = &n
	}
	if len(parts) == 3 && parts[2] != "" {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n <= 0 {
			return r, fmt.Errorf("%q is not a step: it must be positive", parts[2])
		}
		r.step = n
	}
	return r, nil
}

// numbers returns the frames of the range, of n that there are, clipped as Python does.
func (r slice) numbers(n int) []int {
	bound := func(v *int, missing int) int {
		if v == nil {
			return missing
		}
		if *v < 0 {
			return max(*v+n, 0)
		}
		return min(*v, n)
	}
	var ns []int
	for i, stop := bound(r.start, 0), bound(r.stop, n); i < stop; i += min(r.step, n) {
		ns = append(ns, i)
	}
	return ns
}

// spreadOver returns count numbers from 0 to n-1, both included, evenly spread and rounded to the nearest; one is the first.
// There are no more than n.
func spreadOver(count, n int) []int {
	count = min(count, n)
	ns := make([]int, count)
	for i := range ns {
		if count > 1 {
			ns[i] = int((int64(i)*int64(n-1)*2 + int64(count-1)) / (2 * int64(count-1)))
		}
	}
	return ns
}

// parseSize parses "640x360".
func parseSize(s string) (width, height int, err error) {
	w, h, ok := strings.Cut(s, "x")
	if ok {
		width, err = strconv.Atoi(w)
	}
	if ok && err == nil {
		height, err = strconv.Atoi(h)
	}
	const most = 1 << 15
	if !ok || err != nil || width < 0 || height < 0 || width+height == 0 || width > most || height > most {
		return 0, 0, fmt.Errorf("%q is not a size: write 640x360, or 640x0 to keep the aspect", s)
	}
	return width, height, nil
}
