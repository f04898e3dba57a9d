// Package storage is the log: the partitions' records on disk, in the files that Apache Kafka has,
// so that its tools read them (docs/formats/log.md).
//
// A Store is all log directories of a broker. Each Directory has an identity, a lock and a state
// (online or offline after an I/O error); it holds the Logs, one per partition. A Log is a list of
// segments, the last of which is appended to; a segment is a file of record batches with a sparse
// index by offset and another by timestamp. Beside them a log keeps where each leader's epoch began
// and what it knows of idempotent producers.
//
// Appends, truncation and changes of the segment list take the log's mutex. Reads take none: the
// segment list, every segment's size and the end offset are published atomically, after the bytes
// are written. Files are opened on demand and closed when too many are open (handles.go).
//
// The Store owns all goroutines, a fixed number of them whatever the number of partitions: one keeps
// house (retention, rolling by time, checkpoints, delayed deletion, directories that come back), one
// syncs files, and the cleaner has its own.
package storage
