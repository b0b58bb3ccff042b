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

// What cleans up directories for temporary files removes it, or an operator.
func TestATokenFileThatIsRemovedIsWrittenAgain(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	file := filepath.Join(t.TempDir(), "token")
	p := start(t, b.environment, "token", "--write", file)
	p.line(t, "The token is in "+file)
	first, err := os.ReadFile(file)
	if err := errors.Join(err, os.Remove(file)); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if again, err := os.ReadFile(file); err == nil {
			if string(again) != string(first) {
				t.Errorf("got %d bytes, want the token that it had", len(again))
			}
			break
		}
		if time.Since(begin) > patience {
			t.Fatalf("there is no file after %v", patience)
		}
	}
	p.Process.Signal(syscall.SIGTERM)
	if code, _ := p.exit(t); code != exitOK || p.stderr.Len() > 0 {
		t.Errorf("got code %d and %q, want its end without a word", code, p.stderr)
	}
}
