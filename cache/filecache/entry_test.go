package filecache

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// C3: a file may be cut off anywhere, by whatever befell the disk.
func TestAPartOfAnEntryIsNone(t *testing.T) {
	whole, err := encodeEntry(cache.Entry{Data: []byte("data"), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for length := range whole {
		if got, err := decodeEntry(whole[:length]); !errors.Is(err, errDamaged) {
			t.Errorf("%d of %d bytes: got %+v and error %v, want %v", length, len(whole), got, err, errDamaged)
		}
	}
	other := bytes.Clone(whole)
	other[0]++ // which is not in the sum
	if got, err := decodeEntry(other); !errors.Is(err, errDamaged) {
		t.Errorf("an entry of another format: got %+v and error %v, want %v", got, err, errDamaged)
	}
}

func TestAnEntryMayHaveOneMebibyteAndNoMore(t *testing.T) {
	for size, fits := range map[int]bool{maxData: true, maxData + 1: false} {
		content, err := encodeEntry(cache.Entry{Data: make([]byte, size)})
		if fits != (err == nil) {
			t.Errorf("an entry of %d bytes: got error %v, want it stored: %v", size, err, fits)
		}
		if !fits {
			content = make([]byte, maxFile+1)
			copy(content, entryMagic)
		}
		if _, err := decodeEntry(content); fits != (err == nil) {
			t.Errorf("a file for %d bytes: got error %v, want it read: %v", size, err, fits)
		}
	}
}
