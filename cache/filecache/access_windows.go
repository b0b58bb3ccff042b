//go:build windows

package filecache

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow has no counterpart here; the comparison after the open finds a link.
const noFollow = 0

const nonBlocking = 0

// exposureOf is always "": the mode says nothing here, and the directory of a
// user's cache inherits an access list that admits the user, administrators and
// the system only.
func exposureOf(fs.FileInfo) string { return "" }

func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

func isReadOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// isSharingViolation tells whether an operation failed because somebody, a
// virus scanner for example, has the file open for a moment.
func isSharingViolation(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED) ||
		errors.Is(err, windows.ERROR_DELETE_PENDING)
}

// syncDirectory does nothing: Windows cannot flush a directory, and keeps the
// names in its journal.
func syncDirectory(*os.Root) error { return nil }
