package conformance_test

import (
	"testing"

	"github.com/sprocket-video/sprocket/conformance"
)

func testFake(t *testing.T, fault string) error {
	t.Helper()
	return conformance.TestBackend(t.Context(), &fakeBackend{fault: fault}, conformance.Clip{Name: "clip", Demuxer: newClip()})
}

func TestGoodBackendKeepsTheLaws(t *testing.T) {
	if err := testFake(t, ""); err != nil {
		t.Error(err)
	}
}

func TestBrokenBackendsAreFound(t *testing.T) {
	for fault, law := range map[string]string{
		"supports all":             "Supports refuses",
		"plain errors":             "*codec.Error",
		"other errors":             "wraps ErrDecode",
		"deaf":                     "a context that has ended",
		"decodes when flushed":     "after Flush only",
		"panics":                   "nothing panics",
		"gets stuck":               "decoding goes on",
		"shared":                   "do not disturb each other",
		"forgets nothing":          "after Reset",
		"keeps memory":             "the picture of packet",
		"decode order":             "presentation order",
		"twice":                    "emitted twice",
		"repeats what was refused": "which emit had refused",
		"wraps":                    "returned as it is",
		"holds back":               "every frame of an undamaged clip",
		"keeps pictures":           "Reset forgets",
		"close fails":              "Close succeeds",
		"takes any shape":          "does not fit",
		"256":                      "uint8/255",
		"one layout":               "NCHW is NHWC",
		"always RGB":               "BGR is RGB",
		"no mirror":                "a mirror moves",
	} {
		t.Run(fault, func(t *testing.T) {
			wantLaw(t, testFake(t, fault), law)
		})
	}
}
