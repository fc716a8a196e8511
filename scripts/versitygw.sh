#!/bin/sh
# Builds the S3 server that source/s3 is tested against, once, into the user's cache directory. Prints one line.
set -eu

version=v1.8.0
dir="${XDG_CACHE_HOME:-$HOME/.cache}/sprocket-test"
program="$dir/versitygw-$version"

if [ -x "$program" ]; then
	echo "versitygw: $version is here"
	exit 0
fi
mkdir -p "$dir"
log=$(mktemp)
build=$(mktemp -d)
trap 'rm -rf "$log" "$build"' EXIT
# Outside of any module, so that it is in no go.mod.
if ! (cd "$build" && GOBIN="$build" GOFLAGS= CGO_ENABLED=0 "${GO:-go}" install "github.com/versity/versitygw/cmd/versitygw@$version") >"$log" 2>&1; then
	tail -n 5 "$log" >&2
	echo "versitygw: $version could not be built; tests that need it are skipped" >&2
	exit 0
fi
mv "$build/versitygw" "$program"
echo "versitygw: built $version"
