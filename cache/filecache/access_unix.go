//go:build unix

package filecache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// noFollow makes an open fail on a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// nonBlocking makes an open of a pipe return at once. It means nothing to a
// regular file.
const nonBlocking = syscall.O_NONBLOCK

// exposureOf says how others can reach a file or directory; "" if only the
// user of this process can.
func exposureOf(info fs.FileInfo) string {
	status, isKnown := info.Sys().(*syscall.Stat_t)
	if !isKnown {
		return "has an owner that cannot be found out"
	}
	if owner, user := int(status.Uid), os.Geteuid(); owner != user {
		return fmt.Sprintf("belongs to the user with ID %d, and this process runs as %d", owner, user)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("is open to others (mode %04o)", mode)
	}
	return ""
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// isSharingViolation is false: an open file may be replaced here.
func isSharingViolation(error) bool { return false }

// syncDirectory makes the names in the directory last through a power failure.
func syncDirectory(root *os.Root) error {
	directory, err := root.Open(".")
	if err != nil {
		return err
	}
	defer directory.Close()
	err = directory.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // this file system flushes no directories
	}
	return err
}
