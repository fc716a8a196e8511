package source

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestSchemes(t *testing.T) {
	for name, want := range map[string]string{
		"clip.mp4": "", "/a/b://c": "", "://x": "", "S3://bucket/key": "s3", "https://host/": "https", "a b://c": "", "a+b-1.c://": "a+b-1.c",
	} {
		if got := SchemeOf(name); got != want {
			t.Errorf("SchemeOf(%q) = %q, want %q", name, got, want)
		}
	}
	if _, err := OpenURL(t.Context(), "odd://x", nil); !errors.Is(err, ErrScheme) {
		t.Errorf("OpenURL = %v, want ErrScheme", err)
	}
	var asked string
	RegisterScheme("odd", func(_ context.Context, name string, _ *RemoteOptions) (*Remote, error) {
		asked = name
		return nil, errOdd
	})
	defer delete(schemes.open, "odd")
	if _, err := OpenURL(t.Context(), "ODD://x", nil); err != errOdd || asked != "ODD://x" {
		t.Errorf("OpenURL = %v for %q", err, asked)
	}
	if got := Schemes(); !slices.Equal(got, []string{"http", "https", "odd"}) {
		t.Errorf("Schemes() = %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a scheme was registered twice")
		}
	}()
	RegisterScheme("https", OpenRemote)
}
