package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	none := t.TempDir() + "/none"
	for name, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "do-not-tell", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "us-east-1",
		"AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL": "https://store.example.com", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, v)
	}
	const plain = "https://store.example.com/bucket/a%20b.mp4"
	for _, tt := range []struct {
		args   string
		status int
		out    string
		signed bool
	}{
		{"s3://bucket/a*b.mp4", 0, plain, true},
		{"-lasts 90s s3://bucket/a*b.mp4", 0, plain, true},
		{"-anonymous s3://bucket/a*b.mp4", 0, plain, false},
		{"-h", 0, "", false},
		{"", 2, "", false},
		{"a b", 2, "", false},
		{"-lasts 8d s3://bucket/key", 2, "", false},
		{"-lasts 169h s3://bucket/key", 2, "", false},
		{"-lasts 1ms s3://bucket/key", 2, "", false},
		{"-what s3://bucket/key", 2, "", false},
		{"clip.mp4", 1, "", false},
	} {
		args := strings.Fields(tt.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "*", " ")
		}
		var out, errs strings.Builder
		status := run(t.Context(), args, &out, &errs)
		if status != tt.status || !strings.HasPrefix(out.String(), tt.out) || tt.out == "" && out.Len() > 0 || (errs.Len() == 0) != (tt.out != "") {
			t.Errorf("%q: exit status %d, %q, %q", tt.args, status, out.String(), errs.String())
		}
		if signed := strings.Contains(out.String(), "X-Amz-Signature="); signed != tt.signed || strings.Contains(out.String()+errs.String(), "do-not-tell") {
			t.Errorf("%q: %q, signed: %t", tt.args, out.String(), signed)
		}
		if tt.args == "-lasts 90s s3://bucket/a*b.mp4" && !strings.Contains(out.String(), "X-Amz-Expires=90") {
			t.Errorf("%q does not last 90 s", out.String())
		}
	}
}
