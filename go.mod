module github.com/sprocket-video/sprocket

go 1.26

require (
	github.com/abema/go-mp4 v1.5.0
	github.com/asticode/go-astiav v0.16.0
	github.com/bluenviron/mediacommon/v2 v2.8.0
	github.com/google/go-cmp v0.7.0
	github.com/spf13/cobra v1.10.2
)

require (
	github.com/asticode/go-astikit v0.42.0 // indirect
	github.com/google/uuid v1.3.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
)
