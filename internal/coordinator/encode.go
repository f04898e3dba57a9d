package coordinator

import (
	"fmt"
	"time"

	"barnabas/internal/record"
)

// encode writes the records of outcomes as one batch with the time now. The batch is valid until the
// next.
func (s *shard[M]) encode(outcomes []Outcome, now time.Time) ([]byte, error) {
	builder := record.NewBuilder(record.Options{Codec: s.runtime.options.Codec})
	nowMs := now.UnixMilli()
	for _, o := range outcomes {
		for _, r := range o.Records {
			builder.Append(nowMs, r.Key, r.Value)
		}
	}
	return builder.Build()
}

// replayBatch applies the records of a batch at or after from to the machine, and returns their number.
func (s *shard[M]) replayBatch(
	b record.Batch, from record.Offset, d *record.Decompressor,
) (int, error) {
	if b.IsControl() { // the end of a transaction, of which this room knows nothing
		return 0, nil
	}
	var reader record.Reader
	reader.Reset(b, d)
	defer reader.Close()
	n := 0
	for reader.Next() {
		r := reader.Record()
		if r.Offset < from || r.Key == nil {
			continue
		}
		s.machine.Replay(Record{Key: r.Key, Value: r.Value})
		n++
	}
	if err := reader.Err(); err != nil {
		return n, fmt.Errorf("records: %w", err)
	}
	return n, nil
}
