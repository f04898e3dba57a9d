package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	latencyValue  = 1024
	latencyWarmUp = 10 * time.Second
	latencyFor    = 20 * time.Second
	// clientGC is GOGC of the clients, those of NATS too: their own collections, on the core that is theirs, would be a good part of
	// what is measured at 20,000 records/s.
	clientGC = 800
)

// measureLatency sends records by a schedule and times each from the moment it was due until a consumer has it: a
// record that could not be sent in time counts with its delay (no coordinated omission).
func measureLatency(rate int) func(system) (figures, error) {
	return func(s system) (figures, error) {
		n, err := ready(s, 1)
		if err != nil {
			return nil, err
		}
		defer n.close()
		warm, total := latencyCounts(rate)
		if own, ok := s.(latencyGenerator); ok {
			return own.latency(n, rate, warm, total)
		}
		g, err := startGauge(n.pid())
		if err != nil {
			return nil, err
		}
		f, err := endToEnd([]string{n.address()}, rate, warm, total)
		if err != nil {
			return nil, err
		}
		used, err := g.stop()
		f["broker CPU-s per million"] = used.broker.Seconds() / float64(total) * 1e6
		f["resident after the load, MiB"], _ = residentMiB(n.pid())
		return f, err
	}
}

// latencyGenerator is a system that brings a client of its own.
type latencyGenerator interface {
	latency(n *node, rate, warm, total int) (figures, error)
}

// latencyCounts are how many records warm up, and how many there are in all.
func latencyCounts(rate int) (warm, total int) {
	warm = int(scaledTime(latencyWarmUp).Seconds() * float64(rate))
	return warm, warm + int(scaledTime(latencyFor).Seconds()*float64(rate))
}

func endToEnd(brokers []string, rate, warm, total int) (figures, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+2*time.Duration(total/rate)*time.Second)
	defer cancel()
	if err := meet(ctx, client); err != nil {
		return nil, err
	}
	times := schedule{begun: time.Now(), rate: rate}
	failed := make(chan error, 1)
	go times.run(total, 1, func(record, _ int) {
		value := make([]byte, latencyValue)
		binary.BigEndian.PutUint64(value, uint64(times.due(record).Sub(times.begun)))
		client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
					cancel()
				default:
				}
			}
		})
	})
	defer debug.SetGCPercent(debug.SetGCPercent(clientGC))
	var h histogram
	for seen := 0; seen < total; {
		fetches := client.PollFetches(ctx)
		now := time.Since(times.begun)
		if err := fetches.Err(); err != nil {
			select {
			case err = <-failed:
			default:
			}
			return nil, fmt.Errorf("after %d of %d records: %w", seen, total, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if len(r.Value) != latencyValue { // from before
				return
			}
			if seen++; seen > warm {
				h.add(now - time.Duration(binary.BigEndian.Uint64(r.Value)))
			}
		})
	}
	return h.figures(), nil
}

// meet sends a record and waits until the consumer gets one, so that every connection is there.
func meet(ctx context.Context, client *kgo.Client) error {
	if err := client.ProduceSync(ctx, &kgo.Record{Value: []byte("first")}).FirstErr(); err != nil {
		return err
	}
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil || fetches.NumRecords() > 0 {
			return err
		}
	}
}
