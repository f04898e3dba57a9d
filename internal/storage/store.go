package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// Options are what OpenStore needs.
type Options struct {
	FS   vfs.FS
	Dirs []string
	// ClusterID may be zero when it isn't known yet: then what the directories say stands, and Adopt
	// completes new ones.
	ClusterID ident.ClusterID
	BrokerID  ident.BrokerID
	// BootID is the machine's boot: records that a process wrote and no machine crash could take
	// need no second look. Zero if unknown.
	BootID   ident.BootID
	Settings Settings
	Cleaner  CleanerSettings
	// Config is the settings of logs found on disk, until SetConfig.
	Config LogConfig
	Logger *slog.Logger
	// Foreign names directories within a log directory that others keep there. Any other that is no
	// partition's is left alone too, and said.
	Foreign []string
	// Clock is time.Now unless given.
	Clock func() time.Time
	// DirectoryChanged is called, by a goroutine of the store or by one that has met an I/O error,
	// when a directory has gone offline (cause says why) or come back (cause is nil). It must not
	// call the store back, nor wait.
	DirectoryChanged func(d *Directory, cause error)
	// Flushed is told how long a sync of a log took.
	Flushed func(time.Duration)
	// SyncBy has the syncs that acknowledgements wait for (fsync.on.ack) done soon, and not by its caller, who holds a lock, for a
	// simulator that does one thing after another; nil has goroutines of the store do them.
	SyncBy func(work func())
	// NewID makes the identities of new directories and what the names of moved and deleted logs differ by: ident.NewStoreID unless
	// given.
	NewID func() ident.StoreID
}

// Store is all logs of a broker.
type Store struct {
	fs       vfs.FS
	broker   ident.BrokerID
	boot     ident.BootID
	settings Settings
	config   LogConfig
	logger   *slog.Logger
	clock    func() time.Time
	foreign  []string

	directoryChanged func(*Directory, error)
	flushed          func(time.Duration)
	syncBy           func(func())
	newID            func() ident.StoreID

	dirs        []*Directory
	handles     handles
	largeRecord sync.Mutex // the turn of who expands a large record
	flusher     flusher
	deletions   deletions
	cleaner     *cleaner
	// producerIDExpirationMs is what the setting is now; the tables of the logs take it over as they
	// expire.
	producerIDExpirationMs atomic.Int64
	// latestConfig is what shared has seen last: the logs of a topic, and of most topics, have the same settings.
	latestConfig atomic.Pointer[LogConfig]
	latestID     atomic.Pointer[ident.TopicID] // the same for sharedID
	stop         chan struct{}
	done         sync.WaitGroup

	mu      sync.RWMutex
	cluster ident.ClusterID               // guarded by mu once the store is open
	logs    map[ident.TopicPartition]*Log // guarded by mu
	futures map[ident.TopicPartition]*Log // guarded by mu; see Future
	// preferred are the directories that logs to come shall be made in.
	preferred map[ident.TopicPartition]*Directory // guarded by mu
	making    map[ident.TopicPartition]bool       // guarded by mu: logs that Create is at
	closed    bool                                // guarded by mu
}

// OpenStore locks the directories, loads and recovers their logs and starts the store's goroutines.
// A directory that can't be read is offline; the store opens as long as one is well. Errors:
// ErrDirectoryInUse, ErrWrongCluster, ErrWrongBroker, ErrStorage, and that of a meta.properties that
// can't be understood.
func OpenStore(o Options) (*Store, error) {
	s := newStore(o)
	if err := s.openDirs(o.Dirs); err != nil {
		return nil, errors.Join(err, s.closeDirs())
	}
	for _, d := range s.dirs {
		if d.Err() == nil {
			if err := d.loadLogs(); err != nil {
				d.fail(err)
			}
		}
	}
	if err := s.allOffline(); err != nil {
		return nil, errors.Join(err, s.closeDirs())
	}
	s.done.Go(func() { s.keepHouse(s.stop) })
	s.done.Go(func() { s.flusher.run(s.stop) })
	s.cleaner.start()
	return s, nil
}

func newStore(o Options) *Store {
	s := &Store{
		fs:               o.FS,
		broker:           o.BrokerID,
		boot:             o.BootID,
		settings:         o.Settings.withDefaults(),
		config:           o.Config,
		logger:           o.Logger,
		foreign:          o.Foreign,
		clock:            o.Clock,
		directoryChanged: o.DirectoryChanged,
		flushed:          o.Flushed,
		newID:            o.NewID,
		flusher:          newFlusher(),
		stop:             make(chan struct{}),
		cluster:          o.ClusterID,
		logs:             make(map[ident.TopicPartition]*Log),
		futures:          make(map[ident.TopicPartition]*Log),
		preferred:        make(map[ident.TopicPartition]*Directory),
		making:           make(map[ident.TopicPartition]bool),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.syncBy = o.SyncBy; s.syncBy == nil {
		s.syncBy = s.done.Go
	}
	if s.newID == nil {
		s.newID = ident.NewStoreID
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.config == (LogConfig{}) {
		s.config = DefaultLogConfig()
	}
	s.handles = handles{fs: s.fs, limit: s.settings.MaxOpenFiles}
	s.producerIDExpirationMs.Store(s.settings.ProducerIDExpirationMs)
	s.cleaner = newCleaner(s, o.Cleaner)
	return s
}

// openDirs opens all directories. Those that the disk refuses are offline.
func (s *Store) openDirs(paths []string) error {
	for _, path := range paths {
		d := &Directory{store: s, path: filepath.Clean(path)}
		d.togetherTurn.L = &d.mu
		d.syncing.dir = d
		s.dirs = append(s.dirs, d)
	}
	seen := make(map[ident.StoreID]string)
	for _, d := range s.dirs {
		err := d.open()
		switch {
		case err == nil:
		case errors.Is(err, ErrDirectoryInUse), errors.Is(err, ErrWrongCluster),
			errors.Is(err, ErrWrongBroker), errors.Is(err, errMalformed):
			return err
		default:
			d.fail(err)
			continue
		}
		if other, twice := seen[d.ID()]; twice {
			return fmt.Errorf("%s and %s have the same directory.id: %w", other, d.path, ErrDirectoryInUse)
		}
		seen[d.ID()] = d.path
		if err := s.sameCluster(d); err != nil {
			return err
		}
	}
	return nil
}

// sameCluster wants all directories to belong to one cluster.
func (s *Store) sameCluster(d *Directory) error {
	cluster := d.meta.Load().cluster
	if s.cluster.IsZero() {
		s.cluster = cluster
	} else if !cluster.IsZero() && cluster != s.cluster {
		return fmt.Errorf("%s: cluster.id is %s, not %s: %w", d.path, cluster, s.cluster, ErrWrongCluster)
	}
	return nil
}

func (s *Store) allOffline() error {
	var errs []error
	for _, d := range s.dirs {
		err := d.Err()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return fmt.Errorf("no log directory is configured: %w", ErrStorage)
	}
	return errors.Join(errs...)
}

// shared is a place that holds the settings, and that others may hold too. It never changes.
func (s *Store) shared(c LogConfig) *LogConfig {
	if latest := s.latestConfig.Load(); latest != nil && *latest == c {
		return latest
	}
	kept := c // so that the argument need not be on the heap
	s.latestConfig.Store(&kept)
	return &kept
}

// sharedID is shared for a topic's id.
func (s *Store) sharedID(id ident.TopicID) *ident.TopicID {
	if latest := s.latestID.Load(); latest != nil && *latest == id {
		return latest
	}
	kept := id
	s.latestID.Store(&kept)
	return &kept
}

func (s *Store) nowMs() int64 { return s.clock().UnixMilli() }

// Adopt writes the ids of cluster and broker, once they are known, into directories that had none.
// ErrWrongCluster if one has another.
func (s *Store) Adopt(id ident.ClusterID, broker ident.BrokerID) error {
	s.mu.Lock()
	known := s.cluster
	if known.IsZero() {
		s.cluster = id
	}
	s.mu.Unlock()
	if !known.IsZero() && known != id {
		return fmt.Errorf("cluster.id of the log directories is %s, not %s: %w", known, id, ErrWrongCluster)
	}
	var errs []error
	for _, d := range s.dirs {
		errs = append(errs, d.adopt(id, broker))
	}
	return errors.Join(errs...)
}

// ClusterID is what the directories say; zero for none.
func (s *Store) ClusterID() ident.ClusterID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cluster
}

// BrokerID is whose the directories say they are; ident.NoBroker for none.
func (s *Store) BrokerID() ident.BrokerID {
	for _, d := range s.dirs {
		if m := d.meta.Load(); m != nil && m.broker >= 0 {
			return m.broker
		}
	}
	return ident.NoBroker
}

// Dirs are the log directories in the configured order, offline ones too.
func (s *Store) Dirs() []*Directory { return s.dirs }

// HasDir tells whether a log directory of this identity is among them, offline or not.
func (s *Store) HasDir(id ident.StoreID) bool {
	return slices.ContainsFunc(s.dirs, func(d *Directory) bool { return d.ID() == id })
}

// Unread is a directory of which it is not known which logs are in it, for it has not been readable since the store was
// opened; nil where there is none.
func (s *Store) Unread() *Directory {
	for _, d := range s.dirs {
		if !d.loaded.Load() && d.Err() != nil {
			return d
		}
	}
	return nil
}

// Log finds a partition's log, or nil.
func (s *Store) Log(tp ident.TopicPartition) *Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.logs[tp]
}

// Logs are all logs, in no order.
func (s *Store) Logs() []*Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	logs := make([]*Log, 0, len(s.logs))
	for _, l := range s.logs {
		logs = append(logs, l)
	}
	return logs
}

// SetCleaner changes the settings of compaction while it runs (KIP-226).
func (s *Store) SetCleaner(settings CleanerSettings) { s.cleaner.reconfigure(settings) }

// SetProducerIDExpiration changes producer.id.expiration.ms while the store runs: it counts when
// idle producers are looked for the next time.
func (s *Store) SetProducerIDExpiration(ms int64) { s.producerIDExpirationMs.Store(ms) }

// CleanerStats tell what compaction has done since the store was opened.
func (s *Store) CleanerStats() CleanerStats { return s.cleaner.Stats() }

// OpenFiles is how many files the store keeps open.
func (s *Store) OpenFiles() int { return s.handles.count() }

// Create makes an empty log that begins at offset start, in the online directory with the fewest.
// Errors: ErrLogExists, ErrStorage, ErrDeleted when the store is closed.
func (s *Store) Create(tp ident.TopicPartition, id ident.TopicID, c LogConfig, start record.Offset) (*Log, error) {
	if err := s.reserve(tp); err != nil {
		return nil, err
	}
	l, err := s.create(tp, id, c, start)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.making, tp)
	if err == nil && s.closed {
		l.close()
		err = fmt.Errorf("%s: %w", tp, ErrDeleted)
	}
	if err != nil {
		return nil, err
	}
	s.logs[tp] = l
	s.flusher.addNew(l)
	return l, nil
}

func (s *Store) reserve(tp ident.TopicPartition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("%s: %w", tp, ErrDeleted)
	case s.logs[tp] != nil || s.making[tp]:
		return fmt.Errorf("%s: %w", tp, ErrLogExists)
	}
	s.making[tp] = true
	return nil
}

func (s *Store) create(tp ident.TopicPartition, id ident.TopicID, c LogConfig, start record.Offset) (*Log, error) {
	d := s.place(tp)
	if d == nil {
		return nil, fmt.Errorf("%s: %w", tp, s.allOffline())
	}
	if d.remembers(tp) {
		if err := d.checkpointAll(); err != nil {
			return nil, err
		}
	}
	return s.createAt(d, newLog(d, tp, id, d.pathOf(tp), c), start)
}

// createAt makes the log's directory, unless it is there, and the files in it, which may wait (bare.go).
func (s *Store) createAt(d *Directory, l *Log, start record.Offset) (*Log, error) {
	err := s.fs.Mkdir(l.path(), 0o755)
	if errors.Is(err, fs.ErrExist) {
		if err := d.clearFor(l); err != nil {
			return nil, d.fail(fmt.Errorf("create %s: %w", l, err))
		}
		err = s.fs.Mkdir(l.path(), 0o755)
	}
	isNew := err == nil
	if !isNew && !errors.Is(err, fs.ErrExist) {
		return nil, d.fail(fmt.Errorf("create %s: %w", l, err))
	}
	d.made.Add(1)
	if err := s.createFiles(d, l, start, isNew); err != nil {
		if isNew { // else the partition, which gets another directory now, would be in two when this one is back
			err = errors.Join(err, s.fs.RemoveAll(l.path()))
		}
		return nil, err
	}
	return l, nil
}

// createFiles makes the files in the log's directory, or reads those that are there.
func (s *Store) createFiles(d *Directory, l *Log, start record.Offset, isNew bool) error {
	if isNew {
		l.saved = [checkpointKinds]int64{-1, -1, -1, -1} // where the files spoke of an earlier log, they were written just now
		if l.mayBeBare(start) {
			return l.failed("create", l.beginBare())
		}
	}
	if err := l.writeTopicID(l.TopicID(), isNew); err != nil {
		return d.fail(fmt.Errorf("create %s: %w", l, err))
	}
	l.unsynced = true
	if !isNew {
		return l.failed("create", l.load(loading{start: start}))
	}
	return l.failed("create", l.loadEmpty(nil, start))
}

// writeTopicID writes the metadata file, unless there is nothing to write; isNew says that there is none that counts.
func (l *Log) writeTopicID(id ident.TopicID, isNew bool) error {
	if id.IsZero() {
		return nil
	}
	write := vfs.ReplaceFile
	if isNew { // nothing is replaced: a crash leaves it empty where it would have left none
		write = writeNewFile
	}
	return write(l.store.fs, filepath.Join(l.path(), partitionMetadataName), encodePartitionMetadata(id))
}

// roomiest is the online directory with the fewest logs.
func (s *Store) roomiest() *Directory {
	var online []*Directory
	for _, d := range s.dirs {
		if d.Err() == nil {
			online = append(online, d)
		}
	}
	if len(online) <= 1 {
		return append(online, nil)[0]
	}
	counts := make(map[*Directory]int, len(online))
	s.mu.RLock()
	for _, l := range s.logs {
		counts[l.dir]++
	}
	for _, l := range s.futures {
		counts[l.dir]++
	}
	s.mu.RUnlock()
	return slices.MinFunc(online, func(a, b *Directory) int { return cmp.Compare(counts[a], counts[b]) })
}

// Delete takes a log out of the store at once, renames its directory and removes that after
// file.delete.delay.ms. ErrUnknownLog, ErrStorage: the log's directory is offline. It brings the log
// along when it comes back, and whoever still wants it deleted has to say so again.
func (s *Store) Delete(tp ident.TopicPartition) error { return s.discard(s.logs, tp) }

// discard deletes a log of those in one of the store's maps.
func (s *Store) discard(logs map[ident.TopicPartition]*Log, tp ident.TopicPartition) error {
	s.mu.Lock()
	l := logs[tp]
	delete(logs, tp)
	err := s.leave(l)
	s.mu.Unlock()
	if l == nil {
		return fmt.Errorf("%s: %w", tp, ErrUnknownLog)
	}
	l.dir.forget(tp)
	if err != nil {
		l.close()
		return err
	}
	return l.delete()
}

// leave tells whether a log that is taken out of the store's maps can be deleted. Where its directory is offline it can't, and
// the directory is told to look for it when it comes back: it may be at that just now, and past it. The caller holds mu.
func (s *Store) leave(l *Log) error {
	if l == nil {
		return nil
	}
	err := l.dir.Err()
	if err != nil {
		l.dir.left++
	}
	return err
}

// delete ends a log that the store no longer has, in a directory that was online when it was taken out.
func (l *Log) delete() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed.Store(true)
	if err := l.dir.Err(); err != nil {
		return err
	}
	path := filepath.Join(l.dir.path, deletedDirName(l.tp, l.store.newID()))
	if err := l.store.fs.Rename(l.path(), path); err != nil {
		return l.dir.fail(fmt.Errorf("delete %s: %w", l, err))
	}
	l.moveTo(path)
	l.dir.made.Add(1) // its old name may come back
	for _, s := range l.list() {
		s.retire()
	}
	l.store.deletions.add(deletion{dir: l.dir, path: path,
		dueMs: l.store.nowMs() + l.config.Load().FileDeleteDelayMs})
	return nil
}

// Close stops the store's goroutines and closes its files. With clean it syncs everything first and
// leaves the mark that makes the next start quick.
func (s *Store) Close(clean bool) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	for _, d := range s.dirs {
		d.syncing.close()
	}
	close(s.stop)
	s.cleaner.close()
	s.done.Wait()
	var errs []error
	for _, d := range s.dirs {
		errs = append(errs, d.closeLogs(clean))
	}
	return errors.Join(append(errs, s.closeDirs())...)
}

func (s *Store) closeDirs() error {
	var errs []error
	for _, d := range s.dirs {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}
