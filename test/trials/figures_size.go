package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"barnabas/test/trials/nodes"
	"barnabas/test/trials/numbers"
)

// The topics of the cluster with many partitions.
const (
	manyTopics = 10
	manyEach   = 1000
)

// measureMany kills one of the brokers of 10,000 partitions with three replicas each.
func measureMany(ctx context.Context, o options, s system) ([]*figure, error) {
	c, err := s.start(ctx, o)
	if c != nil {
		defer c.Close(o.keep)
	}
	if err != nil {
		return nil, err
	}
	victim := c.Nodes[2]
	client, err := numbers.Target{Bootstrap: []string{c.Nodes[0].Address(), c.Nodes[1].Address()}}.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	began := time.Now()
	for i := range manyTopics {
		if err := createTopic(ctx, admin, fmt.Sprintf("many-%d", i), manyEach, 3, 2); err != nil {
			return nil, err
		}
	}
	if err := awaitMany(ctx, admin, func(p kadm.PartitionDetail) bool { return p.Leader >= 0 && len(p.ISR) == 3 }); err != nil {
		return nil, err
	}
	created := time.Since(began)
	fmt.Fprintf(os.Stderr, "   %d partitions after %s\n", manyTopics*manyEach, created)
	bytes, err := c.Resident()
	if err != nil {
		return nil, err
	}
	began = time.Now()
	victim.Broker.Kill()
	led := func(p kadm.PartitionDetail) bool { return p.Leader >= 0 && p.Leader != int32(victim.ID) }
	if err := awaitMany(ctx, admin, led); err != nil {
		return nil, err
	}
	elected := time.Since(began)
	began = time.Now()
	if err := victim.Broker.Start(); err != nil {
		return nil, err
	}
	if err := awaitMany(ctx, admin, func(p kadm.PartitionDetail) bool { return led(p) && len(p.ISR) == 3 || p.Leader == int32(victim.ID) }); err != nil {
		return nil, err
	}
	back := time.Since(began)
	total := fmt.Sprintf("%d partitions with three replicas", manyTopics*manyEach)
	return []*figure{
		{What: total + ": one broker dies, to all led again as Metadata tells", Measured: seconds(elected), Goal: "3 s"},
		{What: total + ": created and in sync, in ten requests", Measured: seconds(created)},
		{What: total + ": the broker is back, to all in sync", Measured: seconds(back)},
		{What: total + ": memory of all processes, idle", Measured: mib(bytes)},
	}, nil
}

func awaitMany(ctx context.Context, admin *kadm.Client, so func(kadm.PartitionDetail) bool) error {
	for {
		topics, err := admin.ListTopics(ctx)
		count := 0
		if err == nil {
			topics.EachPartition(func(p kadm.PartitionDetail) {
				if so(p) {
					count++
				}
			})
			if count >= manyTopics*manyEach {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d partitions only (%v): %w", count, manyTopics*manyEach, err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// measureMemory is what all processes have resident, before and after a load as fast as it goes.
func measureMemory(ctx context.Context, o options, s system) ([]*figure, error) {
	c, err := s.start(ctx, o)
	if c != nil {
		defer c.Close(o.keep)
	}
	if err != nil {
		return nil, err
	}
	g := &game{trial: trial{replicas: 3, minISR: 2}, options: o, ctx: ctx, cluster: c, out: &outcome{}}
	if err := g.createTopics(); err != nil {
		return nil, err
	}
	if err := g.pause(5 * time.Second); err != nil {
		return nil, err
	}
	idle, err := c.Resident()
	if err != nil {
		return nil, err
	}
	count := sizes{200_000, 2_000_000}.of(o)
	began := time.Now()
	if _, err := numbers.Fill(ctx, g.loadOptions(hotTopic), count); err != nil {
		return nil, err
	}
	took := time.Since(began)
	loaded, err := c.Resident()
	if err != nil {
		return nil, err
	}
	goals := [2]string{"150 MiB", "450 MiB"}
	if nodes.Layout(o.layout) == nodes.Six {
		goals = [2]string{"200 MiB", "500 MiB"}
	}
	return []*figure{
		{What: c.Name + ": memory of all processes, idle", Measured: mib(idle), Goal: goals[0]},
		{What: fmt.Sprintf("%s: memory of all processes right after %d records of 1 KiB", c.Name, count), Measured: mib(loaded), Goal: goals[1]},
		{What: "those records, three replicas, acks=all, one producer", Measured: fmt.Sprintf("%.0f MiB/s", float64(count)/1024/took.Seconds())},
	}, nil
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
