package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
	"github.com/jwtsession/jwtsession/cache/rediscache"
	"github.com/jwtsession/jwtsession/internal/demo"
)

const mostDemoProcesses = 50

// validate is told which flags were given.
func (o demoOptions) validate(given func(flag string) bool) error {
	switch {
	case given("processes") && (o.processes < 1 || o.processes > mostDemoProcesses):
		return fmt.Errorf("--processes is %d: give 1 to %d", o.processes, mostDemoProcesses)
	case o.processes == 0 && (given("cache") || given("redis")):
		return errors.New("--cache and --redis are for several processes: give --processes as well")
	case o.cache != "file" && o.cache != "redis":
		return errors.New("--cache: choose file or redis")
	case o.redis == "":
		return nil
	case o.cache != "redis":
		return errors.New("--redis is for --cache redis")
	case !strings.HasPrefix(o.redis, "redis://") && !strings.HasPrefix(o.redis, "rediss://"):
		return errors.New("--redis: give a URL, such as redis://localhost:6379")
	}
	_, err := redisStore(setting{o.redis, "--redis"})
	return err
}

const fleetIntroduction = `For about 25 seconds, %d processes of one account send 20
requests a second each to one API on this machine; nothing
leaves it. They share one session through %s. The API
has short-lived tokens and an outage, one process is killed
while it renews the session, and one logs out.

`

const fleetConclusion = `
No request failed, and all processes together needed no
more sessions than one.
`

// showFleet is showDemo for --processes.
func showFleet(ctx context.Context, o demoOptions, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	demoCommand := func(args ...string) *exec.Cmd { return exec.Command(self, append([]string{"demo"}, args...)...) }
	directory, err := os.MkdirTemp("", "jwtsession-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	store := []string{"--directory", directory}
	if o.cache == "redis" {
		address, stop, err := startDemoRedis(ctx, o.redis, directory, demoCommand)
		if err != nil {
			return err
		}
		defer stop()
		store = []string{"--redis", address}
	}
	fmt.Fprintf(out, fleetIntroduction, o.processes, map[string]string{"file": "a file", "redis": "Redis"}[o.cache])
	var totals demo.Totals
	err = o.show(out, o.processes+8, func(view demo.View) (err error) {
		totals, err = demo.ShowFleet(ctx, view, demo.FleetConfig{
			Processes: o.processes,
			Worker: func(baseURL string) *exec.Cmd {
				return demoCommand(append([]string{"worker", "--base-url", baseURL}, store...)...)
			},
		})
		return err
	})
	if err != nil {
		return err
	}
	conclude(out, totals.Interrupted, totals.Took, totals.Table())
	if err := totals.Verdict(); err != nil {
		return fmt.Errorf("the processes did not hold what the library promises: %w", err)
	}
	io.WriteString(out, fleetConclusion)
	return nil
}

// startDemoRedis returns the URL of a Redis that answers: the given one, or else
// that of a redis-server of the demo's own, until stop.
func startDemoRedis(ctx context.Context, address, directory string, demoCommand func(...string) *exec.Cmd) (url string, stop func(), err error) {
	redis.SetLogger(silence{}) // errors tell
	if address != "" {
		client, err := demoRedisClient(address)
		if err != nil {
			return "", nil, err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if err := client.Ping(ctx).Err(); err != nil {
			return "", nil, &advisedError{fmt.Errorf("ask the Redis of --redis: %w", err), "start it, or check the URL and " + redisPasswordVariable, exitFailure}
		}
		return address, func() {}, nil
	}
	server, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errors.New("there is no redis-server to start: install Redis, or give the URL of one with --redis redis://HOST:PORT")
	}
	return demo.StartRedis(ctx, demoCommand("redis", server, directory), directory)
}

func demoRedisClient(address string) (*redis.Client, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	if options.Network != "unix" { // not the demo's own
		options.Password = os.Getenv(redisPasswordVariable)
	}
	options.ContextTimeoutEnabled = true
	return redis.NewClient(options), nil
}

// newDemoWorkerCommand is what each process of the demo runs.
func newDemoWorkerCommand() *cobra.Command {
	var baseURL, directory, address string
	cmd := &cobra.Command{
		Use:    "worker",
		Short:  "A process of the demo, until standard input ends",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := demoStore(directory, address)
			if err != nil {
				return err
			}
			return demo.Work(baseURL, store, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&baseURL, "base-url", "", "the API's base `URL`")
	cmd.MarkFlagRequired("base-url")
	cmd.Flags().StringVar(&directory, "directory", "", "the `directory` of the file cache")
	cmd.Flags().StringVar(&address, "redis", "", "the `URL` of the Redis, in place of that")
	return cmd
}

// demoLease is what is left of the lease of a process that was killed. The others
// wait for it for no longer than a second, since their tokens have but two, and the
// one that gets it needs a third of that second for its refresh.
const demoLease = 400 * time.Millisecond

func demoStore(directory, address string) (cache.Cache, error) {
	if address == "" {
		return filecache.New(directory)
	}
	redis.SetLogger(silence{})
	client, err := demoRedisClient(address)
	if err != nil {
		return nil, err
	}
	return rediscache.New(client, rediscache.WithLease(demoLease)), nil
}

// newDemoRedisCommand is what the demo's own Redis runs in.
func newDemoRedisCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "redis SERVER DIRECTORY",
		Short:  "The Redis of the demo, until standard input ends",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return demo.KeepRedis(args[0], args[1], cmd.InOrStdin())
		},
	}
}
