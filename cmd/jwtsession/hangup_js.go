package main

import "syscall"

// hangup is a signal that nobody sends there.
const hangup = syscall.Signal(1)
