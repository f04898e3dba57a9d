package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The settings by which copying is throttled while partitions move (KIP-73, KIP-113).
const (
	leaderRate       = "leader.replication.throttled.rate"
	followerRate     = "follower.replication.throttled.rate"
	dirRate          = "replica.alter.log.dirs.io.max.bytes.per.second"
	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
)

// move is from where to where a partition is copied.
type move struct{ from, to []int32 }

// movesOf are those under way and those that a plan adds.
func movesOf(under reassignments, plan *movePlan, current assignment) map[partitionName]move {
	moves := map[partitionName]move{}
	for name, m := range under {
		moves[name] = move{from: lacking(m.replicas, m.adding), to: m.adding}
	}
	for name, target := range plan.replicas {
		from := current[name]
		if m, moving := moves[name]; moving {
			from = m.from
		}
		moves[name] = move{from: from, to: lacking(target, from)}
	}
	return moves
}

// lacking is a list without what is in another.
func lacking(list, without []int32) (rest []int32) {
	for _, id := range list {
		if !slices.Contains(without, id) {
			rest = append(rest, id)
		}
	}
	return rest
}

// setThrottles limits the copying of a plan, where that is asked for.
func (c *client) setThrottles(
	ctx context.Context, env *Env, under reassignments, plan *movePlan, current assignment, o *reassignOptions,
) error {
	rate, dirs := o.throttle.Must(), o.dirThrottle.Must()
	if rate < 0 && dirs < 0 {
		return nil
	}
	env.printf("%s\n", verifyPeriodically)
	if rate >= 0 {
		if err := c.throttleMoves(ctx, movesOf(under, plan, current), rate); err != nil {
			return err
		}
		env.printf("The inter-broker throttle limit was set to %d B/s\n", rate)
	}
	if dirs < 0 {
		return nil
	}
	var brokers []int32
	for _, r := range replicasIn(plan.directories) {
		if !slices.Contains(brokers, r.broker) {
			brokers = append(brokers, r.broker)
		}
	}
	for _, id := range brokers {
		if err := c.changeConfigs(ctx, brokerConfig(id), map[string]string{dirRate: strconv.FormatInt(dirs, 10)}, nil); err != nil {
			return err
		}
	}
	env.printf("The replica-alter-dir throttle limit was set to %d B/s\n", dirs)
	return nil
}

func (c *client) throttleMoves(ctx context.Context, moves map[partitionName]move, rate int64) error {
	leaders, followers := map[string][]string{}, map[string][]string{}
	var brokers []int32
	for _, name := range namesOf(moves) {
		m := moves[name]
		for _, id := range m.from {
			leaders[name.topic] = append(leaders[name.topic], fmt.Sprintf("%d:%d", name.partition, id))
		}
		for _, id := range m.to {
			followers[name.topic] = append(followers[name.topic], fmt.Sprintf("%d:%d", name.partition, id))
		}
		brokers = append(append(brokers, m.from...), m.to...)
	}
	for topic, replicas := range leaders {
		slices.Sort(replicas)
		slices.Sort(followers[topic])
		set := map[string]string{leaderReplicas: strings.Join(replicas, ","), followerReplicas: strings.Join(followers[topic], ",")}
		if err := c.changeConfigs(ctx, resource{kmsg.ConfigResourceTypeTopic, topic}, set, nil); err != nil {
			return err
		}
	}
	slices.Sort(brokers)
	for _, id := range slices.Compact(brokers) {
		limit := strconv.FormatInt(rate, 10)
		set := map[string]string{leaderRate: limit, followerRate: limit}
		if err := c.changeConfigs(ctx, brokerConfig(id), set, nil); err != nil {
			return err
		}
	}
	return nil
}

// clearThrottles removes all throttles from the brokers and from the topics of a plan: nobody knows any more which brokers
// took part.
func (c *client) clearThrottles(ctx context.Context, env *Env, plan *movePlan) error {
	cluster, err := c.describeCluster(ctx, false)
	if err != nil {
		return err
	}
	var brokers []int32
	for _, b := range cluster.Brokers {
		brokers = append(brokers, b.ID)
	}
	for _, replicas := range plan.replicas {
		brokers = append(brokers, replicas...)
	}
	slices.Sort(brokers)
	brokers = slices.Compact(brokers)
	env.printf("Clearing broker-level throttles on broker%s %s\n", plural(len(brokers)), commas(brokers))
	for _, id := range brokers {
		if err := c.changeConfigs(ctx, brokerConfig(id), nil, []string{leaderRate, followerRate, dirRate}); err != nil {
			return err
		}
	}
	topics := plan.topics()
	env.printf("Clearing topic-level throttles on topic%s %s\n", plural(len(topics)), strings.Join(topics, ","))
	for _, topic := range topics {
		r := resource{kmsg.ConfigResourceTypeTopic, topic}
		if err := c.changeConfigs(ctx, r, nil, []string{leaderReplicas, followerReplicas}); err != nil {
			return err
		}
	}
	return nil
}

func brokerConfig(id int32) resource {
	return resource{kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(id))}
}
