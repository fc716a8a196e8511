package codec

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sprocket-video/sprocket/container"
)

var registry struct {
	sync.RWMutex
	backends []Backend
}

// Register adds a backend to those that are tried, in order of registration. Packages of backends call it from init;
// a program links one in with a blank import. It panics when the name is taken.
func Register(b Backend) {
	registry.Lock()
	defer registry.Unlock()
	for _, r := range registry.backends {
		if r.Name() == b.Name() {
			panic("codec: backend " + b.Name() + " registered twice")
		}
	}
	registry.backends = append(registry.backends, b)
}

// Backends returns the registered backends.
func Backends() []Backend {
	registry.RLock()
	defer registry.RUnlock()
	return slices.Clone(registry.backends)
}

// For returns the first registered backend that supports the track.
// When there is none, the error wraps ErrUnavailable and says why each one refused.
func For(t *container.Track) (Backend, error) {
	var errs []error
	for _, b := range Backends() {
		err := b.Supports(t)
		if err == nil {
			return b, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", b.Name(), err))
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("codec: no backend is linked in (import one, such as codec/ffmpeg): %w", ErrUnavailable)
	}
	return nil, fmt.Errorf("codec: track %d (%s): %w", t.ID, t.Codec, errors.Join(errs...))
}
