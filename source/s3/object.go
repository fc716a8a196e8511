package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// object is where an object is, and signs requests for it. It is safe for concurrent use.
type object struct {
	bucket, path string
	endpoint     *url.URL // nil is Amazon's
	creds        aws.CredentialsProvider
	missing      error // why there are no credentials, if some were looked for
	signer       *v4.Signer
	base         http.RoundTripper

	at atomic.Pointer[string] // the bucket's region
}

func (b *object) region() string { return *b.at.Load() }

// url returns the address of the object.
func (b *object) url() *url.URL {
	u := &url.URL{Scheme: "https", Host: b.host()}
	if b.endpoint != nil {
		u.Scheme = b.endpoint.Scheme
	}
	u.RawPath = b.root() + "/" + b.path
	u.Path, _ = url.PathUnescape(u.RawPath) // it was escaped here
	return u
}

// root returns what the paths of all objects of the bucket begin with.
func (b *object) root() string {
	switch {
	case b.endpoint != nil:
		return strings.TrimSuffix(b.endpoint.Path, "/") + "/" + b.bucket
	case b.named():
		return ""
	}
	return "/" + b.bucket
}

// named says whether the bucket is part of the host's name at Amazon: not where a certificate would not hold for that.
func (b *object) named() bool {
	return !strings.ContainsAny(b.bucket, "._") && strings.ToLower(b.bucket) == b.bucket
}

// host returns the host to ask.
func (b *object) host() string {
	if b.endpoint != nil {
		return b.endpoint.Host
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(b.region(), "cn-") {
		domain = "amazonaws.com.cn"
	}
	return b.before() + b.region() + "." + domain
}

// before returns what a host of Amazon's has before the region.
func (b *object) before() string {
	if b.named() {
		return b.bucket + ".s3."
	}
	return "s3."
}

// RoundTrip signs requests for the bucket of the object, and those only. A bucket of Amazon's that says it is in another region is asked
// there.
func (b *object) RoundTrip(req *http.Request) (*http.Response, error) {
	if !b.mine(req.URL) {
		return b.base.RoundTrip(req)
	}
	resp, err := b.send(req, b.host())
	if err != nil || b.endpoint != nil {
		return resp, err
	}
	region := resp.Header.Get("X-Amz-Bucket-Region")
	wrong := resp.StatusCode >= 300 && region != "" && region != b.region() && isRegion(region)
	if !wrong {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // for the connection's sake only
	_ = resp.Body.Close()                         // it is not wanted
	b.at.Store(&region)
	return b.send(req, b.host())
}

// mine says whether a URL is one of the bucket, in whatever region.
func (b *object) mine(u *url.URL) bool {
	if u.Path != b.root() && !strings.HasPrefix(u.Path, b.root()+"/") {
		return false
	}
	if b.endpoint != nil {
		return u.Scheme == b.endpoint.Scheme && u.Host == b.endpoint.Host
	}
	rest, ok := strings.CutPrefix(u.Host, b.before())
	rest = strings.TrimSuffix(rest, ".cn")
	region, amazon := strings.CutSuffix(rest, ".amazonaws.com")
	return ok && u.Scheme == "https" && (rest == "amazonaws.com" || amazon && isRegion(region)) // of old there was no region in it
}

// learn asks for the head of an object of Amazon's, whose answer says in which region the bucket is. Whoever reads it meets what fails here.
func (b *object) learn(ctx context.Context) {
	if b.endpoint != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, b.url().String(), nil)
	if err != nil {
		return
	}
	if resp, err := b.RoundTrip(req); err == nil {
		_ = resp.Body.Close() // of a HEAD there is none
	}
}

func isRegion(s string) bool {
	return len(s) < 32 && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// send signs a request for a host and sends it.
func (b *object) send(req *http.Request, host string) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL.Host, out.Host = host, host
	if b.creds != nil {
		creds, err := b.creds.Retrieve(req.Context())
		if err != nil {
			return nil, errors.Join(errors.New("s3: the credentials could not be renewed"), err)
		}
		out.Header.Set("X-Amz-Content-Sha256", unsigned)
		if err := b.signer.SignHTTP(req.Context(), creds, out, unsigned, "s3", b.region(), time.Now()); err != nil {
			return nil, err
		}
	}
	return b.base.RoundTrip(out)
}
