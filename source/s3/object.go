package s3

import (
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
	path := "/" + b.path
	if b.endpoint != nil {
		u.Scheme = b.endpoint.Scheme
		path = strings.TrimSuffix(b.endpoint.Path, "/") + "/" + b.bucket + path
	} else if strings.HasPrefix(u.Host, "s3.") {
		path = "/" + b.bucket + path
	}
	u.RawPath = path
	u.Path, _ = url.PathUnescape(path) // it was escaped here
	return u
}

// host returns the host to ask. At Amazon the bucket is part of it, but where a certificate would not hold for that.
func (b *object) host() string {
	if b.endpoint != nil {
		return b.endpoint.Host
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(b.region(), "cn-") {
		domain = "amazonaws.com.cn"
	}
	host := "s3." + b.region() + "." + domain
	if strings.ContainsAny(b.bucket, "._") || strings.ToLower(b.bucket) != b.bucket {
		return host
	}
	return b.bucket + "." + host
}

// RoundTrip signs requests to the host of the object, and those only. A bucket of Amazon's that says it is in another region is asked
// there.
func (b *object) RoundTrip(req *http.Request) (*http.Response, error) {
	host := b.host()
	if !b.mine(req.URL.Host) {
		return b.base.RoundTrip(req)
	}
	resp, err := b.send(req, host)
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

// mine says whether a host is that of the object, now or before its region was known.
func (b *object) mine(host string) bool {
	if b.endpoint != nil {
		return host == b.endpoint.Host
	}
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
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
