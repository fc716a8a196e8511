package source

import (
	"context"
	"strings"
)

// Remote is a file on a server behind a cache that is set up for media: the blocks are small, so that hardly a byte is read that is
// not wanted. It is safe for concurrent use.
type Remote struct {
	*Cache
	// HTTP is the source below. Its Stats tell the requests.
	HTTP *HTTP
}

// RemoteOptions say how a remote file is read and kept. The zero value is the default, and so is nil.
type RemoteOptions struct {
	HTTP HTTPOptions
	// Cache is how many bytes are kept. Zero means 32 MiB.
	Cache int64
	// Ahead bounds what a call fetches before it is needed. Zero fields mean 8 requests, half of Cache, and holes of 64 KiB.
	Ahead Ahead
}

const remoteBlock = 1 << 10

// OpenRemote opens the file at an http or https URL.
func OpenRemote(ctx context.Context, url string, o *RemoteOptions) (*Remote, error) {
	if o == nil {
		o = &RemoteOptions{}
	}
	h, err := OpenHTTP(ctx, url, &o.HTTP)
	if err != nil {
		return nil, err
	}
	return &Remote{NewCache(h, &CacheOptions{BlockSize: remoteBlock, Budget: o.Cache, Ahead: o.Ahead}), h}, nil
}

// Close closes the source below.
func (r *Remote) Close() error { return r.HTTP.Close() }

// IsURL says whether a name is an http or https URL rather than a path.
func IsURL(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}
