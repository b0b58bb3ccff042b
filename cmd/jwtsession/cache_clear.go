package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

func newCacheCommand() *cobra.Command {
	return newGroup("cache", "Clear the cache of sessions", newCacheClearCommand())
}

func newCacheClearCommand() *cobra.Command {
	var flags accountFlags
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Remove all sessions from the directory of the file cache",
		Long: `Remove the entries of all accounts from the directory of the file cache: their
sessions, and what is remembered of refusals. The API is not called, and the
tokens live on there until they expire; a running program goes on with its own.

What other programs share in Redis stays. Of one account, in any cache,
"jwtsession logout --local" removes the session.`,
		Example: `  jwtsession cache clear`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			if account.store.directory == "" {
				return &usageError{fmt.Errorf("the cache is %s (%s), which has no directory to clear: for one account, use jwtsession logout --local", account.cache.value, account.cache.from)}
			}
			removed, err := clearDirectory(account.store.directory)
			if err != nil {
				return &localError{err}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Removed %d entries from %s\n", removed, account.store.directory)
			return err
		},
	}
	flags.register(cmd)
	return cmd
}

// clearDirectory removes the entries of a file cache. It leaves the locks: who
// waits for one must find the file that the others have.
func clearDirectory(directory string) (removed int, err error) {
	root, err := os.OpenRoot(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer root.Close()
	names, err := fs.Glob(root.FS(), "*.entry")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
