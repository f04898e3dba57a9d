package main

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/trials/numbers"
)

// reader is a consumer group of one member. Its goroutine ends with stop.
type reader struct {
	client *kgo.Client
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex
	seen map[uint64]bool // guarded by mu
}

func startReader(o numbers.Options) (*reader, error) {
	client, err := o.Target.Client(kgo.ConsumeTopics(o.Topic), kgo.ConsumerGroup("readers of "+o.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(time.Second))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{client: client, cancel: cancel, ended: make(chan struct{}), seen: map[uint64]bool{}}
	go r.run(ctx)
	return r, nil
}

func (r *reader) run(ctx context.Context) {
	defer close(r.ended)
	for ctx.Err() == nil {
		fetches := r.client.PollFetches(ctx)
		r.mu.Lock()
		fetches.EachRecord(func(record *kgo.Record) {
			if len(record.Value) >= 8 {
				r.seen[binary.BigEndian.Uint64(record.Value)] = true
			}
		})
		r.mu.Unlock()
	}
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// await waits until everything acknowledged has been read, and counts what has not when the time is over.
func (r *reader) await(ctx context.Context, sent *numbers.Sent) int {
	for {
		unread := r.unread(sent)
		if unread == 0 {
			return 0
		}
		select {
		case <-ctx.Done():
			return unread
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (r *reader) unread(sent *numbers.Sent) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	unread := 0
	for n, place := range sent.Places {
		if place.Offset >= 0 && !r.seen[uint64(n)] {
			unread++
		}
	}
	return unread
}

func (r *reader) stop() {
	r.cancel()
	<-r.ended
	r.client.Close()
}
