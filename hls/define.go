package hls

import (
	"net/url"
	"strings"
)

// define reads EXT-X-DEFINE, 4.4.2.3.
func (p *parser) define(l attributes) error {
	name, named := l.find("NAME")
	from, imports := l.find("IMPORT")
	param, query := l.find("QUERYPARAM")
	value, ok := l.text("VALUE"), l.has("VALUE")
	switch {
	case named && !imports && !query:
		if !ok {
			p.warn("variable %s has no VALUE", clip(name))
		}
	case imports && !named && !query:
		name = from
		if value, ok = p.o.Import[name]; !ok {
			p.warn("no variable %s to import", clip(name))
		}
	case query && !named && !imports:
		name = param
		if value, ok = p.query(name); !ok {
			p.warn("the playlist's URL has no parameter %s", clip(name))
		}
	default:
		p.warn("neither NAME nor IMPORT nor QUERYPARAM alone")
		return nil
	}
	if !isVariable(name) {
		p.warn("%q is no name of a variable", clip(name))
		return nil
	}
	if _, twice := p.p.Variables[name]; twice {
		p.warn("variable %s is declared twice", clip(name))
		return nil
	}
	if !ok {
		return nil
	}
	if p.p.Variables == nil {
		p.p.Variables = map[string]string{}
	}
	p.p.Variables[name] = value
	return nil
}

// query looks up a parameter of the playlist's URL.
func (p *parser) query(name string) (string, bool) {
	if p.o.Base == nil {
		if p.o.Query == nil {
			return "", false
		}
		return p.o.Query(name)
	}
	values := url.Values(p.o.Base.Query())[name]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

func isVariable(name string) bool {
	return name != "" && strings.IndexFunc(name, func(c rune) bool { return !inVariable(c) }) < 0
}

// inVariable says whether a character may be in the name of a variable.
func inVariable(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// substitute replaces the variables in a URI line or an attribute's value, 4.3. What was put in is not looked at again.
func (p *parser) substitute(text string) string {
	if !strings.Contains(text, "{$") {
		return text
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{$")
		b.WriteString(before)
		if !ok {
			break
		}
		end := strings.IndexFunc(rest, func(c rune) bool { return !inVariable(c) })
		if end <= 0 || rest[end] != '}' {
			b.WriteString("{$")
			text = rest
			continue
		}
		name, after := rest[:end], rest[end+1:]
		value, known := p.p.Variables[name]
		if !known {
			p.warn("variable %s is not declared", clip(name))
			value = "{$" + name + "}"
		}
		if p.expanded += len(value); p.expanded > p.o.MaxBytes {
			break
		}
		b.WriteString(value)
		text = after
	}
	return b.String()
}
