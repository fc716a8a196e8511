//go:build race

package sprocket

// RaceEnabled says that the race detector is on: sync.Pool then drops values on purpose.
const RaceEnabled = true
