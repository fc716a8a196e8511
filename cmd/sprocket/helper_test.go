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

// What a program finds may be on a server without ranges: then it is read as a stream.
func TestHelperFindsWhatIsReadAsAStream(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	data, err := os.ReadFile(clip(t, twoTracks()))
	if err != nil {
		t.Fatal(err)
	}
	want := mustRun(t, "packets", clip(t, twoTracks()), "--json")
	long := append(data, append([]byte{0x01, 0x40, 0, 0, 'f', 'r', 'e', 'e'}, make([]byte, 20<<20-8)...)...) // too large to be kept
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(long) }))
	t.Cleanup(s.Close)
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	if err := os.WriteFile(filepath.Join(bin, "sprocket-s3"), []byte("#!/bin/sh\necho "+s.URL+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := mustRun(t, "packets", "s3://bucket/key", "--json"); strings.Count(got, "\n") != strings.Count(want, "\n") || got == "" {
		t.Errorf("packets of a stream:\n%s\nof the file:\n%s", got, want)
	}
}
