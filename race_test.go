//go:build race

package sprocket

// raceEnabled says that the race detector is on: sync.Pool then drops values on purpose.
const raceEnabled = true
