package broker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
)

// The rates are dynamic settings alone, as in Kafka: no file has them, and a broker that was told none does not show them.
const (
	leaderThrottledRate   = "leader.replication.throttled.rate"
	followerThrottledRate = "follower.replication.throttled.rate"
	alterDirsRate         = "replica.alter.log.dirs.io.max.bytes.per.second"
)

// limitCopying takes over the limits of replication (KIP-73) where they have changed.
func (b *Broker) limitCopying(image *metadata.Image, changed []metadata.Resource) {
	own, all := brokerResource(b.id), metadata.Resource{Type: metadata.BrokerResource}
	if !slices.Contains(changed, own) && !slices.Contains(changed, all) {
		return
	}
	limits := b.partitions.Throttles()
	for _, limit := range []struct {
		name     string
		throttle *replication.Throttle
	}{{leaderThrottledRate, &limits.Leader}, {followerThrottledRate, &limits.Follower}, {alterDirsRate, &limits.AlterDirs}} {
		value, set := image.Config(own)[limit.name]
		if !set {
			value, set = image.Config(all)[limit.name]
		}
		rate, err := strconv.ParseInt(value, 10, 64)
		if set && (err != nil || rate < 0) {
			b.logger.Warn("limit of replication is not a number of bytes a second, and is left out",
				"setting", limit.name, "value", value)
			rate = 0
		}
		limit.throttle.SetRate(rate)
	}
}

// throttledReplicas reads which partitions a topic's settings have throttled on a broker.
func throttledReplicas(view *config.View, broker ident.BrokerID) func(int32) replication.Throttled {
	leader, follower := config.LeaderThrottledReplicas.In(view), config.FollowerThrottledReplicas.In(view)
	if len(leader) == 0 && len(follower) == 0 {
		return nil
	}
	names := func(list []string, partition int32) bool {
		return slices.Contains(list, "*") || slices.ContainsFunc(list, func(entry string) bool {
			return strings.TrimSpace(entry) == fmt.Sprintf("%d:%d", partition, broker)
		})
	}
	return func(partition int32) replication.Throttled {
		return replication.Throttled{Leader: names(leader, partition), Follower: names(follower, partition)}
	}
}

// throttled tells that a replica is not to be copied for now.
func (f *fetchers) throttled(r replication.Replica) bool {
	p, ok := r.(*replication.Partition)
	if !ok {
		return false
	}
	_, waits := p.TakesThrottled()
	return waits && f.partitions.Throttles().Follower.Exceeded(time.Now())
}
