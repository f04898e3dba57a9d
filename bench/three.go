package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/trials/nodes"
)

const (
	threeWarm  = 3_000_000 // records of 100 bytes; three JVMs on two cores take long for more
	threeBytes = 1 << 30
	threeMin   = "2"
)

// trio is a cluster of three that runs, with the topic of the case.
type trio struct {
	*nodes.Cluster
	dir     string
	leaders []string // by partition
}

func startThree(s system, partitions int32) (*trio, error) {
	c, ok := s.(clustered)
	if !ok {
		return nil, fmt.Errorf("three of %s can't be run", s.name())
	}
	dir, err := os.MkdirTemp("", "barnabas-bench")
	if err != nil {
		return nil, err
	}
	net, err := nodes.Net()
	if err != nil {
		return nil, err
	}
	t := &trio{Cluster: c.cluster(dir, net, nil), dir: dir}
	ctx, cancel := context.WithTimeout(context.Background(), 2*startDeadline)
	defer cancel()
	if err = t.Start(ctx); err == nil {
		err = t.createTopic(ctx, partitions)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *trio) createTopic(ctx context.Context, partitions int32) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.addresses()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	least := threeMin
	admin := kadm.NewClient(client)
	made, err := admin.CreateTopic(ctx, partitions, 3, map[string]*string{"min.insync.replicas": &least}, loadTopic)
	if err == nil {
		err = made.Err
	}
	if err != nil {
		return fmt.Errorf("create the topic: %w", err)
	}
	for partition := range partitions { // until each is led
		r := &kgo.Record{Topic: loadTopic, Partition: partition, Value: []byte("first")}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
	}
	listed, err := admin.Metadata(ctx, loadTopic)
	if err != nil {
		return err
	}
	t.leaders = make([]string, partitions)
	for _, p := range listed.Topics[loadTopic].Partitions {
		for _, n := range t.Nodes {
			if int32(n.ID) == p.Leader {
				t.leaders[p.Partition] = n.Address()
			}
		}
	}
	return nil
}

func (t *trio) addresses() []string {
	var all []string
	for _, n := range t.Nodes {
		all = append(all, n.Address())
	}
	return all
}

func (t *trio) leader(partition int32) string { return t.leaders[partition] }

func (t *trio) pids() []int {
	var all []int
	for _, p := range t.Processes() {
		all = append(all, p.Pid())
	}
	return all
}

func (t *trio) close() {
	t.Close(false)
	_ = os.RemoveAll(t.dir)
}

// measureThree is measureProduce on three brokers with three replicas of everything.
func measureThree(s system) (figures, error) {
	t, err := startThree(s, streamPartitions)
	if err != nil {
		return nil, err
	}
	defer t.close()
	warm := newStream(loadTopic, warmValue)
	if err := warm.run(t.leader, scaled(min(threeWarm, s.warmUp()))/warm.records); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	if err := touchCache(t.dir, 3*scaled(threeBytes)); err != nil {
		return nil, err
	}
	load := newStream(loadTopic, 1024)
	used, err := load.measure(t.leader, scaled(threeBytes), t.pids()...)
	if err != nil {
		return nil, err
	}
	f := used.volume(load.volume())
	f["resident after the load, MiB"], err = residentMiB(t.pids()...)
	return f, err
}

// measureThreeClient is the same with a producer as people use it.
func measureThreeClient(s system) (figures, error) {
	t, err := startThree(s, streamPartitions)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := produceByClient(t.addresses(), warmValue, scaled(min(threeWarm, s.warmUp()))); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	if err := touchCache(t.dir, 3*scaled(threeBytes)); err != nil {
		return nil, err
	}
	records := scaled(threeBytes) / 1024
	g, err := startGauge(t.pids()...)
	if err != nil {
		return nil, err
	}
	if err := produceByClient(t.addresses(), 1024, records); err != nil {
		return nil, err
	}
	used, err := g.stop()
	if err != nil {
		return nil, err
	}
	f := used.volume(float64(records), float64(records)*1024)
	f["resident after the load, MiB"], err = residentMiB(t.pids()...)
	return f, err
}

func produceByClient(brokers []string, valueSize, records int) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic(loadTopic),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(1<<20),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(64<<20/valueSize),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), streamDeadline)
	defer cancel()
	value := bytes.Repeat([]byte("a"), valueSize)
	var failed atomic.Pointer[error]
	for range records {
		client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// measureLatencyThree is measureLatency on three brokers with three replicas.
func measureLatencyThree(s system) (figures, error) {
	t, err := startThree(s, 1)
	if err != nil {
		return nil, err
	}
	defer t.close()
	warm, total := latencyCounts(1000)
	g, err := startGauge(t.pids()...)
	if err != nil {
		return nil, err
	}
	f, err := endToEnd(t.addresses(), 1000, warm, total)
	if err != nil {
		return nil, err
	}
	used, err := g.stop()
	f["broker CPU-s per million"] = used.broker.Seconds() / float64(total) * 1e6
	return f, err
}

// measureIdleThree is what three brokers cost that nobody uses, and what they hold after a load.
func measureIdleThree(s system) (figures, error) {
	t, err := startThree(s, streamPartitions)
	if err != nil {
		return nil, err
	}
	defer t.close()
	f, err := idleFigures(t.pids()...)
	if err != nil {
		return nil, err
	}
	load := newStream(loadTopic, 1024)
	if err := load.run(t.leader, scaled(threeBytes)/len(load.frames[0])); err != nil {
		return nil, err
	}
	f["resident after a load, MiB"], err = residentMiB(t.pids()...)
	return f, err
}
