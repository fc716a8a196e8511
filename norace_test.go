//go:build !race

package sprocket

const RaceEnabled = false
