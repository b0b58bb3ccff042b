//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// endWhole has nothing to do: without groups, the command itself ends.
func endWhole(*exec.Cmd) {}

// endingSignals are what ends programs.
var endingSignals = []os.Signal{os.Interrupt}

// suspendWithCtrlZ has nothing to do: no program is stopped there.
func suspendWithCtrlZ(func(stop func())) (end func()) { return func() {} }
