package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// printable replaces what could move a terminal's cursor or hide text. Names in files are anybody's.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// formatBytes returns "999 B", "1.23 kB", "45.6 MB": three digits, powers of 1000.
func formatBytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return scaled(float64(n), "B")
}

// formatBitRate returns "845 kb/s", "1.23 Mb/s".
func formatBitRate(bits int64) string {
	if bits < 1000 {
		return fmt.Sprintf("%d b/s", bits)
	}
	return scaled(float64(bits), "b/s")
}

func scaled(v float64, unit string) string {
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T", "P", "E"} {
		if v < 999.5 {
			break
		}
		v /= 1000
		prefix = p
	}
	return threeDigits(v) + " " + prefix + unit
}

func threeDigits(v float64) string {
	digits := 2
	switch {
	case v >= 99.95:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// formatSeconds returns a time with microseconds, without the zeros behind milliseconds: "12.345 s".
func formatSeconds(s float64) string {
	text := strconv.FormatFloat(s, 'f', 6, 64)
	for range 3 {
		text = strings.TrimSuffix(text, "0")
	}
	return text + " s"
}

// formatElapsed returns a measured time, with three digits.
func formatElapsed(d time.Duration) string {
	switch s := d.Seconds(); {
	case s >= 1:
		return threeDigits(s) + " s"
	case s >= 1e-3:
		return threeDigits(s*1e3) + " ms"
	default:
		return threeDigits(s*1e6) + " µs"
	}
}

// formatRate returns a frame rate with up to three decimals: "30", "29.97", "23.976".
func formatRate(fps float64) string {
	return strconv.FormatFloat(math.Round(fps*1000)/1000, 'f', -1, 64)
}

// formatClock returns "00:01:02.500", as a label under a picture. It rounds up: asked for at this time, the frame is found again.
func formatClock(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	ms := d.Milliseconds()
	if sign == "" && d%time.Millisecond > 0 {
		ms++
	}
	return fmt.Sprintf("%s%02d:%02d:%02d.%03d", sign, ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
}

// sparkline draws values as bars of eight heights, the highest value full. Zero values are blank.
func sparkline(values []int64) string {
	var top int64
	for _, v := range values {
		top = max(top, v)
	}
	bars := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		if v <= 0 {
			b.WriteByte(' ')
			continue
		}
		i := int(float64(v) / float64(top) * float64(len(bars)-1))
		b.WriteRune(bars[min(max(i, 0), len(bars)-1)])
	}
	return b.String()
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}

// baseName returns the last part of an input's name, without the mark that stands for the query of a URL.
func baseName(name string) string { return filepath.Base(strings.TrimSuffix(name, "?…")) }
