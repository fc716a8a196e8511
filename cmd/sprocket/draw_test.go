package main

import (
	"bytes"
	"image"
	"os"
	"strings"
	"testing"
)

func TestFontHasWhatLabelsNeed(t *testing.T) {
	for _, r := range "0123456789:.#-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/()+ " {
		set, ok := glyphs()[r]
		if !ok || r != ' ' && len(set) == 0 {
			t.Errorf("no glyph for %q", r)
		}
		for _, p := range set {
			if !p.In(image.Rect(0, 0, glyphWidth, glyphHeight)) {
				t.Errorf("glyph %q is larger than its place", r)
			}
		}
	}
}

func TestTextStaysInThePicture(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 20, 8))
	drawText(img, image.Pt(-3, -2), "Wide and öde", 2, sheetBright)
	if textWidth("", 2) != 0 || textWidth("ab", 2) != 22 {
		t.Errorf("widths %d, %d, want 0, 22", textWidth("", 2), textWidth("ab", 2))
	}
}

func TestGridColumns(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 4: 2, 6: 3, 9: 3, 12: 4, 16: 4} {
		if got := gridColumns(n, image.Pt(336, 222)); got != want {
			t.Errorf("%d pictures in %d columns, want %d", n, got, want)
		}
	}
}

// Progress is for terminals only: a nil one does nothing.
func TestProgressIsForTerminals(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, "frame", 10)
	p.add(5)
	p.end()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if p != nil || b.Len() != 0 || isTerminal(null) {
		t.Errorf("progress %v wrote %q; %s is a terminal: %v", p, &b, os.DevNull, isTerminal(null))
	}
}

func TestProgressLine(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, what: "frame", total: 10}
	p.add(5)
	p.end()
	if got := b.String(); !strings.Contains(got, "frame 5/10  50%") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("progress wrote %q", got)
	}
	b.Reset()
	p = &progress{w: &b, what: "frame"} // of a pipe
	p.add(5)
	p.end()
	if got := b.String(); !strings.Contains(got, "frame 5  ") || strings.Contains(got, "/0") || strings.Contains(got, "left") {
		t.Errorf("progress without a total wrote %q", got)
	}
}
