package conformance

import (
	"fmt"
	"strings"
	"unicode"
)

// Verdict is the result of one file.
type Verdict string

// Verdicts.
const (
	Passed      Verdict = "passed"      // everything that could be compared is equal, or differs for a reason that is known
	Refused     Verdict = "refused"     // it was to be refused, and is, with an error that says where it is broken
	Unsupported Verdict = "unsupported" // valid, perhaps, and not read here
	Differs     Verdict = "differs"     // an answer is another one than expected
	Failed      Verdict = "failed"      // a law is broken, or there is no answer
)

// Report is the result of Run. Its JSON keys are an interface.
type Report struct {
	Dir     string          `json:"dir"`
	Pixels  int64           `json:"pixels_per_file"`   // what is decoded of each file, each way
	FFprobe string          `json:"ffprobe,omitempty"` // the version that was run
	Skipped int             `json:"skipped"`           // files that are no media
	Seconds float64         `json:"seconds"`
	Counts  map[Verdict]int `json:"counts"`
	Rows    []Row           `json:"rows"`
}

// Row is the result of one file.
type Row struct {
	File      string      `json:"file"`
	Bytes     int64       `json:"bytes"`
	Format    string      `json:"format,omitempty"`
	Verdict   Verdict     `json:"verdict"`
	Reason    string      `json:"reason,omitempty"` // why it is not passed: where, and the first difference
	Packets   Column      `json:"packets"`          // compared
	Frames    Column      `json:"frames"`           // decoded and compared
	Explained []Explained `json:"explained,omitempty"`
	Notes     []string    `json:"notes,omitempty"` // what was not done, and why; warnings of the container
	Seconds   float64     `json:"seconds"`
	Timeline  *Timeline   `json:"-"` // of the video that is decoded
}

// Column is what was compared of a kind, and with what.
type Column struct {
	Count   int      `json:"count"`
	Against []string `json:"against,omitempty"`
	Not     string   `json:"not,omitempty"` // why nothing was
}

// String returns "120 = ffprobe, dump", or why there is nothing.
func (c Column) String() string {
	switch {
	case c.Not != "":
		return c.Not
	case c.Count == 0:
		return "-"
	case len(c.Against) == 0:
		return fmt.Sprint(c.Count)
	}
	return fmt.Sprintf("%d = %s", c.Count, strings.Join(c.Against, ", "))
}

// Explained is a difference that known.tsv explains.
type Explained struct {
	Track  int    `json:"track"` // the container's ID; 0 for the file
	Field  string `json:"field"`
	Count  int    `json:"count"` // packets that differ
	Clause string `json:"clause"`
}

// Timeline is a video track in decode order, for drawing.
type Timeline struct {
	Packets, Keys, PerBar, Largest int
	Bars                           []Bar
}

// Bar is one packet, or the largest of a few.
type Bar struct {
	Size                  int
	Key, Discard, Corrupt bool
}

// maxBars is how many bars a timeline has at most.
const maxBars = 400

func (r *Report) count() {
	r.Counts = map[Verdict]int{Passed: 0, Refused: 0, Unsupported: 0, Differs: 0, Failed: 0}
	for i := range r.Rows {
		r.Counts[r.Rows[i].Verdict]++
	}
}

// OK says that no row differs or failed.
func (r *Report) OK() bool { return r.Counts[Differs] == 0 && r.Counts[Failed] == 0 }

// explained returns how many rows have explained differences.
func (r *Report) explained() int {
	n := 0
	for i := range r.Rows {
		if r.Rows[i].Verdict == Passed && len(r.Rows[i].Explained) > 0 {
			n++
		}
	}
	return n
}

// Summary returns "118 passed (41 with explained differences), 50 refused as they should be, 0 differ, 0 failed, 301 unsupported".
func (r *Report) Summary() string {
	return fmt.Sprintf("%d passed (%d with explained differences), %d refused as they should be, %d differ, %d failed, %d unsupported",
		r.Counts[Passed], r.explained(), r.Counts[Refused], r.Counts[Differs], r.Counts[Failed], r.Counts[Unsupported])
}

// Conditions returns in one line what the report rests on.
func (r *Report) Conditions() string {
	with := "packets compared with the answers stored beside the files"
	if r.FFprobe != "" {
		with = "packets compared with ffprobe " + r.FFprobe + " or the answers stored beside the files"
	}
	decoded := "every frame"
	if r.Pixels < AllPixels {
		decoded = fmt.Sprintf("up to %d Mpixel a file", r.Pixels>>20)
	}
	return fmt.Sprintf("%d files, %d others are no media; %s; %s decoded each way; %.1f s", len(r.Rows), r.Skipped, with, decoded, r.Seconds)
}

// Note returns the reason, the explained differences and the notes of a row, in one line.
func (r *Row) Note() string {
	var parts []string
	if r.Reason != "" {
		parts = append(parts, r.Reason)
	}
	for _, e := range r.Explained {
		parts = append(parts, fmt.Sprintf("explained: track %d %s ×%d", e.Track, e.Field, e.Count))
	}
	return clean(strings.Join(append(parts, r.Notes...), "; "))
}

// clean replaces what could move a terminal's cursor or hide text. Names in files are anybody's.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// AppendText appends the report as a table: what differs or failed last, before unsupported files, which are one line a reason.
func (r *Report) AppendText(b []byte) []byte {
	b = fmt.Appendf(b, "%-12s %-20s %-34s %s\n", "RESULT", "PACKETS", "FRAMES", "FILE")
	unsupported := map[string]int{}
	var order []string
	var red []byte
	for i := range r.Rows {
		switch row := &r.Rows[i]; row.Verdict {
		case Unsupported:
			if unsupported[row.Reason]++; unsupported[row.Reason] == 1 {
				order = append(order, row.Reason)
			}
		case Differs, Failed:
			red = row.appendText(red)
		default:
			b = row.appendText(b)
		}
	}
	b = append(b, red...)
	for _, reason := range order {
		b = fmt.Appendf(b, "%-12s %d files: %s\n", Unsupported, unsupported[reason], clean(reason))
	}
	return fmt.Appendf(b, "\n%s\n%s\n", r.Conditions(), r.Summary())
}

func (r *Row) appendText(b []byte) []byte {
	b = fmt.Appendf(b, "%-12s %-20s %-34s %s\n", r.Verdict, clean(r.Packets.String()), clean(r.Frames.String()), clean(r.File))
	if note := r.Note(); note != "" {
		b = fmt.Appendf(b, "%12s %s\n", "", note)
	}
	return b
}
