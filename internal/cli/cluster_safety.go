package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// riskInfo is a partition that a broker can't leave behind.
type riskInfo struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Others    int    `json:"inSyncElsewhere"`
	Need      int    `json:"needed"`
	Why       string `json:"why"`
}

// risksOf are the partitions that would lose records, or their minimum of copies in sync, without a broker. The broker itself
// says the same at /safe-to-stop, and waits for it when it is told to stop.
func risksOf(topics []topicDescription, minISR map[string]int, broker int32) []riskInfo {
	risks := []riskInfo{}
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			if !slices.Contains(p.Replicas, broker) {
				continue
			}
			others := 0
			for _, id := range p.ISR {
				if id != broker {
					others++
				}
			}
			need := max(1, min(minISR[topic.Name], len(p.Replicas)-1))
			r := riskInfo{Topic: topic.Name, Partition: p.Partition, Others: others, Need: need}
			switch {
			case others == 0:
				r.Why = "no other broker holds all its records"
			case others < need && slices.Contains(p.ISR, broker):
				r.Why = fmt.Sprintf("%d of %d other brokers are in sync", others, need)
			default:
				continue
			}
			risks = append(risks, r)
		}
	}
	return risks
}

// minISRs are the effective min.insync.replicas of topics.
func (c *client) minISRs(ctx context.Context, topics []topicDescription) (map[string]int, error) {
	configs, err := c.topicConfigs(ctx, topics)
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for _, topic := range topics {
		for _, entry := range configs[topic.Name] {
			if entry.Name == "min.insync.replicas" {
				if n, err := strconv.Atoi(entry.Value); err == nil {
					all[topic.Name] = n
				}
			}
		}
	}
	return all, nil
}

// riskTopics are all topics, internal ones too.
func (c *client) riskTopics(ctx context.Context) ([]topicDescription, error) {
	names, err := c.topicNames(ctx, "", false)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	return c.describeTopics(ctx, names, int32(len(names)))
}

func (m *modern) safeToStop(ctx context.Context, c *client, broker int32) error {
	topics, err := c.riskTopics(ctx)
	if err != nil {
		return err
	}
	minISR := map[string]int{}
	if len(topics) > 0 {
		if minISR, err = c.minISRs(ctx, topics); err != nil {
			return err
		}
	}
	risks := risksOf(topics, minISR, broker)
	err = m.show(risks, func(w *tabwriter.Writer) {
		if len(risks) == 0 {
			fmt.Fprintf(w, "Broker %d can be stopped: every partition keeps its records and its minimum of copies in sync.\n", broker)
			return
		}
		fmt.Fprintln(w, "TOPIC\tPARTITION\tAT RISK BECAUSE")
		for _, r := range risks {
			fmt.Fprintf(w, "%s\t%d\t%s\n", r.Topic, r.Partition, r.Why)
		}
	})
	if err == nil && len(risks) > 0 {
		return exitFailure
	}
	return err
}

// drainPoll is how often drain looks how far the moves are.
const drainPoll = 500 * time.Millisecond

// drained are the replicas of the partitions that a broker holds, with another live broker in its place: of those that have
// none of the partition the one with the fewest. Where every live broker has one already it stays.
func drained(topics []topicDescription, live map[int32]bool, broker int32) map[partitionName][]int32 {
	held := map[int32]int{}
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			for _, id := range p.Replicas {
				held[id]++
			}
		}
	}
	targets := map[partitionName][]int32{}
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			at := slices.Index(p.Replicas, broker)
			if at < 0 {
				continue
			}
			to := int32(-1)
			for _, id := range sortedIDs(live) {
				if id != broker && !slices.Contains(p.Replicas, id) && (to < 0 || held[id] < held[to]) {
					to = id
				}
			}
			if to < 0 {
				continue
			}
			held[to]++
			replicas := slices.Clone(p.Replicas)
			replicas[at] = to
			targets[partitionName{topic.Name, p.Partition}] = replicas
		}
	}
	return targets
}

func sortedIDs(live map[int32]bool) []int32 {
	var ids []int32
	for id := range live {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// drain moves what a broker holds to others and waits until that is done.
func (m *modern) drain(ctx context.Context, c *client, broker int32) error {
	topics, err := c.riskTopics(ctx)
	if err != nil {
		return err
	}
	live, err := c.liveBrokers(ctx)
	if err != nil {
		return err
	}
	targets := drained(topics, live, broker)
	if len(targets) > 0 {
		if err := c.reassign(ctx, targets); err != nil {
			return err
		}
	}
	for {
		left := 0
		if topics, err = c.riskTopics(ctx); err != nil {
			return err
		}
		for _, topic := range topics {
			for _, p := range topic.Partitions {
				if _, moves := targets[partitionName{topic.Name, p.Partition}]; moves && slices.Contains(p.Replicas, broker) {
					left++
				}
			}
		}
		if left == 0 {
			fmt.Fprintf(m.env.Stdout, "Moved %d partitions away from broker %d.\n", len(targets), broker)
			return m.safeToStop(ctx, c, broker)
		}
		timer := time.NewTimer(drainPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// reassign asks for other replicas of partitions.
func (c *client) reassign(ctx context.Context, targets map[partitionName][]int32) error {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	byTopic := map[string]int{}
	for name, replicas := range targets {
		at, ok := byTopic[name.topic]
		if !ok {
			at = len(req.Topics)
			byTopic[name.topic] = at
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic = name.topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = name.partition, replicas
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := codeError(p.ErrorCode, p.ErrorMessage); err != nil {
				return fmt.Errorf("%s-%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// safetyCommands are `barnabas cluster safe-to-stop` and `barnabas cluster drain`.
func safetyCommands(m *modern) []*cobra.Command {
	command := func(use, short string, run func(context.Context, *client, int32) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || id < 0 {
				return usagef("%q is no broker id", args[0])
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error { return run(ctx, c, int32(id)) })
		}}
	}
	return []*cobra.Command{
		command("safe-to-stop BROKER", "Say what would be at risk without a broker; exit status 1 if anything",
			func(ctx context.Context, c *client, id int32) error { return m.safeToStop(ctx, c, id) }),
		command("drain BROKER", "Move what a broker holds to others, as far as there are others, and wait for that",
			func(ctx context.Context, c *client, id int32) error { return m.drain(ctx, c, id) }),
	}
}
