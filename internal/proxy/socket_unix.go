//go:build unix

package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// longestProbe bounds the attempt to connect to whoever may listen already.
const longestProbe = time.Second

// listenSocket listens at a Unix socket that only its owner can use.
//
// The socket is made in a directory that nobody else can enter, gets its mode,
// and is then put in its place: so there is no moment at which the umask decides
// who can connect. A socket that is there already is replaced if nobody listens
// at it. Of several proxies that start at once, the lock lets one do so; its file
// stays, since deleting it would let two hold it.
func listenSocket(path string) (net.Listener, error) {
	path, err := filepath.Abs(path) // it must mean the same when it is removed
	if err != nil {
		return nil, err
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW))
	if err := expectOwn(lock.Path(), os.Getuid()); err != nil {
		return nil, err
	}
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, err
	case !locked:
		return nil, errors.New("another proxy listens there: choose another path")
	}
	err = expectOwn(lock.Path(), os.Getuid()) // it may have come in between
	if err != nil {
		lock.Close()
		return nil, err
	}
	listener, err := placeSocket(path, lock)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return listener, nil
}

// expectOwn is an error if there is anything at path but a file of one's own.
// Whoever can write into the directory may have put there a link, or a file that
// they keep locked.
func expectOwn(path string, uid int) error {
	there, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // it is created, or opened without following a link
	case err != nil:
		return err
	case !there.Mode().IsRegular():
		return fmt.Errorf("%s, which is to be the socket's lock, is no file: remove it, or choose a path in a directory of your own", path)
	}
	if status, known := there.Sys().(*syscall.Stat_t); known && int(status.Uid) != uid {
		return fmt.Errorf("%s, the socket's lock, is another user's: choose a path in a directory of your own", path)
	}
	return nil
}

func placeSocket(path string, lock *flock.Flock) (net.Listener, error) {
	if err := expectNobody(path); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(filepath.Dir(path), ".")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		if errors.Is(err, syscall.EINVAL) {
			err = fmt.Errorf("the path is too long for a socket (%d bytes with the %d of a directory that it is made in): choose a shorter one", len(made), len(made)-len(filepath.Dir(path))-1)
		}
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	placed, err := place(made, path)
	if err != nil {
		listener.Close()
		return nil, err
	}
	return &socket{UnixListener: listener, path: path, placed: placed, lock: lock}, nil
}

// place gives a socket its mode and its path.
func place(made, path string) (fs.FileInfo, error) {
	if err := os.Chmod(made, 0o600); err != nil {
		return nil, err
	}
	placed, err := os.Lstat(made)
	if err != nil {
		return nil, err
	}
	return placed, os.Rename(made, path)
}

// expectNobody is an error unless there is nothing at path, or a socket at which
// nobody listens.
func expectNobody(path string) error {
	there, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case there.Mode().Type() != fs.ModeSocket:
		return errors.New("there is something that is not a socket: choose another path, or remove it")
	}
	conn, err := net.DialTimeout("unix", path, longestProbe)
	switch {
	case err == nil:
		conn.Close()
		return errors.New("another program listens there: choose another path")
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("it is not certain that nobody listens there: %w", err)
}

// socket is a Unix socket that goes away when it is closed.
type socket struct {
	*net.UnixListener
	path   string
	placed fs.FileInfo
	lock   *flock.Flock
	once   sync.Once
}

// Close stops listening and removes the socket, unless it is somebody else's by
// now.
func (s *socket) Close() error {
	err := s.UnixListener.Close()
	s.once.Do(func() {
		if there, failed := os.Lstat(s.path); failed == nil && os.SameFile(there, s.placed) {
			os.Remove(s.path)
		}
		s.lock.Close()
	})
	return err
}
