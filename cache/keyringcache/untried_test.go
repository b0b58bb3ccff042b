//go:build !linux

package keyringcache

import (
	"fmt"
	"os"
)

func announceUntried() {
	fmt.Fprintln(os.Stderr, "keyringcache: NOT TRIED here: the keyring of this operating system; the mock stands in for it")
}
