package storage

import (
	"log/slog"
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
	// Config is the settings of logs found on disk, until SetConfig.
	Config LogConfig
	Logger *slog.Logger
	// Clock is time.Now unless given.
	Clock func() time.Time
	// DirectoryChanged is called, by a goroutine of the store or by one that has met an I/O error, when a directory has gone offline
	// (cause says why) or come back (cause is nil). It must not call the store back.
	DirectoryChanged func(d *Directory, cause error)
	// Flushed is told how long a sync of a log took.
	Flushed func(time.Duration)
}

// Store is all logs of a broker.
type Store struct{}

// OpenStore locks the directories, loads and recovers their logs and starts the store's goroutines. A directory that can't be read
// is offline; the store opens as long as one is well. Errors: ErrDirectoryInUse, ErrWrongCluster, ErrWrongBroker, ErrStorage.
func OpenStore(o Options) (*Store, error) { return nil, nil }

// Adopt writes the cluster's id, once it is known, into directories that had none. ErrWrongCluster if one has another.
func (s *Store) Adopt(id ident.ClusterID) error { return nil }

// ClusterID is what the directories say; zero for none.
func (s *Store) ClusterID() ident.ClusterID { return ident.ClusterID{} }

// Dirs are the log directories in the configured order, offline ones too.
func (s *Store) Dirs() []*Directory { return nil }

// Log finds a partition's log, or nil.
func (s *Store) Log(tp ident.TopicPartition) *Log { return nil }

// Logs are all logs, in no order.
func (s *Store) Logs() []*Log { return nil }

// Create makes an empty log that begins at offset start, in the online directory with the fewest. Errors: ErrLogExists, ErrStorage.
func (s *Store) Create(tp ident.TopicPartition, id ident.TopicID, c LogConfig, start record.Offset) (*Log, error) {
	return nil, nil
}

// Delete takes a log out of the store at once, renames its directory and removes that after file.delete.delay.ms.
// ErrUnknownLog, ErrStorage.
func (s *Store) Delete(tp ident.TopicPartition) error { return nil }

// Close stops the store's goroutines and closes its files. With clean it syncs everything first and leaves the mark
// that makes the next start quick.
func (s *Store) Close(clean bool) error { return nil }
