package layers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImportsFollowTheTable(t *testing.T) {
	root := filepath.Join("..", "..")
	this := &table{module: modulePath(t, root), rules: rules, everyTest: everyTest, testRules: testRules}
	found, err := this.check(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range found {
		t.Error(message)
	}
}

func modulePath(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	module, ok := strings.CutPrefix(first, "module ")
	if !ok {
		t.Fatalf("go.mod begins with %q, want the module line", first)
	}
	return strings.TrimSpace(module)
}

func TestTableNamesItsOwnPackages(t *testing.T) {
	names := func(where string, r rule) {
		if r.ours == "all" {
			return
		}
		for name := range strings.FieldsSeq(r.ours) {
			if _, ok := rules[name]; !ok {
				t.Errorf("%s allows %q, which has no row in rules", where, name)
			}
		}
	}
	for pkg, r := range rules {
		names("rules: "+pkg, r)
	}
	for pkg, r := range testRules {
		names("testRules: "+pkg, r)
		if _, ok := rules[pkg]; !ok {
			t.Errorf("testRules has %q, which has no row in rules", pkg)
		}
	}
	names("everyTest", everyTest)
}

// The rows allow no circle: Go refuses one among packages, and this one among rows, before the code is written.
func TestTableHasNoCircle(t *testing.T) {
	const open, closed = 1, 2
	state := map[string]int{}
	var visit func(pkg string)
	visit = func(pkg string) {
		switch state[pkg] {
		case open:
			t.Errorf("%s may import itself by way of others", pkg)
			return
		case closed:
			return
		}
		state[pkg] = open
		if ours := rules[pkg].ours; ours != "all" {
			for next := range strings.FieldsSeq(ours) {
				visit(next)
			}
		}
		state[pkg] = closed
	}
	for pkg := range rules {
		visit(pkg)
	}
}

func TestRootAndBelowImportNoBackend(t *testing.T) {
	for pkg := range strings.FieldsSeq(belowRoot + " . rtsp") {
		for ours := range strings.FieldsSeq(rules[pkg].ours) {
			if strings.HasPrefix(ours, "codec/") {
				t.Errorf("rules allow %s to import the backend %s", pkg, ours)
			}
		}
	}
}

func TestCheckFindsWhatTheTableForbids(t *testing.T) {
	fake := &table{
		module: "example.com/m",
		rules: map[string]rule{
			".":       {ours: "low high"},
			"low":     {unsafe: true},
			"high":    {ours: "low", outside: "example.org/lib/pkg"},
			"native":  {cgo: true},
			"command": {ours: "all"},
		},
		everyTest: rule{ours: "low", outside: "example.org/cmp"},
		testRules: map[string]rule{"low": {ours: "high"}},
	}
	tests := []struct {
		name, file, imports string
		want                string // part of the one message; "" for none
	}{
		{"standard library", "low/a.go", `"go/ast"`, ""},
		{"allowed edge", "high/a.go", `"example.com/m/low"`, ""},
		{"allowed from the root", "a.go", `"example.com/m/high"`, ""},
		{"allowed module", "high/a.go", `"example.org/lib/pkg"`, ""},
		{"below an allowed module", "high/a.go", `"example.org/lib/pkg/deep"`, ""},
		{"all", "command/a.go", `"example.com/m/native"`, ""},
		{"unsafe with leave", "low/a.go", `"unsafe"`, ""},
		{"cgo with leave", "native/a.go", `"C"`, ""},
		{"edge upwards", "low/a.go", `"example.com/m/high"`, `low/a.go:2: package low may not import "example.com/m/high"`},
		{"renamed import", "low/a.go", `x "example.com/m/high"`, "may not import"},
		{"blank import", "high/a.go", `_ "example.com/m/native"`, "may not import"},
		{"edge to the root", "low/a.go", `"example.com/m"`, "may not import"},
		{"edge to itself", "low/a.go", `"example.com/m/low"`, "may not import"},
		{"other module", "low/a.go", `"example.org/lib/pkg"`, "may not import"},
		{"other part of an allowed module", "high/a.go", `"example.org/lib"`, "may not import"},
		{"longer name of an allowed module", "high/a.go", `"example.org/lib/pkgs"`, "may not import"},
		{"module with a like name", "high/a.go", `"example.com/more"`, "may not import"},
		{"unsafe", "high/a.go", `"unsafe"`, `may not import "unsafe"`},
		{"cgo", "low/a.go", `"C"`, `may not import "C"`},
		{"cgo is not unsafe", "native/a.go", `"unsafe"`, `may not import "unsafe"`},
		{"no row", "new/a.go", `"fmt"`, "package new has no row"},
		{"no row below one", "high/deep/a.go", `"fmt"`, "package high/deep has no row"},
		{"test of the package itself", "low/a_test.go", `"example.com/m/low"`, ""},
		{"test with its row", "low/a_test.go", `"example.com/m/high"`, ""},
		{"test with what every test may", "native/a_test.go", `"example.org/cmp/opts"`, ""},
		{"row of tests in production", "low/a.go", `"example.org/cmp"`, "may not import"},
		{"test without a row", "high/a_test.go", `"example.com/m/native"`, "or, for tests alone, "},
		{"file of another system", "low/a_windows.go", `"example.com/m/high"`, "may not import"},
		{"nested module", "nested/a.go", `"example.com/m/high"`, ""},
		{"testdata", "low/testdata/a.go", `"example.com/m/high"`, ""},
		{"hidden directory", ".hidden/a.go", `"example.com/m/high"`, ""},
		{"not Go", "low/a.txt", `"example.com/m/high"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, "nested/go.mod", "module example.com/nested\n")
			write(t, root, tt.file, "package p\nimport "+tt.imports+"\n")
			found, err := fake.check(root)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if len(found) != 0 {
					t.Errorf("check() = %q, want none", found)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0], tt.want) {
				t.Errorf("check() = %q, want one message with %q", found, tt.want)
			}
		})
	}
}

func TestCheckReportsFilesThatDoNotParse(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.go", "pakcage p\n")
	fake := &table{module: "example.com/m", rules: map[string]rule{".": {}}}
	if _, err := fake.check(root); err == nil {
		t.Error("check() of a file that does not parse = nil, want an error")
	}
}

func TestTableLineFindsTheRow(t *testing.T) {
	lines := strings.Split(tableSource, "\n")
	rowOf := func(place string) string {
		t.Helper()
		number := 0
		for _, digit := range strings.TrimPrefix(place, "internal/layers/table.go:") {
			number = number*10 + int(digit-'0')
		}
		if number < 1 || number > len(lines) {
			t.Fatalf("%s is not a line of the table", place)
		}
		return strings.TrimSpace(lines[number-1])
	}
	for _, tt := range []struct{ variable, pkg, want string }{
		{"rules", "mp4", `"mp4":`},
		{"rules", ".", `".":`},
		{"testRules", ".", `".":`},
		{"rules", "", "var rules "},
		{"testRules", "source", "var testRules "},
	} {
		if got := rowOf(tableLine(tt.variable, tt.pkg)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("tableLine(%q, %q) is the line %q, want one that begins with %q", tt.variable, tt.pkg, got, tt.want)
		}
	}
	if rules, tests := tableLine("rules", "seek"), tableLine("testRules", "seek"); rules == tests {
		t.Errorf("tableLine gives %s for both maps", rules)
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	name = filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
