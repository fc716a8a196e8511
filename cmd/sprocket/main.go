// Command sprocket inspects media files and takes frames out of them.
//
// Exit status: 0 done, 1 the input is at fault, 2 usage. Only data goes to standard output.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	_ "github.com/sprocket-video/sprocket/codec/ffmpeg"
	"github.com/sprocket-video/sprocket/source"
)

// Exit statuses.
const (
	exitDone        = 0
	exitInput       = 1
	exitUsage       = 2
	exitInterrupted = 130 // as a shell reports a program ended by SIGINT
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run runs the program with args and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	clearLine(stderr)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "sprocket: %s (see %q)\n", oneLine(err), cmd.CommandPath()+" --help")
		return exitUsage
	}
	fmt.Fprintf(stderr, "sprocket: %s\n", oneLine(err))
	return exitInput
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sprocket",
		Short: "Inspect media files and take exact frames out of them",
		Long: "Sprocket reads what a media file says about itself and gives any frame of it as a picture or a tensor.\n\n" +
			"SOURCE is a path, an http or https URL, or - for standard input: of a movie (MP4, MOV), a transport stream (MPEG-TS) or\n" +
			"a playlist (HLS). For other URLs, such as s3://bucket/key, the program sprocket-s3 is asked. Only data goes to standard output.\n" +
			"Exit status: 0 done, 1 the input is at fault, 2 usage.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no command given")
			}
			return usagef("unknown command %q%s", source.RedactURL(args[0]), suggestion(cmd, args[0]))
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	root.SetVersionTemplate("sprocket {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(newInspect(), newPackets(), newIndex(), newFrames(), newFramehash(), newConformance())
	return root
}

func suggestion(cmd *cobra.Command, word string) string {
	if s := cmd.SuggestionsFor(word); len(s) > 0 {
		return fmt.Sprintf(", did you mean %q?", s[0])
	}
	return ""
}

// usageError is an error of who called the program rather than of the input.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// oneSource is the arguments of every command: one SOURCE.
func oneSource(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef("no SOURCE given")
	case len(args) > 1:
		shown := make([]string, len(args))
		for i, name := range args {
			shown[i] = source.RedactURL(name)
		}
		return usagef("one SOURCE at a time, not %d: %s", len(args), strings.Join(shown, " "))
	case args[0] == "":
		return usagef("SOURCE is empty")
	}
	return nil
}

// oneLine returns the text of an error as one printable line. Errors quote names from hostile input.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	return printable(strings.TrimPrefix(strings.Join(lines, "; "), "sprocket: "))
}

// version returns the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	if v == "" {
		v = "(devel)"
	}
	return v + " " + info.GoVersion
}
