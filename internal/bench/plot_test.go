package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestChartIsWellFormedAndToScale(t *testing.T) {
	c := chart{title: `a < b & "c"`, note: "n", groups: []chartGroup{
		{"one", []chartBar{
			{label: "x<y>", min: 1, median: 2, max: 4, text: "2 s", ours: true},
			{label: "z", min: 1, median: 1, max: 1, text: "1 s"},
		}},
		{"nothing", []chartBar{{label: "0", text: "0 s"}, {label: "odd", median: math.Inf(1), max: math.NaN(), text: "?"}}},
	}}
	widths := map[string][]string{}
	var text strings.Builder
	d := xml.NewDecoder(strings.NewReader(string(c.svg())))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.CharData:
			text.Write(e)
		case xml.StartElement:
			attrs := map[string]string{}
			for _, a := range e.Attr {
				attrs[a.Name.Local] = a.Value
			}
			if e.Name.Local == "rect" {
				widths[attrs["class"]] = append(widths[attrs["class"]], attrs["width"])
			}
			for name, v := range attrs {
				if strings.Contains(v, "NaN") || strings.Contains(v, "Inf") {
					t.Errorf("%s %s=%q", e.Name.Local, name, v)
				}
			}
		}
	}
	for _, want := range []string{`a < b & "c"`, "x<y>", "2 s", "one", "nothing"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no text %q", want)
		}
	}
	// The longest whisker reaches over 410 units, so the medians of half and a quarter of it over 205 and 102.5.
	if got := widths["ours"]; len(got) != 1 || got[0] != "205.0" {
		t.Errorf("our bars are %v wide, want 205.0", got)
	}
	if got := widths["theirs"]; len(got) != 3 || got[0] != "102.5" {
		t.Errorf("the other bars are %v wide, want 102.5 first", got)
	}
}
