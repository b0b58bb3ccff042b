//go:build !js

package main

import "syscall"

// hangup is the signal at which the proxy signs in anew.
const hangup = syscall.SIGHUP
