//go:build !unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// runInPlace runs the command and ends as it does. Ctrl-C reaches the command by
// itself, and is not to end this process before it.
func runInPlace(program string, args, environment []string) error {
	signal.Ignore(os.Interrupt)
	child := exec.Command(program)
	child.Args, child.Env = args, environment
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return &quietError{exited.ExitCode()}
	}
	return err
}
