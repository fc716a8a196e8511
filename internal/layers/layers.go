// Package layers keeps the packages of this module in their order: what each may import is a table, and the table is a test.
package layers

import (
	_ "embed"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed table.go
var tableSource string

// table is what a tree is checked against.
type table struct {
	module    string // the module path
	rules     map[string]rule
	everyTest rule
	testRules map[string]rule
}

// check returns what the Go files below root import against the table, one message each, in order of files.
func (t *table) check(root string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && foreign(name, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		messages, err := t.checkFile(name, rel)
		found = append(found, messages...)
		return err
	})
	return found, err
}

// foreign says whether a directory is not part of the module's packages.
func foreign(name, base string) bool {
	if base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

// checkFile checks one file, which is at rel in the module.
func (t *table) checkFile(name, rel string) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	pkg, test := path.Dir(rel), strings.HasSuffix(rel, "_test.go")
	if _, ok := t.rules[pkg]; !ok {
		return []string{fmt.Sprintf("%s: package %s has no row: add one to rules in %s", rel, pkg, tableLine("rules", ""))}, nil
	}
	var found []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", rel, spec.Path.Value, err)
		}
		if t.allowed(pkg, imported, test) {
			continue
		}
		hint := tableLine("rules", pkg)
		if test {
			hint += " or, for tests alone, " + tableLine("testRules", pkg)
		}
		found = append(found, fmt.Sprintf("%s:%d: package %s may not import %q: if it is meant to, change %s",
			rel, files.Position(spec.Pos()).Line, pkg, imported, hint))
	}
	return found, nil
}

// allowed says whether a file of pkg may import a path.
func (t *table) allowed(pkg, imported string, test bool) bool {
	granted := []rule{t.rules[pkg]}
	if test {
		granted = append(granted, t.everyTest, t.testRules[pkg])
	}
	return slices.ContainsFunc(granted, func(r rule) bool { return t.grants(r, imported) }) ||
		test && t.local(imported) == pkg
}

func (t *table) grants(r rule, imported string) bool {
	switch imported {
	case "C":
		return r.cgo
	case "unsafe":
		return r.unsafe
	}
	if local := t.local(imported); local != "" {
		return r.ours == "all" || slices.Contains(strings.Fields(r.ours), local)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true // the standard library: no host has a name without a dot
	}
	return slices.ContainsFunc(strings.Fields(r.outside), func(allowed string) bool {
		return imported == allowed || strings.HasPrefix(imported, allowed+"/")
	})
}

// local returns the directory in the module of an import path, or "" when it is not of this module.
func (t *table) local(imported string) string {
	if imported == t.module {
		return "."
	}
	local, ok := strings.CutPrefix(imported, t.module+"/")
	if !ok {
		return ""
	}
	return local
}

// tableLine returns where the row of a package, or the map it would be in, stands in table.go.
func tableLine(variable, pkg string) string {
	place := "internal/layers/table.go"
	inside := false
	for i, line := range strings.Split(tableSource, "\n") {
		switch {
		case strings.HasPrefix(line, "var "+variable+" "):
			inside = true
			place = fmt.Sprintf("internal/layers/table.go:%d", i+1)
		case line == "}":
			inside = false
		case inside && pkg != "" && strings.HasPrefix(strings.TrimSpace(line), strconv.Quote(pkg)+":"):
			return fmt.Sprintf("internal/layers/table.go:%d", i+1)
		}
	}
	return place
}
