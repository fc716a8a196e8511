package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestInspectOverHTTP(t *testing.T) {
	name := clip(t, twoTracks())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "hunter2" || r.URL.Query().Get("sig") != "s3cret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.ServeFile(w, r, name)
	}))
	t.Cleanup(s.Close)
	shown := s.URL + "/clip.mp4?…"
	url := strings.Replace(s.URL, "://", "://me:hunter2@", 1) + "/clip.mp4?sig=s3cret"
	var local, remote report
	for name, r := range map[string]*report{name: &local, url: &remote} {
		if err := json.Unmarshal([]byte(mustRun(t, "inspect", "--json", name)), r); err != nil {
			t.Fatal(err)
		}
	}
	if remote.Source != shown || remote.Bytes != local.Bytes || len(remote.Tracks) != len(local.Tracks) || local.HTTP != nil {
		t.Errorf("%s: %d bytes, %d tracks; want %s, %d, %d", remote.Source, remote.Bytes, len(remote.Tracks), shown, local.Bytes, len(local.Tracks))
	}
	if h := remote.HTTP; h == nil || h.Requests != 1 || h.Bytes != local.Bytes || h.Retries != 0 {
		t.Errorf("http %+v, want 1 request of %d bytes", h, local.Bytes)
	}
	if text := mustRun(t, "inspect", url); !strings.Contains(text, "\nhttp: 1 request of ") || !strings.HasPrefix(text, shown+": ") {
		t.Errorf("inspect prints\n%s", text)
	}
	if got, want := mustRun(t, "packets", url), mustRun(t, "packets", name); got != want {
		t.Errorf("packets over HTTP:\n%s\nwant\n%s", got, want)
	}
	status, _, errs := sprocketIn(t, "", "inspect", strings.Replace(url, "s3cret", "wrong", 1))
	if want := "sprocket: " + shown + ": bytes 0-65535: 403 Forbidden\n"; status != exitInput || errs != want {
		t.Errorf("exit status %d, stderr %q, want %q", status, errs, want)
	}
}
