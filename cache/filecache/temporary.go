package filecache

import (
	"crypto/rand"
	"errors"
	"os"
	"regexp"
	"time"
)

func (n name) temporary() string { return string(n) + "." + rand.Text() + ".tmp" }

// isTemporary tells our own files from those of a user who shares the directory
// with us.
var isTemporary = regexp.MustCompile(`^[0-9a-f]{64}\.[A-Z2-7]{26,}\.tmp$`).MatchString

// writeTemporary writes a file of its own that is on the disk when it returns.
func writeTemporary(root *os.Root, n name, content []byte) (string, error) {
	name := n.temporary()
	file, err := openFile(root, name, os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, root.Remove(name))
	}
	return name, nil
}

const sweepAge = time.Hour

// sweep removes what writers that were killed left behind more than an hour
// ago. It looks once an hour, and a failure costs nothing but space.
func (c *Cache) sweep(root *os.Root) {
	now := fileTime(root)
	c.mu.Lock()
	isDue := now.Sub(c.swept).Abs() >= sweepAge
	if isDue {
		c.swept = now
	}
	c.mu.Unlock()
	if !isDue {
		return
	}
	directory, err := root.Open(".")
	if err != nil {
		return
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return
	}
	for _, name := range names {
		if !isTemporary(name) {
			continue
		}
		if info, err := root.Lstat(name); err == nil && now.Sub(info.ModTime()) > sweepAge {
			_ = root.Remove(name)
		}
	}
}
