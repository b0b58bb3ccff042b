//go:build linux || freebsd || netbsd || openbsd

package main

import (
	"errors"

	"github.com/godbus/dbus/v5"
)

// busError is the name of the error that something on a D-Bus has answered with; "":
// it is no such error.
func busError(err error) string {
	var answer dbus.Error
	errors.As(err, &answer)
	return answer.Name
}
