package config

// Topics, replication and the cluster.
var (
	NumPartitions = intSetting(Row{Name: "num.partitions", Default: "1", Room: inController, check: atLeast[int64](1),
		Doc: "How many partitions a topic gets that asks for no number."})

	DefaultReplicationFactor = intSetting(Row{Name: "default.replication.factor", Default: "auto", Room: inController, check: atLeast[int64](1), auto: true,
		Kafka: "1", Why: "One copy is lost with its broker.",
		Doc: "How many replicas a topic gets that asks for no number; `auto` is 3, or as many as there are brokers."})

	AutoCreateTopics = boolSetting(Row{Name: "auto.create.topics.enable", Default: "true", Room: inAPI,
		Doc: "Whether a topic that a client asks for is created."})

	DeleteTopicEnable = boolSetting(Row{Name: "delete.topic.enable", Default: "true", Room: inController,
		Doc: "Whether topics can be deleted."})

	CreateTopics = stringSetting(Row{Name: "barnabas.create.topics", Room: inController,
		Doc: "Topics to create once the cluster is up, where they do not exist yet: `name:partitions:replicas[:cleanup.policy]`, separated by commas. KAFKA_CREATE_TOPICS is this."})

	ReplicaLagTimeMax = msSetting(Long, Row{Name: "replica.lag.time.max.ms", Default: "30000", Room: inReplication, check: atLeast[int64](1),
		Doc: "How long a follower may lag behind the end of the leader's log before it leaves the in-sync set."})
)

// The keeper: the ensemble that holds the cluster's metadata, in ZooKeeper's place.
var (
	KeeperConnect = listSetting(Row{Name: "zookeeper.connect", Aliases: []string{"keeper.connect"}, Null: true, Room: inKeeper,
		Doc: "The keepers, as `host:2181,host:2181/chroot`; or an etcd cluster of your own, as `etcd://host:2379,host:2379/prefix`, with `user:password@` before the first host where it wants that, and which has to drop its history by itself (`--auto-compaction-mode=revision --auto-compaction-retention=10000`). Empty runs a keeper inside the broker, alone or, with keeper.servers, as a member of an ensemble."})

	KeeperUser = stringSetting(Row{Name: "keeper.user", Room: inKeeper,
		Doc: "The user in the etcd cluster that zookeeper.connect names, where it has authentication."})

	KeeperPassword = passwordSetting(Row{Name: "keeper.password", Null: true, Room: inKeeper,
		Doc: "That user's password."})

	KeeperTLS = boolSetting(Row{Name: "keeper.tls.enable", Default: "false", Room: inKeeper,
		Doc: "Whether TLS is spoken with the etcd cluster that zookeeper.connect names; a file given below says so too."})

	KeeperTLSCA = stringSetting(Row{Name: "keeper.tls.ca", Room: inKeeper,
		Doc: "A PEM file with the certificates of those who may sign the etcd servers' certificates. Empty trusts whom the system trusts."})

	KeeperTLSCertificate = stringSetting(Row{Name: "keeper.tls.certificate", Room: inKeeper,
		Doc: "A PEM file with the broker's own certificate for the etcd cluster, and those that signed it. It is read anew for each connection, so that it can be replaced."})

	KeeperTLSKey = stringSetting(Row{Name: "keeper.tls.key", Room: inKeeper,
		Doc: "A PEM file with the key of keeper.tls.certificate."})

	KeeperListener = stringSetting(Row{Name: "keeper.listener", Room: inKeeper, check: address(),
		Doc: "Where the keeper inside the broker listens for tools and other brokers, as `host:port`; 2181 is the usual port. Empty listens nowhere. It has no meaning where zookeeper.connect names keepers."})

	KeeperSessionTimeout = msSetting(Int, Row{Name: "zookeeper.session.timeout.ms", Aliases: []string{"broker.session.timeout.ms"}, Default: "9000", Room: inKeeper, check: atLeast[int64](1000),
		Doc: "How long a broker that can't be heard stays registered."})

	ClusterID = stringSetting(Row{Name: "cluster.id", Null: true, Room: inKeeper,
		Doc: "The id that a cluster is given when it is born, 22 characters of URL-safe base64; by default a random one. CLUSTER_ID is this."})
)

// MinISR is how many in-sync replicas a partition with this many replicas needs: the configured number, or
// where that is Auto, 2 of three and more, and 1 below.
func MinISR(v *View, replicas int) int {
	if n := MinInsyncReplicas.In(v); n != Auto {
		return n
	}
	return autoMinISR(replicas)
}

func autoMinISR(replicas int) int {
	if replicas >= 3 {
		return 2
	}
	return 1
}

// ReplicationFactor is the configured number of replicas, or where that is Auto, three or as many as there
// are brokers.
func ReplicationFactor(configured, brokers int) int {
	if configured != Auto {
		return configured
	}
	return max(1, min(3, brokers))
}
