module github.com/sprocket-video/sprocket/hls/oracle

go 1.26

require (
	github.com/Eyevinn/hls-m3u8 v0.6.1
	github.com/bluenviron/gohlslib/v2 v2.2.3
	github.com/sprocket-video/sprocket v0.0.0
)

require github.com/bluenviron/mediacommon/v2 v2.8.0 // indirect

replace github.com/sprocket-video/sprocket => ../..
