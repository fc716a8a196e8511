package testmedia

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// HLS makes a playlist, list.m3u8, of a test picture in a new folder, and returns that: segments of a second, ten frames each, unless the further
// arguments for ffmpeg say otherwise. With "-hls_key_info_file", "key.info" they are encrypted by key.bin. It skips where ffmpeg is missing.
func HLS(t testing.TB, seconds int, args ...string) string {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is missing: run make setup")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"key.bin":  "0123456789abcdef",
		"key.info": "key.bin\n" + filepath.Join(dir, "key.bin") + "\n000102030405060708090a0b0c0d0e0f\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), ffmpeg, slices.Concat([]string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=128x96:rate=10", "-t", fmt.Sprint(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2",
		"-g", "10", "-keyint_min", "10", "-sc_threshold", "0", "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod",
	}, args, []string{"list.m3u8"})...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	return dir
}

// Nginx is a real server of a folder, under / and under /late/.
type Nginx struct {
	URL  string // without a slash at the end
	work string
	cmd  *exec.Cmd
}

// StartNginx serves a folder until the test ends, or skips where nginx is missing.
func StartNginx(t testing.TB, dir string) *Nginx {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is missing: run make setup")
	}
	work := t.TempDir()
	socket := httptest.NewUnstartedServer(nil)
	address := socket.Listener.Addr().String()
	_ = socket.Listener.Close() // its port is free now
	conf := fmt.Sprintf("worker_processes 1; daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error;\nevents {}\n"+
		"http { log_format names $uri; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d;\n"+
		"scgi_temp_path %[1]s/e; access_log off; server { listen %[2]s; root %[3]s; location / { access_log %[1]s/access names; }\n"+
		"location /late/ { alias %[3]s/; } location = /ready { return 200; } } }\n", work, address, dir)
	if err := os.WriteFile(filepath.Join(work, "conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	n := &Nginx{URL: "http://" + address, work: work, cmd: exec.CommandContext(t.Context(), program, "-p", work, "-c", filepath.Join(work, "conf"))}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.cmd.Process.Kill() // it may be gone
		_ = n.cmd.Wait()
	})
	for range 500 {
		if resp, err := http.Get(n.URL + "/ready"); err == nil {
			_ = resp.Body.Close()
			return n
		}
		time.Sleep(20 * time.Millisecond)
	}
	complaint, _ := os.ReadFile(filepath.Join(work, "error"))
	t.Fatalf("nginx does not answer: %s", complaint)
	return nil
}

// Asked stops the server and returns what was asked for, by name, but for what was under /late/.
func (n *Nginx) Asked(t testing.TB) map[string]int {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // it writes of all requests first
		t.Fatal(err)
	}
	_ = n.cmd.Wait() // the log tells
	data, err := os.ReadFile(filepath.Join(n.work, "access"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for name := range strings.FieldsSeq(string(data)) {
		names[strings.TrimPrefix(name, "/")]++
	}
	return names
}
