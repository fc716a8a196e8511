package s3

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprocket-video/sprocket/source"
)

func open(t *testing.T, name string, o *Options) *source.Remote {
	t.Helper()
	r, err := Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // it cannot fail
	return r
}

func wantBytes(t *testing.T, r *source.Remote, data []byte, off, n int) {
	t.Helper()
	p := make([]byte, n)
	if err := source.ReadFull(t.Context(), r, p, int64(off)); err != nil || !bytes.Equal(p, data[off:off+n]) {
		t.Errorf("%d bytes at %d: %v, or wrong bytes", n, off, err)
	}
}

func TestReadsObjectsOfAServer(t *testing.T) {
	gateway(t)
	for i, key := range []string{"clip.mp4", "a folder/ä+b=c@d&e;f,g:h$i!j*k'l(m).mp4", "100%.mp4", "a%20b.mp4"} {
		name := "s3://clips/" + key
		data := noise(300_000+i, 1)
		put(t, name, data)
		r, err := source.OpenURL(t.Context(), name, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Size() != int64(len(data)) || r.Version() == "" {
			t.Errorf("%s: %d bytes, version %q", name, r.Size(), r.Version())
		}
		wantBytes(t, r, data, 0, 1000)
		wantBytes(t, r, data, 200_000, 50_000)
		wantBytes(t, r, data, len(data)-10, 10)
		if s := r.HTTP.Stats(); s.Requests != 3 || s.Bytes > 64<<10+52<<10+1<<10 || s.Retries != 0 {
			t.Errorf("%s: %+v, want 3 requests", name, s)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		u, err := Presign(t.Context(), name, nil, time.Minute)
		if err != nil || strings.Contains(u, secretKey) {
			t.Fatalf("%s: %q, %v", name, u, err)
		}
		p, err := source.OpenRemote(t.Context(), u, nil)
		if err != nil {
			t.Fatalf("%s, presigned: %v", name, err)
		}
		wantBytes(t, p, data, 100_000, 100_000)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An object that is replaced while it is read is an error, not a mixture; also where it was expected and never opened.
func TestObjectReplacedInMidRead(t *testing.T) {
	gateway(t)
	const name = "s3://clips/clip.mp4"
	one, two := noise(300_000, 1), noise(300_000, 2)
	put(t, name, one)
	r := open(t, name, nil)
	wantBytes(t, r, one, 100_000, 1000)
	known := &source.Expect{Size: r.Size(), Version: r.Version()}
	e := open(t, name, &Options{Remote: source.RemoteOptions{HTTP: source.HTTPOptions{Expect: known}}})
	wantBytes(t, e, one, 150_000, 1000)
	if got := e.HTTP.Stats().Requests; got != 1 {
		t.Errorf("%d requests to read an object that was expected, want 1", got)
	}
	put(t, name, two)
	p := make([]byte, 1000)
	if err := source.ReadFull(t.Context(), r, p, 200_000); !errors.Is(err, source.ErrChanged) || !bytes.Equal(p, make([]byte, 1000)) {
		t.Errorf("ReadFull = %v, want ErrChanged and no byte", err)
	}
	e = open(t, name, &Options{Remote: source.RemoteOptions{HTTP: source.HTTPOptions{Expect: known}}})
	if err := source.ReadFull(t.Context(), e, p, 200_000); !errors.Is(err, source.ErrChanged) {
		t.Errorf("ReadFull = %v, want ErrChanged", err)
	}
	wantBytes(t, r, one, 100_000, 1000) // it is in the cache
}

func TestErrorsTellTheReasonAndNoSecret(t *testing.T) {
	endpoint := gateway(t)
	put(t, "s3://clips/clip.mp4", noise(1000, 1))
	wrong := secretKey + "-wrong"
	for _, tt := range []struct {
		name string
		vars map[string]string
		key  string
		want string
	}{
		{"no such key", nil, "other.mp4", "404 Not Found"},
		{"wrong secret", map[string]string{"AWS_SECRET_ACCESS_KEY": wrong}, "clip.mp4", "403 Forbidden"},
		{"no credentials", map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "clip.mp4", "403 Forbidden; the request was not signed: "},
	} {
		vars := map[string]string{
			"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint,
		}
		for name, v := range tt.vars {
			vars[name] = v
		}
		environment(t, vars)
		_, err := Open(t.Context(), "s3://clips/"+tt.key, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), endpoint+"/clips/"+tt.key) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), secretKey) || strings.Contains(err.Error(), accessKey) || strings.Contains(err.Error(), "Signature")) {
			t.Errorf("%s: the error shows credentials: %v", tt.name, err)
		}
	}
}

func TestSharedFiles(t *testing.T) {
	endpoint := gateway(t)
	data := noise(100_000, 3)
	put(t, "s3://clips/clip.mp4", data)
	dir := t.TempDir()
	conf, keys := filepath.Join(dir, "config"), filepath.Join(dir, "credentials")
	for name, text := range map[string]string{
		conf: "[profile studio]\nregion = us-east-1\nendpoint_url = " + endpoint + "\n",
		keys: "[studio]\naws_access_key_id = " + accessKey + "\naws_secret_access_key = " + secretKey + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment(t, map[string]string{"AWS_CONFIG_FILE": conf, "AWS_SHARED_CREDENTIALS_FILE": keys, "AWS_PROFILE": "studio"})
	wantBytes(t, open(t, "s3://clips/clip.mp4", nil), data, 50_000, 50_000)
}

// Without credentials requests are not signed. Redirects to other hosts are followed without a signature.
func TestAnonymousAndRedirected(t *testing.T) {
	data := noise(200_000, 4)
	var signed, elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Amz-Security-Token") != "" {
			t.Error("a signature came to another host")
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(data))
	}))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+accessKey) && r.Header.Get("X-Amz-Security-Token") == "token" {
			signed.Add(1)
		}
		if strings.HasSuffix(r.URL.Path, "/moved") {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(data))
	}))
	defer s.Close()
	vars := map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL_S3": s.URL, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
	environment(t, vars)
	wantBytes(t, open(t, "s3://bucket/key", nil), data, 100_000, 1000)
	if signed.Load() != 2 {
		t.Errorf("%d signed requests, want 2", signed.Load())
	}
	wantBytes(t, open(t, "s3://bucket/moved", nil), data, 100_000, 1000)
	if elsewhere.Load() != 2 {
		t.Errorf("%d requests to where it moved, want 2", elsewhere.Load())
	}
	signed.Store(0)
	wantBytes(t, open(t, "s3://bucket/key", &Options{Anonymous: true}), data, 100_000, 1000)
	environment(t, map[string]string{"AWS_ENDPOINT_URL": s.URL})
	wantBytes(t, open(t, "s3://bucket/key", nil), data, 100_000, 1000)
	if signed.Load() != 0 {
		t.Errorf("%d signed requests without credentials", signed.Load())
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"s3://bucket", "s3://bucket/", "s3://b/key", "s3://a..b/key", "s3:///key", "s3://user:secret@host/key", "s4://bucket/key", "bucket/key"} {
		if _, _, err := parse(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if bucket, key, err := parse("S3://bucket/a//b?c#d"); bucket != "bucket" || key != "a//b?c#d" || err != nil {
		t.Errorf("%q, %q, %v", bucket, key, err)
	}
	for _, tt := range []struct{ bucket, region, want string }{
		{"bucket", "eu-west-1", "https://bucket.s3.eu-west-1.amazonaws.com/a/b%20c"},
		{"with.dots", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/with.dots/a/b%20c"},
		{"bucket", "cn-north-1", "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b%20c"},
	} {
		b := &object{bucket: tt.bucket, path: escape("a/b c")}
		b.at.Store(&tt.region)
		if got := b.url().String(); got != tt.want {
			t.Errorf("%s in %s: %s, want %s", tt.bucket, tt.region, got, tt.want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Amazon tells in which region a bucket is; it is asked there, and from then on.
func TestRegionOfTheBucket(t *testing.T) {
	environment(t, map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_REGION": "us-west-2"})
	b, err := find(t.Context(), "s3://bucket/key", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	b.base = roundTrip(func(r *http.Request) (*http.Response, error) {
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "/")
		asked = append(asked, r.URL.Host+" "+strings.Split(scope, "/")[1])
		resp := httptest.NewRecorder()
		if r.URL.Host != "bucket.s3.eu-central-1.amazonaws.com" {
			resp.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
			resp.WriteHeader(http.StatusMovedPermanently)
		}
		return resp.Result(), nil
	})
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://bucket.s3.us-west-2.amazonaws.com/key", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
	}
	want := []string{"bucket.s3.us-west-2.amazonaws.com us-west-2", "bucket.s3.eu-central-1.amazonaws.com eu-central-1", "bucket.s3.eu-central-1.amazonaws.com eu-central-1"}
	if fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// Requests are signed, and led to the bucket's region, for the bucket itself and nothing else.
func TestOnlyTheBucketIsSigned(t *testing.T) {
	environment(t, map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_REGION": "us-west-2"})
	for _, tt := range []struct {
		bucket, endpoint, url string
		asked                 string // the host
		signed                bool
	}{
		{"bucket", "", "https://bucket.s3.us-west-2.amazonaws.com/a", "bucket.s3.us-west-2.amazonaws.com", true},
		{"bucket", "", "https://bucket.s3.us-east-1.amazonaws.com/a", "bucket.s3.us-west-2.amazonaws.com", true},
		{"bucket", "", "https://bucket.s3.amazonaws.com/a", "bucket.s3.us-west-2.amazonaws.com", true},
		{"bucket", "", "http://bucket.s3.us-west-2.amazonaws.com/a", "bucket.s3.us-west-2.amazonaws.com", false},
		{"bucket", "", "https://other.s3.us-east-1.amazonaws.com/a", "other.s3.us-east-1.amazonaws.com", false},
		{"bucket", "", "https://my-bucket.s3.us-east-1.amazonaws.com/a", "my-bucket.s3.us-east-1.amazonaws.com", false},
		{"bucket", "", "https://bucket.s3.evil.com.amazonaws.com/a", "bucket.s3.evil.com.amazonaws.com", false},
		{"bucket", "", "https://sts.amazonaws.com/a", "sts.amazonaws.com", false},
		{"bucket", "", "https://bucket.s3.us-west-2.amazonaws.com.evil.com/a", "bucket.s3.us-west-2.amazonaws.com.evil.com", false},
		{"mys3", "", "https://mys3.s3.us-east-1.amazonaws.com/a", "mys3.s3.us-west-2.amazonaws.com", true},
		{"with.dots", "", "https://s3.us-east-1.amazonaws.com/with.dots/a", "s3.us-west-2.amazonaws.com", true},
		{"with.dots", "", "https://s3.us-east-1.amazonaws.com/with.dots.too/a", "s3.us-east-1.amazonaws.com", false},
		{"bucket", "http://store:9000/s3/", "http://store:9000/s3/bucket/b", "store:9000", true},
		{"bucket", "http://store:9000/s3/", "http://store:9000/s3/other/b", "store:9000", false},
		{"bucket", "http://store:9000/s3/", "http://store:9001/s3/bucket/b", "store:9001", false},
		{"bucket", "http://store:9000/s3/", "https://bucket.s3.us-west-2.amazonaws.com/a", "bucket.s3.us-west-2.amazonaws.com", false},
	} {
		t.Setenv("AWS_ENDPOINT_URL", tt.endpoint)
		b, err := find(t.Context(), "s3://"+tt.bucket+"/key", &Options{})
		if err != nil {
			t.Fatal(err)
		}
		b.base = roundTrip(func(r *http.Request) (*http.Response, error) {
			if signed := r.Header.Get("Authorization") != ""; signed != tt.signed || r.URL.Host != tt.asked {
				t.Errorf("%s of %s: %s asked, signed: %t; want %s, %t", tt.url, tt.bucket, r.URL.Host, signed, tt.asked, tt.signed)
			}
			return httptest.NewRecorder().Result(), nil
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RoundTrip(req); err != nil {
			t.Error(err)
		}
	}
}

// amazon is a client to which a bucket of us-west-2 turns out to be in eu-central-1, where handle answers.
func amazon(handle http.HandlerFunc) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		if r.URL.Host == "bucket.s3.us-west-2.amazonaws.com" {
			w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
			w.WriteHeader(http.StatusMovedPermanently)
		} else {
			handle(w, r)
		}
		resp := w.Result()
		resp.Request = r
		return resp, nil
	})}
}

// What signed a request after the region had changed does not go to where a later one is redirected.
func TestSignaturesStayAfterTheRegionChanged(t *testing.T) {
	environment(t, map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": "token", "AWS_REGION": "us-west-2"})
	data := noise(200_000, 5)
	elsewhere := 0
	o := &Options{Remote: source.RemoteOptions{HTTP: source.HTTPOptions{Client: amazon(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Host == "other.example.com":
			elsewhere++
			for name := range r.Header {
				if name == "Authorization" || strings.HasPrefix(name, "X-Amz-") {
					t.Errorf("%s came to another host", name)
				}
			}
		case strings.HasPrefix(r.Header.Get("Range"), "bytes=0-"):
		default:
			http.Redirect(w, r, "https://other.example.com/", http.StatusTemporaryRedirect)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(data))
	})}}}
	wantBytes(t, open(t, "s3://bucket/key", o), data, 100_000, 1000)
	if elsewhere != 1 {
		t.Errorf("%d requests elsewhere, want 1", elsewhere)
	}
}

func TestPresignKnowsTheRegion(t *testing.T) {
	for name, keys := range map[string]string{"signed": accessKey, "anonymous": ""} {
		environment(t, map[string]string{"AWS_REGION": "us-west-2"})
		if keys != "" {
			t.Setenv("AWS_ACCESS_KEY_ID", keys)
			t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
		}
		o := &Options{Remote: source.RemoteOptions{HTTP: source.HTTPOptions{Client: amazon(func(http.ResponseWriter, *http.Request) {})}}}
		u, err := Presign(t.Context(), "s3://bucket/key", o, time.Minute)
		if err != nil || !strings.HasPrefix(u, "https://bucket.s3.eu-central-1.amazonaws.com/key") || keys != "" && !strings.Contains(u, "eu-central-1%2Fs3") {
			t.Errorf("%s: %q, %v", name, u, err)
		}
	}
}
