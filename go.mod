module github.com/sprocket-video/sprocket

go 1.26
