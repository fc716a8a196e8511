package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Names of schemes that are not built in are turned into URLs by a program.
func TestHelperFindsObjects(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	name := clip(t, twoTracks())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sig") != "s3cret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.ServeFile(w, r, name)
	}))
	t.Cleanup(s.Close)
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	helper := func(script string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(bin, "sprocket-s3"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(want string) {
		t.Helper()
		status, _, errs := sprocketIn(t, "", "inspect", "s3://bucket/key")
		if status != exitInput || !strings.HasPrefix(errs, "sprocket: s3://bucket/key: "+want) || strings.Contains(errs, "s3cret") {
			t.Errorf("exit status %d, stderr %q, want %q", status, errs, want)
		}
	}
	fails(`scheme "s3": `)
	helper(`[ "$1" = s3://bucket/key ] && echo "` + s.URL + `/key?sig=s3cret"`)
	if text := mustRun(t, "inspect", "s3://bucket/key"); !strings.HasPrefix(text, "s3://bucket/key: ") || !strings.Contains(text, "\nhttp: 1 request of ") {
		t.Errorf("inspect prints\n%s", text)
	}
	helper(`echo "no such profile" >&2; exit 1`)
	fails("no such profile\n")
	helper(`echo file:///etc/passwd`)
	fails("sprocket-s3 printed no http or https URL\n")
	helper(`echo "` + s.URL + `/key?sig=wrong"`)
	fails("open " + s.URL + "/key?…: bytes 0-65535: 403 Forbidden\n")
}
