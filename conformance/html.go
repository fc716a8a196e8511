package conformance

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

//go:embed report.html
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"bytes":    sizeText,
	"seconds":  func(s float64) string { return strconv.FormatFloat(s, 'f', 2, 64) },
	"plot":     plot,
	"clean":    clean,
	"column":   func(c Column) string { return clean(c.String()) },
	"rank":     rank,
	"verdicts": func() []Verdict { return worstFirst },
}).Parse(pageText))

// worstFirst is the order in which verdicts are shown.
var worstFirst = []Verdict{Failed, Differs, Passed, Refused, Unsupported}

// WriteHTML writes the report as one page that needs no other file: the table, to be sorted and filtered, with a picture of
// each video's packets.
// What differs or failed comes first.
func (r *Report) WriteHTML(w io.Writer) error {
	shown := *r
	shown.Rows = slices.Clone(r.Rows)
	slices.SortStableFunc(shown.Rows, func(a, b Row) int { return min(rank(a.Verdict), 2) - min(rank(b.Verdict), 2) })
	return page.Execute(w, &shown)
}

// rank is the place of a verdict among worstFirst.
func rank(v Verdict) int { return slices.Index(worstFirst, v) }

// sizeText returns "1.2 MB".
func sizeText(n int64) string {
	v, unit := float64(n), ""
	for _, u := range []string{"k", "M", "G", "T"} {
		if v < 1000 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %sB", v, unit)
}

// Size of a drawn timeline, in units of SVG.
const (
	plotWidth  = 400
	plotHeight = 44
)

// drawing is a timeline as paths, one a kind of bar.
type drawing struct {
	Width, Height              int
	Plain, Key, Discard, Lost  string
	Packets, Keys, PerBar, Max int
}

// plot draws a timeline. Heights go with the square root of sizes, so that small packets are seen beside key packets.
func plot(t *Timeline) *drawing {
	if t == nil {
		return nil
	}
	d := &drawing{Width: plotWidth, Height: plotHeight, Packets: t.Packets, Keys: t.Keys, PerBar: t.PerBar, Max: t.Largest}
	step := math.Min(float64(plotWidth)/float64(len(t.Bars)), 12)
	gap := 0.0
	if step > 2 {
		gap = 0.5
	}
	var plain, key, discard, lost strings.Builder
	for i, b := range t.Bars {
		h := 1.0
		if t.Largest > 0 && b.Size > 0 {
			h = math.Max(1, math.Sqrt(float64(b.Size)/float64(t.Largest))*(plotHeight-1))
		}
		into := &plain
		switch {
		case b.Corrupt:
			into = &lost
		case b.Discard:
			into = &discard
		case b.Key:
			into = &key
		}
		fmt.Fprintf(into, "M%s %dv-%sh%sV%dz", short(float64(i)*step), plotHeight, short(h), short(step-gap), plotHeight)
	}
	d.Plain, d.Key, d.Discard, d.Lost = plain.String(), key.String(), discard.String(), lost.String()
	return d
}

func short(v float64) string {
	return strings.TrimSuffix(strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), "0"), ".")
}
