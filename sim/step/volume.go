package step

import (
	"errors"
	"slices"
	"strconv"
	"sync/atomic"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// volume is a log directory of a machine, and what is known of the copy in it: the replica, or the one that it is being moved to, or
// both one after the other. In-sync sets name volumes, by their identities.
type volume struct {
	*machine
	number int
	path   string
	// identity is that of what is in it now.
	identity ident.StoreID
	torn     bool // a crash may have taken the end of what it holds, and nobody has made up for that
	// second: the replica is in another volume, and was, or will be, in this one; hurt: a crash has come since it was in this one.
	second, hurt bool
	// holds is what its log holds, in order, up to an offset; owed, with fsync.on.ack, what a crash may not have taken.
	holds []*rec
	upTo  record.Offset
	owed  []*rec
	// present are the records in a log that is compacted, and newest where the last one of each key is.
	present []entry
	newest  map[string]place
	came    map[*rec]bool // those batches of which all records have come there, or been there
	// failing: every operation of the disk fails in it. The store's goroutines read it too.
	failing atomic.Bool
	online  bool // as far as the events know
}

// mostVolumes is how many log directories a machine has at most.
const mostVolumes = 3

func (v *volume) bit() uint { return 1 << (uint(v.machine.id)*mostVolumes + uint(v.number)) }

// bits are those of all volumes of the machine.
func (m *machine) bits() (all uint) {
	for _, v := range m.volumes {
		all |= v.bit()
	}
	return all
}

// paths are the machine's log directories.
func (m *machine) paths() (all []string) {
	for _, v := range m.volumes {
		all = append(all, v.path)
	}
	return all
}

// format empties the volume, which has an identity of its own then, or that of before.
func (v *volume) format(anew bool) {
	if anew {
		v.stores++
	}
	v.identity = ident.StoreID{1, byte(v.machine.id), v.stores, 0x80, 0x40, byte(v.number)}
	identity := "version=1\nnode.id=" + strconv.Itoa(int(v.machine.id)) + "\ndirectory.id=" + v.identity.String() + "\n"
	// With the mark of a clean end: there is nothing that a crash could have taken.
	if err := errors.Join(v.write("meta.properties", identity), v.write(".kafka_cleanshutdown", "")); err != nil {
		panic(err)
	}
}

func (v *volume) write(name, text string) error {
	if err := v.disk.MkdirAll(v.path, 0o755); err != nil {
		return err
	}
	if err := v.disk.SyncDir("/"); err != nil {
		return err
	}
	return vfs.WriteFileAtomic(v.disk, v.path+"/"+name, []byte(text))
}

// main is where the replica is; the first volume while there is none.
func (m *machine) main() *volume {
	if m.up {
		if log := m.store.Log(partitionName); log != nil {
			return m.volumeIn(log.Directory())
		}
	}
	return m.volumes[0]
}

func (m *machine) volumeIn(d *storage.Directory) *volume {
	return m.volumes[slices.Index(m.store.Dirs(), d)]
}

// directory is the store's of the volume.
func (v *volume) directory() *storage.Directory { return v.store.Dirs()[v.number] }

// log is what the store has in the volume; nil while there is nothing, or it can't be read.
func (v *volume) log() *storage.Log {
	if !v.up || v.failing.Load() || v.dying() || v.directory().Err() != nil {
		return nil
	}
	for _, log := range []*storage.Log{v.store.Log(partitionName), v.store.Future(partitionName)} {
		if log != nil && log.Directory() == v.directory() {
			return log
		}
	}
	return nil
}

// volumeOf is the one that a member of a set names, as it is now; nil where that was destroyed, or is not known.
func (w *world) volumeOf(m metadata.Member) *volume {
	for _, v := range w.machineOf(m.Broker).volumes {
		if v.identity == m.Store {
			return v
		}
	}
	return nil
}

// counts tells whether a set of the partition names the volume.
func (v *volume) counts(p *metadata.Partition) bool {
	return p != nil && p.AnyMember(func(c metadata.Member) bool {
		return c.Broker == v.machine.id && (c.Store == v.identity || c.Store.IsZero())
	})
}

// observe notes, after an event, which directories have come back, and what is in those from which, or to which, a replica is moved.
func (m *machine) observe() {
	if !m.up {
		return
	}
	m.compacted()
	if len(m.volumes) < 2 {
		return
	}
	for _, v := range m.volumes {
		switch online := v.directory().Err() == nil; {
		case !online || v.failing.Load():
			v.online = v.online && online
		case !v.online:
			v.online = true
			v.readBack()
		default:
			v.follow()
		}
	}
	if m.changed.Swap(false) {
		m.here(m.between(moment, maxNotice), "directories", m.mend)
	}
}

// spared tells whether the last copy of a record may be cut off: what a crash has left of a second copy, which never counted, when it
// has taken that from the one that did.
func (v *volume) spared() bool { return v.second && v.hurt }

// follow notes what has been copied into the volume, cut off there, or deleted.
func (v *volume) follow() {
	log := v.log()
	if log == nil {
		v.cut(0)
		return
	}
	end := log.EndOffset()
	v.second = log == v.store.Future(partitionName)
	v.hurt = v.hurt && v.second
	v.cut(end)
	if log == v.store.Log(partitionName) || end == v.upTo {
		v.upTo = end // what the replica gets is noted when it gets it
		return
	}
	v.take(log)
}

// take notes what the log has got.
func (v *volume) take(log *storage.Log) {
	for _, b := range v.batchesFrom(log, max(v.upTo, log.StartOffset())) {
		if r := v.recordOf(v.machine, b); r != nil && r.holders&v.bit() == 0 {
			v.add(r, b)
		}
	}
	v.upTo = log.EndOffset()
}

// add notes a batch that has come to the end of the log.
func (v *volume) add(r *rec, b record.Batch) {
	v.holds = append(v.holds, r)
	r.holders |= v.bit()
	present := v.entriesOf(r, b)
	v.keep(r, present)
	v.cover(keysOf(present))
}
