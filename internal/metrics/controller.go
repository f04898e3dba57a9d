package metrics

import (
	"maps"
	"slices"
)

// Cluster is what the controller sees of the cluster, as a scrape shows it.
type Cluster struct {
	// Active says that this broker is the controller. One that is not shows zeros for all the rest, so that
	// sums over all brokers are right.
	Active             bool
	Brokers            int // registered and alive
	FencedBrokers      int // registered and not alive
	OfflinePartitions  int // without a leader
	PreferredImbalance int // led by another than their first replica
	// Partitions is how many partitions each topic has.
	Partitions map[string]int
}

// ClusterSource is whoever watches the cluster's metadata.
type ClusterSource interface {
	ClusterState() Cluster
}

// AddCluster shows the state of the cluster at every scrape.
func (r *Registry) AddCluster(source ClusterSource) { r.Add(cluster{source}) }

type cluster struct{ source ClusterSource }

// Collect writes Kafka's gauges of the controller and kafka_exporter's of the cluster.
func (c cluster) Collect(w *Writer) {
	s := c.source.ClusterState()
	if !s.Active {
		s = Cluster{}
	}
	partitions := 0
	for _, n := range s.Partitions {
		partitions += n
	}
	for _, family := range []struct {
		name, help string
		value      int64
	}{
		{"kafka_controller_kafkacontroller_activecontrollercount", "1 on the broker that is the controller.", one(s.Active)},
		{"kafka_controller_kafkacontroller_activebrokercount", "Brokers registered and alive.", int64(s.Brokers)},
		{"kafka_controller_kafkacontroller_fencedbrokercount", "Brokers registered and not alive.", int64(s.FencedBrokers)},
		{"kafka_controller_kafkacontroller_globaltopiccount", "Topics of the cluster.", int64(len(s.Partitions))},
		{"kafka_controller_kafkacontroller_globalpartitioncount", "Partitions of the cluster.", int64(partitions)},
		{"kafka_controller_kafkacontroller_offlinepartitionscount", "Partitions without a leader.", int64(s.OfflinePartitions)},
		{"kafka_controller_kafkacontroller_preferredreplicaimbalancecount", "Partitions led by another than their first replica.", int64(s.PreferredImbalance)},
	} {
		w.Family(family.name, GaugeType, family.help)
		w.Count(family.value)
	}
	if !s.Active {
		return
	}
	w.Family("kafka_brokers", GaugeType, "Brokers registered and alive.")
	w.Count(int64(s.Brokers))
	w.Family("kafka_topic_partitions", GaugeType, "Partitions of the topic.")
	for _, topic := range slices.Sorted(maps.Keys(s.Partitions)) {
		w.Count(int64(s.Partitions[topic]), "topic", topic)
	}
}
