//go:build !unix && !windows

package demo

import "os/exec"

// ownGroup does nothing: where there are no groups there is no Ctrl-C for one.
func ownGroup(*exec.Cmd) {}
