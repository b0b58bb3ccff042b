//go:build !unix

package main

import (
	"os"
	"os/exec"

	"github.com/jwtsession/jwtsession/internal/demo"
)

// endWhole has nothing to do: without groups, the command itself ends.
func endWhole(*exec.Cmd) {}

// endingSignals are what ends programs.
var endingSignals = []os.Signal{os.Interrupt}

// suspendWithCtrlZ has nothing to do: no program is stopped there.
func suspendWithCtrlZ(*demo.Screen) (end func()) { return func() {} }
