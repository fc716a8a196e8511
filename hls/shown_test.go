package hls

import "testing"

// Names of segments and keys are shown without what lets somebody fetch them.
func TestURIsAreShownWithoutSecrets(t *testing.T) {
	for uri, want := range map[string]string{
		"seg/1.ts":                            "seg/1.ts",
		"/seg/1.ts?sig=s3cret":                "/seg/1.ts?…",
		"1.ts?sig=a://b#t":                    "1.ts?…",
		"//me:hunter2@host/1.ts?sig=s3cret":   "//host/1.ts?…",
		"https://me:hunter2@host/1.ts?s=3#ab": "https://host/1.ts?…",
		"":                                    "",
	} {
		if got := shown(uri); got != want {
			t.Errorf("shown(%q) = %q, want %q", uri, got, want)
		}
	}
}
