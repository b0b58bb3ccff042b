package keyringcache

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// secret is the key that the keyring holds, ready for use.
type secret struct {
	id   string // tells this key from others, and says nothing about it
	aead cipher.AEAD
}

const (
	secretSize = 32
	idSize     = 8
)

// newSecret makes a key, and returns it as the text that goes into the keyring:
// 32 random bytes in base64.
func newSecret() string {
	var random [secretSize]byte
	_, _ = rand.Read(random[:]) // never fails
	return base64.StdEncoding.EncodeToString(random[:])
}

// errNoSecret means that the keyring works and does not have a key of ours.
var errNoSecret = errors.New("the keyring has no key")

func parseSecret(text string) (*secret, error) {
	random, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(random) != secretSize {
		return nil, fmt.Errorf("%w: what it has was not made by this package", errNoSecret)
	}
	id, err := hkdf.Expand(sha256.New, random, "jwtsession keyringcache key ID", idSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(random)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &secret{id: string(id), aead: aead}, nil
}

// A sealed entry is sealedMagic, the ID of the key in 8 bytes, and what AES-256-GCM
// made of the data: a random nonce in 12 bytes, the ciphertext, and the tag in 16.
// The entry's name is the additional data, so an entry cannot stand in for
// another one.
const sealedMagic = "jwtkring"

func (s *secret) seal(name string, data []byte) []byte {
	header := sealedMagic + s.id
	sealed := make([]byte, 0, len(header)+len(data)+s.aead.Overhead())
	return s.aead.Seal(append(sealed, header...), nil, data, []byte(name))
}

// unusableError says why an entry cannot be opened, though the keyring works.
type unusableError struct{ reason error }

func (e *unusableError) Error() string { return e.reason.Error() }
func (e *unusableError) Unwrap() error { return e.reason }

var (
	errOtherKey = errors.New("was sealed with another key than the one that the keyring has now")
	errDamaged  = errors.New("is damaged or was not written by this package under this name")
)

func (s *secret) open(name string, sealed []byte) ([]byte, error) {
	body, isOurs := bytes.CutPrefix(sealed, []byte(sealedMagic))
	if !isOurs || len(body) < idSize {
		return nil, &unusableError{errDamaged}
	}
	if string(body[:idSize]) != s.id {
		return nil, &unusableError{errOtherKey}
	}
	data, err := s.aead.Open(nil, nil, body[idSize:], []byte(name))
	if err != nil {
		return nil, &unusableError{errDamaged}
	}
	return data, nil
}
