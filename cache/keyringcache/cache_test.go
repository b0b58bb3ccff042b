package keyringcache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	system "github.com/zalando/go-keyring"

	"github.com/jwtsession/jwtsession/cache"
	"github.com/jwtsession/jwtsession/cache/filecache"
)

// C7
func TestNoFileAndNoSecretHoldsTheEntryInTheClear(t *testing.T) {
	c, _ := newCache(t, t.TempDir()+"/cache")
	const canary = "the token of somebody"
	mustStore(t, c, "account", canary)

	files, err := filepath.Glob(c.Directory() + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("files in %s: got %v and error %v, want some", c.Directory(), files, err)
	}
	text, err := system.Get(t.Name(), account)
	if err != nil {
		t.Fatalf("the secret in the keyring: got error %v, want none", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, clear := range []string{canary, text} {
			if strings.Contains(string(content), clear) {
				t.Errorf("%s: got %q in it, want it nowhere", file, clear)
			}
		}
	}
	if strings.Contains(text, canary) {
		t.Errorf("the secret in the keyring: got the entry in it, want the key only")
	}
	if len(text) > 2560 {
		t.Errorf("the secret in the keyring: got %d bytes, want at most 2560 (Windows)", len(text))
	}
}

// C7: nobody without the key reads an entry.
func TestAnotherKeyOpensNothing(t *testing.T) {
	directory := t.TempDir() + "/cache"
	mine, _ := newCache(t, directory)
	theirs, _ := newCache(t, directory, WithService("somebody else's"))
	mustStore(t, mine, "account", "mine")
	if err := theirs.Check(t.Context()); err != nil {
		t.Fatalf("Check: got error %v, want none", err)
	}
	wantReasonedMiss(t, theirs, "account", "another key")
	wantLoad(t, mine, "account", "mine")
}

func TestAFilecacheInTheSameDirectoryHasItsOwnEntries(t *testing.T) {
	directory := t.TempDir() + "/cache"
	c, _ := newCache(t, directory)
	files, err := filecache.New(directory)
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, files, "account", "in the file cache")
	if _, err := c.Load(t.Context(), "account"); err != cache.ErrMiss {
		t.Errorf("Load of what only the filecache has: got error %v, want ErrMiss itself", err)
	}
	mustStore(t, c, "account", "under the keyring's key")
	wantLoad(t, files, "account", "in the file cache")
	wantLoad(t, c, "account", "under the keyring's key")
}

func TestTheKeyringIsNotAskedWithoutNeedAndOnceIfThereIs(t *testing.T) {
	directory, _ := newStored(t, "data")

	c, calls := newCache(t, directory)
	if _, err := c.Load(t.Context(), "nobody"); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("Load of an entry that is not there: got error %v, want ErrMiss", err)
	}
	if calls.reads+calls.writes != 0 {
		t.Errorf("calls to the keyring by New and by a Load without an entry: got %d, want 0", calls.reads+calls.writes)
	}
	calls.hang = make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() { close(calls.hang) }) // by then they wait for each other
	var readers sync.WaitGroup
	for range 50 {
		readers.Go(func() {
			if got, err := c.Load(t.Context(), "account"); err != nil || string(got.Data) != "data" {
				t.Errorf("Load: got %q and error %v, want %q and none", got.Data, err, "data")
			}
		})
	}
	readers.Wait()
	mustStore(t, c, "account", "more data")
	if calls.reads != 1 || calls.writes != 0 {
		t.Errorf("calls to the keyring by 50 Loads and a Store: got %d reads and %d writes, want 1 and 0", calls.reads, calls.writes)
	}
}

func TestALostKeyIsAMissThatSaysSoAndTheNextStoreReplacesTheEntry(t *testing.T) {
	directory, before := newStored(t, "old")
	if err := system.Delete(t.Name(), account); err != nil {
		t.Fatal(err)
	}
	c, _ := newCache(t, directory)
	wantReasonedMiss(t, c, "account", "the keyring has no key")
	mustStore(t, c, "account", "new")
	wantLoad(t, c, "account", "new")

	// A process that kept the lost key learns of the new one.
	wantLoad(t, before, "account", "new")
	mustStore(t, before, "account", "newer")
	wantLoad(t, c, "account", "newer")
}

func TestAReplacedKeyIsAMissThatSaysSoAndTheNextStoreReplacesTheEntry(t *testing.T) {
	for replacement, reason := range map[string]string{
		newSecret():    "another key",
		"a password":   "not made by this package",
		"dG9vIHNob3J0": "not made by this package",
	} {
		t.Run(reason, func(t *testing.T) {
			directory, before := newStored(t, "old")
			if err := system.Set(t.Name(), account, replacement); err != nil {
				t.Fatal(err)
			}
			c, calls := newCache(t, directory)
			wantReasonedMiss(t, c, "account", reason)
			if calls.reads != 1 {
				t.Errorf("calls to the keyring by a Load that misses: got %d, want 1", calls.reads)
			}
			mustStore(t, c, "account", "new")
			wantLoad(t, c, "account", "new")
			wantLoad(t, before, "account", "new")
		})
	}
}

func TestADamagedOrMisplacedEntryIsAMissThatSaysSo(t *testing.T) {
	directory := t.TempDir() + "/cache"
	c, calls := newCache(t, directory)
	mustStore(t, c, "account", "data")
	files, err := filecache.New(directory)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := files.Load(t.Context(), entryPrefix+"account")
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, sealed.Data...)
	flipped[len(flipped)-1] ^= 1
	for name, content := range map[string]string{
		"empty":                 "",
		"foreign":               "not a sealed entry at all, and longer than a header",
		"cut off in the header": string(sealed.Data[:len(sealedMagic)+idSize-1]),
		"cut off":               string(sealed.Data[:len(sealed.Data)-1]),
		"one bit flipped":       string(flipped),
		"another one's":         string(sealed.Data),
	} {
		mustStore(t, files, entryPrefix+name, content)
		reads := calls.reads
		wantReasonedMiss(t, c, name, "damaged")
		if calls.reads != reads {
			t.Errorf("%s: got %d further calls to the keyring, want none for an entry whose key is known", name, calls.reads-reads)
		}
	}
	wantLoad(t, c, "account", "data")
}

// C7
func TestWithoutAKeyringEveryCallFailsWithAnErrorToActOn(t *testing.T) {
	directory, _ := newStored(t, "data")

	c, calls := newCache(t, directory)
	calls.fail = errors.New("nobody answers on the bus")
	for what, call := range map[string]func() error{
		"Check": func() error { return c.Check(t.Context()) },
		"Load":  func() error { _, err := c.Load(t.Context(), "account"); return err },
		"Lock":  func() error { _, err := c.Lock(t.Context(), "account"); return err },
	} {
		err := call()
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, calls.fail) || errors.Is(err, cache.ErrMiss) {
			t.Errorf("%s without a keyring: got error %v, want one that Is ErrUnavailable and the keyring's own, and not ErrMiss", what, err)
			continue
		}
		for _, part := range []string{"read the key", t.Name(), account, keyringName(), calls.fail.Error(), "filecache"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s without a keyring: got error %q, want %q in it", what, err, part)
			}
		}
	}

	calls.fail = nil
	wantLoad(t, c, "account", "data") // a failure is not kept
	calls.fail = errors.New("locked again")
	mustStore(t, c, "account", "more data") // but the key is
	wantLoad(t, c, "account", "more data")
}

func TestAKeyringThatTakesAKeyAndDoesNotKeepItIsNotUsed(t *testing.T) {
	c, _ := newCache(t, t.TempDir()+"/cache")
	c.keyring = forgetfulKeyring{}
	if err := c.Check(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Check: got error %v, want one that Is ErrUnavailable", err)
	}
}

type forgetfulKeyring struct{}

func (forgetfulKeyring) Get(string, string) (string, error) { return "", system.ErrNotFound }
func (forgetfulKeyring) Set(string, string, string) error   { return nil }

// The keyring takes virtual time, and the files live in real time.
func TestTheTimeThatTheKeyringTakesIsTakenFromTheTTL(t *testing.T) {
	const delay = time.Hour
	load := func(t *testing.T, life time.Duration) (cache.Entry, error) {
		directory := t.TempDir() + "/cache"
		writer, _ := newCache(t, directory)
		held := mustLock(t, writer, "account")
		if err := held.Store(t.Context(), cache.Entry{Data: []byte("data"), TTL: life}); err != nil {
			t.Fatal(err)
		}
		c, calls := newCache(t, directory, WithTimeout(2*delay))
		c.calls = newCalls()
		calls.hang = make(chan struct{})
		time.AfterFunc(delay, func() { close(calls.hang) })
		return c.Load(t.Context(), "account")
	}
	synctest.Test(t, func(t *testing.T) {
		const long, short = 20 * delay, delay / 2
		if got, err := load(t, long); err != nil || got.TTL > long-delay {
			t.Errorf("TTL of %v after the keyring took %v: got %v and error %v, want about %v and none", long, delay, got.TTL, err, long-delay)
		}
		if got, err := load(t, short); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("Load of an entry that had %v left before the keyring took %v: got TTL %v and error %v, want ErrMiss", short, delay, got.TTL, err)
		}
	})
}

func TestACallEndsWithItsContext(t *testing.T) {
	c, calls := newCache(t, t.TempDir()+"/cache", WithTimeout(time.Hour))
	c.calls = newCalls()
	calls.hang = make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Lock(ctx, "account"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("Lock with a keyring that hangs: got error %v, want one that Is the context's and ErrUnavailable", err)
	}
	left := c.calls.left()
	close(calls.hang)
	<-left.done // it still makes the directory
}

func TestNewRefusesAServiceThatAKeyringMayNotTake(t *testing.T) {
	for _, name := range []string{strings.Repeat("x", maxService+1), "two\nlines", "Schlüssel"} {
		if _, err := New(t.TempDir(), WithService(name)); err == nil {
			t.Errorf("New with the service %q: got no error, want one", name)
		}
	}
	for _, name := range []string{strings.Repeat("x", maxService), " a~"} {
		if _, err := New(t.TempDir(), WithService(name)); err != nil {
			t.Errorf("New with the service %q: got error %v, want none", name, err)
		}
	}
}

// The documentation says so.
func TestATimeoutThatIsNoneStandsForTheDefault(t *testing.T) {
	for _, bound := range []time.Duration{0, -time.Second} {
		if c, err := New(t.TempDir(), WithTimeout(bound)); err != nil || c.timeout != defaultTimeout {
			t.Errorf("New with a timeout of %v: got one of %v and error %v, want %v", bound, c.timeout, err, defaultTimeout)
		}
	}
}

func wantReasonedMiss(t *testing.T, c *Cache, key, reason string) {
	t.Helper()
	got, err := c.Load(t.Context(), key)
	if !errors.Is(err, cache.ErrMiss) || !strings.Contains(fmt.Sprint(err), reason) {
		t.Errorf("Load(%q): got %q and error %v, want one that Is ErrMiss and says %q", key, got.Data, err, reason)
	}
}
