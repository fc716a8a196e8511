package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// locate returns the URL of a name with a scheme: the name itself, or what a program makes of it.
func locate(ctx context.Context, name string) (string, error) {
	scheme := source.SchemeOf(name)
	if slices.Contains(source.Schemes(), scheme) {
		return name, nil
	}
	return askHelper(ctx, scheme, name)
}

// askHelper returns the http or https URL of a name whose scheme is not built in. It runs the program sprocket-SCHEME, which prints
// one: so this program need not hold what it takes to find the objects of a bucket, say, and who may read them.
func askHelper(ctx context.Context, scheme, name string) (string, error) {
	unsupported := fmt.Errorf("%s: scheme %q: %w", source.RedactURL(name), scheme, container.ErrUnsupported)
	helper, err := exec.LookPath("sprocket-" + scheme)
	if err != nil {
		if scheme == "s3" {
			return "", fmt.Errorf("%w; the program sprocket-s3, made from source/s3, would find it, but is not on the PATH", unsupported)
		}
		return "", unsupported
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, helper, name)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			err = errors.New(text)
		}
		return "", &inputError{source.RedactURL(name), err}
	}
	url := strings.TrimSpace(string(out))
	if !source.IsURL(url) {
		return "", &inputError{source.RedactURL(name), fmt.Errorf("sprocket-%s printed no http or https URL", scheme)}
	}
	return url, nil
}
