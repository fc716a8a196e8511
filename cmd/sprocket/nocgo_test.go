//go:build !cgo

package main

import (
	"strings"
	"testing"
)

// Without cgo there may be no decoder; then the program says so.
func TestFramesWithoutDecoder(t *testing.T) {
	name := clip(t, twoTracks())
	status, stdout, stderr := sprocketIn(t, "", "frames", name, "--at", "0", "-o", "x.npy")
	if status != exitInput || stdout != "" || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}
