package config

// rackAware is the one selector of replicas that Kafka brings along.
const rackAware = "org.apache.kafka.common.replica.RackAwareReplicaSelector"

// Copying between brokers, and where leaders are.
var (
	ReplicaFetchMaxBytes = intSetting(Row{Name: "replica.fetch.max.bytes", Default: "1048576", Room: inReplication, check: atLeast[int64](0),
		Doc: "How many bytes a follower asks of one partition at a time. A larger batch still gets through."})

	ReplicaFetchResponseMaxBytes = intSetting(Row{Name: "replica.fetch.response.max.bytes", Default: "10485760", Room: inReplication, check: atLeast[int64](0),
		Doc: "How many bytes a follower asks of one leader at a time, all partitions together."})

	ReplicaFetchMinBytes = intSetting(Row{Name: "replica.fetch.min.bytes", Default: "1", Room: inReplication, check: atLeast[int64](0),
		Doc: "How many bytes a leader waits for before it answers a follower."})

	ReplicaFetchWaitMax = msSetting(Int, Row{Name: "replica.fetch.wait.max.ms", Default: "500", Room: inReplication, check: atLeast[int64](0),
		Doc: "How long a leader waits for replica.fetch.min.bytes before it answers a follower. It should be well below replica.lag.time.max.ms."})

	ReplicaFetchBackoff = msSetting(Int, Row{Name: "replica.fetch.backoff.ms", Default: "1000", Room: inReplication, check: atLeast[int64](0),
		Doc: "The longest pause after a fetch from a leader that failed; the first ones are much shorter."})

	ReplicaSocketTimeout = msSetting(Int, Row{Name: "replica.socket.timeout.ms", Default: "30000", Room: inReplication, check: atLeast[int64](1),
		Doc: "How long a broker waits for another's answer. It should be above replica.fetch.wait.max.ms."})

	ReplicaSelector = stringSetting(Row{Name: "replica.selector.class", Null: true, Room: inReplication, check: oneOf(rackAware, "org.apache.kafka.common.replica.LeaderSelector"),
		Doc: "Who sends records to consumers: the leader, or with `" + rackAware + "` the replica in sync in the rack that a consumer names in `client.rack` (KIP-392). Other classes of Kafka's can't be loaded."})

	AutoLeaderRebalance = boolSetting(Row{Name: "auto.leader.rebalance.enable", Default: "true", Room: inController,
		Doc: "Whether leadership goes back to each partition's first replica once that is in sync again, and whether copies that a broker left to others when it stopped go back to it when it serves again."})

	LeaderImbalanceCheckInterval = longSetting(Row{Name: "leader.imbalance.check.interval.seconds", Default: "300", Room: inController, check: atLeast[int64](1),
		Doc: "How often the controller looks for partitions that their first replica could lead and does not."})

	LeaveTimeout = msSetting(Int, Row{Name: "barnabas.leave.timeout.ms", Default: "25000", Room: inBroker, check: atLeast[int64](0),
		Doc: "How long a broker that is told to stop waits, at most, until every partition that it holds keeps its data without it: until others are in sync, or have been given a copy. What is at risk then is named in the log. It should be below the `terminationGracePeriodSeconds` of a pod, which is 30 unless given; 0 does not wait. It has no meaning without controlled.shutdown.enable."})

	DataKept = stringSetting(Row{Name: "barnabas.data.kept", Default: "auto", Room: inBroker, check: oneOf("auto", "true", "false"),
		Doc: "Whether the log directories are there when the broker comes back: `true` on a volume or a disk, `false` in a pod without one. A broker that is told to stop does not wait then for somebody to take over where nobody is left, and not for longer than 5 s where others are. `auto` believes it of directories that have come back to this broker in another pod or container, or, where it is in neither, at all."})

	ControlledShutdown = boolSetting(Row{Name: "controlled.shutdown.enable", Default: "true", Room: inBroker,
		Doc: "Whether a broker that is told to stop moves its leaderships away before it goes."})
)

// ReadsNear tells whether consumers are sent to a replica in their own rack.
func ReadsNear(v *View) bool { return ReplicaSelector.In(v) == rackAware }
