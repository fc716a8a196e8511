package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/conformance"
)

func TestConformance(t *testing.T) {
	m := twoTracks()
	m.Tracks = m.Tracks[1:] // made-up video cannot be decoded
	name := clip(t, m)
	out := mustRun(t, "conformance", ".", "--html", "report.html")
	if !strings.Contains(out, "passed") || !strings.Contains(out, name) || !strings.Contains(out, "\n1 passed") {
		t.Errorf("conformance printed %q", out)
	}
	if out := mustRun(t, "conformance", ".", "--all"); !strings.Contains(out, "every frame decoded") {
		t.Errorf("conformance --all printed %q", out)
	}
	page, err := os.ReadFile("report.html")
	if err != nil || !strings.Contains(string(page), `<tr class="passed"`) {
		t.Errorf("the page has %d bytes, %v", len(page), err)
	}
	var rep conformance.Report
	if err := json.Unmarshal([]byte(mustRun(t, "conformance", ".", "--json")), &rep); err != nil || !rep.OK() || len(rep.Rows) != 1 || rep.Rows[0].File != name {
		t.Errorf("the JSON is %+v, %v", rep, err)
	}
}

func TestConformanceFails(t *testing.T) {
	name := clip(t, twoTracks())
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, whole[:60], 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "") // without ffprobe nobody says that it is broken
	status, out, errs := sprocketIn(t, "", "conformance", ".")
	if status != exitInput || !strings.Contains(out, "failed") || !strings.Contains(errs, "1 failed") || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, out, errs)
	}
	for _, args := range [][]string{{"conformance"}, {"conformance", ".", "."}, {"conformance", ""}} {
		if status, _, _ := sprocketIn(t, "", args...); status != exitUsage {
			t.Errorf("%q: exit status %d, want %d", args, status, exitUsage)
		}
	}
	if status, _, errs := sprocketIn(t, "", "conformance", "nowhere"); status != exitInput || !strings.HasPrefix(errs, "sprocket: nowhere: ") {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
}
