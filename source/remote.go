package source

import (
	"context"
	"strings"
)

// Remote is a file on a server behind a cache that is set up for media: small blocks, so that hardly a byte is read that is not
// wanted, and tables at the end of the file fetched at the first look. It is safe for concurrent use.
type Remote struct {
	*Cache
	// HTTP is the source below. Its Stats tell the requests.
	HTTP *HTTP
}

const (
	remoteBlock = 4 << 10
	remoteTail  = 1 << 20
)

// OpenRemote opens the file at an http or https URL.
func OpenRemote(ctx context.Context, url string, o *HTTPOptions) (*Remote, error) {
	h, err := OpenHTTP(ctx, url, o)
	if err != nil {
		return nil, err
	}
	return &Remote{NewCache(h, &CacheOptions{BlockSize: remoteBlock, Tail: remoteTail}), h}, nil
}

// Close closes the source below.
func (r *Remote) Close() error { return r.HTTP.Close() }

// IsURL says whether a name is an http or https URL rather than a path.
func IsURL(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// PrefetcherOf returns what can be told what will be read of src: src itself, or what its counters count. It is nil where nothing
// gains from it.
func PrefetcherOf(src Source) Prefetcher {
	for {
		c, ok := src.(*Counter)
		if !ok {
			break
		}
		src = c.src
	}
	p, _ := src.(Prefetcher) // nil is the answer then
	return p
}
