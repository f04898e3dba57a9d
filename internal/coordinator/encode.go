package coordinator

import (
	"errors"
	"time"

	"barnabas/internal/record"
)

var errFormat = errors.New("coordinator batches can't be written yet")

// encode writes the records of outcomes as one batch with the time now.
func (s *shard[M]) encode(outcomes []Outcome, now time.Time) ([]byte, error) {
	return nil, errFormat
}

// replayBatch applies the records of a batch at or after from to the machine.
func (s *shard[M]) replayBatch(b record.Batch, from record.Offset) (int, error) {
	return 0, errFormat
}
