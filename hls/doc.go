// Package hls reads HTTP Live Streaming, after draft-pantos-hls-rfc8216bis: a tolerant playlist parser, and a demuxer that takes each variant
// and rendition as a track and reads its segments through the demuxers of their own formats.
package hls
