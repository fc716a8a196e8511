package main

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/sprocket-video/sprocket/conformance"
)

func newConformance() *cobra.Command {
	var asJSON, all bool
	var page string
	cmd := &cobra.Command{
		Use:   "conformance DIR",
		Short: "Compare every media file of a folder with what is known about it",
		Long: "Conformance opens every media file below DIR, compares its packets with ffprobe's where that is installed or where DIR has\n" +
			"its answers stored, decodes its frames linearly, forward, backward and shuffled and compares them with each other and with\n" +
			"stored hashes, and checks what the interfaces of this program promise. Only the first frames of long files are decoded, unless\n" +
			"--all is given; a file may then take an hour.\n\n" +
			"Exit status: 1 when a file differs or failed.",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("no DIR given")
			case len(args) > 1:
				return usagef("one DIR at a time, not %d", len(args))
			case args[0] == "":
				return usagef("DIR is empty")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var p *progress
			o := &conformance.Options{Progress: func(_, total int) {
				if p == nil {
					p = newProgress(cmd.ErrOrStderr(), "file", total)
				}
				p.add(1)
			}}
			if all {
				o.Pixels, o.Timeout = conformance.AllPixels, time.Hour
			}
			rep, err := conformance.Run(cmd.Context(), args[0], o)
			p.end()
			if err != nil {
				return about(args[0], err)
			}
			if page != "" {
				if err := writePage(page, rep); err != nil {
					return err
				}
			}
			if err := printConformance(cmd.OutOrStdout(), rep, asJSON); err != nil {
				return err
			}
			if !rep.OK() {
				return errors.New(rep.Summary())
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&all, "all", false, "decode every frame of the default video, not only the first 100 Mpixel of each file")
	cmd.Flags().StringVar(&page, "html", "", "write the report as one HTML `FILE` too")
	return cmd
}

func printConformance(w io.Writer, rep *conformance.Report, asJSON bool) error {
	if !asJSON {
		_, err := w.Write(rep.AppendText(nil))
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(rep)
}

// writePage writes the report as a page that needs no other file.
func writePage(name string, rep *conformance.Report) error {
	f, err := createFile(name)
	if err != nil {
		return err
	}
	defer f.abort()
	if err := rep.WriteHTML(f); err != nil {
		return outputError(name, err)
	}
	return f.commit()
}
