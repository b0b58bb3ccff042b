package filecache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// name is what the files of one key begin with. It is the key's hash, because a
// file system may not tell upper from lower case, limits lengths, and gives a
// meaning to some names.
type name string

func nameOf(key string) name {
	sum := sha256.Sum256([]byte(key))
	return name(hex.EncodeToString(sum[:]))
}

func (n name) entry() string        { return string(n) + ".entry" }
func (n name) lease() string        { return string(n) + ".lease" }
func (n name) guard() string        { return string(n) + ".guard.lock" }
func (n name) slot(slot int) string { return string(n) + "." + strconv.Itoa(slot) + ".lock" }

const clockName = "clock"

// openDirectory opens the directory after a check of who can reach it. What is
// opened is what was checked, whatever happens to the path meanwhile.
func (c *Cache) openDirectory() (*os.Root, error) {
	root, err := os.OpenRoot(c.path)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		if exposure := exposureOf(info); exposure != "" {
			err = fmt.Errorf("the directory is not used because it %s: %w", exposure, cache.ErrInsecure)
		}
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// makeDirectory is openDirectory, which it makes if it is not there.
func (c *Cache) makeDirectory() (*os.Root, error) {
	root, err := c.openDirectory()
	if !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(c.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return c.openDirectory()
}

// openFile opens a file of ours. It never waits: to open a pipe would, for
// whoever is at its other end.
func openFile(root *os.Root, name string, flag int) (*os.File, error) {
	return root.OpenFile(name, flag|nonBlocking, 0o600)
}

// unusableError says why the entry in a file is a miss.
type unusableError struct {
	reason     string
	isInsecure bool
}

func (e *unusableError) Error() string { return e.reason }

func (e *unusableError) Unwrap() error {
	if e.isInsecure {
		return cache.ErrInsecure
	}
	return nil
}

// readFile returns a file's content and when it was written, by the file
// system's clock. A file that must not or cannot be used, and that a Store
// replaces, gives an *unusableError.
func readFile(root *os.Root, name string) ([]byte, time.Time, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := checkRegular(info); err != nil {
		return nil, time.Time{}, err
	}
	file, err := openFile(root, name, os.O_RDONLY)
	if errors.Is(err, fs.ErrPermission) && !isSharingViolation(err) {
		return nil, time.Time{}, &unusableError{reason: "this process may not read it"}
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	defer file.Close()
	if info, err = statRegular(file); err != nil {
		return nil, time.Time{}, err
	}
	if exposure := exposureOf(info); exposure != "" {
		return nil, time.Time{}, &unusableError{reason: "it " + exposure, isInsecure: true}
	}
	content, err := io.ReadAll(io.LimitReader(file, int64(maxFile)+1))
	return content, info.ModTime(), err
}

// statRegular is file.Stat for a file that may be read: to read a pipe would wait
// for whoever is at its other end.
func statRegular(file *os.File) (fs.FileInfo, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return info, checkRegular(info)
}

func checkRegular(info fs.FileInfo) error {
	if mode := info.Mode(); !mode.IsRegular() {
		return &unusableError{reason: "it is " + kindOf(mode) + " and no regular file"}
	}
	return nil
}

func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a named pipe"
	case fs.ModeSocket:
		return "a socket"
	default:
		return "of type " + mode.Type().String()
	}
}

// persist calls operation until it succeeds, fails for good, or ctx ends. On
// Windows a file that somebody has open may not be replaced for a moment, and one
// that is being replaced may not be opened.
func persist(ctx context.Context, operation func() error) error {
	const longest = time.Second
	var waited time.Duration
	for {
		err := operation()
		if err == nil || !isSharingViolation(err) || waited >= longest {
			return err
		}
		pause := jitter(10 * time.Millisecond)
		waited += pause
		if wait(ctx, pause, nil) != nil {
			return err
		}
	}
}

// fileTime is the file system's present time. Lives are counted by that clock
// alone, because the processes that share a directory over a network may have
// clocks that disagree. Where the directory cannot be written, the process's
// clock must do.
func fileTime(root *os.Root) time.Time {
	if touchClock(root) != nil {
		return time.Now()
	}
	// Asked after the close: a file system may set the time no earlier.
	info, err := root.Stat(clockName)
	if err != nil {
		return time.Now()
	}
	return info.ModTime()
}

func touchClock(root *os.Root) error {
	file, err := openFile(root, clockName, os.O_CREATE|os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte{'\n'}, 0)
	return errors.Join(err, file.Close())
}
