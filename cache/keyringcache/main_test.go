package keyringcache

import (
	"os"
	"testing"
	"time"

	system "github.com/zalando/go-keyring"

	"github.com/jwtsession/jwtsession/cache"
)

// realVariable makes the test binary use the keyring of its session bus, which a
// test started, and not the keyring package's mock. It is never that of the
// person who runs the tests.
const realVariable = "KEYRINGCACHE_TEST_REAL"

func isReal() bool { return os.Getenv(realVariable) != "" }

func TestMain(m *testing.M) {
	if !isReal() {
		system.MockInit()
		announceUntried()
	}
	os.Exit(m.Run())
}

// countingKeyring counts the calls to the keyring, and fails or hangs on demand.
// Its fields are set while no call is under way.
type countingKeyring struct {
	systemKeyring
	reads, writes int
	fail          error
	hang          chan struct{} // calls wait until it is closed; nil: none does
}

func (k *countingKeyring) Get(service, account string) (string, error) {
	k.reads++
	if k.hang != nil {
		<-k.hang
	}
	if k.fail != nil {
		return "", k.fail
	}
	return k.systemKeyring.Get(service, account)
}

func (k *countingKeyring) Set(service, account, text string) error {
	k.writes++
	if k.fail != nil {
		return k.fail
	}
	return k.systemKeyring.Set(service, account, text)
}

// patience is for what ought to take a moment, on a machine that is busy with
// something else.
const patience = time.Minute

// newCache returns a store with a keyring that counts. Its service is the test's,
// so that no test has the key of another.
func newCache(t *testing.T, directory string, options ...Option) (*Cache, *countingKeyring) {
	t.Helper()
	c, err := New(directory, append([]Option{WithService(t.Name()), WithTimeout(patience)}, options...)...)
	if err != nil {
		t.Fatalf("New: got error %v, want none", err)
	}
	counting := &countingKeyring{}
	c.keyring = counting
	return c, counting
}

// newStored returns a directory in which the entry of "account" is, and the store
// that wrote it.
func newStored(t *testing.T, data string) (directory string, writer *Cache) {
	t.Helper()
	directory = t.TempDir() + "/cache"
	writer, _ = newCache(t, directory)
	mustStore(t, writer, "account", data)
	return directory, writer
}

func mustLock(t *testing.T, c cache.Cache, key string) cache.Lease {
	t.Helper()
	held, err := c.Lock(t.Context(), key)
	if err != nil {
		t.Fatalf("Lock(%q): got error %v, want the lease", key, err)
	}
	t.Cleanup(func() { _ = held.Unlock() })
	return held
}

func mustStore(t *testing.T, c cache.Cache, key, data string) {
	t.Helper()
	held := mustLock(t, c, key)
	if err := held.Store(t.Context(), cache.Entry{Data: []byte(data), TTL: time.Hour}); err != nil {
		t.Fatalf("Store(%q): got error %v, want none", data, err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatalf("Unlock: got error %v, want none", err)
	}
}

func wantLoad(t *testing.T, c cache.Cache, key, want string) {
	t.Helper()
	got, err := c.Load(t.Context(), key)
	if err != nil || string(got.Data) != want {
		t.Fatalf("Load(%q): got %q and error %v, want %q and none", key, got.Data, err, want)
	}
}
