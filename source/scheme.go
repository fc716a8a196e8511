package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ErrScheme: a name begins with a scheme that nothing linked into the program opens.
var ErrScheme = errors.New("scheme not supported")

// OpenFunc opens what a name of its scheme stands for. The options may be nil.
type OpenFunc func(ctx context.Context, name string, o *RemoteOptions) (*Remote, error)

var schemes = struct {
	sync.RWMutex
	open map[string]OpenFunc
}{open: map[string]OpenFunc{"http": OpenRemote, "https": OpenRemote}}

// RegisterScheme makes [OpenURL] open names that begin with scheme, in lower case, and "://". It is called by init functions, so that a
// program that imports a package can open what it is for. It panics when the scheme is taken.
func RegisterScheme(scheme string, open OpenFunc) {
	schemes.Lock()
	defer schemes.Unlock()
	if _, taken := schemes.open[scheme]; taken {
		panic("source: scheme " + scheme + " is registered twice")
	}
	schemes.open[scheme] = open
}

// Schemes returns the schemes that OpenURL opens, sorted.
func Schemes() []string {
	schemes.RLock()
	defer schemes.RUnlock()
	return slices.Sorted(maps.Keys(schemes.open))
}

// SchemeOf returns the scheme of a name, in lower case, or "" where it has none and so is a path.
func SchemeOf(name string) string {
	scheme, _, ok := strings.Cut(name, "://")
	if !ok || scheme == "" || strings.ContainsFunc(scheme, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+' && r != '-' && r != '.'
	}) {
		return ""
	}
	return strings.ToLower(scheme)
}

// OpenURL opens a name with a scheme: http and https are known, others where a package that is linked in has registered them.
func OpenURL(ctx context.Context, name string, o *RemoteOptions) (*Remote, error) {
	scheme := SchemeOf(name)
	schemes.RLock()
	open := schemes.open[scheme]
	schemes.RUnlock()
	if open == nil {
		return nil, fmt.Errorf("scheme %q: %w", scheme, ErrScheme)
	}
	return open(ctx, name, o)
}
