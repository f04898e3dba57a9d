package numbers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Fill produces so many numbered records as fast as it can, and returns when all are acknowledged: cold data, which
// nobody touches afterwards. The rate of its options is not used.
func Fill(ctx context.Context, o Options, count int) (*Sent, error) {
	client, err := o.Target.Client(kgo.DefaultProduceTopic(o.Topic), kgo.ProducerLinger(5*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(fillBuffered),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProduceRequestTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	sent := &Sent{Places: make([]Place, count), Refused: map[string]int{}}
	var mu sync.Mutex
	for n := range count {
		value := make([]byte, max(o.Size, 8))
		binary.BigEndian.PutUint64(value, uint64(n))
		record := &kgo.Record{Value: value, Partition: int32(n) % o.Partitions}
		sent.Places[n] = Place{record.Partition, -1}
		client.Produce(ctx, record, func(r *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				sent.Refused[err.Error()]++
				return
			}
			sent.Places[n].Offset = r.Offset
			sent.Acked++
		})
	}
	if err := client.Flush(ctx); err != nil {
		return nil, fmt.Errorf("fill topic %s: %w", o.Topic, err)
	}
	if sent.Acked != count {
		return sent, errors.New("not everything that fills the topic was acknowledged")
	}
	return sent, nil
}

// fillBuffered bounds the records of a Fill that are under way.
const fillBuffered = 20_000
