package coordinator

import (
	"errors"
	"time"
)

// maxBatchRecordBytes bounds the keys and values gathered into one batch; a single outcome may exceed it.
const maxBatchRecordBytes = 256 << 10

// batch gathers the outcomes of commands that do not touch each other's state, to append them
// together.
type batch struct {
	outcomes []Outcome
	keys     map[string]struct{}
	whole    bool // an outcome of the empty key, which touches everything
	bytes    int
}

func (b *batch) empty() bool { return len(b.outcomes) == 0 }

func (b *batch) full() bool { return b.bytes >= maxBatchRecordBytes }

// touches reports whether a command of the key would see what the batch is about to change.
func (b *batch) touches(key string) bool {
	if b.empty() {
		return false
	}
	_, ok := b.keys[key]
	return ok || b.whole || key == ""
}

func (b *batch) add(key string, o Outcome) {
	b.outcomes = append(b.outcomes, o)
	for _, r := range o.Records {
		b.bytes += len(r.Key) + len(r.Value)
	}
	if key == "" {
		b.whole = true
		return
	}
	if b.keys == nil {
		b.keys = map[string]struct{}{}
	}
	b.keys[key] = struct{}{}
}

func (b *batch) reset() {
	clear(b.outcomes)
	b.outcomes = b.outcomes[:0]
	if len(b.keys) > spareQueue {
		b.keys = nil
	}
	clear(b.keys)
	b.whole = false
	b.bytes = 0
}

// flush appends the batch. When the log refuses it as a whole, each outcome is tried alone, so that
// one that can't be written takes no other with it.
func (s *shard[M]) flush(now time.Time) {
	if s.batch.empty() {
		return
	}
	outcomes := s.batch.outcomes
	err := s.append(outcomes, now)
	switch {
	case err == nil:
	case len(outcomes) == 1 || errors.Is(err, ErrNotCoordinator):
		for _, o := range outcomes {
			s.refuse(o, err)
		}
	default:
		for i := range outcomes {
			if err := s.append(outcomes[i:i+1], now); err != nil {
				s.refuse(outcomes[i], err)
			}
		}
	}
	s.batch.reset()
}

// append writes the records of outcomes as one batch and then applies them to the state.
func (s *shard[M]) append(outcomes []Outcome, now time.Time) error {
	bytes, err := s.encode(outcomes, now)
	if err != nil {
		return err
	}
	end, err := s.log.Append(bytes)
	if err != nil {
		return err
	}
	s.end = end
	deadline := now.Add(s.runtime.options.CommitTimeout)
	for _, o := range outcomes {
		if o.Applied != nil {
			o.Applied(nil)
		} else {
			for _, r := range o.Records {
				s.machine.Replay(r)
			}
		}
		s.pending.add(end, deadline, o.Replies)
	}
	return nil
}

func (s *shard[M]) refuse(o Outcome, err error) {
	s.logger.Warn("coordinator records were not appended", "records", len(o.Records), "error", err)
	if o.Applied != nil {
		o.Applied(err)
	}
	for _, reply := range o.Replies {
		reply(err)
	}
}
