package filecache_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// C5: real disks, which are mounted for nobody but the process that runs the
// test.
func TestAFullDiskLosesNothing(t *testing.T) {
	onItsOwnDisk(t, func(t *testing.T, disk string) {
		store := storeIn(t, filepath.Join(disk, "cache"))
		mustPut(t, store, "before")
		filler := fill(t, disk)
		err := put(store, cache.Entry{Data: version(1)})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Store on a full disk: got error %v, want %v", err, syscall.ENOSPC)
		}
		wantAdvice(t, err, store.Directory(), "make room")
		if _, err := store.Lock(within(t), "another key"); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the first Lock of a key on a full disk: got error %v, want %v", err, syscall.ENOSPC)
		} else {
			wantAdvice(t, err, store.Directory(), "make room")
		}
		wantData(t, store, "before")
		if left := files(t, store.Directory(), ".tmp"); len(left) != 0 {
			t.Errorf("got the temporary files %q, want none", left)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if err := put(store, cache.Entry{Data: version(1)}); err != nil {
			t.Errorf("Store once there is room: got error %v, want none", err)
		}
		if _, err := loadVersion(store); err != nil {
			t.Errorf("Load: got error %v, want none", err)
		}
	})
}

// C5
func TestAReadOnlyDiskCanBeRead(t *testing.T) {
	onItsOwnDisk(t, func(t *testing.T, disk string) {
		store := storeIn(t, filepath.Join(disk, "cache"))
		if err := put(store, cache.Entry{Data: []byte("before"), TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		age(t, onlyFile(t, store.Directory(), ".entry"), 20*time.Minute)
		if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatalf("make the disk read-only: %v", err)
		}
		_, lockErr := store.Lock(within(t), key)
		_, firstErr := store.Lock(within(t), "another key")
		_, makeErr := storeIn(t, filepath.Join(disk, "another directory")).Lock(within(t), key)
		for operation, err := range map[string]error{
			"Lock": lockErr, "the first Lock of a key": firstErr, "Lock, which makes the directory": makeErr,
		} {
			if !errors.Is(err, syscall.EROFS) {
				t.Errorf("%s on a read-only disk: got error %v, want %v", operation, err, syscall.EROFS)
			}
			wantAdvice(t, err, disk, "make it writable")
		}
		wantData(t, store, "before")
		wantLife(t, store, 40*time.Minute)
	})
}

// C5: the same by permissions, which do not bind root: as another user then.
func TestAReadOnlyDirectoryCanBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	store := newStore(t)
	mustPut(t, store, "before")
	lease := mustLock(t, store)
	if err := os.Chmod(store.Directory(), 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(store.Directory(), 0o700)
	_, lockErr := store.Lock(within(t), "another key")
	for operation, err := range map[string]error{
		"Store": lease.Store(within(t), cache.Entry{}), "Delete": lease.Delete(within(t)), "Lock": lockErr,
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s in a read-only directory: got error %v, want %v", operation, err, fs.ErrPermission)
		}
		wantAdvice(t, err, store.Directory(), "make it writable")
	}
	wantData(t, store, "before")
}

// C3
func TestAnEntryThatThisProcessMayNotReadIsAMiss(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	store := newStore(t)
	mustPut(t, store, "data")
	path := onlyFile(t, store.Directory(), ".entry")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	wantUnusable(t, store, path, "this process may not read it", false)
}

// mountedVariable tells a test that it has a mount table of its own.
const mountedVariable = "FILECACHE_TEST_MOUNTED"

// onItsOwnDisk runs f in a process that has a small disk of its own. Without
// root, that takes a user namespace, which some machines forbid.
func onItsOwnDisk(t *testing.T, f func(t *testing.T, disk string)) {
	t.Helper()
	if os.Getenv(mountedVariable) == "" {
		attributes := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if uid := os.Geteuid(); uid != 0 {
			attributes = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
				AmbientCaps: []uintptr{capSysAdmin},
			}
		}
		runAgain(t, attributes, mountedVariable+"=1")
		return
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k,mode=700"); err != nil {
		t.Fatalf("mount a disk: %v", err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	f(t, disk)
}

const capSysAdmin = 21

// asNobody runs the test in a process of a user without rights.
func asNobody(t *testing.T) {
	t.Helper()
	runAgain(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}})
}

// runAgain runs this test in another process.
func runAgain(t *testing.T, attributes *syscall.SysProcAttr, environment ...string) {
	t.Helper()
	// The binary lies where another user may not go, but may read a file that is
	// open.
	executable, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer executable.Close()
	again := exec.Command("/proc/self/fd/3", "-test.run=^"+t.Name()+"$", "-test.v")
	again.ExtraFiles = []*os.File{executable}
	again.Env = append(os.Environ(), environment...)
	again.SysProcAttr = attributes
	again.Dir = "/"
	output, err := again.CombinedOutput()
	var status *exec.ExitError
	switch {
	case err == nil && strings.Contains(string(output), "--- PASS: "+t.Name()):
	case err == nil, errors.As(err, &status):
		t.Errorf("in another process:\n%s", output)
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOSPC):
		notTried(t, fmt.Sprint("this machine does not let the process be started that it takes: ", err))
	default:
		t.Fatal(err)
	}
}

// fill writes a file that takes all the room that is left on the disk.
func fill(t *testing.T, disk string) string {
	t.Helper()
	filler, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: got error %v, want %v", err, syscall.ENOSPC)
	}
	return filler.Name()
}
