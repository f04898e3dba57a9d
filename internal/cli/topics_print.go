package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"barnabas/internal/cli/jopt"
)

// print writes one topic as kafka-topics --describe does: a line for the topic and one for each
// partition, or only those that a report asks for.
func (o *topicsOptions) print(env *Env, t topicDescription, configs []configEntry, moves reassignments, live map[int32]bool) {
	reports := jopt.Count(o.underReplicated, o.unavailable, o.underMin, o.atMin) > 0
	if own := nonDefault(configs); !reports && (!o.overrides.Set() || len(own) > 0) {
		env.printf("%s\n", topicLine(t, own, moves))
	}
	if o.overrides.Set() {
		return
	}
	minISR := 1
	for _, config := range configs {
		if config.Name == "min.insync.replicas" {
			minISR, _ = strconv.Atoi(config.Value)
		}
	}
	for _, p := range t.Partitions {
		move, moving := moves[partitionName{t.Name, p.Partition}]
		show := !reports ||
			o.underReplicated.Set() && p.replicationFactor(move) > len(p.ISR) ||
			o.unavailable.Set() && !live[p.Leader] ||
			o.underMin.Set() && (p.Leader < 0 || len(p.ISR) < minISR) ||
			o.atMin.Set() && len(p.ISR) == minISR
		if show {
			env.printf("%s\n", partitionLine(t, p, move, moving))
		}
	}
}

func topicLine(t topicDescription, own []configEntry, moves reassignments) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Topic: %s", t.Name)
	if !t.ID.IsZero() {
		fmt.Fprintf(&b, "\tTopicId: %s", t.ID)
	}
	replication := 0
	if len(t.Partitions) > 0 {
		first := t.Partitions[0]
		replication = first.replicationFactor(moves[partitionName{t.Name, first.Partition}])
	}
	words := make([]string, len(own))
	for i, config := range own {
		words[i] = config.Name + "=" + config.Value
	}
	fmt.Fprintf(&b, "\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s",
		len(t.Partitions), replication, strings.Join(words, ","))
	return b.String()
}

func partitionLine(t topicDescription, p partitionDescription, move reassignment, moving bool) string {
	var b strings.Builder
	leader := "none"
	if p.Leader >= 0 {
		leader = strconv.Itoa(int(p.Leader))
	}
	fmt.Fprintf(&b, "\tTopic: %s\tPartition: %d\tLeader: %s\tReplicas: %s\tIsr: %s",
		t.Name, p.Partition, leader, joinIDs(p.Replicas), joinIDs(p.ISR))
	if moving {
		fmt.Fprintf(&b, "\tAdding Replicas: %s\tRemoving Replicas: %s",
			joinIDs(move.adding), joinIDs(move.removing))
	}
	if p.hasELR {
		fmt.Fprintf(&b, "\tElr: %s\tLastKnownElr: %s", joinIDs(p.ELR), joinIDs(p.LastKnownELR))
	} else {
		b.WriteString("\tElr: N/A\tLastKnownElr: N/A")
	}
	return b.String()
}

func joinIDs(ids []int32) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
	}
	return strings.Join(words, ",")
}

// replicationFactor leaves out the replicas that a move under way is adding.
func (p partitionDescription) replicationFactor(move reassignment) int {
	for _, id := range p.Replicas {
		if slices.Contains(move.adding, id) || slices.Contains(move.removing, id) {
			return len(move.replicas) - len(move.adding)
		}
	}
	return len(p.Replicas)
}
