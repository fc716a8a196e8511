// Command sprocket-s3 prints a URL by which an object of a bucket can be read for a while. The sprocket command runs it for names
// that begin with s3://, if it is on the PATH; so its own binary need not hold the AWS SDK.
//
//	sprocket-s3 [-lasts 12h] s3://bucket/key
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/sprocket-video/sprocket/source/s3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run does what the arguments say, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o s3.Options
	flags := flag.NewFlagSet("sprocket-s3", flag.ContinueOnError)
	flags.SetOutput(stderr)
	lasts := flags.Duration("lasts", 12*time.Hour, "for how long the URL is good, at most")
	flags.BoolVar(&o.Anonymous, "anonymous", false, "do not sign: the object is public")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: sprocket-s3 [-lasts 12h] [-anonymous] s3://bucket/key")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() != 1 || *lasts < time.Second || *lasts > 7*24*time.Hour {
		flags.Usage()
		return 2
	}
	u, err := s3.Presign(ctx, flags.Arg(0), &o, *lasts)
	if err != nil {
		fmt.Fprintln(stderr, "sprocket-s3:", err)
		return 1
	}
	fmt.Fprintln(stdout, u)
	return 0
}
