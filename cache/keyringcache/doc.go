// Package keyringcache keeps sessions in files that only who can open the
// operating system's keyring can read: the macOS Keychain, the Windows Credential
// Manager, or a Secret Service such as gnome-keyring or KWallet. A copy of the
// files alone, from a backup for instance, opens nothing.
//
//	store, err := keyringcache.New("") // jwtsession in os.UserCacheDir
//
// The keyring holds one random 32-byte key for each service (see [WithService]),
// as text, because Windows limits a secret to 2,560 bytes. The entries lie in a
// directory of package filecache, each sealed once more with that key by
// AES-256-GCM. All else is as that package says: who can reach the files, the
// lease, and the time.
//
// What a copy does allow is to test guesses of a password by an entry's name, some
// 45 a second on one core; package cache tells how. A CacheKey prevents it.
//
// # The key
//
// The first call that needs the key reads it, and a Lock or a Check creates it
// where there is none. Processes that share a directory take turns at that, and
// all end with the same key. Processes that share a service but no directory and
// create the key at the same moment may begin with two; the keyring keeps one of
// them, and the entry that was sealed with the other is a miss.
//
// The key is kept in memory from then on, so that a process asks the keyring
// once. A keyring that is locked later does not stop a process that has the key.
// The key is forgotten when it does not fit an entry, and read again.
//
// # What happens when it fails
//
//   - There is no keyring: no session bus, nobody who answers on it, no logged-on
//     user. Check, Lock and the Load of an entry return an error that Is
//     [ErrUnavailable] and says what was tried, where, and what came back. A token
//     source goes on without its store. A program that would rather use another
//     store asks Check first.
//   - The keyring is locked, or asks a person for leave. The same, unless the
//     answer comes within the time that [WithTimeout] sets and the call's context
//     allows; that of a token source is short. An answer that comes later counts
//     for later calls. A program whose user may be asked calls Check first.
//   - The keyring hangs. Calls end within the same time. Until the hung one has
//     ended, further calls fail at once; after a minute another one is tried. A
//     process leaves at most four such calls behind.
//   - The key was lost or replaced. Entries that were sealed with it are misses
//     whose error says so, and the next Store replaces them.
//   - The files fail. As package filecache says; nothing is asked of the keyring
//     for an entry that is not there.
//
// Delete needs a lease, and Lock the key: an entry cannot be deleted while the
// keyring cannot be used. It cannot be read either.
package keyringcache
