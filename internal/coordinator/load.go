package coordinator

import (
	"fmt"
	"time"

	"barnabas/internal/record"
)

const (
	// progressEvery is how often a long load is told of in the log.
	progressEvery = 5 * time.Second
	// The pauses between attempts to load.
	firstLoadPause = 100 * time.Millisecond
	maxLoadPause   = 30 * time.Second
)

// load replays the log into a fresh machine and opens the shard for commands. When the log can't be
// read it is tried again, for as long as this broker leads the partition.
func (s *shard[M]) load() {
	if now := s.runtime.now(); now.Before(s.loadAt) {
		return // woken early; the timer is set
	}
	s.runtime.loaders <- struct{}{}
	began := s.runtime.now()
	s.machine = s.runtime.options.Machine(s.partition)
	records, err := s.replay(began)
	<-s.runtime.loaders
	if err != nil {
		s.loadPause = min(max(2*s.loadPause, firstLoadPause), maxLoadPause)
		s.loadAt = s.runtime.now().Add(s.loadPause)
		s.wakeAt(s.loadAt)
		s.logger.Error("can't load coordinator shard, will try again", "error", err,
			"after", s.loadPause.String())
		return
	}
	now := s.runtime.now()
	s.machine.Loaded(now)
	s.loaded = true
	s.setTimer()
	if records > 0 {
		s.logger.Info("coordinator shard loaded", "records", records,
			"took", now.Sub(began).Round(time.Microsecond).String())
	}
	s.mu.Lock()
	if s.stage == stageLoading {
		s.stage = stageActive
	}
	s.mu.Unlock()
}

// replay reads the log from its start to its end, and returns the number of records.
func (s *shard[M]) replay(began time.Time) (int, error) {
	from, end := s.log.StartOffset(), s.log.EndOffset()
	records, told := 0, began
	var decompressor record.Decompressor
	for from < end && !s.stopped() {
		chunk, err := s.log.Read(from, s.runtime.options.LoadBufferBytes)
		if err != nil {
			return records, fmt.Errorf("read at offset %d: %w", from, err)
		}
		if len(chunk) == 0 {
			break
		}
		for len(chunk) > 0 {
			var b record.Batch
			if b, chunk, err = record.Next(chunk); err != nil {
				return records, fmt.Errorf("batch at offset %d: %w", from, err)
			}
			n, err := s.replayBatch(b, from, &decompressor)
			if err != nil {
				return records, fmt.Errorf("batch at offset %d: %w", from, err)
			}
			records += n
			from = max(from, b.LastOffset()+1)
		}
		if now := s.runtime.now(); now.Sub(told) > progressEvery {
			told = now
			s.logger.Info("loading coordinator shard", "records", records,
				"offset", int64(from), "end", int64(end),
				"took", now.Sub(began).Round(time.Millisecond).String())
		}
	}
	s.end = end
	return records, nil
}

// stopped reports whether the shard was unloaded while loading.
func (s *shard[M]) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stage == stageStopped
}
