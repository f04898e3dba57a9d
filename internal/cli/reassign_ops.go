package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// movesUnderWay are all reassignments of the cluster.
func (c *client) movesUnderWay(ctx context.Context) (reassignments, error) {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, err
	}
	moves := reassignments{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			moves[partitionName{t.Topic, p.Partition}] = reassignment{p.Replicas, p.AddingReplicas, p.RemovingReplicas}
		}
	}
	return moves, nil
}

// replicasOf are the replicas of all partitions of topics; a topic that does not exist has none.
func (c *client) replicasOf(ctx context.Context, topics []string) (assignment, error) {
	found := assignment{}
	if len(topics) == 0 {
		return found, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		err := codeError(t.ErrorCode, nil)
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil, err
		}
		for _, p := range t.Partitions {
			found[partitionName{orEmpty(t.Topic), p.Partition}] = p.Replicas
		}
	}
	return found, nil
}

// brokersWithRacks are those of the brokers that are there. Either all or none of them must have a rack.
func (c *client) brokersWithRacks(ctx context.Context, ids []int32, racks bool) ([]rackedBroker, error) {
	all, err := c.adm.ListBrokers(ctx)
	if err != nil {
		return nil, err
	}
	var found []rackedBroker
	without := 0
	for _, b := range all {
		if !slices.Contains(ids, b.NodeID) {
			continue
		}
		one := rackedBroker{id: b.NodeID}
		if racks && b.Rack != nil {
			one.rack = *b.Rack
		}
		if one.rack == "" {
			without++
		}
		found = append(found, one)
	}
	if racks && without > 0 && without < len(found) {
		return nil, sayf("Not all brokers have rack information. Add --disable-rack-aware in command line to make " +
			"replica assignment without rack information.")
	}
	if len(found) == 0 {
		return nil, sayf("Replication factor: 1 larger than available brokers: 0")
	}
	return found, nil
}

// checkBrokers says of which broker of a plan nothing is known.
func (c *client) checkBrokers(ctx context.Context, plan *movePlan) error {
	cluster, err := c.describeCluster(ctx, false)
	if err != nil {
		return err
	}
	for _, name := range plan.names() {
		for _, id := range plan.replicas[name] {
			if !slices.ContainsFunc(cluster.Brokers, func(b brokerInfo) bool { return b.ID == id }) {
				return sayf("Unknown broker id %d", id)
			}
		}
	}
	return nil
}

// failures are the partitions that could not be changed.
type failures map[partitionName]error

func (f failures) String() string {
	var lines []string
	for _, name := range namesOf(f) {
		lines = append(lines, fmt.Sprintf("%s: %s", name, errorText(f[name])))
	}
	return strings.Join(lines, "\n")
}

// alterMoves begins reassignments, or ends those whose replicas are nil.
func (c *client) alterMoves(ctx context.Context, to assignment, allowFactorChange bool) (failures, error) {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis, req.AllowReplicationFactorChange = int32(apiTimeout.Milliseconds()), allowFactorChange
	for _, name := range to.names() {
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].Topic != name.topic {
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic = name.topic
			req.Topics, last = append(req.Topics, t), last+1
		}
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = name.partition, to[name]
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, err
	}
	failed := failures{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := codeError(p.ErrorCode, p.ErrorMessage); err != nil {
				failed[partitionName{t.Topic, p.Partition}] = err
			}
		}
	}
	return failed, nil
}

// dirsOf asks each broker of a plan's log directories for what is in its own.
func (c *client) dirsOf(ctx context.Context, dirs map[replicaName]string) (map[int32]kadm.DescribedLogDirs, error) {
	found := map[int32]kadm.DescribedLogDirs{}
	for replica := range dirs {
		if found[replica.broker] != nil {
			continue
		}
		described, err := c.adm.DescribeBrokerLogDirs(ctx, replica.broker, nil)
		if err != nil {
			return nil, err
		}
		found[replica.broker] = described
	}
	return found, nil
}

// place finds where a replica is, and where it is being moved to.
func place(dirs kadm.DescribedLogDirs, name partitionName) (now, future string) {
	for path, d := range dirs {
		p, ok := d.Topics.Lookup(name.topic, name.partition)
		switch {
		case ok && p.IsFuture:
			future = path
		case ok:
			now = path
		}
	}
	return now, future
}

func replicasIn(dirs map[replicaName]string) []replicaName {
	var all []replicaName
	for replica := range dirs {
		all = append(all, replica)
	}
	slices.SortFunc(all, func(a, b replicaName) int {
		if a.broker != b.broker {
			return int(a.broker - b.broker)
		}
		if a.topic != b.topic {
			return strings.Compare(a.topic, b.topic)
		}
		return int(a.partition - b.partition)
	})
	return all
}

func (r replicaName) String() string { return fmt.Sprintf("%s-%d", r.partitionName, r.broker) }

// verifyDirectories tells of the moves between log directories, and whether one is under way.
func (c *client) verifyDirectories(ctx context.Context, env *Env, plan *movePlan) (moving bool, err error) {
	found, err := c.dirsOf(ctx, plan.directories)
	if err != nil {
		return false, err
	}
	for _, r := range replicasIn(plan.directories) {
		target := plan.directories[r]
		now, future := place(found[r.broker], r.partitionName)
		switch {
		case now == "" && future == "":
			env.printf("Partition %s cannot be found in any live log directory on broker %d.\n", r.partitionName, r.broker)
		case future == target:
			moving = true
			env.printf("Reassignment of replica %s is still in progress.\n", r)
		case future != "":
			moving = true
			env.printf("Partition %s on broker %d is being moved to log dir %s instead of %s.\n", r.partitionName, r.broker, future, target)
		case now == target:
			env.printf("Reassignment of replica %s completed successfully.\n", r)
		default:
			env.printf("Partition %s on broker %d is not being moved from log dir %s to %s.\n", r.partitionName, r.broker, now, target)
		}
	}
	if len(plan.directories) == 0 {
		env.printf("\n")
	}
	return moving, nil
}

// dirsPause is how long to wait before brokers are asked again to move a replica that they don't have yet.
const dirsPause = 100 * time.Millisecond

// moveDirectories asks brokers to move replicas between their log directories. One that a broker is yet to be given is asked for
// again until the time is over.
func (c *client) moveDirectories(ctx context.Context, env *Env, dirs map[replicaName]string, timeoutMs int64) error {
	end := time.Now().Add(time.Duration(timeoutMs) * time.Millisecond)
	pending := replicasIn(dirs)
	for len(pending) > 0 {
		var again []replicaName
		for _, r := range pending {
			began, err := c.moveDirectory(ctx, r, dirs[r])
			switch {
			case err != nil:
				return sayf("Failed to alter dir for %s: %s", r, errorText(err))
			case began:
				env.printf("Successfully started moving log directory to %s for replica %s with broker %d \n",
					dirs[r], r.partitionName, r.broker)
			default:
				again = append(again, r)
			}
		}
		if pending = again; len(pending) == 0 {
			return nil
		}
		if time.Now().After(end) {
			var names []string
			for _, r := range pending {
				names = append(names, r.String())
			}
			return terse{fmt.Sprintf("Timed out before log directory move%s could be started for: %s",
				plural(len(pending)), strings.Join(names, ","))}
		}
		select {
		case <-time.After(dirsPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (c *client) moveDirectory(ctx context.Context, r replicaName, dir string) (began bool, err error) {
	req := kmsg.NewPtrAlterReplicaLogDirsRequest()
	d := kmsg.NewAlterReplicaLogDirsRequestDir()
	t := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
	t.Topic, t.Partitions = r.topic, []int32{r.partition}
	d.Dir, d.Topics = dir, append(d.Topics, t)
	req.Dirs = append(req.Dirs, d)
	answer, err := c.Broker(int(r.broker)).RetriableRequest(ctx, req)
	if err != nil {
		return false, err
	}
	for _, t := range answer.(*kmsg.AlterReplicaLogDirsResponse).Topics {
		for _, p := range t.Partitions {
			err = codeError(p.ErrorCode, nil)
		}
	}
	if errors.Is(err, kerr.ReplicaNotAvailable) {
		return false, nil
	}
	return err == nil, err
}
