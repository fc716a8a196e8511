package conformance

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// knownTable has one line a difference that is known: file, track ID, field, packets that differ, clause that decides.
//
//go:embed known.tsv
var knownTable string

type knownRow = struct {
	Explained
	met bool
}

// knownDifferences returns the lines of known.tsv by file.
func knownDifferences() (map[string][]knownRow, error) {
	out := map[string][]knownRow{}
	n := 0
	for line := range strings.Lines(knownTable) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 5 || f[4] == "" {
			return nil, fmt.Errorf("conformance: known.tsv line %d: %d fields, want 5", n, len(f))
		}
		track, err := strconv.Atoi(f[1])
		count, err2 := strconv.Atoi(f[3])
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("conformance: known.tsv line %d: track %q, count %q", n, f[1], f[3])
		}
		out[f[0]] = append(out[f[0]], knownRow{Explained: Explained{Track: track, Field: f[2], Count: count, Clause: f[4]}})
	}
	return out, nil
}

// tally counts the differences of one track, by field, with the first of each.
type tally struct {
	track  int
	fields []string
	counts map[string]int
	first  map[string]string
}

func newTally(track int) *tally {
	return &tally{track: track, counts: map[string]int{}, first: map[string]string{}}
}

// note counts a difference when there is one.
func (t *tally) note(packet int, field string, ours, theirs int64) {
	if ours != theirs {
		t.add(field, 1, fmt.Sprintf("packet %d is %d, not %d", packet, ours, theirs))
	}
}

func (t *tally) flag(packet int, field string, ours, theirs bool) {
	if ours != theirs {
		t.add(field, 1, fmt.Sprintf("packet %d is %t, not %t", packet, ours, theirs))
	}
}

func (t *tally) add(field string, count int, first string) {
	if t.counts[field] == 0 {
		t.fields = append(t.fields, field)
		t.first[field] = first
	}
	t.counts[field] += count
}

// settle puts the differences of a track into the row: explained ones, when known.tsv has just so many, or a difference.
func (c *fileCheck) settle(t *tally, against string) {
	for _, field := range t.fields {
		e := c.explanation(t.track, field)
		switch {
		case e == nil:
			c.differ("track %d: %s, against %s: %s (%d in all)", t.track, field, against, t.first[field], t.counts[field])
		case e.Count != t.counts[field]:
			c.differ("track %d: %s, against %s: %s (%d in all; known.tsv explains %d)", t.track, field, against, t.first[field], t.counts[field], e.Count)
		default:
			c.row.Explained = append(c.row.Explained, e.Explained)
		}
	}
}

// differs puts one difference of a track into the row; see settle.
func (c *fileCheck) differs(track int, field string, count int, against, what string) {
	t := newTally(track)
	t.add(field, count, what)
	c.settle(t, against)
}

// explanation returns the line of known.tsv for a field, and notes that it was met.
func (c *fileCheck) explanation(track int, field string) *knownRow {
	for i := range c.known {
		if k := &c.known[i]; k.Track == track && k.Field == field {
			k.met = true
			return k
		}
	}
	return nil
}

// unmet makes a difference of what known.tsv explains and nobody found. Fields of what was not compared do not count.
func (c *fileCheck) unmet(compared func(field string) bool) {
	for i := range c.known {
		if k := &c.known[i]; !k.met && compared(k.Field) {
			c.differ("track %d: %s: known.tsv explains %d differences, and there are none", k.Track, k.Field, k.Count)
		}
	}
}
