// Command sprocket-s3 prints a URL by which an object of a bucket can be read for a while. The sprocket command runs it for names
// that begin with s3://, if it is on the PATH; so its own binary need not hold the AWS SDK.
//
//	sprocket-s3 [-lasts 12h] s3://bucket/key
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/sprocket-video/sprocket/source/s3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o s3.Options
	lasts := flag.Duration("lasts", 12*time.Hour, "for how long the URL is good, at most")
	flag.BoolVar(&o.Anonymous, "anonymous", false, "do not sign: the object is public")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: sprocket-s3 [-lasts 12h] [-anonymous] s3://bucket/key")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *lasts < time.Second || *lasts > 7*24*time.Hour {
		flag.Usage()
		os.Exit(2)
	}
	u, err := s3.Presign(ctx, flag.Arg(0), &o, *lasts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sprocket-s3:", err)
		stop()
		os.Exit(1)
	}
	fmt.Println(u)
}
