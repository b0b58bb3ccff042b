//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// A rename takes the place of whatever is there: run by root, of /dev/null.
func TestATokenTakesThePlaceOfNothingButAFile(t *testing.T) {
	b := newBox(t)
	directory := t.TempDir()
	target, link, pipe := filepath.Join(directory, "target"), filepath.Join(directory, "link"), filepath.Join(directory, "pipe")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{directory: "a directory", link: "a symbolic link", pipe: "a device, a pipe or a socket"} {
		before, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := b.command(t, "token", "--write", name)
		end := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		code, stdout, stderr := finish(t, cmd)
		end.Stop()
		if want := name + " is " + kind + ", and would be replaced (--write): name a file\n"; code != exitUsage || stdout != "" || !strings.HasSuffix(stderr, want) {
			t.Errorf("%s: got code %d, %q and %q, want %d and %q", kind, code, stdout, stderr, exitUsage, want)
		}
		if after, err := os.Lstat(name); err != nil || after.Mode() != before.Mode() {
			t.Errorf("%s: got %v and error %v afterwards, want it as it was", kind, after, err)
		}
	}
	b.wantCalls(t, map[sessiontest.Op]int{})
}
