package storage

import (
	"crypto/md5"
	"encoding/binary"

	"barnabas/internal/record"
)

// offsetMap remembers the last offset of each key, by the key's 128-bit digest: two keys with the same
// digest would be taken for one, which is no more likely than a broken machine. It grows with the keys,
// by doubling, up to a limit of bytes.
type offsetMap struct {
	slots  []offsetSlot
	used   int
	limit  int // of slots
	load   float64
	latest record.Offset // all records up to it are in the map
}

// offsetSlot is free when its end is 0.
type offsetSlot struct {
	digest [md5.Size]byte
	end    record.Offset // the offset of the key's last record plus one
}

const (
	offsetSlotSize  = md5.Size + 8
	offsetMapAtOnce = 1024 // slots to begin with
)

// newOffsetMap returns a map of at most limitBytes, of which at most the part load gets used.
func newOffsetMap(limitBytes int64, load float64) *offsetMap {
	limit := max(2, int(limitBytes/offsetSlotSize))
	return &offsetMap{
		slots:  make([]offsetSlot, min(limit, offsetMapAtOnce)),
		limit:  limit,
		load:   load,
		latest: -1,
	}
}

// put notes a key's offset. It is false, and nothing has changed, when there is no room for another key.
func (m *offsetMap) put(key []byte, o record.Offset) bool {
	digest := md5.Sum(key)
	slot := m.find(&digest)
	if slot.end == 0 {
		if m.used >= min(int(float64(len(m.slots))*m.load), len(m.slots)-1) {
			if len(m.slots) >= m.limit {
				return false
			}
			m.grow()
			slot = m.find(&digest)
		}
		m.used++
		slot.digest = digest
	}
	slot.end = max(slot.end, o+1)
	return true
}

// get returns the last offset of a key, -1 if it isn't in the map.
func (m *offsetMap) get(key []byte) record.Offset {
	digest := md5.Sum(key)
	return m.find(&digest).end - 1
}

// find returns the slot of a digest, or a free one for it. The load keeps some slots free.
func (m *offsetMap) find(digest *[md5.Size]byte) *offsetSlot {
	i := int(binary.LittleEndian.Uint64(digest[:]) % uint64(len(m.slots)))
	for {
		slot := &m.slots[i]
		if slot.end == 0 || slot.digest == *digest {
			return slot
		}
		if i++; i == len(m.slots) {
			i = 0
		}
	}
}

func (m *offsetMap) grow() {
	old := m.slots
	m.slots = make([]offsetSlot, min(2*len(old), m.limit))
	for i := range old {
		if old[i].end != 0 {
			*m.find(&old[i].digest) = old[i]
		}
	}
}

// reach says that all records up to an offset are in the map.
func (m *offsetMap) reach(o record.Offset) { m.latest = max(m.latest, o) }
