//go:build !race

package sprocket

const raceEnabled = false
