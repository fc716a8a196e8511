// Package s3 opens objects in buckets of Amazon S3 and of servers that speak its language: s3://bucket/key. It is a module of its own, so
// that programs that need no buckets are built without the AWS SDK.
//
// A program that imports it opens such names wherever it opens URLs:
//
//	import _ "github.com/sprocket-video/sprocket/source/s3"
//	d, err := sprocket.Open(ctx, "s3://bucket/clip.mp4", nil)
//
// Of the SDK only credentials and signatures are used. Bytes are read by source.HTTP, so that budgets, retries, prefetching, and the
// refusal of an object that was replaced in mid-read are those of every other URL.
//
// Credentials, region and endpoint come from where the AWS tools take them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
// AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the shared files, web identities, the container's and the machine's
// roles. Where there are none, requests are not signed: public objects can be read. AWS_EC2_METADATA_DISABLED=true saves
// looking for a machine's role where there is none.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/sprocket-video/sprocket/source"
)

func init() {
	source.RegisterScheme("s3", func(ctx context.Context, name string, o *source.RemoteOptions) (*source.Remote, error) {
		opts := &Options{}
		if o != nil {
			opts.Remote = *o
		}
		return Open(ctx, name, opts)
	})
}

// Options say how an object is reached. The zero value is the default, and so is nil.
type Options struct {
	// Remote says how it is read and kept. Its HTTP.Wrap must be nil.
	Remote source.RemoteOptions
	// Config has credentials, region and endpoint. Nil loads it from the environment and the shared files.
	Config *aws.Config
	// Anonymous sends requests that are not signed, and looks for no credentials.
	Anonymous bool
}

// Open opens the object that s3://bucket/key names. The key is taken as it stands: nothing in it is unescaped.
func Open(ctx context.Context, name string, o *Options) (*source.Remote, error) {
	if o == nil {
		o = &Options{}
	}
	b, err := find(ctx, name, o)
	if err != nil {
		return nil, err
	}
	opts := o.Remote
	if opts.HTTP.Wrap != nil {
		return nil, errors.New("s3: HTTP.Wrap is set")
	}
	opts.HTTP.Wrap = func(base http.RoundTripper) http.RoundTripper {
		b.base = base
		return b
	}
	r, err := source.OpenRemote(ctx, b.url().String(), &opts)
	if e, ok := errors.AsType[*source.HTTPError](err); ok && b.missing != nil && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized) {
		return nil, fmt.Errorf("%w; the request was not signed: %w", err, b.missing)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Presign returns an https, or http, URL by which whoever has it can read the object for a while, at most 7 days, and no longer than the
// credentials live. Without credentials it is the object's plain address. Amazon is asked in which region the bucket is; a server at another
// endpoint is asked nothing.
func Presign(ctx context.Context, name string, o *Options, lasts time.Duration) (string, error) {
	if o == nil {
		o = &Options{}
	}
	b, err := find(ctx, name, o)
	if err != nil {
		return "", err
	}
	b.base = http.DefaultTransport
	if c := o.Remote.HTTP.Client; c != nil && c.Transport != nil {
		b.base = c.Transport
	}
	b.learn(ctx)
	if err := ctx.Err(); err != nil {
		return "", err
	}
	u := b.url()
	if b.creds == nil {
		return u.String(), nil
	}
	creds, err := b.creds.Retrieve(ctx)
	if err != nil {
		return "", fmt.Errorf("s3: %w", err)
	}
	q := u.Query()
	q.Set("X-Amz-Expires", fmt.Sprint(int64(lasts/time.Second)))
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", errors.New("s3: the endpoint is no URL")
	}
	signed, _, err := b.signer.PresignHTTP(ctx, creds, req, unsigned, "s3", b.region(), time.Now())
	if err != nil {
		return "", fmt.Errorf("s3: %w", err)
	}
	return signed, nil
}

// unsigned stands for the hash of a body that is not signed.
const unsigned = "UNSIGNED-PAYLOAD"

// find finds out where an object is, and who asks for it.
func find(ctx context.Context, name string, o *Options) (*object, error) {
	bucket, key, err := parse(name)
	if err != nil {
		return nil, err
	}
	var cfg aws.Config
	if o.Config != nil {
		cfg = *o.Config
	} else if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	b := &object{bucket: bucket, path: escape(key), signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
	b.at.Store(aws.String(cfg.Region))
	if cfg.Region == "" {
		b.at.Store(aws.String("us-east-1"))
	}
	for _, endpoint := range []string{os.Getenv("AWS_ENDPOINT_URL_S3"), aws.ToString(cfg.BaseEndpoint), os.Getenv("AWS_ENDPOINT_URL")} {
		if endpoint == "" {
			continue
		}
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("s3: the endpoint is no http or https URL without credentials")
		}
		b.endpoint = u
		break
	}
	if o.Anonymous || cfg.Credentials == nil {
		return b, nil
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		b.missing = err
		return b, nil
	}
	b.creds = cfg.Credentials
	return b, nil
}

// parse takes a name apart.
func parse(name string) (bucket, key string, err error) {
	if source.SchemeOf(name) != "s3" {
		return "", "", fmt.Errorf("s3: %q is no name of an object: s3://bucket/key", name)
	}
	bucket, key, _ = strings.Cut(name[len("s3://"):], "/")
	ok := len(bucket) >= 3 && len(bucket) <= 63 && !strings.ContainsFunc(bucket, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
	if !ok || strings.Contains(bucket, "..") || key == "" {
		return "", "", fmt.Errorf("s3: %q is no name of an object: s3://bucket/key", name)
	}
	return bucket, key, nil
}

// escape escapes a key as signatures want it: all but unreserved characters and slashes.
func escape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
