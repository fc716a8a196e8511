package s3

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	accessKey = "AKIATESTTESTTEST"
	secretKey = "do-not-tell-this-secret"
)

// environment sets the variables of the AWS tools, and hides what the machine has.
func environment(t *testing.T, vars map[string]string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
		"AWS_ENDPOINT_URL_S3", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, v := range vars {
		t.Setenv(name, v)
	}
}

// gateway starts a real server over an empty directory with one bucket, and returns its address. The environment leads to it.
func gateway(t *testing.T) (endpoint string) {
	t.Helper()
	program := os.Getenv("SPROCKET_VERSITYGW")
	if program == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skip(err)
		}
		program = filepath.Join(cache, "sprocket-test", "versitygw-v1.8.0")
	}
	if _, err := os.Stat(program); err != nil {
		t.Skipf("needs versitygw: sh scripts/versitygw.sh builds it (%v)", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	root, side := t.TempDir(), t.TempDir()
	var out bytes.Buffer
	cmd := exec.Command(program, "--quiet", "--port", addr, "posix", "--sidecar", side, root)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // killed
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close() // it was only knocked at
			break
		}
		if time.Now().After(end) {
			t.Fatalf("versitygw does not listen: %s", out.Bytes())
		}
	}
	endpoint = "http://" + addr
	environment(t, map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint,
	})
	put(t, "s3://clips/", nil)
	return endpoint
}

// put makes an object, or, without a key, a bucket, with a signed request.
func put(t *testing.T, name string, data []byte) {
	t.Helper()
	bucketOnly := name[len(name)-1] == '/'
	if bucketOnly {
		name += "-"
	}
	b, err := find(t.Context(), name, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.base = http.DefaultTransport
	u := b.url()
	if bucketOnly {
		u.Path, u.RawPath = "/"+b.bucket, ""
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, u.String(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	_, _ = text.ReadFrom(resp.Body) // for the message only
	_ = resp.Body.Close()           // it was read
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT %s: %s: %s", name, resp.Status, text.Bytes())
	}
}

func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
