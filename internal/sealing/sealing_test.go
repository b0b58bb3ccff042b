package sealing

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"testing"
)

const (
	nameFromPassword = "6c9228f372e716baa6f1307069639115b7ce51d1"
	nameFromKey      = "1aa3f962e078f1be56839c1998673d5e86c24422"

	// The text "content", sealed by the first version.
	sealedFromPassword = "5f174c3554f4877e13222334aff288b245d06de95355a1253fa4b6460f4295e6c2a850"
	sealedFromKey      = "ce01d8e927c47c0140cf03d0d3d103c62094ddf8a226cb3b219114bda584cfdb2ede07"
)

var key = []byte("thirty-two bytes of a test's key")

// C2: each of these addresses an entry of its own, and opens no other.
func TestEachAccountPasswordServerAndKeyHasAnEntryOfItsOwn(t *testing.T) {
	sealers := map[string]*Sealer{
		"the account":              FromPassword("https://a/v1", "clerk@example.com", "password"),
		"another password":         FromPassword("https://a/v1", "clerk@example.com", "Password"),
		"another address":          FromPassword("https://a/v1", "clerk2@example.com", "password"),
		"another server":           FromPassword("https://b/v1", "clerk@example.com", "password"),
		"parts cut elsewhere":      FromPassword("https://a/v1c", "lerk@example.com", "password"),
		"more":                     FromPassword("https://a/v1", "clerk@example.com", "password", "tenant", "7"),
		"more, another value":      FromPassword("https://a/v1", "clerk@example.com", "password", "tenant", "8"),
		"more, cut elsewhere":      FromPassword("https://a/v1", "clerk@example.com", "password", "tenant7"),
		"more, in another order":   FromPassword("https://a/v1", "clerk@example.com", "password", "7", "tenant"),
		"more, which is empty":     FromPassword("https://a/v1", "clerk@example.com", "password", ""),
		"more, of empty ones":      FromPassword("https://a/v1", "clerk@example.com", "password", "", ""),
		"more, another password":   FromPassword("https://a/v1", "clerk@example.com", "Password", "tenant", "7"),
		"a key":                    FromKey(key, "https://a/v1", "clerk@example.com", "password"),
		"a key, another password":  FromKey(key, "https://a/v1", "clerk@example.com", "Password"),
		"a key, another address":   FromKey(key, "https://a/v1", "clerk2@example.com", "password"),
		"a key, cut elsewhere":     FromKey(key, "https://a/v1", "clerk@example.comp", "assword"),
		"another key":              FromKey([]byte("thirty-two bytes of another key!"), "https://a/v1", "clerk@example.com", "password"),
		"a key, with fewer parts":  FromKey(key, "https://a/v1", "clerk@example.com"),
		"a key, with an empty one": FromKey(key, "https://a/v1", "clerk@example.com", ""),
	}
	content := []byte("content")
	for name, sealer := range sealers {
		sealed := sealer.Seal(content)
		for other, opener := range sealers {
			opened, err := opener.Open(sealed)
			if same := name == other; same != (err == nil) || same != (opener.Name() == sealer.Name()) || same && !bytes.Equal(opened, content) {
				t.Errorf("what %q sealed, %q opened: %q, %v; the names are %s and %s", name, other, opened, err, sealer.Name(), opener.Name())
			}
		}
	}
}

// A new process, of a newer version too, finds the entry of the one before, and
// opens it. Names and keys are part of the format: change them, and every session
// of every user is signed in anew, which the version is for.
func TestTheSameAccountHasTheSameEntryInEveryProcess(t *testing.T) {
	for how, c := range map[string]struct {
		sealer       *Sealer
		name, sealed string
	}{
		"with a password": {FromPassword("https://a/v1", "clerk@example.com", "password"), nameFromPassword, sealedFromPassword},
		"with a key":      {FromKey(key, "https://a/v1", "clerk@example.com", "password"), nameFromKey, sealedFromKey},
	} {
		if got := c.sealer.Name(); got != c.name {
			t.Errorf("%s the entry's name is %s, want %s", how, got, c.name)
		}
		sealed, err := hex.DecodeString(c.sealed)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := c.sealer.Open(sealed); err != nil || string(content) != "content" {
			t.Errorf("%s what the first version sealed opens as %q, error %v, want \"content\"", how, content, err)
		}
		if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(c.name) {
			t.Errorf("%s the name is %q, want 40 hexadecimal digits", how, c.name)
		}
	}
}

// C2: the name is what the content is bound to, and each bit counts.
func TestASealedTextThatWasChangedDoesNotOpen(t *testing.T) {
	sealer := FromKey(key, "account")
	sealed := sealer.Seal([]byte("content"))
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := sealer.Open(changed); err == nil {
			t.Errorf("with byte %d changed it opens, want an error", i)
		}
	}
	for n := range sealed {
		if _, err := sealer.Open(sealed[:n]); err == nil {
			t.Errorf("cut off after %d bytes it opens, want an error", n)
		}
	}
	renamed := *sealer
	renamed.name = "0" + sealer.name[1:]
	if renamed.name == sealer.name {
		renamed.name = "1" + sealer.name[1:]
	}
	if _, err := renamed.Open(sealed); err == nil {
		t.Error("under another name it opens, want an error")
	}
}

func TestTheSameContentIsSealedDifferentlyEachTime(t *testing.T) {
	sealer := FromKey(key, "account")
	if a, b := sealer.Seal([]byte("content")), sealer.Seal([]byte("content")); bytes.Equal(a, b) {
		t.Error("sealed twice it is the same text")
	}
}

// What a guess at a password costs somebody who has the entry's name, on one core:
// the figure in the documentation of package cache.
func BenchmarkFromPassword(b *testing.B) {
	for b.Loop() {
		FromPassword("https://a/v1", "clerk@example.com", "password")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "guesses/s")
}

func BenchmarkFromKey(b *testing.B) {
	for b.Loop() {
		FromKey(key, "https://a/v1", "clerk@example.com", "password")
	}
}
