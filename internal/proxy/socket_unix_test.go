//go:build !windows

package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestASocketIsForItsOwnerAloneWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	a := newAPI(t, nil)
	path := filepath.Join(t.TempDir(), "s")
	p := a.running(t, func(c *Config) { c.Address = "unix:" + path })
	there, err := os.Lstat(path)
	if err != nil || there.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("got %v (%v), want a socket with mode 0600", there, err)
	}
	if p.URL() != "unix:"+path {
		t.Errorf("got URL %s, want unix:%s", p.URL(), path)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, entry := range entries {
		info, _ := entry.Info()
		if name := entry.Name(); name != "s" && name != "s.lock" || info.Mode().Perm() != 0o600 {
			t.Errorf("the directory holds %s with mode %v, want the socket and its lock, 0600", name, info.Mode())
		}
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestASocketHasOneHost(t *testing.T) {
	a := newAPI(t, nil)
	path := filepath.Join(t.TempDir(), "s")
	a.running(t, func(c *Config) { c.Address = "unix:" + path })
	for host, want := range map[string]int{"localhost": 200, "localhost:80": 200, "evil.example.com": 403, "127.0.0.1": 403} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if got := talk(t, conn, "GET /me HTTP/1.1\nHost: "+host+"\n\n"); got.status != want {
			t.Errorf("Host %s: got %d, want %d", host, got.status, want)
		}
	}
}

func TestASocketGoesAwayWithItsProxy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no socket", err)
	}
	listener, err = listenSocket(path)
	if err != nil {
		t.Fatalf("again: %v", err)
	}
	os.Remove(path)
	os.WriteFile(path, []byte("somebody else's"), 0o600)
	listener.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("got %v, want somebody else's file left alone", err)
	}
}

func TestASocketThatSomebodyListensAtIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("another program: got %v, want an error that says so", err)
	}
	if _, err := net.Dial("unix", path); err != nil {
		t.Errorf("the other program's socket: %v", err)
	}

	own := filepath.Join(t.TempDir(), "s")
	listener, err := listenSocket(own)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := listenSocket(own); err == nil || !strings.Contains(err.Error(), "another proxy listens there") {
		t.Errorf("another proxy: got %v, want an error that says so", err)
	}
}

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, []byte("precious"), 0o600)
	link := filepath.Join(dir, "link")
	os.Symlink(file, link)
	for _, path := range []string{file, link, dir} {
		if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("%s: got %v, want an error that says that it is no socket", path, err)
		}
	}
	if got, _ := os.ReadFile(file); string(got) != "precious" {
		t.Errorf("the file holds %q, want what it did", got)
	}
	if _, err := listenSocket(filepath.Join(dir, strings.Repeat("x", 100), "s")); err == nil {
		t.Error("a directory that is not there: got no error")
	}
	long := filepath.Join(dir, strings.Repeat("x", 120))
	os.Mkdir(long, 0o700)
	_, err := listenSocket(filepath.Join(long, "s"))
	var all, own int
	if fmt.Sscanf(fmt.Sprint(err), "the path is too long for a socket (%d bytes with the %d of", &all, &own); own <= 0 || all-own != len(long+"/") {
		t.Errorf("a path that is too long: got %v, want an error that says so, and how many bytes there are besides the %d", err, len(long+"/"))
	}
}

// A proxy that was killed leaves its socket. Of those that replace it at once one
// wins, and it is the one that is reached.
func TestOneOfManyProxiesReplacesAStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 20 {
		stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		stale.SetUnlinkOnClose(false)
		stale.Close()
		listeners := make([]net.Listener, 8)
		var all sync.WaitGroup
		for i := range listeners {
			all.Go(func() { listeners[i], _ = listenSocket(path) })
		}
		all.Wait()
		var winner net.Listener
		for _, listener := range listeners {
			if listener != nil && winner != nil {
				t.Fatal("two proxies listen at one path")
			}
			if listener != nil {
				winner = listener
			}
		}
		if winner == nil {
			t.Fatal("no proxy listens, want one")
		}
		accepted := make(chan error, 1)
		go func() {
			conn, err := winner.Accept()
			if err == nil {
				conn.Close()
			}
			accepted <- err
		}()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the winner is not reached: %v", err)
		}
		conn.Close()
		if err := <-accepted; err != nil {
			t.Fatal(err)
		}
		winner.Close()
	}
}

// Whoever else may write into the directory may have been there first.
func TestALockThatSomebodyPlantedIsNeitherFollowedNorWaitedFor(t *testing.T) {
	dir := t.TempDir()
	path, elsewhere := filepath.Join(dir, "s"), filepath.Join(dir, "elsewhere")
	os.Symlink(elsewhere, path+".lock")
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a symlink: got %v, want an error that says so", err)
	}
	if _, err := os.Lstat(elsewhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where the symlink leads: got %v, want nothing", err)
	}
	os.Remove(path + ".lock")
	os.WriteFile(path+".lock", nil, 0o600)
	if err := expectOwn(path+".lock", os.Getuid()+1); err == nil || !strings.Contains(err.Error(), "another user's") {
		t.Errorf("another user's file: got %v, want an error that says so", err)
	}
	listener, err := listenSocket(path)
	if err != nil {
		t.Fatalf("one's own file: %v", err)
	}
	listener.Close()
}
