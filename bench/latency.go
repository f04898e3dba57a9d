package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	latencyRate   = 1000 // records a second
	latencyValue  = 1024
	latencyWarmUp = 10 * time.Second
	latencyFor    = 20 * time.Second
)

// measureLatency sends records by a schedule and times each from the moment it was due until a consumer has it: a
// record that could not be sent in time counts with its delay (no coordinated omission).
func measureLatency(s system) (figures, error) {
	n, err := ready(s, 1)
	if err != nil {
		return nil, err
	}
	defer n.close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(n.address()),
		kgo.DefaultProduceTopic(loadTopic),
		kgo.ConsumeTopics(loadTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()

	warm := int(latencyWarmUp.Seconds() * latencyRate)
	total := warm + int(latencyFor.Seconds()*latencyRate)
	ctx, cancel := context.WithTimeout(context.Background(), 2*(latencyWarmUp+latencyFor))
	defer cancel()
	begun := time.Now()
	go sendBySchedule(ctx, client, begun, total)

	took := make([]time.Duration, 0, total-warm)
	for seen := 0; seen < total; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d of %d records: %w", seen, total, err)
		}
		now := time.Since(begun)
		fetches.EachRecord(func(r *kgo.Record) {
			if seen++; seen > warm {
				took = append(took, now-time.Duration(binary.BigEndian.Uint64(r.Value)))
			}
		})
	}
	slices.Sort(took)
	return figures{
		"p50, ms":   percentile(took, 0.50),
		"p99, ms":   percentile(took, 0.99),
		"p99.9, ms": percentile(took, 0.999),
	}, nil
}

// sendBySchedule writes into each record when it was due, since begun.
func sendBySchedule(ctx context.Context, client *kgo.Client, begun time.Time, total int) {
	for i := range total {
		due := time.Duration(i) * time.Second / latencyRate
		time.Sleep(due - time.Since(begun))
		value := make([]byte, latencyValue)
		binary.BigEndian.PutUint64(value, uint64(due))
		client.Produce(ctx, &kgo.Record{Value: value}, nil)
	}
}

func percentile(sorted []time.Duration, p float64) float64 {
	return float64(sorted[int(p*float64(len(sorted)-1))].Microseconds()) / 1000
}
