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
	var o demoOptions
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
code follows from that.

With --processes N, it is N processes of one account that you watch. They share
one session through a file cache in a directory of their own, or through Redis:
that of --redis, or else a redis-server that is started for them. Each sends 20
requests a second to the same API, and
  - the session endpoints answer 503 for 2 s while the first refresh falls due
  - the process that refreshes next gets a SIGKILL in the midst of that, and
    another process takes its place
  - one process logs out, which revokes every token
The exit code is 0 if no request failed, the sign-ins were one and one for each
log-out, and the refreshes one for each period, with one more allowed. A period
is the time from a session to the refresh that is due, and is the same for all
processes.`,
		Example: `  jwtsession demo
  jwtsession demo --processes 5 --cache file
  jwtsession demo --processes 5 --cache redis     # needs a redis-server on PATH
  jwtsession demo --processes 5 --cache redis --redis redis://localhost:6379`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(cmd.Flags().Changed); err != nil {
				return &usageError{err}
			}
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			if o.duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, o.duration)
				defer cancel()
			}
			if o.processes > 0 {
				return showFleet(ctx, o, cmd.OutOrStdout())
			}
			return showDemo(ctx, o, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.plain, "plain", false, "one line per event, also on a terminal")
	flags.IntVar(&o.processes, "processes", 0, "watch this `number` of processes that share one session")
	flags.StringVar(&o.cache, "cache", "file", "the `store` that they share it through: file or redis")
	flags.StringVar(&o.redis, "redis", "", "the `URL` of a Redis to use; its password comes from "+redisPasswordVariable)
	flags.DurationVar(&o.duration, "duration", 0, "stop after this long, as Ctrl-C does")
	flags.MarkHidden("duration")
	cmd.RegisterFlagCompletionFunc("cache", cobra.FixedCompletions([]string{"file", "redis"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(newDemoWorkerCommand(), newDemoRedisCommand())
	return cmd
}

// demoOptions are the flags of demo.
type demoOptions struct {
	plain        bool
	processes    int // zero: the demo without them
	cache, redis string
	duration     time.Duration
}

// show has a run be seen: by the view that suits the output, and a picture of so
// many lines. Ctrl-Z leaves the terminal in order.
func (o demoOptions) show(out io.Writer, lines int, run func(demo.View) error) error {
	file := fileOf(out)
	if o.plain || file == nil || !drawable(file, lines) {
		return run(demo.NewLines(out))
	}
	screen := demo.NewScreen(out, os.Getenv("NO_COLOR") == "", func() (columns, rows int) {
		columns, rows, _ = term.GetSize(int(file.Fd()))
		return columns, rows
	})
	defer suspendWithCtrlZ(screen.Suspend)()
	return run(screen)
}

// Whatever the demo says fits into demo.LeastWidth.
const demoIntroduction = `For 25 seconds, two programs send 200 requests a second
each, to an API of their own on this machine; nothing leaves
it. jwtsession signs one in, and oauth2 alone the other. The
APIs have short-lived tokens, an outage, and a log-out.

`

const demoConclusion = `
No request of the jwtsession client failed, and none waited
for a token but at the sign-ins that had to be.
`

func showDemo(ctx context.Context, o demoOptions, out io.Writer) error {
	io.WriteString(out, demoIntroduction)
	var summary demo.Summary
	if err := o.show(out, 15, func(view demo.View) (err error) {
		summary, err = demo.Show(ctx, view)
		return err
	}); err != nil {
		return err
	}
	conclude(out, summary.Interrupted, summary.Took, summary.Table())
	if err := summary.Verdict(); err != nil {
		return fmt.Errorf("the jwtsession client did not hold what it promises: %w", err)
	}
	io.WriteString(out, demoConclusion)
	return nil
}

// conclude writes what a run has come to.
func conclude(out io.Writer, interrupted bool, took time.Duration, table string) {
	fmt.Fprintln(out)
	if interrupted {
		fmt.Fprintf(out, "Stopped after %.1f s: what was still to come has not happened.\n", took.Seconds())
	}
	fmt.Fprint(out, table)
}

// drawable reports whether out is a terminal that a picture of so many lines fits
// on.
func drawable(out *os.File, lines int) bool {
	if !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return false
	}
	width, height, err := term.GetSize(int(out.Fd()))
	return err == nil && width >= demo.LeastWidth && height >= lines
}
