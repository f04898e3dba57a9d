package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
	"barnabas/internal/ident"
)

// runMetadataQuorum is kafka-metadata-quorum. In Barnabas the keepers hold the metadata; what is described is the elected
// controller, and how far the brokers have followed (internal/api/55_describe_quorum.go).
func runMetadataQuorum(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool describes kraft metadata quorum status:\n" +
		"kafka-metadata-quorum --bootstrap-server … describe {--status,--replication [--human-readable]}")
	connect := newConnectOptions(p)
	connect.bootstrap.Or("bootstrap-controller")
	status := p.Flag("status", "With describe: a short summary.")
	replication := p.Flag("replication", "With describe: how far each member has followed.")
	re := p.Flag("re", "The same as --replication.")
	human := p.Flag("human-readable", "With --replication: times as so many milliseconds ago.")
	hr := p.Flag("hr", "The same as --human-readable.")
	if err := env.parse(p, args, "kafka-metadata-quorum: error: too few arguments"); err != nil {
		return err
	}
	what, err := action(p, "kafka-metadata-quorum", "describe", "add-controller", "remove-controller")
	if err != nil {
		return p.Usagef("%v", err)
	}
	if what != "describe" {
		env.warnf("Error: the keepers' ensemble is not changed by this tool: a keeper joins and leaves by itself.\n")
		return exitFailure
	}
	if err := connect.required(); err != nil {
		return err
	}
	replicas, readable := replication.Set() || re.Set(), human.Set() || hr.Set()
	switch {
	case status.Set() && replicas:
		err = sayf("Only one of --status or --replication should be specified with describe sub-command")
	case status.Set() && readable:
		err = sayf("The option --human-readable is only supported along with --replication")
	case !status.Set() && !replicas:
		err = sayf("One of --status or --replication must be specified with describe sub-command")
	default:
		err = connect.run(ctx, env, func(ctx context.Context, c *client) error {
			q, err := c.quorum(ctx)
			if err != nil {
				return err
			}
			if replicas {
				return q.printReplication(env, readable)
			}
			return q.printStatus(env)
		})
	}
	if err != nil {
		env.warnf("%s\n", errorText(err))
		return exitFailure
	}
	return nil
}

type quorum struct {
	cluster string
	kmsg.DescribeQuorumResponseTopicPartition
	endpoints map[int32][]string
}

type quorumMember = kmsg.DescribeQuorumResponseTopicPartitionReplicaState

func (c *client) quorum(ctx context.Context) (*quorum, error) {
	cluster, err := c.describeCluster(ctx, false)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrDescribeQuorumRequest()
	t := kmsg.NewDescribeQuorumRequestTopic()
	p := kmsg.NewDescribeQuorumRequestTopicPartition()
	t.Topic, t.Partitions = "__cluster_metadata", append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, sayf("The broker did not describe the quorum.")
	}
	q := &quorum{cluster: cluster.ID, DescribeQuorumResponseTopicPartition: resp.Topics[0].Partitions[0], endpoints: map[int32][]string{}}
	if err := codeError(q.ErrorCode, q.ErrorMessage); err != nil {
		return nil, err
	}
	for _, n := range resp.Nodes {
		for _, l := range n.Listeners {
			q.endpoints[n.NodeID] = append(q.endpoints[n.NodeID], fmt.Sprintf("%s://%s:%d", l.Name, l.Host, l.Port))
		}
	}
	return q, nil
}

// leader is the voter that leads.
func (q *quorum) leader() (quorumMember, error) {
	for _, v := range q.CurrentVoters {
		if v.ReplicaID == q.LeaderID {
			return v, nil
		}
	}
	return quorumMember{}, sayf("No controller is elected.")
}

func (q *quorum) printStatus(env *Env) error {
	leader, err := q.leader()
	if err != nil {
		return err
	}
	last := leader
	for _, v := range q.CurrentVoters {
		if v.LogEndOffset < last.LogEndOffset {
			last = v
		}
	}
	lagTime := int64(0)
	if last.ReplicaID != leader.ReplicaID {
		lagTime = -1
		if leader.LastCaughtUpTimestamp >= 0 && last.LastCaughtUpTimestamp >= 0 {
			lagTime = leader.LastCaughtUpTimestamp - last.LastCaughtUpTimestamp
		}
	}
	for _, line := range []struct {
		name  string
		value any
	}{
		{"ClusterId:", q.cluster}, {"LeaderId:", q.LeaderID}, {"LeaderEpoch:", q.LeaderEpoch}, {"HighWatermark:", q.HighWatermark},
		{"MaxFollowerLag:", leader.LogEndOffset - last.LogEndOffset}, {"MaxFollowerLagTimeMs:", lagTime},
		{"CurrentVoters:", q.members(q.CurrentVoters)}, {"CurrentObservers:", q.members(q.Observers)},
	} {
		env.printf("%-24s%v\n", line.name, line.value)
	}
	return nil
}

// members are voters or observers in one line.
func (q *quorum) members(list []quorumMember) string {
	var all []string
	for _, m := range list {
		text := fmt.Sprintf(`{"id": %d, "directoryId": `, m.ReplicaID)
		if id := ident.StoreID(m.ReplicaDirectoryID); id.IsZero() {
			text += "null"
		} else {
			text += `"` + id.String() + `"`
		}
		if endpoints := q.endpoints[m.ReplicaID]; len(endpoints) > 0 {
			text += `, "endpoints": ["` + strings.Join(endpoints, `", "`) + `"]`
		}
		all = append(all, text+"}")
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (q *quorum) printReplication(env *Env, human bool) error {
	leader, err := q.leader()
	if err != nil {
		return err
	}
	rows := [][]string{{"NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status"}}
	add := func(m quorumMember, state string) {
		rows = append(rows, []string{
			fmt.Sprint(m.ReplicaID), ident.StoreID(m.ReplicaDirectoryID).String(), fmt.Sprint(m.LogEndOffset),
			fmt.Sprint(leader.LogEndOffset - m.LogEndOffset), when(m.LastFetchTimestamp, human), when(m.LastCaughtUpTimestamp, human), state,
		})
	}
	add(leader, "Leader")
	for _, v := range q.CurrentVoters {
		if v.ReplicaID != leader.ReplicaID {
			add(v, "Follower")
		}
	}
	for _, o := range q.Observers {
		add(o, "Observer")
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			env.printf("%-*s\t", widths[i], cell)
		}
		env.printf("\n")
	}
	return nil
}

// when is a time in milliseconds, or how long ago it was.
func when(ms int64, human bool) string {
	if !human || ms < 0 {
		return fmt.Sprint(ms)
	}
	return fmt.Sprintf("%d ms ago", time.Since(time.UnixMilli(ms)).Milliseconds())
}
