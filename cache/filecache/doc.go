// Package filecache keeps sessions in files, so that the commands and services
// of one user on one machine share them. There is nothing to install or to
// configure:
//
//	store, err := filecache.New("") // jwtsession in os.UserCacheDir
//
// # Who can reach the files
//
// The directory has mode 0700 and the files 0600. A directory that others can
// enter, or that belongs to another user, is refused with [cache.ErrInsecure];
// an entry of that kind, or a symbolic link in its place, is not read, and the
// next Store replaces it. The directory itself may be reached through a link, and
// no link leads out of it: files are opened through [os.Root], and a lock file,
// which is not, is compared with what lies there. What is stored is sealed by the
// token source all the same.
//
// Who has a copy of the directory, from a backup for instance, can test guesses of
// a password by an entry's name, some 45 a second on one core; package cache tells
// how. A CacheKey prevents it, if the backup does not have that as well.
//
// On Windows, the access list of the user's cache directory protects the files.
// It is not checked, so a directory given to [New] there should have one like it.
//
// # The files
//
// Each key has, under the hex SHA-256 of the key,
//
//	HASH.entry       the entry; replaced as a whole, by renaming a temporary file
//	HASH.lease       who has the lease
//	HASH.0.lock      locked by the holder of the lease (also .1, .2 and so on)
//	HASH.guard.lock  locked for a moment by whoever changes the entry or the lease
//	HASH.*.tmp       an entry that is being written, or whose writer was killed
//
// and all share the file clock, which is written to learn the time. Files of the
// last kind that are older than an hour are removed by a Store. Lock files are
// never removed: to remove one that another process has open would give each its
// own lock. Load takes no lock.
//
// The locks are those of the operating system (flock, LockFileEx), so the
// directory must be on a file system that has them. NFS version 4 does.
//
// # The lease
//
// The kernel unlocks the files of a process that dies, however it dies, and the
// next one goes on at once. A holder that is stopped, or hangs, keeps its lock.
// Therefore a lease has a life, one minute unless [WithLease] says otherwise.
// Then somebody else may take it, by another lock file and a new random identity
// in the lease's file. Store and Delete compare that identity, and the life,
// while they hold the guard under which alone it can change, and rename before
// they let go of it: a holder that continues too late gets [cache.ErrLeaseLost]
// and writes nothing.
//
// A process that is stopped in the very moment in which it has the guard, well
// under a millisecond on a local disk, keeps all others from the lease until it is
// continued or killed. Their Lock ends with its context, and Load goes on as ever.
// The same goes for a process of this user that takes the locks to keep others
// from the lease, and for whatever is put in the place of the lease's files: the
// error then names the file. A token source works on its own meanwhile.
//
// # Time
//
// Lives are counted by the file system's clock, which is read by writing to a
// file and asking when that was. A process whose own clock is wrong, such as
// another machine with the same home directory, reckons as all others do. Only
// where the directory cannot be written is the process's clock used. Lives are as
// exact as the file system's times: some milliseconds, or 2 seconds on FAT.
package filecache
