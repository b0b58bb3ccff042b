package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/jwtsession/jwtsession/internal/demo"
)

func newDemoCommand() *cobra.Command {
	var plain bool
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a session survive an outage, a 429 and a revocation",
		Long: `Watch a jwtsession client and a plain oauth2 client go through the same.

For 25 seconds, each sends 200 requests a second to an API in a box of its own,
on this machine, whose tokens live 8 seconds and a fraction, and whose session
calls take 300 ms. Each API
  - takes its session endpoints away for 2 s around the moment at which the
    client's session is due to be renewed: from as long before it as leaves the
    token 1.2 s to live when they are back
  - answers the call that renews the next session with 429, Retry-After: 1
  - revokes every token at 18.5 s

The plain client is what people write without this library: an oauth2.Transport
with a ReuseTokenSource that signs in when its token is about to expire. It does
so 1 s ahead; with oauth2's own 10 s it would sign in for each request.

The summary has the figures of both. The exit code is 0 if no request of the
jwtsession client failed, and none waited for a token but at the two sign-ins
that have to be: at the start, and after the revocation. A wait counts from 5 ms
on without a live token, and with one from 200 ms on, less the time in which the
machine stood still. Ctrl-C ends the demo with the summary so far, and the exit
code follows from that.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			if duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			return showDemo(ctx, plain, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&plain, "plain", false, "one line per event, also on a terminal")
	cmd.Flags().DurationVar(&duration, "duration", 0, "stop after this long, as Ctrl-C does")
	cmd.Flags().MarkHidden("duration")
	return cmd
}

// showDemo shows the demo in the way that suits the output.
func showDemo(ctx context.Context, plain bool, out io.Writer) error {
	var view demo.View = demo.NewLines(out)
	if !plain && drawable(out) {
		view = demo.NewTimeline(out, os.Getenv("NO_COLOR") == "")
	}
	summary, err := demo.Show(ctx, view)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	if summary.Interrupted {
		fmt.Fprintf(out, "Stopped after %.1f s: what was still to come has not happened.\n", summary.Took.Seconds())
	}
	fmt.Fprint(out, summary.Table())
	if err := summary.Verdict(); err != nil {
		return fmt.Errorf("the jwtsession client did not hold what it promises: %w", err)
	}
	fmt.Fprintln(out, "\nNo request of the jwtsession client failed, and none waited for a token but at\nthe sign-ins that had to be.")
	return nil
}

// drawable reports whether out is a terminal that a picture fits on.
func drawable(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return false
	}
	width, height, err := term.GetSize(int(file.Fd()))
	return err == nil && width >= demo.TimelineWidth && height >= 20
}
