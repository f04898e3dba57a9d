package broker

import (
	"barnabas/internal/ident"
	"barnabas/internal/metrics"
	"barnabas/internal/replication"
)

// collectors show the rooms' states at each scrape.
func (b *Broker) addCollectors() {
	b.registry.AddPartitions(partitionSource{b})
	b.registry.AddLogDirs(logDirSource{b})
	b.registry.AddCluster(clusterSource{b})
	b.registry.AddGroups(b.groups)
	b.addSafety()
	b.registry.AddPod(b)
	b.registry.Gauge("kafka_server_kafkaserver_brokerstate", "The broker's state: 3 is running.", func() float64 {
		return brokerRunning
	})
}

// brokerRunning is RUNNING in Kafka's BrokerState.
const brokerRunning = 3

type partitionSource struct{ b *Broker }

func (s partitionSource) AppendPartitions(list []metrics.Partition) []metrics.Partition {
	image := s.b.feed.Current()
	for _, p := range s.b.partitions.All() {
		name, state := p.Name(), p.State()
		known := image.Partition(name)
		row := metrics.Partition{
			Topic: name.Topic, Partition: name.Partition,
			Leader: state.Role == replication.Leading, Broker: int32(s.b.id), Offline: !state.Online,
			LogStartOffset: int64(state.LogStart), LogEndOffset: int64(state.LogEnd),
			HighWatermark: int64(state.HighWatermark), LastStableOffset: int64(state.LastStable),
			SizeBytes: state.Size, Segments: state.Segments,
			Replicas: state.Replicas, InSync: state.InSync, MinInSync: state.MinISR,
		}
		if known != nil {
			row.Preferred, row.Reassigning = known.PreferredLeader() == s.b.id, known.Reassigning()
		}
		list = append(list, row)
	}
	return list
}

type logDirSource struct{ b *Broker }

func (s logDirSource) LogDirStates() []metrics.LogDir {
	var list []metrics.LogDir
	for _, d := range s.b.store.Dirs() {
		total, usable := d.Space()
		list = append(list, metrics.LogDir{
			Path: d.Path(), Offline: d.Err() != nil, TotalBytes: max(total, 0), FreeBytes: max(usable, 0),
		})
	}
	return list
}

type clusterSource struct{ b *Broker }

func (s clusterSource) ClusterState() metrics.Cluster {
	if !s.b.controller.Elected() {
		return metrics.Cluster{}
	}
	image := s.b.feed.Current()
	state := metrics.Cluster{Active: true, Brokers: image.NumBrokers(), Partitions: map[string]int{}}
	for topic := range image.Topics() {
		state.Partitions[topic.Name] = int(topic.NumPartitions())
		for _, p := range topic.Partitions() {
			switch p.Leader {
			case ident.NoBroker:
				state.OfflinePartitions++
			case p.PreferredLeader():
			default:
				state.PreferredImbalance++
			}
		}
	}
	return state
}
