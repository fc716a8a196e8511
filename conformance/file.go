package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/hls"
	"github.com/sprocket-video/sprocket/seek"
	"github.com/sprocket-video/sprocket/source"
)

// fileCheck is the work on one file.
type fileCheck struct {
	r        *runner
	row      Row
	src      *source.File
	demuxer  container.SeekableDemuxer
	probe    *probe
	dump     map[int][]dumpSample // by track ID; without those that a track was compared with
	dumped   int                  // samples compared with the dump
	dumpZero container.Ticks      // the time from which the dump counts
	probed   int                  // packets compared with ffprobe
	known    []knownRow           // of this file
	claimed  map[int]bool         // streams of ffprobe that a track was compared with
}

// differ makes the row differ, unless it is worse already. The first difference is the one that is told.
func (c *fileCheck) differ(reason string, args ...any) {
	if c.row.Verdict == Passed {
		c.row.Verdict, c.row.Reason = Differs, fmt.Sprintf(reason, args...)
	}
}

// fail makes the row failed.
func (c *fileCheck) fail(reason string, args ...any) {
	if c.row.Verdict != Failed {
		c.row.Verdict, c.row.Reason = Failed, fmt.Sprintf(reason, args...)
	}
}

func (c *fileCheck) note(text string, args ...any) {
	c.row.Notes = append(c.row.Notes, fmt.Sprintf(text, args...))
}

func (c *fileCheck) run(ctx context.Context) {
	name := c.row.File
	c.known = slices.Clone(c.r.known[name])
	var err error
	if c.src, err = source.OpenFile(filepath.Join(c.r.dir, filepath.FromSlash(name))); err != nil {
		c.fail("%v", err)
		return
	}
	defer func() { _ = c.src.Close() }() // read only
	c.row.Bytes = c.src.Size()
	fuzzed := strings.HasPrefix(name, "fuzz/")
	if !fuzzed {
		head := make([]byte, min(container.HeadSize, c.src.Size()))
		if _, err := source.ReadSome(ctx, c.src, head, 0); err != nil {
			c.fail("%v", err)
			return
		}
		if !c.r.sniff(head) {
			c.unsupported(head)
			return
		}
		if hls.Format.Sniff(head) {
			if why := missing(filepath.Join(c.r.dir, filepath.FromSlash(name)), 0); why != "" {
				c.row.Verdict, c.row.Reason = Unsupported, why
				return
			}
		}
	}
	// The other program is asked only about what is opened here, or about whether it opens what is not.
	if err := c.open(ctx); err != nil {
		c.refusal(ctx, err, fuzzed)
		return
	}
	defer func() { _ = c.demuxer.Close() }() // only its answers count
	c.expectations(ctx)
	c.tracks(ctx)
	c.laws(ctx)
	if fuzzed {
		c.row.Frames.Not = "not decoded"
	} else {
		c.frames(ctx)
	}
	c.warnings()
	c.unmet(func(field string) bool {
		return strings.HasPrefix(field, "dump ") && c.dumped > 0 || strings.HasPrefix(field, "frames ") && c.row.Frames.Count > 0 ||
			!strings.Contains(field, " ") && c.probed > 0
	})
}

func (c *fileCheck) unsupported(head []byte) {
	c.row.Verdict = Unsupported
	c.row.Reason = "not a format that is read here"
	if kind := guess(head); kind != "" {
		c.row.Reason = kind + ": not read here"
	}
}

// open opens the container. It notes which format opens.
func (c *fileCheck) open(ctx context.Context) error {
	d, err := container.Open(ctx, c.src, container.Noting(&c.row.Format, c.r.Formats), nil)
	if err != nil {
		return err
	}
	var ok bool
	if c.demuxer, ok = d.(container.SeekableDemuxer); !ok {
		_ = d.Close() // nothing was read
		return container.ErrNotSeekable
	}
	return nil
}

// refusal judges an error of opening.
func (c *fileCheck) refusal(ctx context.Context, err error, fuzzed bool) {
	var where *container.Error
	located := errors.As(err, &where)
	expected := fuzzed
	if !fuzzed {
		p, e := c.r.probe(ctx, c.row.File)
		expected = e == nil && p != nil && len(p.streams) == 0
	}
	c.row.Reason = err.Error()
	switch {
	case !located:
		c.row.Verdict = Failed
		c.row.Reason = "the error does not say where: " + c.row.Reason
	case errors.Is(err, container.ErrUnsupported) && !fuzzed:
		c.row.Verdict, c.row.Reason = Unsupported, where.Err.Error()
	case expected:
		c.row.Verdict = Refused
	default:
		c.row.Verdict = Failed
	}
}

// expectations reads what others say about the file.
func (c *fileCheck) expectations(ctx context.Context) {
	var err error
	if c.probe, err = c.r.probe(ctx, c.row.File); err != nil {
		c.fail("%v", err)
	}
	if c.dump, err = readDump(c.r.dumpFile(c.row.File)); err != nil {
		c.fail("%v", err)
	}
	if c.probe != nil && len(c.probe.streams) == 0 {
		c.note("%s cannot open it", c.probe.from)
		c.probe = nil
	}
}

// tracks lists the tracks and compares the pictures' and the sounds', and whatever else the dump has.
func (c *fileCheck) tracks(ctx context.Context) {
	tracks := c.demuxer.Tracks()
	drawn := -1 // the width of the video that is drawn
	dump := c.dump != nil
	if dump {
		c.dumpZero = dumpZero(ctx, c.demuxer)
	}
	for i := range tracks {
		infos, err := collect(ctx, c.demuxer, i, 0, maxPackets)
		tr := c.demuxer.Tracks()[i] // after listing, which may tell more
		if errors.Is(err, container.ErrUnsupported) && len(infos) == 0 {
			c.note("track %d: %v", tr.ID, err)
			continue
		}
		if err != nil {
			c.fail("track %d, after %d packets: %v", tr.ID, len(infos), err)
			continue
		}
		want, dumped := c.dump[tr.ID]
		delete(c.dump, tr.ID)
		shown := tr.Kind == container.Video || tr.Kind == container.Audio
		if shown || dumped {
			c.row.Packets.Count += len(infos)
		}
		if shown && c.probe != nil {
			c.compareProbe(&tr, infos)
		}
		switch {
		case dumped:
			c.compareDump(ctx, i, infos, want)
		case shown && dump && len(infos) > 0:
			c.differs(tr.ID, "dump stream", 1, "the dump", "it has no such track")
		}
		if !shown {
			continue
		}
		if t := gop(infos); tr.Kind == container.Video && t != nil && tr.Video.Width > drawn {
			drawn = tr.Video.Width
			c.row.Timeline = t
		}
		c.index(ctx, i, tr.ID)
	}
	c.lost()
	if c.probed > 0 {
		c.row.Packets.Against = append(c.row.Packets.Against, "ffprobe")
	}
	if c.dumped > 0 {
		c.row.Packets.Against = append(c.row.Packets.Against, "dump")
	}
	if c.probed+c.dumped == 0 && c.row.Packets.Count > 0 {
		c.note("packets: nothing to compare with")
	}
}

// lost looks for pictures and sound that ffprobe has, and for what the dump has, and no track.
func (c *fileCheck) lost() {
	if c.probe != nil {
		for i := range c.probe.streams {
			s := &c.probe.streams[i]
			if (s.Kind == container.Video.String() || s.Kind == container.Audio.String()) && s.Disposition.AttachedPic == 0 && !c.claimed[s.Index] {
				c.differs(s.id(), "stream", -1, c.probe.from, "there is no such track")
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.dump)) {
		c.differs(id, "dump stream", -1, "the dump", "there is no such track")
	}
}

// compareProbe compares the packets of a track with ffprobe's.
//
// Of a transport stream the place is that of the transport packet, for ffprobe tells no other, and times count modulo 2^33: ISO/IEC 13818-1,
// 2.4.3.6, and where ffprobe begins to count is its own choice.
func (c *fileCheck) compareProbe(tr *container.Track, infos []container.PacketInfo) {
	t := newTally(tr.ID)
	defer func() { c.settle(t, c.probe.from) }()
	_, elsewhere := c.demuxer.(container.Scattered)
	stream := -1
	if elsewhere {
		stream = c.probe.alike(tr.Kind, infos, c.claimed)
	} else {
		stream = c.probe.stream(tr.ID, c.claimed)
	}
	if stream < 0 {
		t.add("stream", 1, "it has no such stream")
		return
	}
	c.claimed[stream] = true
	theirs := c.probe.packets[stream]
	if len(infos) != len(theirs) {
		// Ours less theirs; known.tsv counts so too.
		t.add("packets", len(infos)-len(theirs), fmt.Sprintf("%d packets, not %d", len(infos), len(theirs)))
	}
	for i := range min(len(infos), len(theirs)) {
		p, q := &infos[i], &theirs[i]
		c.probed++
		if q.hasPTS {
			t.note(i, "pts", c.unwrap(tr, int64(p.PTS), q.pts), q.pts)
		}
		if q.hasDTS {
			t.note(i, "dts", c.unwrap(tr, int64(p.DTS), q.dts), q.dts)
		}
		if q.hasPos && !elsewhere && !(tr.Transport != nil && p.Pos >= q.pos && p.Pos < q.pos+int64(tr.Transport.PacketSize)) {
			t.note(i, "pos", p.Pos, q.pos)
		}
		if q.duration != 0 || tr.Transport == nil && !elsewhere { // a transport stream tells none, nor does a playlist, and ffprobe does not always guess
			t.note(i, "duration", int64(p.Duration), q.duration)
		}
		t.note(i, "size", int64(p.Size), q.size)
		t.flag(i, "key", p.Key, q.key)
		t.flag(i, "discard", p.Discard, q.discard)
	}
}

// unwrap returns ours, or theirs where the two are the same time of a transport stream.
func (c *fileCheck) unwrap(tr *container.Track, ours, theirs int64) int64 {
	_, elsewhere := c.demuxer.(container.Scattered)
	if (tr.Transport != nil || elsewhere && tr.Timebase.Den == 90_000) && (ours-theirs)%(1<<33) == 0 {
		return theirs
	}
	return ours
}

// index builds the exact index of a track and puts it to the laws.
func (c *fileCheck) index(ctx context.Context, track, id int) {
	x, err := seek.Build(ctx, c.demuxer, track)
	if err == nil {
		err = TestIndex(ctx, x, c.demuxer, track)
	}
	if err != nil && !truncated(err) {
		c.fail("track %d: %s", id, firstLine(err))
	}
}

// laws puts a demuxer of its own to the laws: the check closes it.
func (c *fileCheck) laws(ctx context.Context) {
	d, err := container.Open(ctx, c.src, c.r.Formats, nil)
	if err != nil {
		c.fail("opened a second time: %v", err)
		return
	}
	s, ok := d.(container.SeekableDemuxer)
	if !ok {
		_ = d.Close() // nothing was read
		return
	}
	size := c.src.Size()
	if _, elsewhere := s.(container.Scattered); elsewhere {
		size = -1
	}
	if err := TestDemuxer(ctx, s, size); err != nil {
		c.fail("%s", firstLine(err))
	}
}

// truncated says whether an error, or each of those that it joins, is only that the source ends too early.
func truncated(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return errors.Is(err, io.ErrUnexpectedEOF)
	}
	return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !errors.Is(err, io.ErrUnexpectedEOF) })
}

func firstLine(err error) string {
	line, rest, _ := strings.Cut(err.Error(), "\n")
	if n := strings.Count(rest, "\n"); rest != "" {
		line += fmt.Sprintf(" (and %d more)", n+1)
	}
	return line
}

// warnings notes what the container complains of.
func (c *fileCheck) warnings() {
	w, ok := c.demuxer.(container.Warner)
	if !ok || len(w.Warnings()) == 0 {
		return
	}
	all := w.Warnings()
	text := "warning: " + all[0].Error()
	if len(all) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(all)-1)
	}
	c.note("%s", text)
}
