package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/seek"
)

// whyGuessed says, by method, why an approximate index is what it is.
var whyGuessed = map[string]string{
	"sidx":      "the segment index leads to a time",
	"tfra":      "the random access table leads to a time",
	"headers":   "no index in the file: fragments are gone through up to a time",
	"bisection": "times are found by bisection",
	"playlist":  "the playlist leads to the segment of a time",
}

// guessTrack looks at a track by an approximate index. Where that lists all packets, it is as inspectTrack.
func (m *media) guessTrack(ctx context.Context, track int) (trackReport, error) {
	before, start := m.Counts(), time.Now()
	e, err := seek.Guess(ctx, m.demuxer, track)
	if err == nil {
		err = e.Begin(ctx) // the report tells when the track begins
	}
	spent := since(m.Counter, before, start)
	if err == nil && e.Kind() == seek.Exact {
		r, err := m.inspectTrack(ctx, track, false)
		if r.Index != nil {
			r.Index.Why = "all packets are listed: an approximate index would cost as much"
		}
		return r, err
	}
	t := &m.demuxer.Tracks()[track]
	r := describe(t)
	if err != nil {
		return r, r.note(ctx, err)
	}
	told := e.Told()
	n, _ := e.Counted()
	r.Packets = max(told.Packets, 0)
	r.Index = &indexReport{
		Kind: e.Kind().String(), Method: told.Method, Why: whyGuessed[told.Method], Points: &told.Points, Counted: &n, Bytes: e.Bytes(), Cost: spent,
	}
	if told.Points > 0 {
		r.Index.Why += fmt.Sprintf(", to %s", plural(int64(told.Points), "place", "places"))
	}
	r.Index.Why += "; frame numbers, counts and the end are estimates"
	first, err := e.Frame(0)
	if err != nil {
		return r, r.note(ctx, err)
	}
	last, err := e.Frame(e.Len() - 1)
	if err != nil {
		return r, r.note(ctx, err)
	}
	end := last.PTS + last.Duration
	r.StartTicks, r.Start = ticks(first.PTS), seconds(r.Timebase, first.PTS)
	r.DurationTicks, r.Duration = ticks(end-first.PTS), seconds(r.Timebase, end-first.PTS)
	if t.Kind == container.Video {
		r.Frames = known(e.Len(), true)
	}
	return r, ctx.Err()
}
