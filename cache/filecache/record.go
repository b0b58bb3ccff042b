package filecache

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"time"
)

// record says who has the lease on a key: the one who knows its identity. It
// is read and written under the guard alone, in place, and says nothing once the
// lock of its slot is free.
type record struct {
	slot     int           // the number of the lock file that the holder has locked
	life     time.Duration // of the lease, from when the record was written
	identity identity
	written  time.Time // by the file system's clock; not part of the content
}

type identity [16]byte

// A record's file is recordMagic, the slot in 4 bytes, the life in 8, the
// identity, and a CRC-32C of all that; numbers are big-endian.
const (
	recordMagic = "jwtlease"
	recordSize  = len(recordMagic) + 4 + 8 + len(identity{}) + 4
	maxSlots    = 64

	longestLease = time.Hour
)

func newRecord(slot int, life time.Duration) record {
	r := record{slot: slot, life: life}
	_, _ = rand.Read(r.identity[:]) // never fails
	return r
}

// left is how much of the lease's life is left at now, by the file system's
// clock; not positive if it is over. One that was written further ahead of now than
// its life is over too, or others would wait until the clock has come there.
func (r record) left(now time.Time) time.Duration {
	return r.life - now.Sub(r.written).Abs()
}

func (r record) encode() []byte {
	content := make([]byte, 0, recordSize)
	content = append(content, recordMagic...)
	content = binary.BigEndian.AppendUint32(content, uint32(r.slot))
	content = binary.BigEndian.AppendUint64(content, uint64(r.life))
	content = append(content, r.identity[:]...)
	return binary.BigEndian.AppendUint32(content, crc32.Checksum(content, castagnoli))
}

// decodeRecord returns the zero record, which is nobody's, for anything that is
// not a record.
func decodeRecord(content []byte) record {
	if len(content) != recordSize || !bytes.HasPrefix(content, []byte(recordMagic)) {
		return record{}
	}
	body, sum := content[:recordSize-4], content[recordSize-4:]
	if binary.BigEndian.Uint32(sum) != crc32.Checksum(body, castagnoli) {
		return record{}
	}
	fields := body[len(recordMagic):]
	slot, life := binary.BigEndian.Uint32(fields), time.Duration(binary.BigEndian.Uint64(fields[4:]))
	if slot >= maxSlots || life <= 0 || life > longestLease {
		return record{}
	}
	return record{slot: int(slot), life: life, identity: identity(fields[12:])}
}

// readRecord returns the zero record if there is none or it is damaged.
func readRecord(root *os.Root, n name) (record, error) {
	file, err := openFile(root, n.lease(), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, err
	}
	defer file.Close()
	info, err := statRegular(file)
	if err != nil {
		return record{}, fmt.Errorf("%s: %w; remove it", n.lease(), err)
	}
	content, err := io.ReadAll(io.LimitReader(file, int64(recordSize)+1))
	if err != nil {
		return record{}, err
	}
	r := decodeRecord(content)
	r.written = info.ModTime()
	return r, nil
}

func writeRecord(root *os.Root, n name, r record) error {
	file, err := openFile(root, n.lease(), os.O_CREATE|os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(r.encode(), 0)
	if err == nil {
		err = file.Truncate(int64(recordSize)) // of a damaged record, whatever follows
	}
	return errors.Join(err, file.Close())
}
