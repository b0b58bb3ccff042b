//go:build !unix && !windows

package filecache

import (
	"io/fs"
	"os"
)

const (
	noFollow    = 0
	nonBlocking = 0
)

func exposureOf(fs.FileInfo) string { return "" }

func isDiskFull(error) bool { return false }

func isReadOnly(error) bool { return false }

func isSharingViolation(error) bool { return false }

func syncDirectory(*os.Root) error { return nil }
