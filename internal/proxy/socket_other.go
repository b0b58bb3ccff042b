//go:build !unix

package proxy

import (
	"errors"
	"net"
	"runtime"
)

// listenSocket is not for Windows and Plan 9, where a file's mode keeps nobody away from a
// socket.
func listenSocket(string) (net.Listener, error) {
	return nil, errors.New("a Unix socket cannot be kept from other users on " + runtime.GOOS + ": give a loopback address, such as " + DefaultAddress)
}
