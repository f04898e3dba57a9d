package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// An inventory is what a clean stop has left in a log directory, so that the next start need not look into each
// partition: 10,000 of them take a dozen system calls each. It counts only together with the mark of that clean stop,
// which bears its hash: where another process, Kafka say, has used the directory since, the mark is another one. It is
// written without a sync, for a torn one has another hash. What was changed by hand since is seen by the modification
// times of a partition's directory and of the file that is appended to; such a partition is looked into.
//
// As long as the machine runs it helps starts after a process was killed too: what nobody has touched since the clean stop
// is as it was, and of what was only appended to, the rest is read (inventory_resume.go). A start after another boot, or
// one that finds a clean mark without this inventory's hash, removes it.

const inventoryName = "clean-shutdown-inventory"

// inventoryVersion is the first byte of the file.
const inventoryVersion = 3

// inventory has an entry for each partition's directory that held exactly what it should, by its name.
type inventory map[string]inventoried

// inventoried is one log as it was closed.
type inventoried struct {
	id        ident.TopicID
	changedNs int64         // when the partition's directory was modified, in nanoseconds since 1970
	writtenNs int64         // when the file that is appended to was
	namedNs   int64         // when the file with the topic's id was; 0 if there is none
	end       record.Offset // of the log
	epochs    leaderEpochs
	segments  []inventoriedSegment // never none
	active    inventoriedEnd
	last      lastBatch       // of the segment that is appended to
	snapshots []record.Offset // the producers' snapshot files, ascending
	producers bool            // the newest of these holds some
	bare      bool            // the log had no files (bare.go)
}

// inventoriedSegment is a segment's base offset and the sizes of its files, those of indexes in entries.
type inventoriedSegment struct {
	base           record.Offset
	size           int64
	offsets, times int
}

// inventoriedEnd is what a running log knows of the segment that it appends to.
type inventoriedEnd struct {
	sinceIndex int64
	lastOffset offsetEntry
	lastTime   timeEntry
	max        timeEntry
}

// cleanMark is the content of the clean-shutdown mark: what Kafka writes (KIP-966), which passes over what it does not know.
type cleanMark struct {
	Version     int    `json:"version"`
	BrokerEpoch int64  `json:"brokerEpoch"`
	Inventory   string `json:"inventory,omitempty"`
}

// markClean writes the clean-shutdown mark, and before it the inventory that the mark vouches for.
func (d *Directory) markClean(found inventory) error {
	mark := cleanMark{BrokerEpoch: -1}
	content := found.encode()
	if err := vfs.ReplaceFile(d.store.fs, filepath.Join(d.path, inventoryName), content); err != nil {
		d.store.logger.Warn("cannot write the inventory of the logs: the next start takes longer", "dir", d.path, "error", err)
	} else {
		mark.Inventory = hashOf(content)
	}
	encoded, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(d.store.fs, filepath.Join(d.path, cleanMarkName), encoded)
}

// readInventory reads the inventory that a clean-shutdown mark vouches for. Without one, or with one that is damaged,
// the logs are looked into.
func (d *Directory) readInventory() inventory {
	encoded, err := vfs.ReadFile(d.store.fs, filepath.Join(d.path, cleanMarkName))
	var mark cleanMark
	if err != nil || json.Unmarshal(encoded, &mark) != nil || mark.Inventory == "" {
		return nil
	}
	content, err := vfs.ReadFile(d.store.fs, filepath.Join(d.path, inventoryName))
	if err != nil || hashOf(content) != mark.Inventory {
		d.store.logger.Warn("the inventory of the logs is not the one that was left: looking into each", "dir", d.path, "error", err)
		return nil
	}
	return d.decodeInventory(content)
}

// decodeInventory is nil for what can't be read.
func (d *Directory) decodeInventory(content []byte) inventory {
	found, err := decodeInventory(content)
	if err != nil {
		d.store.logger.Warn("cannot read the inventory of the logs: looking into each", "dir", d.path, "error", err)
		return nil
	}
	return found
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// encode is the version, the number of entries, and the entries: all integers are varints, signed ones in zigzag.
func (found inventory) encode() []byte {
	buf := append(make([]byte, 0, 128*len(found)+16), inventoryVersion)
	buf = binary.AppendUvarint(buf, uint64(len(found)))
	for name, log := range found {
		buf = binary.AppendUvarint(buf, uint64(len(name)))
		buf = append(buf, name...)
		buf = log.encode(buf)
	}
	return buf
}

func (i *inventoried) encode(buf []byte) []byte {
	buf = append(buf, i.id[:]...)
	for _, n := range []int64{i.changedNs, i.writtenNs, i.namedNs, int64(i.end),
		i.active.sinceIndex, int64(i.active.lastOffset.relative), int64(i.active.lastOffset.position),
		i.active.lastTime.timestamp, int64(i.active.lastTime.relative),
		i.active.max.timestamp, int64(i.active.max.relative),
		i.last.pos, int64(i.last.base), int64(i.last.epoch), int64(i.last.crc)} {
		buf = binary.AppendVarint(buf, n)
	}
	buf = binary.AppendUvarint(buf, uint64(len(i.epochs)))
	for _, e := range i.epochs {
		buf = binary.AppendVarint(binary.AppendVarint(buf, int64(e.epoch)), int64(e.start))
	}
	buf = binary.AppendUvarint(buf, uint64(len(i.segments)))
	for _, s := range i.segments {
		buf = binary.AppendVarint(binary.AppendVarint(buf, int64(s.base)), s.size)
		buf = binary.AppendVarint(binary.AppendVarint(buf, int64(s.offsets)), int64(s.times))
	}
	buf = binary.AppendUvarint(buf, uint64(len(i.snapshots)))
	for _, end := range i.snapshots {
		buf = binary.AppendVarint(buf, int64(end))
	}
	var flags byte
	if i.producers {
		flags |= inventoriedProducers
	}
	if i.bare {
		flags |= inventoriedBare
	}
	return append(buf, flags)
}

// The bits of the last byte of an entry.
const (
	inventoriedProducers = 1 << iota
	inventoriedBare
)

// errBadInventory says that an inventory can't be understood.
var errBadInventory = errors.New("malformed inventory")

// decodeInventory reads what encode has written. Its error is errBadInventory.
func decodeInventory(content []byte) (inventory, error) {
	if len(content) == 0 || content[0] != inventoryVersion {
		return nil, fmt.Errorf("another version: %w", errBadInventory)
	}
	r := inventoryReader{rest: content[1:]}
	entries := r.count()
	found := make(inventory, entries)
	for range entries {
		name := string(r.bytes(r.count()))
		found[name] = r.log()
	}
	if r.broken || len(r.rest) > 0 || len(found) != entries {
		return nil, errBadInventory
	}
	return found, nil
}

// inventoryReader reads from the front. Past the end, or past what can't be, it is broken and reads zeroes.
type inventoryReader struct {
	rest   []byte
	broken bool
}

func (r *inventoryReader) log() (i inventoried) {
	copy(i.id[:], r.bytes(len(i.id)))
	i.changedNs, i.writtenNs, i.namedNs, i.end = r.int(), r.int(), r.int(), record.Offset(r.int())
	i.active.sinceIndex = r.int()
	i.active.lastOffset = offsetEntry{relative: int32(r.int()), position: int32(r.int())}
	i.active.lastTime = timeEntry{timestamp: r.int(), relative: int32(r.int())}
	i.active.max = timeEntry{timestamp: r.int(), relative: int32(r.int())}
	i.last = lastBatch{r.int(), record.Offset(r.int()), record.Epoch(r.int()), uint32(r.int())}
	i.epochs = make(leaderEpochs, r.count())
	for n := range i.epochs {
		i.epochs[n] = epochStart{record.Epoch(r.int()), record.Offset(r.int())}
	}
	i.segments = make([]inventoriedSegment, r.count())
	for n := range i.segments {
		i.segments[n] = inventoriedSegment{record.Offset(r.int()), r.int(), int(r.int()), int(r.int())}
	}
	i.snapshots = make([]record.Offset, r.count())
	for n := range i.snapshots {
		i.snapshots[n] = record.Offset(r.int())
	}
	if flags := r.bytes(1); len(flags) == 1 {
		i.producers, i.bare = flags[0]&inventoriedProducers != 0, flags[0]&inventoriedBare != 0
	}
	r.broken = r.broken || len(i.segments) == 0
	return i
}

func (r *inventoryReader) int() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.rest, r.broken = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count is a number of things that follow, each of a byte at least.
func (r *inventoryReader) count() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.rest, r.broken = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *inventoryReader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.rest, r.broken = nil, true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}
