package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"0", 0, true},
		{"1.5", 1500 * time.Millisecond, true},
		{".5", 500 * time.Millisecond, true},
		{"7.", 7 * time.Second, true},
		{"0.1", 100 * time.Millisecond, true}, // not representable in binary
		{"4.004004004", 4004004004, true},
		{"1.0000000019", 1000000001, true},
		{"-2.25", -2250 * time.Millisecond, true},
		{"2s", 2 * time.Second, true},
		{"1m30s", 90 * time.Second, true},
		{"1h2m3.5s", 3723500 * time.Millisecond, true},
		{"150ms", 150 * time.Millisecond, true},
		{"01:02.5", 62500 * time.Millisecond, true},
		{"00:01:02.5", 62500 * time.Millisecond, true},
		{"100:00:00", 100 * time.Hour, true},
		{"9223372036.854775807", math.MaxInt64, true},
		{"9223372036.854775808", 0, false},
		{"99999999999999999999", 0, false},
		{"2562047788015:12:55", 0, false},
		{"1:60", 0, false},
		{"1:2:3:4", 0, false},
		{"1:", 0, false},
		{".", 0, false},
		{"", 0, false},
		{"1.5.2", 0, false},
		{"1,5", 0, false},
		{"+1", 0, false},
		{"--1", 0, false},
		{"1e3", 0, false},
		{"nan", 0, false},
	}
	for _, tt := range tests {
		got, err := parseTime(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseTime(%q) = %v, %v, want %v, ok %v", tt.in, got, err, tt.want, tt.ok)
		}
	}
}

func TestParseSlice(t *testing.T) {
	tests := []struct {
		in   string
		want []int // of ten frames
	}{
		{"2:5", []int{2, 3, 4}},
		{":3", []int{0, 1, 2}},
		{"8:", []int{8, 9}},
		{"-2:", []int{8, 9}},
		{":-8", []int{0, 1}},
		{"::4", []int{0, 4, 8}},
		{"1:100:5", []int{1, 6}},
		{"-100:2", []int{0, 1}},
		{"5:5", nil},
		{"7:3", nil},
		{"20:30", nil},
		{"3::9223372036854775807", []int{3}},
	}
	for _, tt := range tests {
		r, err := parseSlice(tt.in)
		if got := r.numbers(10); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestSpreadOver(t *testing.T) {
	tests := []struct {
		count, n int
		want     []int
	}{
		{1, 10, []int{0}},
		{2, 10, []int{0, 9}},
		{4, 10, []int{0, 3, 6, 9}},
		{4, 11, []int{0, 3, 7, 10}},
		{20, 3, []int{0, 1, 2}},
		{5, 0, []int{}},
	}
	for _, tt := range tests {
		if got := spreadOver(tt.count, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("spreadOver(%d, %d) = %v, want %v", tt.count, tt.n, got, tt.want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string][2]int{"640x360": {640, 360}, "640x0": {640, 0}, "0x9": {0, 9}, "0x0": {}, "x": {}, "5": {}, "-1x5": {}, "99999x1": {}} {
		w, h, err := parseSize(in)
		if [2]int{w, h} != want || (err == nil) != (want != [2]int{}) {
			t.Errorf("parseSize(%q) = %d, %d, %v, want %v", in, w, h, err, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{formatBytes(999), "999 B"},
		{formatBytes(1000), "1.00 kB"},
		{formatBytes(65536), "65.5 kB"},
		{formatBytes(999_600), "1.00 MB"},
		{formatBitRate(2_420_000), "2.42 Mb/s"},
		{formatSeconds(7.5408666), "7.540867 s"},
		{formatSeconds(10), "10.000 s"},
		{formatClock(3723500 * time.Millisecond), "01:02:03.500"},
		{formatClock(333333334), "00:00:00.334"},
		{formatClock(-500 * time.Millisecond), "-00:00:00.500"},
		{formatRate(30000.0 / 1001), "29.97"},
		{formatRate(24000.0 / 1001), "23.976"},
		{ratio(90000, 1, 3003), "30000/1001"},
		{ratio(15360, 1, 512), "30"},
		{ratio(math.MaxInt64, math.MaxInt64, math.MaxInt64), "9223372036854775807/(9223372036854775807*9223372036854775807)"},
		{sparkline([]int64{0, 1, 8, 4}), " ▁█▄"},
		{printable("a\x1b[1mb\u202ec"), "a?[1mb?c"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
