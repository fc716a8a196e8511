package hls

// parseVariant reads what EXT-X-STREAM-INF and EXT-X-I-FRAME-STREAM-INF have in common, 4.4.6.2.
func (p *parser) parseVariant(l attributes) Variant {
	v := Variant{
		Bandwidth: p.integer(l, "BANDWIDTH", 0), AverageBandwidth: p.integer(l, "AVERAGE-BANDWIDTH", 0),
		Codecs: l.text("CODECS"), Supplemental: l.text("SUPPLEMENTAL-CODECS"), VideoRange: l.text("VIDEO-RANGE"), HDCPLevel: l.text("HDCP-LEVEL"),
		Audio: l.text("AUDIO"), Video: l.text("VIDEO"), Subtitles: l.text("SUBTITLES"), ClosedCaptions: l.text("CLOSED-CAPTIONS"),
		Name: l.text("NAME"), StableID: l.text("STABLE-VARIANT-ID"), Pathway: l.text("PATHWAY-ID"),
		URI: p.resolve(l.text("URI")), Attributes: l.all(), Line: p.line,
	}
	if !l.has("BANDWIDTH") {
		p.warn("BANDWIDTH is missing")
	}
	var err error
	if text, ok := l.find("RESOLUTION"); ok {
		v.Width, v.Height, err = parseResolution(text)
		p.check(err)
	}
	if text, ok := l.find("FRAME-RATE"); ok {
		v.FrameRate, err = parseFloat(text)
		p.check(err)
		v.FrameRate = max(v.FrameRate, 0)
	}
	if text, ok := l.find("SCORE"); ok {
		v.Score, err = parseFloat(text)
		p.check(err)
	}
	return v
}

func (p *parser) streamInf(l attributes) error {
	if p.variant != nil {
		p.warn("the variant of line %d has no URI", p.variant.Line)
	}
	v := p.parseVariant(l)
	p.variant = &v
	return nil
}

func (p *parser) iframeInf(l attributes) error {
	v := p.parseVariant(l)
	if v.URI == "" {
		p.warn("URI is missing")
	}
	p.master.IFrames = append(p.master.IFrames, v)
	return nil
}

// rendition reads EXT-X-MEDIA, 4.4.6.1.
func (p *parser) rendition(l attributes) error {
	r := Rendition{
		Type: l.text("TYPE"), URI: p.resolve(l.text("URI")), Group: l.text("GROUP-ID"), Language: l.text("LANGUAGE"), Associated: l.text("ASSOC-LANGUAGE"),
		Name: l.text("NAME"), StableID: l.text("STABLE-RENDITION-ID"), Default: l.yes("DEFAULT"), Autoselect: l.yes("AUTOSELECT"), Forced: l.yes("FORCED"),
		InStream: l.text("INSTREAM-ID"), Characteristics: l.text("CHARACTERISTICS"), Channels: l.text("CHANNELS"),
		SampleRate: int(min(p.integer(l, "SAMPLE-RATE", 0), 1<<30)), BitDepth: int(min(p.integer(l, "BIT-DEPTH", 0), 1<<10)), Line: p.line,
	}
	for _, name := range []string{"TYPE", "GROUP-ID", "NAME"} {
		if !l.has(name) {
			p.warn("%s is missing", name)
		}
	}
	p.master.Renditions = append(p.master.Renditions, r)
	return nil
}

func (p *parser) sessionData(l attributes) error {
	p.master.Session = append(p.master.Session, SessionData{
		ID: l.text("DATA-ID"), Value: l.text("VALUE"), URI: p.resolve(l.text("URI")), Format: l.text("FORMAT"), Language: l.text("LANGUAGE"),
	})
	return nil
}

func (p *parser) sessionKey(l attributes) error {
	if k, ok := p.parseKey(l); ok && k != nil {
		p.master.Keys = append(p.master.Keys, k)
	}
	return nil
}

func (p *parser) steering(l attributes) error {
	p.master.Steering = &Steering{Server: p.resolve(l.text("SERVER-URI")), Pathway: l.text("PATHWAY-ID")}
	return nil
}
