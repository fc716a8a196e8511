package codec

import (
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

// For returns the first registered backend that supports the track. When none does, the error says why each one refused, and
// wraps what they said: ErrUnavailable where the machine lacks something, container.ErrUnsupported where no backend can do it.
// When none is linked in it wraps ErrUnavailable.
func For(t *container.Track) (Backend, error) {
	var refused error
	for _, b := range Backends() {
		err := b.Supports(t)
		if err == nil {
			return b, nil
		}
		if refused == nil {
			refused = fmt.Errorf("%s: %w", b.Name(), err)
		} else {
			refused = fmt.Errorf("%w; %s: %w", refused, b.Name(), err)
		}
	}
	if refused == nil {
		refused = fmt.Errorf("no backend is linked in (import one, such as codec/ffmpeg): %w", ErrUnavailable)
	}
	return nil, fmt.Errorf("codec: track %d (%s): %w", t.ID, t.Codec, refused)
}
