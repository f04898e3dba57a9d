package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"barnabas/internal/ident"
	"barnabas/internal/vfs"
)

// Directory is one log directory (an entry of log.dirs). After an I/O error it is offline:
// everything that concerns its logs fails with ErrStorage until a probe succeeds and the logs are
// recovered.
type Directory struct {
	store *Store
	path  string

	meta          atomic.Pointer[metaProperties]
	offline       atomic.Pointer[offlineState]
	clean         bool        // what the last process left
	fresh         bool        // nobody has used it before
	inventory     inventory   // what the last process left, where that is known; nil once the logs are loaded
	torn          atomic.Bool // see Torn
	loaded        atomic.Bool // all of its logs are known, be it offline now
	startsChanged atomic.Bool
	pressed       atomic.Bool               // the budget is short: what is discarded goes at once
	budget        sync.Mutex                // held while the budget is looked at
	sealed        atomic.Int64              // bytes from which on a segment is sealed for the budget's sake, 0 for none
	allowance     atomic.Pointer[allowance] // nil where there is no budget, and until it was looked at
	// made counts the partitions' directories that were made or found, madeSynced those of them whose names are synced.
	made, madeSynced atomic.Int64

	syncing syncGroups

	// left counts the logs that were taken out of the store while the directory was offline: their files are there still. The
	// store's mu guards it, and under that the directory comes online.
	left int

	// mu guards what follows, and the writing of the checkpoint files. Nothing else is locked while
	// it's held.
	mu   sync.Mutex
	lock vfs.Lock // nil while the directory was never opened
	// together: many logs are being synced at once, and togetherTurn ends when they are.
	together     bool
	togetherTurn sync.Cond
	// stale are partitions without a log of which the checkpoint files speak: a new log of that name
	// must not be mistaken, after a crash, for the one they mean.
	stale map[ident.TopicPartition]struct{}
	// forgotten counts the logs that have become such.
	forgotten int
}

// offlineState says why a directory is offline.
type offlineState struct {
	cause error
}

// Path is the directory as configured.
func (d *Directory) Path() string { return d.path }

// ID is the store's identity, `directory.id` (KIP-858), on disk before the directory is first used.
// It is zero if the directory could not be read yet.
func (d *Directory) ID() ident.StoreID {
	if m := d.meta.Load(); m != nil {
		return m.directory
	}
	return ident.StoreID{}
}

// Err is why the directory is offline, wrapping ErrStorage; nil while it serves.
func (d *Directory) Err() error {
	if state := d.offline.Load(); state != nil {
		return fmt.Errorf("%s: %w: %w", d.path, ErrStorage, state.cause)
	}
	return nil
}

// Clean tells whether the last process left the directory in order.
func (d *Directory) Clean() bool { return d.clean }

// Torn tells whether the machine went down under the directory's logs, or may have: the last process did not
// end well, and the machine has booted since; or records were missing when the directory came back from being
// offline. It stays so over any number of starts until Settle.
func (d *Directory) Torn() bool { return d.torn.Load() }

// Settle says that the cluster knows of what a torn directory may have lost: what is appended from now on stands
// in leader epochs of its own. ErrStorage of a directory that is offline, which stays torn.
func (d *Directory) Settle() error {
	if err := d.Err(); err != nil {
		return err
	}
	if !d.torn.CompareAndSwap(true, false) {
		return nil
	}
	return d.markBoot()
}

// Space is the total and the usable bytes of the directory's volume; -1 for both if that is not known.
func (d *Directory) Space() (total, usable int64) {
	space, err := d.store.fs.Free(d.path)
	if err != nil {
		return -1, -1
	}
	return space.Total, space.Available
}

// Logs are the logs in this directory, in no order.
func (d *Directory) Logs() []*Log {
	var logs []*Log
	for _, l := range d.store.Logs() {
		if l.dir == d {
			logs = append(logs, l)
		}
	}
	return logs
}

// all are the logs in this directory and the future ones, in no order.
func (d *Directory) all() []*Log {
	return append(d.Logs(), d.Futures()...)
}

// fail takes the directory offline, if it isn't, and returns ErrStorage with the cause.
func (d *Directory) fail(cause error) error {
	if d.offline.CompareAndSwap(nil, &offlineState{cause: cause}) {
		d.store.logger.Error("log directory is offline", "dir", d.path, "error", cause)
		if d.store.directoryChanged != nil {
			d.store.directoryChanged(d, cause)
		}
	}
	return fmt.Errorf("%s: %w: %w", d.path, ErrStorage, cause)
}

// open makes the directory this process' own and reads its identity.
func (d *Directory) open() error {
	if err := d.store.fs.MkdirAll(d.path, 0o755); err != nil {
		return err
	}
	lock, err := d.store.fs.Lock(filepath.Join(d.path, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("%s: %w", d.path, ErrDirectoryInUse)
	}
	if err != nil {
		return err
	}
	if err := d.openLocked(); err != nil {
		return errors.Join(err, lock.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lock = lock
	return nil
}

// opened tells whether the directory is this process' own.
func (d *Directory) opened() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lock != nil
}

// close gives the directory back.
func (d *Directory) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}

func (d *Directory) openLocked() error {
	if err := d.identify(); err != nil {
		return err
	}
	mark := filepath.Join(d.path, cleanMarkName)
	if _, err := d.store.fs.Stat(mark); err == nil {
		d.clean, d.inventory = true, d.readInventory()
		if err := d.store.fs.Remove(mark); err != nil {
			return err
		}
		// Should the mark come back after a crash of the machine, what is appended from now on would
		// go unchecked.
		return d.store.fs.SyncDir(d.path)
	}
	return nil
}

// identify reads meta.properties and completes it.
func (d *Directory) identify() error {
	m, exists, err := readMetaProperties(d.store.fs, d.path)
	if err != nil {
		return err
	}
	want := metaProperties{cluster: d.store.cluster, broker: d.store.broker, directory: m.directory}
	switch {
	case !m.cluster.IsZero() && !want.cluster.IsZero() && m.cluster != want.cluster:
		return fmt.Errorf("%s: cluster.id is %s, not %s: %w", d.path, m.cluster, want.cluster, ErrWrongCluster)
	case m.broker >= 0 && want.broker >= 0 && m.broker != want.broker:
		return fmt.Errorf("%s: node.id is %d, not %d: %w", d.path, m.broker, want.broker, ErrWrongBroker)
	}
	if want.cluster.IsZero() {
		want.cluster = m.cluster
	}
	if want.broker < 0 {
		want.broker = m.broker
	}
	if want.directory.IsZero() {
		d.fresh = true
		want.directory = d.store.newID()
	}
	if !exists || want != m {
		if err := want.write(d.store.fs, d.path); err != nil {
			return err
		}
		if err := d.store.fs.SyncDir(filepath.Dir(d.path)); err != nil {
			return err
		}
	}
	d.meta.Store(&want)
	return nil
}

// adopt writes the ids of cluster and broker if the directory has none.
func (d *Directory) adopt(id ident.ClusterID, broker ident.BrokerID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.meta.Load()
	if m == nil || m.cluster == id && m.broker >= 0 {
		return nil
	}
	if !m.cluster.IsZero() && m.cluster != id {
		return fmt.Errorf("%s: cluster.id is %s, not %s: %w", d.path, m.cluster, id, ErrWrongCluster)
	}
	adopted := *m
	adopted.cluster = id
	if adopted.broker < 0 {
		adopted.broker = broker
	}
	if err := adopted.write(d.store.fs, d.path); err != nil {
		return d.fail(err)
	}
	d.meta.Store(&adopted)
	return nil
}
