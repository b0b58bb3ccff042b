// Package sealing closes what goes into a cache, so that no store ever sees a
// token, and names it, so that who does not know the credentials cannot even
// ask for it.
package sealing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/argon2"
)

// version is part of all that is derived: entries of another format have other
// names, and are never met.
const version = "jwtsession cache entry 1"

// The cost of a guess at a password for somebody who has got hold of an entry:
// the second of the settings that RFC 9106 leaves to memory-constrained
// environments, as OWASP's Password Storage Cheat Sheet has it.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
)

const (
	keySize  = 32 // AES-256
	nameSize = 20
)

// Sealer seals and opens the entry of one account. It is safe for concurrent
// use.
type Sealer struct {
	name string
	aead cipher.AEAD
}

// FromPassword returns the sealer of an account that nothing but its password
// protects. What else tells one account from another, or one way of signing in
// from another, follows as more; each part counts, and their order. It takes some
// tens of milliseconds (BenchmarkFromPassword) and 19 MiB, on purpose.
func FromPassword(baseURL, email, password string, more ...string) *Sealer {
	salt := sha256.Sum256(joined(append([]string{version, baseURL, email}, more...)...))
	return newSealer(argon2.IDKey([]byte(password), salt[:], argonTime, argonMemory, argonThreads, keySize))
}

// FromKey returns the sealer of the account that the parts name, as its base
// URL, e-mail address and password do, for one who has a key of 32 bytes. Each
// part counts, and their order.
func FromKey(key []byte, parts ...string) *Sealer {
	salt := sha256.Sum256(joined(append([]string{version}, parts...)...))
	return newSealer(must(hkdf.Extract(sha256.New, key, salt[:])))
}

func newSealer(master []byte) *Sealer {
	name := must(hkdf.Expand(sha256.New, master, version+" name", nameSize))
	block := must(aes.NewCipher(must(hkdf.Expand(sha256.New, master, version+" key", keySize))))
	return &Sealer{name: hex.EncodeToString(name), aead: must(cipher.NewGCM(block))}
}

// Name is what the entry is called in a store: 40 hexadecimal digits that say
// nothing about the account.
func (s *Sealer) Name() string { return s.name }

// Seal returns the content sealed. Each time it is another text.
func (s *Sealer) Seal(content []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(content)+s.aead.Overhead())
	rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, content, []byte(s.name))
}

// Open returns the content of what Seal returned. Anything else is an error.
func (s *Sealer) Open(sealed []byte) ([]byte, error) {
	if len(sealed) < s.aead.NonceSize() {
		return nil, errors.New("it is cut off")
	}
	nonce, text := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	content, err := s.aead.Open(nil, nonce, text, []byte(s.name))
	if err != nil {
		return nil, errors.New("it is damaged, or was sealed for somebody else")
	}
	return content, nil
}

// joined is the parts in one, each behind its length, so that no two lists of
// parts are the same text.
func joined(parts ...string) []byte {
	var all []byte
	for _, part := range parts {
		all = binary.AppendUvarint(all, uint64(len(part)))
		all = append(all, part...)
	}
	return all
}

// must is for functions that fail on sizes only, which are constants here.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
