package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/container"
)

// fixed takes the given times, one after the other.
func fixed(name string, times ...time.Duration) side {
	return side{name: name, run: func(context.Context) (time.Duration, error) {
		took := times[0]
		times = times[1:]
		return took, nil
	}}
}

func TestCompareTakesTheBestOfTheRounds(t *testing.T) {
	b := &bench{rounds: 3}
	err := b.compare(t.Context(), []side{fixed("a", time.Second, 4*time.Second, 2*time.Second), fixed("b", 3*time.Second, 12*time.Second, 8*time.Second)},
		[]target{{of: 0, to: 1, want: 3.5}, {of: 0, to: 1, want: 3}, {of: 1, to: 0}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.report.Timings[0], (timing{Name: "a", Min: 1, Median: 2, Max: 4}); got != want {
		t.Errorf("timing = %+v, want %+v", got, want)
	}
	if got, want := b.report.Ratios[0], (ratio{Of: "a", To: "b", Value: 3, Least: 3, Median: 3, Most: 4, Want: 3.5}); got != want {
		t.Errorf("ratio = %+v, want %+v", got, want)
	}
	if got := b.report.missed(); got != 1 {
		t.Errorf("missed() = %d, want 1", got)
	}
}

func TestCompareStopsAtAnError(t *testing.T) {
	odd := errors.New("odd")
	b := &bench{rounds: 2}
	err := b.compare(t.Context(), []side{{name: "a", run: func(context.Context) (time.Duration, error) { return 0, odd }}}, nil)
	if !errors.Is(err, odd) {
		t.Errorf("compare = %v, want %v", err, odd)
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{[]float64{5}, 5}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestSamePacketFindsDifferences(t *testing.T) {
	info := container.PacketInfo{N: 7, PTS: 1024, DTS: -512, Size: 99, Pos: 4096, Key: true}
	if err := samePacket(&info, "1024,-512,99,4096,K_"); err != nil {
		t.Errorf("the same packet: %v", err)
	}
	if err := samePacket(&info, "1024,-512,99,4096,K__,"); err != nil {
		t.Errorf("three flags and a comma at the end: %v", err)
	}
	for _, line := range []string{
		"1025,-512,99,4096,K_", "1024,512,99,4096,K_", "1024,-512,98,4096,K_", "1024,-512,99,4097,K_",
		"1024,-512,99,4096,__", "1024,-512,99,4096,KD", "N/A,-512,99,4096,K_", "1024,-512,99,4096", "",
	} {
		if samePacket(&info, line) == nil {
			t.Errorf("%q is taken for the packet %+v", line, info)
		}
	}
}

func TestRunRefusesArguments(t *testing.T) {
	for _, args := range [][]string{{"-run", "nothing"}, {"-n", "0"}, {"left over"}, {childArg}, {childArg, "nothing", "file"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("run(%q) has no error", args)
		}
	}
}
