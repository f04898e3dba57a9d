package storage

import "barnabas/internal/ident"

// Directory is one log directory (an entry of log.dirs).
type Directory struct{}

// Path is the directory as configured.
func (d *Directory) Path() string { return "" }

// ID is the store's identity, `directory.id` (KIP-858), on disk before the directory is first used.
func (d *Directory) ID() ident.StoreID { return ident.StoreID{} }

// Err is why the directory is offline; nil while it serves.
func (d *Directory) Err() error { return nil }

// Clean tells whether the last process left the directory in order.
func (d *Directory) Clean() bool { return false }

// Space is the total and the usable bytes of the directory's volume; -1 for both if that is not known.
func (d *Directory) Space() (total, usable int64) { return -1, -1 }

// Logs are the logs in this directory, in no order.
func (d *Directory) Logs() []*Log { return nil }
