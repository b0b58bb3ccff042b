package filecache

import (
	"testing"
	"time"
)

// C10: what is there says so of itself, and its sum is right.
func TestARecordOfAnImpossibleLeaseIsNobodys(t *testing.T) {
	for name, c := range map[string]struct {
		slot   int
		life   time.Duration
		isOurs bool
	}{
		"the longest":             {maxSlots - 1, longestLease, true},
		"longer than the longest": {0, longestLease + 1, false},
		"of a hundred years":      {0, 100 * 365 * 24 * time.Hour, false},
		"over before it began":    {0, -time.Hour, false},
		"of no life":              {0, 0, false},
		"in a slot too many":      {maxSlots, time.Minute, false},
	} {
		written := newRecord(c.slot, c.life)
		want := record{}
		if c.isOurs {
			want = written
		}
		if got := decodeRecord(written.encode()); got != want {
			t.Errorf("a lease %s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestAPartOfARecordIsNone(t *testing.T) {
	whole := newRecord(0, time.Minute).encode()
	for length := range whole {
		if got := decodeRecord(whole[:length]); got != (record{}) {
			t.Errorf("%d of %d bytes: got %+v, want nobody's", length, len(whole), got)
		}
	}
	if got := decodeRecord(append(whole, 0)); got != (record{}) {
		t.Errorf("a byte more: got %+v, want nobody's", got)
	}
}
