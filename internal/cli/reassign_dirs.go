package cli

import (
	"cmp"
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

// dirsOf asks the brokers of replicas for what of them is in their log directories.
func (c *client) dirsOf(ctx context.Context, replicas []replicaName) (map[int32]kadm.DescribedLogDirs, error) {
	asked := map[int32]kadm.TopicsSet{}
	for _, r := range replicas {
		topics := asked[r.broker]
		topics.Add(r.topic, r.partition)
		asked[r.broker] = topics
	}
	found := map[int32]kadm.DescribedLogDirs{}
	for id, topics := range asked {
		described, err := c.adm.DescribeBrokerLogDirs(ctx, id, topics)
		if err != nil {
			return nil, err
		}
		found[id] = described
	}
	return found, nil
}

// directoriesOf are the log directories in which the replicas of an assignment are. One whose broker is away, or has not made
// it yet, has none.
func (c *client) directoriesOf(ctx context.Context, a assignment) (map[replicaName]string, error) {
	live, err := c.liveBrokers(ctx)
	if err != nil {
		return nil, err
	}
	var replicas []replicaName
	for name, ids := range a {
		for _, id := range ids {
			if live[id] {
				replicas = append(replicas, replicaName{name, id})
			}
		}
	}
	found, err := c.dirsOf(ctx, replicas)
	if err != nil {
		return nil, err
	}
	dirs := map[replicaName]string{}
	for _, r := range replicas {
		if now, _ := place(found[r.broker], r.partitionName); now != "" {
			dirs[r] = now
		}
	}
	return dirs, nil
}

// directoriesLeft are the log directories that replicas of a plan are being moved away from.
func (c *client) directoriesLeft(ctx context.Context, plan *movePlan) (map[replicaName]string, error) {
	replicas := replicasIn(plan.directories)
	found, err := c.dirsOf(ctx, replicas)
	if err != nil {
		return nil, err
	}
	left := map[replicaName]string{}
	for _, r := range replicas {
		if now, future := place(found[r.broker], r.partitionName); now != "" && future != "" {
			left[r] = now
		}
	}
	return left, nil
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
		return cmp.Or(cmp.Compare(a.broker, b.broker), comparePartitions(a.partitionName, b.partitionName))
	})
	return all
}

// verifyDirectories tells of the moves between log directories, and whether one is under way.
func (c *client) verifyDirectories(ctx context.Context, env *Env, plan *movePlan) (moving bool, err error) {
	replicas := replicasIn(plan.directories)
	found, err := c.dirsOf(ctx, replicas)
	if err != nil {
		return false, err
	}
	for _, r := range replicas {
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
