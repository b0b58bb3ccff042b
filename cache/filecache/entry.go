package filecache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/jwtsession/jwtsession/cache"
)

// An entry's file is
//
//	8 bytes   entryMagic
//	8 bytes   the life at the time the file was written, in nanoseconds; 0: unknown,
//	          negative: over
//	4 bytes   CRC-32C of the life and the data
//	          the data
//
// Numbers are big-endian. The sum finds files that were cut off or damaged; it is
// no protection from anybody who can write the file.
const (
	entryMagic  = "jwtsess1"
	entryHeader = len(entryMagic) + 8 + 4
	maxData     = 1 << 20
	maxFile     = entryHeader + maxData
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeEntry(e cache.Entry) ([]byte, error) {
	if len(e.Data) > maxData {
		return nil, fmt.Errorf("the entry has %d bytes, more than the %d that are allowed", len(e.Data), maxData)
	}
	content := make([]byte, 0, entryHeader+len(e.Data))
	content = append(content, entryMagic...)
	content = binary.BigEndian.AppendUint64(content, uint64(e.TTL))
	content = binary.BigEndian.AppendUint32(content, sumOf(content[len(entryMagic):], e.Data))
	return append(content, e.Data...), nil
}

var errDamaged = &unusableError{reason: "it is damaged or was not written by this package"}

// decodeEntry returns an entry with the life that it had when it was written.
func decodeEntry(content []byte) (cache.Entry, error) {
	if len(content) < entryHeader || len(content) > maxFile || !bytes.HasPrefix(content, []byte(entryMagic)) {
		return cache.Entry{}, errDamaged
	}
	header, data := content[len(entryMagic):entryHeader], content[entryHeader:]
	life := time.Duration(binary.BigEndian.Uint64(header))
	if binary.BigEndian.Uint32(header[8:]) != sumOf(header[:8], data) {
		return cache.Entry{}, errDamaged
	}
	return cache.Entry{Data: data, TTL: life}, nil
}

func sumOf(life, data []byte) uint32 {
	return crc32.Update(crc32.Checksum(life, castagnoli), castagnoli, data)
}
