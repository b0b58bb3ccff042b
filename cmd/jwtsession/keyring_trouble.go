package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

var (
	errKeyringLocked = errors.New("the keyring is locked: unlock it")

	// errNoBus means that nobody has said where a session bus is.
	errNoBus = errors.New("there is no session bus, and so no keyring: DBUS_SESSION_BUS_ADDRESS is not set")
)

// explainKeyring says of a keyring that cannot be used what is wrong with it.
func explainKeyring(err error) error {
	if runtime.GOOS != "darwin" && runtime.GOOS != "windows" {
		if found := explainSecretService(err); found != nil {
			return found
		}
	}
	return fmt.Errorf("the keyring cannot be used: %w", err)
}

// explainSecretService knows what a Secret Service, and the way to it, may have;
// nil: it is something else. The package has no names for these errors.
func explainSecretService(err error) error {
	var (
		notStarted *exec.Error
		failed     *exec.ExitError
		dial       *net.OpError
	)
	switch answer := busError(err); {
	case strings.HasPrefix(err.Error(), "failed to unlock"), answer == "org.freedesktop.Secret.Error.IsLocked":
		return errKeyringLocked
	case answer == "org.freedesktop.DBus.Error.ServiceUnknown":
		return errors.New("there is no keyring on the session bus: start one, such as gnome-keyring or KWallet")
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("there is no session bus at %s (DBUS_SESSION_BUS_ADDRESS): %w", os.Getenv("DBUS_SESSION_BUS_ADDRESS"), dial.Err)
	case errors.As(err, &notStarted), errors.As(err, &failed): // dbus-launch, which would start a bus
		return errNoBus
	}
	return nil
}

// hasDesktop reports whether somebody may expect a keyring here.
func hasDesktop() bool { return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" }
