package storage

import (
	"time"
)

// CleanerSettings are the broker's settings of compaction. Zero values mean the defaults.
type CleanerSettings struct {
	// Disabled is log.cleaner.enable turned round.
	Disabled bool
	// Threads is log.cleaner.threads, how many logs are compacted at once.
	Threads int
	// DedupeBufferBytes is log.cleaner.dedupe.buffer.size, which bounds the memory for keys, of all
	// threads together. It is taken only while a log is compacted, and as much as its keys need.
	DedupeBufferBytes int64
	// DedupeLoadFactor is log.cleaner.io.buffer.load.factor, how full the buffer may get.
	DedupeLoadFactor float64
	// IOBufferBytes is log.cleaner.io.buffer.size, of all threads together. A larger batch gets a
	// buffer of its own for as long as it is needed.
	IOBufferBytes int
	// MaxBytesPerSecond is log.cleaner.io.max.bytes.per.second, for reads and writes of all threads
	// together; 0 is no limit.
	MaxBytesPerSecond float64
	// Backoff is log.cleaner.backoff.ms, how long to sleep when there is nothing to clean.
	Backoff time.Duration
}

func (s CleanerSettings) withDefaults() CleanerSettings {
	setDefault(&s.Threads, 1)
	setDefault(&s.DedupeBufferBytes, 128<<20)
	setDefault(&s.IOBufferBytes, 512<<10)
	setDefault(&s.Backoff, 15*time.Second)
	if s.DedupeLoadFactor <= 0 || s.DedupeLoadFactor > 1 {
		s.DedupeLoadFactor = 0.9
	}
	return s
}
