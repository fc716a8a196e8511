package conformance

import "testing"

// Truncated says whether an error is only that the source ends too early.
var Truncated = truncated

// Explain adds lines to known.tsv until the test is over.
func Explain(t *testing.T, lines string) {
	t.Helper()
	before := knownTable
	knownTable += lines
	t.Cleanup(func() { knownTable = before })
}
