//go:build unix

package source

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Opening a pipe nobody writes to would wait for ever.
func TestOpenFileRefusesPipes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skipf("needs named pipes: %v", err)
	}
	if _, err := OpenFile(name); err == nil || !strings.HasSuffix(err.Error(), "not a regular file") {
		t.Errorf("OpenFile = %v, want not a regular file", err)
	}
}
