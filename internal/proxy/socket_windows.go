package proxy

import (
	"errors"
	"net"
)

// listenSocket is not for Windows, where a file's mode keeps nobody away from a
// socket.
func listenSocket(string) (net.Listener, error) {
	return nil, errors.New("a Unix socket cannot be kept from other users on Windows: give a loopback address, such as " + DefaultAddress)
}
