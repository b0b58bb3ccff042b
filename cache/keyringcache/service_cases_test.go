//go:build linux

package keyringcache

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	system "github.com/zalando/go-keyring"

	"github.com/jwtsession/jwtsession/internal/longtest"
)

// All of this file is C7, on a real Secret Service.

// C8
func TestOnASecretServiceTheStoreDoesWhatEveryStoreMust(t *testing.T) {
	longtest.Run(t)
	inChild(t, func(t *testing.T) {
		startService(t)
		runSuite(t)
	})
}

func TestOnASecretServiceAnEntryOutlivesTheDaemon(t *testing.T) {
	inChild(t, func(t *testing.T) {
		s := startService(t)
		directory, writer := newStored(t, "data")
		stop(s.keyring)

		wantUnavailable(t, "Load while no Secret Service runs", func() error { return load(t, directory) }, s.address)
		wantLoad(t, writer, "account", "data") // which kept the key

		s.startKeyring(true)
		reader, _ := newCache(t, directory)
		wantLoad(t, reader, "account", "data")

		if err := system.Delete(t.Name(), account); err != nil {
			t.Fatal(err)
		}
		reader, _ = newCache(t, directory)
		wantReasonedMiss(t, reader, "account", "the keyring has no key")
		mustStore(t, reader, "account", "new data")
		wantLoad(t, writer, "account", "new data")
	})
}

func TestWithoutASessionBusTheErrorSaysSo(t *testing.T) {
	inChild(t, func(t *testing.T) {
		s := startSession(t) // and no bus
		c, _ := newCache(t, t.TempDir()+"/cache")
		wantUnavailable(t, "Check without a bus", func() error { return c.Check(t.Context()) },
			s.address, "no such file", "start a session bus", "filecache")
		wantUnavailable(t, "Lock without a bus", func() error { _, err := c.Lock(t.Context(), "account"); return err }, s.address)
	})
}

func TestALockedKeyringIsAnErrorInTimeAndCanBeUsedOnceItIsUnlocked(t *testing.T) {
	inChild(t, func(t *testing.T) {
		s := startService(t)
		directory, writer := newStored(t, "data")
		lockKeyring(t)

		wantUnavailable(t, "Load while the keyring is locked", func() error { return load(t, directory) }, "unlock")
		wantLoad(t, writer, "account", "data") // which kept the key

		stop(s.keyring)
		s.startKeyring(true)
		reader, _ := newCache(t, directory)
		reader.calls = newCalls()
		wantLoad(t, reader, "account", "data")
	})
}

func TestAStoppedDaemonHoldsNobodyAndIsUsedAgainOnceItContinues(t *testing.T) {
	inChild(t, func(t *testing.T) {
		s := startService(t)
		directory, _ := newStored(t, "data")

		s.signal(s.keyring, syscall.SIGSTOP)
		const bound = 200 * time.Millisecond
		c, _ := newCache(t, directory, WithTimeout(bound))
		wantUnavailable(t, "Load from a daemon that is stopped", func() error {
			_, err := c.Load(t.Context(), "account")
			return err
		}, "has not answered within 200ms")
		for range 3 {
			wantUnavailable(t, "Check while a call hangs", func() error { return c.Check(t.Context()) }, "has not answered a call that began")
		}
		left := c.calls.left()
		s.signal(s.keyring, syscall.SIGCONT)
		<-left.done
		wantLoad(t, c, "account", "data")
	})
}

func TestABusThatDiesUnderACallIsAnError(t *testing.T) {
	inChild(t, func(t *testing.T) {
		s := startService(t)
		directory, _ := newStored(t, "data")

		s.signal(s.keyring, syscall.SIGSTOP)
		c, _ := newCache(t, directory, WithTimeout(time.Hour))
		bus := s.bus.Process
		time.AfterFunc(200*time.Millisecond, func() { _ = bus.Kill() })
		wantUnavailable(t, "Check while the bus dies", func() error { return c.Check(t.Context()) }, s.address)
		stop(s.bus)
		wantUnavailable(t, "Check after the bus died", func() error { return c.Check(t.Context()) }, s.address)

		stop(s.keyring)
		if err := os.Remove(strings.TrimPrefix(s.address, "unix:path=")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		s.startBus()
		s.startKeyring(true)
		wantLoad(t, c, "account", "data")
	})
}

const (
	processes = 8

	workerVariable = "KEYRINGCACHE_TEST_WORKER" // the directory and service of a worker
)

func TestProcessesThatCreateTheKeyAtOnceEndWithOneKey(t *testing.T) {
	inChild(t, func(t *testing.T) {
		if place := os.Getenv(workerVariable); place != "" {
			work(t, place)
			return
		}
		startService(t)
		rounds := 1
		if longtest.IsOn(t) {
			rounds = 5
		}
		for round := range rounds {
			service := fmt.Sprint("round ", round)
			directory := t.TempDir() + "/cache"
			ids := runWorkers(t, directory+"\n"+service)
			c, _ := newCache(t, directory, WithService(service))
			if err := c.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%x", c.secret.Load().id)
			for i, got := range ids {
				if got != want {
					t.Errorf("round %d: the key of process %d: got %s, want %s, which the keyring has", round, i, got, want)
				}
			}
			if got, want := countItems(t, service), 1; got != want {
				t.Errorf("round %d: secrets in the keyring: got %d, want %d", round, got, want)
			}
			for i := range ids {
				wantLoad(t, c, fmt.Sprint("of ", ids[i], i), ids[i])
			}
		}
	})
}

// runWorkers lets processes begin at once, and returns the ID of each one's key.
func runWorkers(t *testing.T, place string) []string {
	t.Helper()
	var answers []*bufio.Scanner
	var begins []func() error
	for i := range processes {
		worker := reexecute(t.Context(), "-test.run=^"+t.Name()+"$")
		worker.Env = append(worker.Env, workerVariable+"="+place+"\n"+fmt.Sprint(i))
		worker.Stderr = os.Stderr
		begin, err := worker.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		output, err := worker.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(worker) })
		answers = append(answers, bufio.NewScanner(output))
		begins = append(begins, begin.Close)
	}
	for i, answer := range answers {
		if !answer.Scan() || answer.Text() != "ready" {
			t.Fatalf("process %d: got %q, want that it is ready", i, answer.Text())
		}
	}
	for _, begin := range begins {
		if err := begin(); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for i, answer := range answers {
		if !answer.Scan() || !strings.HasPrefix(answer.Text(), "key ") {
			t.Fatalf("process %d: got %q, want its key", i, answer.Text())
		}
		ids = append(ids, strings.TrimPrefix(answer.Text(), "key "))
	}
	return ids
}

// work is what a process does that runWorkers started.
func work(t *testing.T, place string) {
	fields := strings.Split(place, "\n")
	directory, service, number := fields[0], fields[1], fields[2]
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // its end is the sign to begin
	c, err := New(directory, WithService(service), WithTimeout(patience))
	if err == nil {
		err = c.Check(t.Context())
	}
	if err != nil {
		fmt.Println("failed:", err)
		return
	}
	id := fmt.Sprintf("%x", c.secret.Load().id)
	mustStore(t, c, fmt.Sprint("of ", id, number), id)
	fmt.Println("key", id)
}

func load(t *testing.T, directory string) error {
	c, _ := newCache(t, directory)
	_, err := c.Load(t.Context(), "account")
	return err
}

const (
	secretsName  = "org.freedesktop.secrets"
	secretsPath  = "/org/freedesktop/secrets"
	loginKeyring = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
)

// lockKeyring locks the login keyring as the desktop's own dialog would.
func lockKeyring(t *testing.T) {
	t.Helper()
	connection := connect(t)
	var locked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	err := connection.Object(secretsName, secretsPath).
		Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{loginKeyring}).Store(&locked, &prompt)
	if err != nil || len(locked) != 1 {
		t.Fatalf("lock the login keyring: got %v and error %v, want it locked", locked, err)
	}
}

func countItems(t *testing.T, service string) int {
	t.Helper()
	var items []dbus.ObjectPath
	err := connect(t).Object(secretsName, loginKeyring).
		Call("org.freedesktop.Secret.Collection.SearchItems", 0, map[string]string{"service": service}).Store(&items)
	if err != nil {
		t.Fatal(err)
	}
	return len(items)
}

func connect(t *testing.T) *dbus.Conn {
	t.Helper()
	connection, err := dbus.Connect(os.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}
