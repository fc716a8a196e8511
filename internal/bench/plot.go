package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// chart is a picture of measurements: groups of horizontal bars, each group with a scale of its own.
type chart struct {
	title, note string
	groups      []chartGroup
}

// chartGroup is bars that are compared with each other.
type chartGroup struct {
	title string
	bars  []chartBar
}

// chartBar is one measurement over several rounds: as long as the median, with a whisker from the least to the most.
type chartBar struct {
	label            string
	min, median, max float64
	text             string // what stands behind the bar: the median with its unit
	ours             bool   // drawn to stand out
}

// timingBar is the bar of a timing.
func timingBar(t timing, ours bool) chartBar {
	return chartBar{t.Name, t.Min, t.Median, t.Max, seconds(t.Median), ours}
}

// Sizes in the units of the picture.
const (
	chartWidth  = 820
	chartLabels = 300 // left of the bars
	chartValues = 110 // right of the longest
	chartRow    = 24
	chartTitle  = 34
)

// chartStyle has colours for light and for dark pages: a browser chooses by the reader's setting, also where the picture is an <img>.
const chartStyle = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 } .group { font-weight: 600 } .note { font-size: 12px; fill: #59636e }
.page { fill: #ffffff } .ours { fill: #1a7f64 } .theirs { fill: #afb8c1 } .whisker { stroke: #1f2328; stroke-width: 1.2; fill: none }
.axis { stroke: #d1d9e0; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .note { fill: #9198a1 } .page { fill: #0d1117 } .ours { fill: #2ea88a } .theirs { fill: #57606a }
.whisker { stroke: #e6edf3 } .axis { stroke: #3d444d }
}
</style>
`

// svg draws the chart.
func (c *chart) svg() []byte {
	height := 2*chartTitle + 16
	for _, g := range c.groups {
		height += chartTitle + chartRow*len(g.bars)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		chartWidth, height, chartWidth, height, html.EscapeString(c.title))
	b.WriteString(chartStyle)
	fmt.Fprintf(&b, "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", chartWidth, height)
	text := func(class string, x, y float64, anchor, s string) {
		fmt.Fprintf(&b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", class, x, y, anchor, html.EscapeString(s))
	}
	text("title", 16, 28, "start", c.title)
	text("note", 16, 48, "start", c.note)
	y := float64(2*chartTitle) - 4
	for _, g := range c.groups {
		text("group", 16, y+20, "start", g.title)
		y += chartTitle
		top := y - 4
		var most float64
		for _, bar := range g.bars {
			most = max(most, bar.max, bar.median)
		}
		if most <= 0 || math.IsInf(most, 0) || math.IsNaN(most) {
			most = 1
		}
		at := func(v float64) float64 {
			if !(v > 0) { // NaN too
				v = 0
			}
			return chartLabels + min(v, most)/most*(chartWidth-chartLabels-chartValues)
		}
		for _, bar := range g.bars {
			class := "theirs"
			if bar.ours {
				class = "ours"
			}
			text("label", chartLabels-8, y+14, "end", bar.label)
			fmt.Fprintf(&b, "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"16\" rx=\"2\"/>\n", class, chartLabels, y+1, max(at(bar.median)-chartLabels, 1))
			if bar.max > bar.min {
				lo, hi, mid := at(bar.min), at(bar.max), y+9
				fmt.Fprintf(&b, "<path class=\"whisker\" d=\"M%.1f %.1fv8M%.1f %.1fv8M%.1f %.1fH%.1f\"/>\n", lo, mid-4, hi, mid-4, lo, mid, hi)
			}
			text("value", max(at(bar.median), at(bar.max))+8, y+14, "start", bar.text)
			y += chartRow
		}
		fmt.Fprintf(&b, "<path class=\"axis\" d=\"M%d %.1fV%.1f\"/>\n", chartLabels, top, y)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// write draws the chart into a file, in a directory that is made if need be.
func (c *chart) write(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, c.svg(), 0o644)
}

// timingBars returns the bars of the timings with the names given, in that order.
func (r *report) timingBars(ours func(name string) bool, names ...string) []chartBar {
	var bars []chartBar
	for _, name := range names {
		if i := slices.IndexFunc(r.Timings, func(t timing) bool { return t.Name == name }); i >= 0 {
			bars = append(bars, timingBar(r.Timings[i], ours(name)))
		}
	}
	return bars
}
