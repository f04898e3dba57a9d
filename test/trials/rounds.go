package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/trials/nodes"
)

// trials are the table of the promise.
var trials = []trial{
	{id: "A", what: "kill -9", goal: "0 lost, 0.6 s", replicas: 3, minISR: 2, rounds: sizes{3, 10}, play: killing},
	{id: "B", what: "SIGTERM", goal: "0 lost, 0.1 s", replicas: 3, minISR: 2, rounds: sizes{3, 10}, play: stopping},
	{id: "C", what: "SIGTERM, cold data to copy again", goal: "0 lost, 0.1 s", replicas: 3, minISR: 2,
		rounds: sizes{3, 4}, cold: sizes{50_000, 2_000_000}, play: stopping},
	{id: "D", what: "kill -9, cold records beside", goal: "0 lost, 0.6 s", replicas: 3, minISR: 2,
		rounds: sizes{3, 4}, cold: sizes{100_000, 5_000_000}, play: killing},
	{id: "E", what: "kill -9 every 3 s, nobody waits", goal: "0 lost, 1 s", replicas: 3, minISR: 2,
		rounds: sizes{4, 4}, play: killingBlindly},
	{id: "F", what: "two nodes killed 2 to 5 s apart", goal: "0 lost, 3 s, none refused", replicas: 3, minISR: 2,
		rounds: sizes{2, 4}, play: killingPairs},
	{id: "G", what: "all three told to stop at once", goal: "0 lost, 1 s", replicas: 3, minISR: 2,
		rounds: sizes{1, 1}, cold: sizes{10_000, 10_000}, alone: true, play: stoppingAll},
	{id: "H", what: "a topic with one replica, SIGTERM of its broker", goal: "0 lost, 0.1 s", replicas: 1, minISR: 1,
		rounds: sizes{3, 3}, play: stopping},
	{id: "I", what: "all keepers wiped at once, brokers left alone", goal: "0 lost, goes on", replicas: 3, minISR: 2,
		rounds: sizes{1, 3}, needs: nodes.Six, play: wipingKeepers},
	{id: "J", what: "all three brokers get empty successors, then SIGTERM at once; half of the cold data with one replica",
		goal: "0 lost, 1 s, not the whole grace period", replicas: 3, minISR: 2, rounds: sizes{1, 2}, cold: sizes{10_000, 500_000},
		alone: true, needs: nodes.Services, play: succeeding(true, false)},
	{id: "K", what: "the same with the three keepers", goal: "0 lost, 1 s, not the whole grace period", replicas: 3, minISR: 2,
		rounds: sizes{1, 2}, cold: sizes{10_000, 500_000}, alone: true, needs: nodes.Services, play: succeeding(false, true)},
	{id: "L", what: "the same with all six", goal: "0 lost, 1 s, not the whole grace period", replicas: 3, minISR: 2,
		rounds: sizes{1, 2}, cold: sizes{10_000, 500_000}, alone: true, needs: nodes.Services, play: succeeding(true, true)},
}

// each plays a round on one node after the other.
func (g *game) each(round func(n *nodes.Node) error) error {
	rounds := g.options.rounds
	if rounds == 0 {
		rounds = g.rounds.of(g.options)
	}
	for i := range rounds {
		if err := round(g.cluster.Nodes[i%len(g.cluster.Nodes)]); err != nil {
			return err
		}
		g.played++
	}
	return nil
}

func killing(g *game) error {
	return g.each(func(n *nodes.Node) error {
		if err := g.replace(n, false); err != nil {
			return err
		}
		return g.settled(n)
	})
}

func stopping(g *game) error {
	return g.each(func(n *nodes.Node) error {
		if err := g.replace(n, true); err != nil {
			return err
		}
		return g.settled(n)
	})
}

// blindPace is the time between the kills of trial E.
const blindPace = 3 * time.Second

func killingBlindly(g *game) error {
	err := g.each(func(n *nodes.Node) error {
		next := time.Now().Add(blindPace)
		if err := g.replace(n, false); err != nil {
			return err
		}
		return g.pause(time.Until(next))
	})
	return errors.Join(err, g.settled(g.cluster.Nodes...))
}

func killingPairs(g *game) error {
	random := rand.New(rand.NewPCG(g.options.seed, 0))
	first := 0
	return g.each(func(*nodes.Node) error {
		one, other := g.cluster.Nodes[first], g.cluster.Nodes[(first+1)%len(g.cluster.Nodes)]
		first = (first + 1) % len(g.cluster.Nodes)
		if err := g.replace(one, false); err != nil {
			return err
		}
		if err := g.pause(2*time.Second + time.Duration(random.Int64N(int64(3*time.Second)))); err != nil {
			return err
		}
		if err := g.replace(other, false); err != nil {
			return err
		}
		return g.settled(one, other)
	})
}

// stoppingAll asks all nodes to stop at the same moment, and starts each empty as it has gone.
func stoppingAll(g *game) error {
	return g.each(func(*nodes.Node) error {
		errs := make([]error, len(g.cluster.Nodes))
		var all sync.WaitGroup
		for i, n := range g.cluster.Nodes {
			all.Go(func() { errs[i] = g.replace(n, true) })
		}
		all.Wait()
		return errors.Join(errors.Join(errs...), g.settled(g.cluster.Nodes...))
	})
}

// wipingKeepers kills all keepers at once, wipes and starts them.
func wipingKeepers(g *game) error {
	return g.each(func(*nodes.Node) error {
		for _, n := range g.cluster.Nodes {
			n.Keeper.Kill()
		}
		for _, n := range g.cluster.Nodes {
			if err := n.Keeper.Wipe(); err != nil {
				return err
			}
			if err := n.Keeper.Start(); err != nil {
				return err
			}
		}
		return g.settled(g.cluster.Nodes...)
	})
}

// replace ends a node, wipes it and starts it empty.
func (g *game) replace(n *nodes.Node, gently bool) error {
	processes := n.Processes()
	if !g.options.together {
		processes = processes[:1]
	}
	asked := time.Now()
	if gently {
		for _, p := range processes {
			took, err := p.Stop(g.options.grace)
			if err != nil {
				g.trouble("%v", err)
			}
			g.stopped(took)
		}
	}
	for _, p := range processes {
		p.Kill()
		if err := p.Wipe(); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "   %s %s ended in %s\n", clock(asked), n.Broker.Name, time.Since(asked).Round(time.Millisecond))
	return n.Start()
}

var outcomes sync.Mutex

func (g *game) trouble(format string, args ...any) {
	outcomes.Lock()
	defer outcomes.Unlock()
	g.out.trouble(format, args...)
}

func (g *game) stopped(took time.Duration) {
	outcomes.Lock()
	defer outcomes.Unlock()
	g.out.SlowestStop = max(g.out.SlowestStop, took)
}

// settled waits until the nodes are ready, and until the cluster has served a client that knows nothing of it yet.
func (g *game) settled(list ...*nodes.Node) error {
	began := time.Now()
	for _, n := range list {
		if err := g.cluster.AwaitReady(g.ctx, n); err != nil {
			return err
		}
	}
	behind, err := g.behind(list)
	if err != nil {
		return err
	}
	g.out.TooEarly = max(g.out.TooEarly, behind)
	for g.options.pace == "insync" && behind > 0 {
		if err := g.pause(20 * time.Millisecond); err != nil {
			return fmt.Errorf("%d replicas are not in sync: %w", behind, err)
		}
		if behind, err = g.behind(list); err != nil {
			return err
		}
	}
	ready := time.Since(began)
	g.out.SlowestReady = max(g.out.SlowestReady, ready)
	began = time.Now()
	if err := probe(g.ctx, g.cluster); err != nil {
		g.out.trouble("after round %d the cluster does not serve: %v", g.played+1, err)
	} else {
		g.out.Served++
		g.out.SlowestServe = max(g.out.SlowestServe, time.Since(began))
	}
	s := g.load.Stalls()
	fmt.Fprintf(os.Stderr, "   round %d: ready in %s with %d replicas behind, longest stall so far %s, of one partition %s, own %s\n", g.played+1,
		ready.Round(time.Millisecond), behind, s.All.Round(time.Millisecond), s.Partition.Round(time.Millisecond),
		s.Own.Round(time.Millisecond))
	return nil
}

// behind counts the replicas on the nodes that are not in sync, as the cluster tells it.
func (g *game) behind(list []*nodes.Node) (int, error) {
	ctx, cancel := context.WithTimeout(g.ctx, probeWithin)
	defer cancel()
	client, err := g.cluster.Target().Client()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		return 0, err
	}
	count := 0
	topics.EachPartition(func(p kadm.PartitionDetail) {
		for _, n := range list {
			if slices.Contains(p.Replicas, int32(n.ID)) && !slices.Contains(p.ISR, int32(n.ID)) {
				count++
			}
		}
	})
	return count, nil
}

const (
	probeTopic      = "probe"
	probePartitions = 3
	probeWithin     = 30 * time.Second
)

// probe writes a record to each partition of a topic of its own.
func probe(ctx context.Context, c *nodes.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	client, err := c.Target().Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for partition := range int32(probePartitions) {
		records = append(records, &kgo.Record{Topic: probeTopic, Partition: partition, Value: []byte("served")})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func (g *game) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
}

// acknowledged waits for so many more acknowledgements.
func (g *game) acknowledged(more int) error {
	target := g.load.Acked() + more
	for g.load.Acked() < target {
		if err := g.pause(10 * time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d more records acknowledged: %w", g.load.Acked()-target+more, more, err)
		}
	}
	return nil
}
