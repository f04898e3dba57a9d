package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/trials/nodes"
)

const gapTopic = "gaps"

// gapRounds is how often each gap is measured.
const gapRounds = 5

// measureKills kills a leader, and looks how long those wait who write to what it led.
func measureKills(ctx context.Context, o options, s system) (all []*figure, err error) {
	for _, f := range []struct {
		partitions int
		goal       string
	}{{12, "0.5 s"}, {1000, "1 s"}} {
		what := fmt.Sprintf("kill -9 of a leader to the next acknowledged record, %d partitions: first, last of what it led", f.partitions)
		end := func(n *nodes.Node) { n.Broker.Kill() }
		measured, err := measureGaps(ctx, o, s, f.partitions, end, (*nodes.Node).Start)
		if err != nil {
			return all, err
		}
		all = append(all, &figure{What: what, Measured: measured, Goal: f.goal})
	}
	return all, nil
}

// impatience is for how long a client waits for an answer of a process that may be suspended. What it has sent to that one it sends
// to the next leader only then: with the two seconds that the other figures allow, a leader elected after 2.1 s would be written to after 4.
const impatience = 250 * time.Millisecond

// measurePauses stops a leader's process by SIGSTOP: it vanishes without a reset of its connections.
func measurePauses(ctx context.Context, o options, s system) ([]*figure, error) {
	measured, err := measureGaps(ctx, o, s, 12,
		func(n *nodes.Node) { n.Broker.Signal(syscall.SIGSTOP) },
		func(n *nodes.Node) error { return n.Broker.Signal(syscall.SIGCONT) },
		kgo.ProduceRequestTimeout(impatience), kgo.RequestTimeoutOverhead(impatience))
	return []*figure{{What: "SIGSTOP of a leader to the next acknowledged record, 12 partitions: first, last of what it led",
		Measured: measured, Goal: "4 s"}}, err
}

// measureGaps ends a leader's service, has records written at once to all that it led, and has it serve again.
func measureGaps(
	ctx context.Context, o options, s system, partitions int, end func(*nodes.Node), again func(*nodes.Node) error,
	patience ...kgo.Opt,
) (string, error) {
	c, err := s.start(ctx, o)
	if c != nil {
		defer c.Close(o.keep)
	}
	if err != nil {
		return "", err
	}
	client, err := c.Target().Client(append(patience, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.DefaultProduceTopic(gapTopic))...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if err := createTopic(ctx, admin, gapTopic, int32(partitions), 3, 2); err != nil {
		return "", err
	}
	var firsts, lasts []time.Duration
	for round := range gapRounds {
		leaders, err := awaitLed(ctx, admin, partitions)
		if err != nil {
			return "", err
		}
		if _, _, err := writeTo(ctx, client, upTo(partitions)); err != nil { // connections and producer ids are there
			return "", err
		}
		n := c.Nodes[round%len(c.Nodes)]
		began := time.Now()
		end(n)
		first, last, err := writeTo(ctx, client, leaders[int32(n.ID)])
		if err != nil {
			return "", err
		}
		fmt.Fprintf(os.Stderr, "   %s broker %d led %d: first after %s, last after %s\n", clock(began), n.ID,
			len(leaders[int32(n.ID)]), first.Sub(began), last.Sub(began))
		if len(leaders[int32(n.ID)]) > 0 {
			firsts, lasts = append(firsts, first.Sub(began)), append(lasts, last.Sub(began))
		}
		if err := again(n); err != nil {
			return "", err
		}
		if err := c.AwaitReady(ctx, n); err != nil {
			return "", err
		}
		if err := balance(ctx, admin); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s, %s", spread(firsts), spread(lasts)), nil
}

func upTo(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// awaitLed waits until every partition has its replicas in sync and a leader, and tells who leads which.
func awaitLed(ctx context.Context, admin *kadm.Client, partitions int) (map[int32][]int32, error) {
	for {
		topics, err := admin.ListTopics(ctx, gapTopic)
		if err == nil {
			leaders, settled := map[int32][]int32{}, 0
			topics.EachPartition(func(p kadm.PartitionDetail) {
				if p.Leader >= 0 && len(p.ISR) == len(p.Replicas) {
					leaders[p.Leader] = append(leaders[p.Leader], p.Partition)
					settled++
				}
			})
			if settled == partitions {
				return leaders, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("not all of %d partitions are led and in sync: %w", partitions, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// balance gives every partition back to its preferred leader, once all are in sync.
func balance(ctx context.Context, admin *kadm.Client) error {
	topics, err := admin.ListTopics(ctx, gapTopic)
	if err != nil {
		return err
	}
	if _, err := awaitLed(ctx, admin, len(topics[gapTopic].Partitions)); err != nil {
		return err
	}
	_, err = admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
	return err
}

// writeTo writes a record to each of the partitions, and tells when the first and the last was acknowledged.
func writeTo(ctx context.Context, client *kgo.Client, partitions []int32) (first, last time.Time, err error) {
	var mu sync.Mutex
	var done sync.WaitGroup
	for _, partition := range partitions {
		done.Add(1)
		client.Produce(ctx, &kgo.Record{Partition: partition, Value: make([]byte, recordSize)}, func(_ *kgo.Record, failed error) {
			defer done.Done()
			mu.Lock()
			defer mu.Unlock()
			if last = time.Now(); first.IsZero() {
				first = last
			}
			if failed != nil {
				err = failed
			}
		})
	}
	done.Wait()
	return first, last, err
}

// spread is the median and the longest.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f s (%.2f at most)", all[len(all)/2].Seconds(), all[len(all)-1].Seconds())
}

// measureStops stops brokers under the load of the trials, and looks how long a partition has no acknowledgement.
func measureStops(ctx context.Context, o options, s system) ([]*figure, error) {
	var gaps, stops []time.Duration
	out := &outcome{}
	g := &game{trial: trial{replicas: 3, minISR: 2}, options: o, ctx: ctx, out: out}
	g.play = func(g *game) error {
		for round := range gapRounds {
			n := g.cluster.Nodes[round%len(g.cluster.Nodes)]
			g.load.Mark()
			took, err := n.Broker.Stop(o.grace)
			if err != nil {
				return err
			}
			if err := g.acknowledged(perSecond / 2); err != nil {
				return err
			}
			gaps, stops = append(gaps, g.load.Stalls().Partition), append(stops, took)
			if err := n.Broker.Start(); err != nil {
				return err
			}
			if err := g.settled(n); err != nil {
				return err
			}
			if err := g.acknowledged(perSecond); err != nil {
				return err
			}
		}
		return nil
	}
	err := g.run(ctx, s)
	if err == nil && !out.kept() {
		err = fmt.Errorf("%s", out)
	}
	return []*figure{
		{What: "SIGTERM of a leader, longest gap of a partition under load", Measured: spread(gaps), Goal: "0.05 s"},
		{What: "SIGTERM to the end of the process", Measured: spread(stops), Goal: ""},
	}, err
}
