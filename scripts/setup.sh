#!/bin/sh
# Installs what building and testing with FFmpeg needs, if something is missing. Prints one line.
set -eu
PATH="$PATH:/usr/local/sbin:/usr/sbin" # nginx is there, and not on every user's path

packages="libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libswresample-dev
libavfilter-dev libavdevice-dev pkg-config ffmpeg gcc libc6-dev nginx-light"
libraries="libavcodec libavformat libavutil libswscale libswresample libavfilter libavdevice"

missing() {
	for program in gcc pkg-config ffmpeg ffprobe nginx; do
		command -v "$program" >/dev/null 2>&1 || { echo "$program"; return; }
	done
	for library in $libraries; do
		pkg-config --exists "$library" || { echo "$library"; return; }
	done
	# A compiler without the C headers is of no use.
	echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1 || echo libc6-dev
}

if ! command -v go >/dev/null 2>&1; then
	echo "setup: Go is missing: see https://go.dev/doc/install" >&2
	exit 1
fi
if [ "${CGO_ENABLED:-1}" = 0 ]; then
	echo "setup: without cgo there is nothing to install"
	exit 0
fi
first=$(missing)
if [ -z "$first" ]; then
	echo "setup: FFmpeg $(pkg-config --modversion libavcodec) (libavcodec) and its tools are here"
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: $first is missing: install FFmpeg with its headers, pkg-config, a C compiler and nginx" \
		"(brew install ffmpeg pkgconf nginx; dnf install ffmpeg-devel pkgconf gcc nginx), or set CGO_ENABLED=0" >&2
	exit 1
fi
root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || { echo "setup: $first is missing; as root: apt-get install" $packages >&2; exit 1; }
	root="sudo"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup: $first is missing and apt-get could not install it" >&2
	exit 1
fi
first=$(missing)
if [ -n "$first" ]; then
	echo "setup: $first is still missing after apt-get install" >&2
	exit 1
fi
echo "setup: installed FFmpeg $(pkg-config --modversion libavcodec) (libavcodec) and its tools"
