//go:build unix

package main

import "syscall"

// runInPlace makes this process the command's: then its signals, its exit code
// and its terminal are the command's own. It returns only if that fails.
func runInPlace(program string, args, environment []string) error {
	return syscall.Exec(program, args, environment)
}
